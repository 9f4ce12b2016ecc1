"""Target: a plain WSGI application, for gunicorn: no framework; gunicorn calls the endpoint itself."""

import os

import clients
import witness

REDIS = ("127.0.0.1", int(os.environ["SHOP_REDIS_PORT"]))


@witness.endpoint
def application(environ, start_response):
    """1 INCR, and a GET for each character of the query."""
    with witness.run():
        redis = clients.Redis(REDIS)
        redis.command("INCR", "visits")
        for character in environ["QUERY_STRING"]:
            redis.command("GET", character)
        redis.close()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
        return [b"ok\n"]

"""WSGI itself, with no framework: an application that finds its own pages; also under the standard library's server."""

import sys
import wsgiref.simple_server

import kit
import witness

FRAMEWORK = "WSGI"
PACKAGES = "python3"
MODULE = "wsgiref"
SERVERS = ["own", "gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "uwsgi", "uwsgi-threads", "waitress"]
ASKED = {
    "GET /function": "app",
    "GET /item/7": "app",
    "POST /function": "app",
    "GET /quiet": None,
}


def function(environ):
    kit.redis("GET", "function")
    kit.raw()
    kit.http("/size/10", "/size/?")
    return b"function"


def item(environ):
    for turn in range(int(environ["PATH_INFO"].rpartition("/")[2])):
        kit.redis("GET", "item %d" % turn)
    kit.raw()
    return b"item"


PAGES = {"function": function, "item": item, "quiet": lambda environ: b"quiet"}


@witness.endpoint
def app(environ, start_response):
    """Nobody but the application knows about its pages: it is the endpoint of them all."""
    with witness.run():
        body = PAGES[environ["PATH_INFO"].split("/")[1]](environ)
    start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    wsgiref.simple_server.make_server("127.0.0.1", int(sys.argv[2]), app, handler_class=Quiet).serve_forever()

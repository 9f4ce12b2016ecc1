"""Flask's `async def` views: each request has an event loop of its own, in a thread."""

import asyncio

import akit
import flask
import flask.views
import witness

FRAMEWORK = "Flask, async views"
PACKAGES = "python3-flask python3-asgiref"
MODULE = "flask"
SINCE = (2, 0)
SERVERS = ["gunicorn-sync", "gunicorn-gthread"]
ASKED = {
    "GET /function": "function",
    "GET /parallel": "parallel",
    "GET /method": "Method.get",
    "GET /quiet": None,
}

akit.SHARED = False
app = flask.Flask(__name__)


@app.route("/function")
@witness.endpoint
async def function():
    with witness.run():
        await akit.redis("GET", "function")
        await akit.raw()
    return "function"


@app.route("/parallel")
@witness.endpoint
async def parallel():
    with witness.run():
        await asyncio.gather(akit.raw(), akit.http("/size/10", "/size/?"))
    return "parallel"


class Method(flask.views.MethodView):
    @witness.endpoint
    async def get(self):
        with witness.run():
            await akit.raw(answer=20)
            await akit.redis("GET", "method")
        return "get"


@app.route("/quiet")
async def quiet():
    return "quiet"


app.add_url_rule("/method", view_func=Method.as_view("method"))

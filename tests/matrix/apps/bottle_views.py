"""Bottle: functions, a decorated one, one that answers JSON, a bound method, a mounted application."""

import functools

import bottle
import kit
import witness

FRAMEWORK = "Bottle"
PACKAGES = "python3-bottle"
MODULE = "bottle"
SERVERS = ["gunicorn-sync", "gunicorn-gevent", "waitress"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /decorated": "decorated",
    "GET /partial": "partial",
    "GET /json": "answer",
    "GET /method": "Controller.page",
    "GET /mounted/page": "mounted_page",
    "GET /outer": "outer",
    "GET /quiet": None,
}

app = bottle.Bottle()
mounted = bottle.Bottle()


def logged(view):
    @functools.wraps(view)
    def wrapper(*arguments, **keywords):
        return view(*arguments, **keywords)

    return wrapper


@app.route("/function")
@witness.endpoint
def function():
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")
    return "function"


@app.route("/item/<number:int>")
@witness.endpoint
def item(number):
    with witness.run():
        for turn in range(number):
            kit.redis("GET", "item %d" % turn)
        kit.raw()
    return "item"


@app.route("/decorated")
@logged
@witness.endpoint
def decorated():
    with witness.run():
        kit.raw()
        kit.redis("SET", "decorated", 1)
    return "decorated"


@witness.endpoint
def partial(word):
    with witness.run():
        kit.raw(answer=50)
        kit.redis("PING")
    return word


app.route("/partial", callback=functools.partial(partial, "partial"))


@app.route("/json")
@witness.endpoint
def answer():
    with witness.run():
        kit.raw()
        kit.raw(answer=20)
    return {"word": "json"}


@app.route("/outer")
@witness.endpoint
def outer():
    with witness.run():
        kit.redis("GET", "outer")
        function()
    return "outer"


@app.route("/quiet")
def quiet():
    return "quiet"


class Controller:
    @witness.endpoint
    def page(self):
        with witness.run():
            kit.http("/size/20", "/size/?")
            kit.raw()
        return "method"


@mounted.route("/page")
@witness.endpoint
def mounted_page():
    with witness.run():
        kit.raw()
        kit.redis("GET", "mounted")
    return "mounted"


app.route("/method", callback=Controller().page)
app.mount("/mounted/", mounted)

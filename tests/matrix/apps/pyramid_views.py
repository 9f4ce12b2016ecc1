"""Pyramid: function views with and without a context, class views, methods by attr, a decorator, a renderer."""

import functools

import kit
import witness
from pyramid.config import Configurator
from pyramid.response import Response

FRAMEWORK = "Pyramid"
PACKAGES = "python3-pyramid"
MODULE = "pyramid"
SERVERS = ["gunicorn-sync", "gunicorn-gevent", "waitress"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /context": "with_context",
    "GET /decorated": "decorated",
    "GET /rendered": "rendered",
    "GET /class": "Class.__call__",
    "GET /attribute": "Attribute.page",
    "GET /outer": "outer",
    "GET /quiet": None,
}


def logged(view):
    @functools.wraps(view)
    def wrapper(*arguments, **keywords):
        return view(*arguments, **keywords)

    return wrapper


@witness.endpoint
def function(request):
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")
    return Response("function")


@witness.endpoint
def item(request):
    with witness.run():
        for turn in range(int(request.matchdict["number"])):
            kit.redis("GET", "item %d" % turn)
        kit.raw()
    return Response("item")


@witness.endpoint
def with_context(context, request):
    with witness.run():
        kit.raw()
        kit.redis("PING")
    return Response("context")


@witness.endpoint
def decorated(context, request):
    with witness.run():
        kit.raw()
        kit.redis("SET", "decorated", 1)
    return Response("decorated")


@witness.endpoint
def rendered(request):
    with witness.run():
        kit.raw()
        kit.raw(answer=20)
    return {"word": "rendered"}


class Class:
    def __init__(self, request):
        self.request = request

    @witness.endpoint
    def __call__(self):
        with witness.run():
            kit.http("/size/20", "/size/?")
            kit.raw()
        return Response("class")


class Attribute:
    def __init__(self, context, request):
        self.request = request

    @witness.endpoint
    def page(self):
        with witness.run():
            kit.redis("GET", "attribute")
            kit.raw()
        return Response("attribute")


@witness.endpoint
def outer(request):
    with witness.run():
        kit.redis("GET", "outer")
        function(request)
    return Response("outer")


def quiet(request):
    return Response("quiet")


def make():
    config = Configurator()
    for path, view, more in (
        ("/function", function, {}),
        ("/item/{number}", item, {}),
        ("/context", with_context, {}),
        ("/decorated", decorated, {"decorator": logged}),
        ("/rendered", rendered, {"renderer": "json"}),
        ("/class", Class, {}),
        ("/attribute", Attribute, {"attr": "page"}),
        ("/outer", outer, {}),
        ("/quiet", quiet, {}),
    ):
        config.add_route(path, path)
        config.add_view(view, route_name=path, **more)
    return config.make_wsgi_app()


app = make()

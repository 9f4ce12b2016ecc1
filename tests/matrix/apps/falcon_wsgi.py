"""Falcon: responders of resources, hooks, a suffix, a sink. Its application is compiled in some suites: no frame."""

import falcon
import kit
import witness

FRAMEWORK = "Falcon"
PACKAGES = "python3-falcon"
MODULE = "falcon"
SERVERS = ["gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "uwsgi"]
ASKED = {
    "GET /resource": "Resource.on_get",
    "POST /resource": "Resource.on_post",
    "GET /items/7": "Items.on_get_item",
    "PUT /hooked": "Hooked.on_put",
    "GET /sunk": "sink",
    "GET /quiet": None,
}


def before(request, response, resource, parameters):
    """A hook that makes no call."""


class Resource:
    @witness.endpoint
    def on_get(self, request, response):
        with witness.run():
            kit.redis("GET", "resource")
            kit.raw()
            kit.http("/size/10", "/size/?")

    @witness.endpoint
    def on_post(self, request, response):
        with witness.run():
            kit.raw(size=300)
            kit.redis("SET", "resource", 1)


class Items:
    @witness.endpoint
    def on_get_item(self, request, response, number):
        with witness.run():
            for turn in range(number):
                kit.redis("GET", "item %d" % turn)
            kit.raw()


class Hooked:
    @falcon.before(before)
    @witness.endpoint
    def on_put(self, request, response):
        with witness.run():
            kit.raw()
            kit.redis("PING")


class Quiet:
    def on_get(self, request, response):
        pass


@witness.endpoint
def sink(request, response):
    with witness.run():
        kit.http("/size/20", "/size/?")
        kit.raw()


app = getattr(falcon, "App", None) or falcon.API
app = app()
app.add_route("/resource", Resource())
app.add_route("/items/{number:int}", Items(), suffix="item")
app.add_route("/hooked", Hooked())
app.add_route("/quiet", Quiet())
app.add_sink(sink, "/sunk")

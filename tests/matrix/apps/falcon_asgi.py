"""Falcon under ASGI: responders, those with a suffix, a hook."""

import akit
import falcon
import falcon.asgi
import kit
import witness

FRAMEWORK = "Falcon ASGI"
PACKAGES = "python3-falcon"
MODULE = "falcon"
SINCE = (3, 0)
SERVERS = ["uvicorn", "uvicorn-uvloop", "hypercorn"]
ASKED = {
    "GET /page": "Page.on_get",
    "POST /page": "Page.on_post",
    "GET /item/7": "Page.on_get_item",
    "GET /threaded": "Threaded.on_get",
    "GET /quiet": None,
}


class Page:
    @witness.endpoint
    async def on_get(self, request, response):
        with witness.run():
            await akit.redis("GET", "page")
            await akit.raw()
        response.text = "get"

    @witness.endpoint
    async def on_post(self, request, response):
        with witness.run():
            await akit.http("/size/10", "/size/?")
            await akit.raw(size=300)
        response.text = "post"

    @witness.endpoint
    async def on_get_item(self, request, response, number):
        with witness.run():
            for turn in range(number):
                await akit.redis("GET", "item %d" % turn)
            await akit.raw()
        response.text = "item"


def work(word):
    kit.redis("GET", word)
    kit.raw()


class Threaded:
    @witness.endpoint
    async def on_get(self, request, response):
        with witness.run():
            await falcon.sync_to_async(work, "threaded")
        response.text = "threaded"


class Quiet:
    async def on_get(self, request, response):
        response.text = "quiet"


app = falcon.asgi.App()
app.add_route("/page", Page())
app.add_route("/item/{number:int}", Page(), suffix="item")
app.add_route("/threaded", Threaded())
app.add_route("/quiet", Quiet())

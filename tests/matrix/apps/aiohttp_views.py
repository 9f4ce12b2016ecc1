"""aiohttp.web: functions, class views, methods, under its own server, on either loop."""

import asyncio
import functools
import sys

import akit
import kit
import witness
from aiohttp import web

FRAMEWORK = "aiohttp"
PACKAGES = "python3-aiohttp"
MODULE = "aiohttp"
SERVERS = ["own-async", "own-uvloop"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /partial": "partial",
    "GET /view": "View.get",
    "POST /view": "View.post",
    "GET /method": "Pages.method",
    "GET /threaded": "threaded",
    "GET /quiet": None,
}


@witness.endpoint
async def function(request):
    with witness.run():
        await akit.redis("GET", "function")
        await asyncio.gather(akit.raw(), akit.raw(answer=50), akit.http("/size/10", "/size/?"))
    return web.Response(text="function")


@witness.endpoint
async def item(request):
    with witness.run():
        for turn in range(int(request.match_info["number"])):
            await akit.redis("GET", "item %d" % turn)
        await akit.raw()
    return web.Response(text="item")


@witness.endpoint
async def partial(word, request):
    with witness.run():
        await akit.raw()
        await akit.raw(answer=20)
    return web.Response(text=word)


class View(web.View):
    @witness.endpoint
    async def get(self):
        with witness.run():
            await akit.raw()
            await akit.redis("GET", "view")
        return web.Response(text="get")

    @witness.endpoint
    async def post(self):
        with witness.run():
            await akit.raw(size=300)
        return web.Response(text="post")


class Pages:
    @witness.endpoint
    async def method(self, request):
        with witness.run():
            await asyncio.ensure_future(akit.raw())
            await akit.redis("GET", "method")
        return web.Response(text="method")


def work(word):
    kit.redis("GET", word)
    kit.raw()


@witness.endpoint
async def threaded(request):
    with witness.run():
        await asyncio.get_running_loop().run_in_executor(None, work, "threaded")
    return web.Response(text="threaded")


async def quiet(request):
    return web.Response(text="quiet")


def make_app():
    app = web.Application()
    app.router.add_get("/function", function)
    app.router.add_get("/item/{number}", item)
    app.router.add_get("/partial", functools.partial(partial, "partial"))
    app.router.add_view("/view", View)
    app.router.add_get("/method", Pages().method)
    app.router.add_get("/threaded", threaded)
    app.router.add_get("/quiet", quiet)
    return app


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        import uvloop

        uvloop.install()
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[2]), print=None)

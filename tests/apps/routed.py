"""Target: a service under Starlette and uvicorn; requests come to its pages through one chain of middleware or another.

    routed.py '{"loop": asyncio|uvloop, "redis": ADDRESS, "http": ADDRESS}'

prints "port N" and serves until its standard input ends. The two chains are alike in all but the code that they run, so
their coroutines are found at the same addresses again and again; both lead to the same pages, by the same router.
"""

import asyncio
import json
import os
import socket
import sys

import aclients
import uvicorn
import witness
from aserver import Shop  # which has the witness watch asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

LINKS = 4
WELL = PlainTextResponse("well\n")
shops = []


@witness.endpoint
async def item(request):
    with witness.run():
        await shops[0].get("item")
        await shops[0].remember(request.path_params["number"])
    return WELL


@witness.endpoint
async def items(request):
    """Calls one after the other from one place, and some at once in tasks of their own."""
    number = request.path_params["number"]
    with witness.run():
        for _ in range(number % 4):
            await shops[0].get("items")
        await asyncio.gather(shops[0].remember(number), shops[0].remember(number))
    return WELL


@witness.endpoint
async def nothing(request):
    with witness.run():
        await asyncio.sleep(0)
    return WELL


class Left:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Right:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Fork:
    """Sends every other request through the one chain, the rest through the other."""

    def __init__(self, app):
        self.chains = [app, app]
        for _ in range(LINKS):
            self.chains = [Left(self.chains[0]), Right(self.chains[1])]
        self.count = 0

    async def __call__(self, scope, receive, send):
        self.count += 1
        await self.chains[self.count % 2](scope, receive, send)


def make_app():
    routes = [Route("/%s/{number:int}" % page.__name__, page) for page in (item, items, nothing)]
    app = Starlette(routes=routes)
    app.add_middleware(Fork)
    return app


async def main(options):
    shops.append(Shop(options))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    server = uvicorn.Server(uvicorn.Config(make_app(), log_level="error", lifespan="off"))

    def end():
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            server.should_exit = True

    asyncio.get_running_loop().add_reader(0, end)
    print("port %d" % listener.getsockname()[1], flush=True)
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    aclients.run(main(given), given["loop"])

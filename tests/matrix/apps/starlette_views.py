"""Starlette: function endpoints of both kinds, class endpoints, tasks that run after the response."""

import asyncio

import akit
import kit
import starlette.applications
import starlette.background
import starlette.endpoints
import starlette.responses
import starlette.routing
import witness

FRAMEWORK = "Starlette"
PACKAGES = "python3-starlette"
MODULE = "starlette"
SERVERS = ["uvicorn", "uvicorn-uvloop", "hypercorn"]
ASKED = {
    "GET /function": "function",
    "GET /blocking": "blocking",
    "GET /class": "Class.get",
    "POST /class": "Class.post",
    "GET /later": ["later", "background"],
    "GET /quiet": None,
}
LAST = "GET /settled"
# What happens when the response has left: no request is there any more to tell its runs apart by.
APART = ["background", "hypercorn/blocking", "hypercorn/post"]


def text(words, **more):
    return starlette.responses.PlainTextResponse(words, **more)


@witness.endpoint
async def function(request):
    with witness.run():
        await akit.redis("GET", "function")
        await akit.raw()
        await akit.http("/size/10", "/size/?")
    return text("function")


@witness.endpoint
def blocking(request):
    with witness.run():
        kit.redis("GET", "blocking")
        kit.raw()
    return text("blocking")


class Class(starlette.endpoints.HTTPEndpoint):
    @witness.endpoint
    async def get(self, request):
        with witness.run():
            await akit.raw()
            await akit.redis("GET", "class")
        return text("get")

    @witness.endpoint
    def post(self, request):
        with witness.run():
            kit.raw(size=300)
        return text("post")


pending = set()


@witness.endpoint
async def background(word):
    with witness.run():
        await akit.raw()
        await akit.redis("SET", "background", 1)
    pending.discard(word)


@witness.endpoint
async def later(request):
    with witness.run():
        await akit.redis("GET", "later")
    word = object()
    pending.add(word)
    return text("later", background=starlette.background.BackgroundTask(background, word))


async def settled(request):
    while pending:
        await asyncio.sleep(0.01)
    return text("settled")


async def quiet(request):
    return text("quiet")


app = starlette.applications.Starlette(
    routes=[
        starlette.routing.Route("/function", function),
        starlette.routing.Route("/blocking", blocking),
        starlette.routing.Route("/class", Class),
        starlette.routing.Route("/later", later),
        starlette.routing.Route("/settled", settled),
        starlette.routing.Route("/quiet", quiet),
    ]
)

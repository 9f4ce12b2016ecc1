"""Tornado: handlers with `async def` and with plain methods."""

import asyncio
import signal
import sys

import akit
import kit
import tornado.ioloop
import tornado.web
import witness

FRAMEWORK = "Tornado"
PACKAGES = "python3-tornado"
MODULE = "tornado"
SERVERS = ["own-async", "own-uvloop"]
ASKED = {
    "GET /page": "Page.get",
    "POST /page": "Page.post",
    "GET /plain": "Plain.get",
    "GET /parallel/3": "Parallel.get",
    "GET /quiet": None,
}


class Page(tornado.web.RequestHandler):
    @witness.endpoint
    async def get(self):
        with witness.run():
            await akit.redis("GET", "page")
            await akit.raw()
        self.write("get")

    @witness.endpoint
    async def post(self):
        with witness.run():
            await akit.http("/size/10", "/size/?")
            await akit.raw(size=300)
        self.write("post")


class Plain(tornado.web.RequestHandler):
    @witness.endpoint
    def get(self):
        with witness.run():
            kit.redis("GET", "plain")
            kit.raw(pause=0)
        self.write("plain")


class Parallel(tornado.web.RequestHandler):
    @witness.endpoint
    async def get(self, count):
        with witness.run():
            await asyncio.gather(*[akit.raw(answer=10 + turn) for turn in range(int(count))])
            await akit.redis("GET", "parallel")
        self.write("parallel")


class Quiet(tornado.web.RequestHandler):
    def get(self):
        self.write("quiet")


async def main(port):
    app = tornado.web.Application(
        [("/page", Page), ("/plain", Plain), (r"/parallel/(\d+)", Parallel), ("/quiet", Quiet)], log_function=id
    )
    app.listen(port, "127.0.0.1")
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        import uvloop

        uvloop.install()
    asyncio.run(main(int(sys.argv[2])))

"""Target: an HTTP server written by hand for an event loop, whose pages call HTTP and redis backends.

    aserver.py '{"kind": streams|protocol|sockets, "loop": asyncio|uvloop, "redis": ADDRESS, "http": ADDRESS}'

prints "port N" and serves until its standard input ends. Connections are kept open, so one task (streams, sockets)
answers many requests; the protocol makes a task for each.
"""

import asyncio
import json
import os
import socket
import sys

import aclients
import witness

witness.watch_asyncio()


class Shop:
    def __init__(self, options):
        self.http = aclients.Pool("http", "protocol", options["http"])
        self.redis = aclients.Pool("redis", "streams", options["redis"])

    async def get(self, name):
        async with self.http.use() as http:
            await http.request("GET", "/of/" + name)

    async def remember(self, number):
        async with self.redis.use() as redis:
            await redis.command("SET", "page:%d" % number, "seen")


@witness.endpoint
async def item(shop, number):
    with witness.run():
        await shop.get("item")
        await shop.remember(number)


@witness.endpoint
async def items(shop, number):
    """Calls at once, of which one is not waited for."""
    with witness.run():
        for _ in range(number % 3):
            await shop.get("items")
        task = asyncio.ensure_future(shop.get("items"))
        await asyncio.gather(shop.remember(number), shop.remember(number))
        await task


@witness.endpoint
async def nothing(shop, number):
    with witness.run():
        await asyncio.sleep(0)


PAGES = {"item": item, "items": items, "nothing": nothing}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwell\n"


async def answer(shop, request):
    _, name, number = request.split()[1].decode().split("/")
    await PAGES[name](shop, int(number))
    return ANSWER


async def by_streams(shop):
    async def handle(reader, writer):
        while True:
            request = await reader.readline()
            if not request:
                break
            while await reader.readline() != b"\r\n":
                pass
            writer.write(await answer(shop, request))
            await writer.drain()
        writer.close()

    return (await asyncio.start_server(handle, "127.0.0.1", 0)).sockets[0]


class Server(asyncio.Protocol):
    def __init__(self, shop):
        self.shop = shop
        self.data = b""
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            request, _, self.data = self.data.partition(b"\r\n\r\n")
            task = asyncio.ensure_future(self.respond(request))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def respond(self, request):
        self.transport.write(await answer(self.shop, request))


async def by_protocol(shop):
    loop = asyncio.get_running_loop()
    return (await loop.create_server(lambda: Server(shop), "127.0.0.1", 0)).sockets[0]


async def serve(shop, sock):
    loop = asyncio.get_running_loop()
    data = b""
    while True:
        piece = await loop.sock_recv(sock, 65536)
        if not piece:
            break
        data += piece
        while b"\r\n\r\n" in data:
            request, _, data = data.partition(b"\r\n\r\n")
            await loop.sock_sendall(sock, await answer(shop, request))
    sock.close()


async def accept(shop, listener):
    tasks = set()
    while True:
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        task = asyncio.ensure_future(serve(shop, sock))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def by_sockets(shop):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    listener.setblocking(False)
    shop.accepting = asyncio.ensure_future(accept(shop, listener))
    return listener


KINDS = {"streams": by_streams, "protocol": by_protocol, "sockets": by_sockets}


async def main(options):
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 4096) or over.set())
    listener = await KINDS[options["kind"]](Shop(options))
    print("port %d" % listener.getsockname()[1], flush=True)
    await over.wait()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    aclients.run(main(given), given["loop"])

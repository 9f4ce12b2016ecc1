"""Tiny redis, HTTP and raw clients for event loops, for targets that have only the standard library, and for uvloop.

Each speaks over one of three kinds of link: asyncio's streams, a protocol with its transport, and loop.sock_*. On the
wire they behave as clients.py's do. They tell the witness each byte, which it takes where no Python
socket moves them (uvloop's transports).
"""

import asyncio
import socket
import sys

import clients
import witness


# asyncio refers to tasks and to readers of streams weakly: without this a task that waits for an answer can be
# garbage if its server does not keep it (hypercorn).
_open = set()


class Link:
    """A connection, and a buffer of what came in."""

    def __init__(self, address):
        self.address = address
        self.sock = None
        self.data = bytearray()
        self.ended = False

    async def open(self):
        began = witness.connecting()
        await self._open()
        witness.connected(self.sock, began, self.address)
        _open.add(self)
        return self

    async def send(self, data):
        witness.sent(self.sock, len(data))
        await self._send(data)

    def came(self, data):
        if data:
            witness.received(self.sock, len(data))
            self.data += data
        else:
            self.ended = True

    async def exactly(self, size):
        while len(self.data) < size:
            await self._wait()
        return self._take(size)

    async def line(self):
        """Without its end."""
        while b"\n" not in self.data:
            await self._wait()
        return self._take(self.data.index(b"\n") + 1).rstrip(b"\r\n")

    async def _wait(self):
        if self.ended:
            raise ConnectionError("closed with %d bytes of an answer" % len(self.data))
        await self._more()

    def _take(self, size):
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def close(self):
        witness.closing(self.sock)
        _open.discard(self)
        self._close()


class Streams(Link):
    async def _open(self):
        self.reader, self.writer = await asyncio.open_connection(*self.address[:2])
        self.sock = self.writer.get_extra_info("socket")

    async def _send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def _more(self):
        self.came(await self.reader.read(65536))

    def _close(self):
        self.writer.close()


class Wire(Link, asyncio.Protocol):
    """Writes all at once: what the socket does not take is left to the transport."""

    waiter = transport = None

    async def _open(self):
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, *self.address[:2])
        self.sock = self.transport.get_extra_info("socket")

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.came(data)
        self._wake()

    def connection_lost(self, _):
        self.ended = True
        self._wake()

    def _wake(self):
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    async def _send(self, data):
        self.transport.write(data)

    async def _more(self):
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter

    def _close(self):
        self.transport.close()


class Sockets(Link):
    async def _open(self):
        self.loop = asyncio.get_running_loop()
        self.sock = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        self.sock.setblocking(False)
        await self.loop.sock_connect(self.sock, tuple(self.address[:2]))

    async def _send(self, data):
        await self.loop.sock_sendall(self.sock, data)

    async def _more(self):
        self.came(await self.loop.sock_recv(self.sock, 65536))

    def _close(self):
        self.sock.close()


LINKS = {"streams": Streams, "protocol": Wire, "sockets": Sockets}


class Client:
    def __init__(self, link):
        self.link = link

    def close(self):
        self.link.close()


class Raw(Client):
    async def ask(self, size, answer, micros=0, verb=clients.ECHO):
        await self.link.send(clients.raw_request(verb, size, answer, micros))
        return await self.link.exactly(answer)


class Redis(Client):
    async def command(self, *arguments):
        return (await self.pipeline([arguments]))[0]

    async def pipeline(self, commands):
        for command in commands:
            witness.ask(self.link.sock, "redis", str(command[0]).upper(), witness.redis_keys(command))
        await self.link.send(b"".join(clients.Redis._pack(command) for command in commands))
        answers = [await self._answer() for _ in commands]
        for position, answer in enumerate(answers):
            if isinstance(answer, Exception):
                witness.failed(self.link.sock, "error", position)
        return answers

    async def _answer(self):
        line = await self.link.line()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return Exception(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else (await self.link.exactly(int(rest) + 2))[:-2]
        if kind == b"*":
            return [await self._answer() for _ in range(int(rest))]
        return rest


class Http(Client):
    """Keep-alive; a body is sent in one piece with the head, answers come with their length."""

    async def request(self, method, path, body=b"", template=None):
        """`template` is the path without its data, as an operation names it. Returns status and body."""
        witness.ask(self.link.sock, "http", "%s %s" % (method, template or path))
        head = "%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (method, path, len(body))
        await self.link.send(head.encode() + body)
        status = int((await self.link.line()).split()[1])
        length = 0
        while True:
            name, _, value = (await self.link.line()).partition(b":")
            if not name:
                break
            if name.lower() == b"content-length":
                length = int(value)
        if status >= 400:
            witness.failed(self.link.sock, "error" if status >= 500 else "client")
        return status, await self.link.exactly(length)


CLIENTS = {"raw": Raw, "redis": Redis, "http": Http}


def run(main, kind):
    """asyncio.run(), or the same with uvloop, of which older ones and asyncio.run() do not get along."""
    if kind == "asyncio":
        return asyncio.run(main)
    import uvloop

    if sys.version_info >= (3, 12):
        return asyncio.run(main, loop_factory=uvloop.new_event_loop)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


class Pool:
    """Connections that all runs share: `async with pool as client`."""

    def __init__(self, kind, link, address):
        self.kind, self.link, self.address = CLIENTS[kind], LINKS[link], address
        self.idle = []

    def use(self):
        return Borrowed(self)

    async def fill(self, count):
        self.idle += [self.kind(await self.link(self.address).open()) for _ in range(count)]

    def close(self):
        while self.idle:
            self.idle.pop().close()


class Borrowed:
    """A client of a pool; one that was left in the middle of something is closed."""

    def __init__(self, pool):
        self.pool = pool

    async def __aenter__(self):
        pool = self.pool
        self.client = pool.idle.pop() if pool.idle else pool.kind(await pool.link(pool.address).open())
        return self.client

    async def __aexit__(self, kind, *_):
        if kind is None:
            self.pool.idle.append(self.client)
        else:
            self.client.close()

"""A TCP proxy that holds what the server says for a fixed time, of as many connections at once as there are.

    delay.py PORT MS    in front of PORT on loopback; prints "port N", and serves until its standard input ends

Each piece is passed on so many milliseconds after it came, so that an answer of several pieces, or to a whole
pipeline, is late once, as on a longer wire.
"""

import asyncio
import selectors
import socket
import sys

HOST = "127.0.0.1"
PIECE = 65536


async def pass_on(reader, writer):
    while True:
        data = await reader.read(PIECE)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()


async def pass_on_late(reader, writer, delay):
    call_later = asyncio.get_running_loop().call_later
    while True:
        data = await reader.read(PIECE)
        if not data:
            break
        call_later(delay, writer.write, data)
    call_later(delay, writer.close)


async def serve(port, delay):
    async def connect(reader, writer):
        server_reader, server_writer = await asyncio.open_connection(HOST, port)
        for one in (writer, server_writer):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(pass_on(reader, server_writer), pass_on_late(server_reader, writer, delay))
        except ConnectionError:
            writer.close()
            server_writer.close()

    server = await asyncio.start_server(connect, HOST, 0)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main():
    port, milliseconds = int(sys.argv[1]), float(sys.argv[2])
    # epoll rounds timers up to whole milliseconds, select does not.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(port, milliseconds / 1e3))


if __name__ == "__main__":
    main()

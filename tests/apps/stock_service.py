"""The stock service of the shop: a small HTTP service that needs a moment for each answer, and serves many at once.

    stock_service.py PORT [--delay MS]    0: any; prints "port N", and serves until its standard input ends

What it answers follows from the path or the message alone, but for how many of a product are left, which is different
every time: somebody has always just bought one.
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import selectors
import socket
import sys
import urllib.parse

TOWNS = ("aarhus", "bremen", "coimbra", "debrecen", "eindhoven", "freiburg", "granada", "helsinki")
PARTS = ("offers", "news", "events", "coupons", "messages", "trends")  # of a homepage

_sold = itertools.count()


def number_of(text, digits):
    """A number of so many digits that follows from the text, and does not look like it."""
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return 10 ** (digits - 1) + drawn % (9 * 10 ** (digits - 1))


def left(_):
    return 100 + next(_sold) % 900


def stock(rest, query):
    if rest:
        return {"left": left(rest)}
    return {"left": [left(number) for number in query["products"][0].split(",")]}


def part(rest, query):
    return {"text": hashlib.blake2b(("part" + rest).encode(), digest_size=20).hexdigest()}


# What GET and POST answer: of the path's rest and the query, and of the message.
GET = {
    "stock": stock,
    "delivery": lambda rest, query: {"days": number_of(rest + query["town"][0], 1)},
    "orders": lambda rest, query: {"parcel": number_of("parcel" + rest, 12)},
    "parcels": lambda rest, query: {"depot": number_of("depot" + rest, 6)},
    "depots": lambda rest, query: {"town": TOWNS[number_of(rest, 3) % len(TOWNS)]},
    "health": lambda rest, query: {"ok": True},
    **dict.fromkeys(PARTS, part),
}
POST = {
    "quote": lambda lines: {"total": sum(line["amount"] * line["price"] for line in lines)},
    "orders": lambda message: {"order": number_of("order" + message["user"], 9)},
    "payments": lambda message: {"payment": number_of("payment%d" % message["order"], 12)},
    "receipts": lambda message: {"total": number_of("total%d" % message["payment"], 5)},
}


class Stock(asyncio.Protocol):
    """A client's connection: HTTP/1.1, one request after the other."""

    delay = 0  # seconds

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", 0))
        if len(body) >= length:
            self.data = body[length:]
            asyncio.get_running_loop().call_later(self.delay, self.answer, first, body[:length])

    def answer(self, first, body):
        method, target, _ = first.split(" ")
        url = urllib.parse.urlsplit(target)
        kind, _, rest = url.path.strip("/").partition("/")
        asked = (json.loads(body),) if method == "POST" else (rest, urllib.parse.parse_qs(url.query))
        make = {"GET": GET, "POST": POST}[method].get(kind)
        status = "200 OK" if make else "404 Not Found"
        text = json.dumps(make(*asked) if make else {})
        head = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
        self.transport.write((head + text).encode())


async def serve(port, delay):
    Stock.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stock, "127.0.0.1", port, backlog=128)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=2, metavar="MS", help="what its own database would take")
    options = parser.parse_args()
    # epoll rounds timers up to whole milliseconds, select does not.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(options.port, options.delay / 1e3))


if __name__ == "__main__":
    main()

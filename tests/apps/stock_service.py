"""The stock service of the shop: a small HTTP service that needs a moment for each answer, and serves many at once.

    stock_service.py PORT [--delay MS]    0: any; prints "port N", and serves until its standard input ends

What it answers follows from the path or the message alone, but for how many of a product are left, which is different
every time: somebody has always just bought one.
"""

import argparse
import hashlib
import http.server
import itertools
import json
import os
import threading
import time
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


class Stock(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body leave in one piece
    disable_nagle_algorithm = True

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        kind, _, rest = url.path.strip("/").partition("/")
        self._answer(GET.get(kind), rest, urllib.parse.parse_qs(url.query))

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(POST.get(self.path.strip("/")), message)

    def _answer(self, make, *asked):
        time.sleep(self.server.delay)
        body = json.dumps(make(*asked) if make else {}).encode()
        self.send_response(200 if make else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=2, metavar="MS", help="what its own database would take")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Stock)
    server.delay = options.delay / 1e3
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("port %d" % server.server_address[1], flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()

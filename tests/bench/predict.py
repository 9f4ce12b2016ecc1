#!/usr/bin/env python3
"""Does the predicted saving turn out true? Each page of the shop, before and after what nettraced found was followed.

    predict.py [--rounds N] [--count N] [--near MS] [--far MS] [--json FILE] [--nettraced PATH] [FLAVOUR ...]

In each round, one client that waits for each answer asks the shop for all pages in a random order: first the shop as it
was, from which nettraced predicts, then the shop of tests/apps/shop_fixed, where it measures what came of it. Redis and
memcached take --near ms to answer (default 5), the stock service --far (default 15). The table has the medians over the
rounds; the error is that of the prediction against what was measured. Where nothing is found, none is made: the page is
to take as long as before, and there is no range. No pass or fail.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from shops import FLAVOURS, PATIENCE, VERSIONS, Failure, Shops  # noqa: E402

from lab import Tracer  # noqa: E402
from shop import data  # noqa: E402

WORDS = {True: "yes", False: "no", None: ""}
COLUMNS = "%-10s %-8s %9s %9s %20s %9s %8s %7s"


class Client:
    def __init__(self, shops, flavour, version, draw):
        self.flavour, self.version, self.draw = flavour, version, draw
        self.server, self.port = shops.start(flavour, version, workers=1)

    def ask_all(self, count):
        """Each page so many times, in a random order, each time for another user."""
        for page in self.draw.sample(data.PAGES * count, len(data.PAGES) * count):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            connection.request("GET", data.path(self.draw, page), headers=data.cookie(self.draw))
            answer = connection.getresponse()
            if answer.status != 200:
                raise Failure("%s of %s: %d %s" % (page, self.flavour, answer.status, answer.read()[:200]))
            answer.read()
            connection.close()

    def trace(self, options):
        """endpoint -> what the summary says of it."""
        command = [options.nettraced, "--pid", str(self.server.pid), "-i", "0", "--json"]
        with contextlib.closing(Tracer(command, PATIENCE)) as tracer:
            tracer.attached()
            self.ask_all(options.count)
            summary = tracer.finish(signal.SIGINT)[-1]
        lost = {name: number for name, number in summary["lost"].items() if number}
        if lost:
            print("bench: lost %s" % lost, file=sys.stderr)
        return {row["endpoint"].rpartition(".")[2]: row for row in summary["endpoints"]}


def measure(options, shops, draw):
    """[(flavour, page, what one round found)]"""
    clients = {flavour: [Client(shops, flavour, version, draw) for version in VERSIONS] for flavour in options.flavours}
    for before, after in clients.values():
        before.ask_all(options.count)  # fills the pools of connections and threads
        after.ask_all(options.count)
    found = []
    for number in range(options.rounds):
        for flavour, (before, after) in clients.items():
            print("bench: round %d of %d, %s" % (number + 1, options.rounds, flavour), file=sys.stderr)
            was, became = before.trace(options), after.trace(options)
            for page in data.PAGES:
                if page in was:  # not the one without calls
                    found.append((flavour, page, {**was[page]["predicted"], "measured": became[page]["wall"]["p50"]}))
    return found


def summarise(found):
    """A row a page and flavour."""
    rows = []
    for flavour, page in dict.fromkeys((flavour, page) for flavour, page, _ in found):
        rounds = [numbers for *where, numbers in found if where == [flavour, page]]
        row = {"endpoint": page, "flavour": flavour, "rounds": rounds}
        for name in ("wall_now", "wall_then", "low", "high", "measured"):
            row[name] = statistics.median(numbers[name] for numbers in rounds)
        row["error_percent"] = 100 * (row["wall_then"] / row["measured"] - 1)
        row["inside"] = row["low"] <= row["measured"] <= row["high"] if row["low"] < row["high"] else None
        rows.append(row)
    return rows


def print_table(rows):
    print(COLUMNS % ("endpoint", "flavour", "wall now", "predicted", "low .. high", "measured", "error", "inside"))
    for row in rows:
        span = "" if row["inside"] is None else "%.2f .. %.2f" % (row["low"], row["high"])
        print(COLUMNS % (
            row["endpoint"], row["flavour"], "%.2f" % row["wall_now"], "%.2f" % row["wall_then"], span,
            "%.2f" % row["measured"], "%+.1f %%" % row["error_percent"], WORDS[row["inside"]]))
    good = sum(row["inside"] is not False and abs(row["error_percent"]) <= 10 for row in rows)
    print("times in ms; %d of %d within 10 %% and inside the range, if there is one" % (good, len(rows)))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flavours", nargs="*", choices=[[], *FLAVOURS], metavar="FLAVOUR", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10, help="requests for each page in half a round")
    parser.add_argument("--near", type=float, default=5, metavar="MS", help="what redis and memcached take")
    parser.add_argument("--far", type=float, default=15, metavar="MS", help="what the stock service takes")
    parser.add_argument("--json", help="write the result there as well")
    default = os.path.join(os.path.dirname(TESTS), "build", "nettraced")
    parser.add_argument("--nettraced", default=os.environ.get("NETTRACED", default))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    options.flavours = options.flavours or list(FLAVOURS)
    return options


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        shops = Shops(stack, directory, redis=options.near, memcache=options.near, stock=options.far)
        rows = summarise(measure(options, shops, random.Random(options.seed)))
    print_table(rows)
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"seed": options.seed, "near_ms": options.near, "far_ms": options.far, "count": options.count,
                       "endpoints": rows}, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()

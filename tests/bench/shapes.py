#!/usr/bin/env python3
"""What tracing costs by the shape of what is traced: the same round trip from few frames, many frames, many threads.

    shapes.py [--rounds N] [--count N] [--hooks KIND] [--json FILE] [--nettraced PATH]

    shallow   one thread, as few Python frames as there can be
    fastapi   an endpoint of FastAPI under uvicorn, 32 frames deep
    threads   200 threads at once

Each round runs each of them untraced and traced, in a random order; what tracing adds to the CPU time of a round trip is
the difference within the round, and the ratio is to what it adds to `shallow` in the same round. No pass or fail.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from run import (  # noqa: E402
    LIMIT, PYTHON, SETTLE, Bench, Tracer, available_hooks, build, cores, parse, take_rounds, write)

SHAPES = ("shallow", "fastapi", "threads")


class Service:
    """The FastAPI service, asked as client.py is."""

    def __init__(self, bench, port):
        self.child = bench.start([PYTHON, os.path.join(HERE, "deep.py"), port], bench.core)
        self.port = int(self.child.expect(r"^port (\d+)").group(1))
        self.pid = self.child.pid

    def run(self, count):
        deadline = time.monotonic() + LIMIT
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
            try:
                connection.request("GET", "/run?count=%d" % count)
                return json.loads(connection.getresponse().read())
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()


class Client:
    def __init__(self, bench, way):
        self.child = bench.client(way)
        self.pid = self.child.pid

    def run(self, count):
        self.child.say("run %d" % count)
        return json.loads(self.child.expect(r"^{.*}$").group(0))


class Shapes(Bench):
    def __init__(self, options, stack, directory):
        self.options, self.stack, self.directory = options, stack, directory
        self.core, self.others = cores()
        self.port = self.start([os.path.join(directory, "echo")], self.core).expect(r"^port (\d+)").group(1)
        self.targets = {
            "shallow": Client(self, "shallow"), "fastapi": Service(self, self.port), "threads": Client(self, "threads")
        }
        self.facts, self.depth = {}, None

    def measure(self, shape):
        """CPU of a round trip in microseconds."""
        time.sleep(SETTLE)
        found = self.targets[shape].run(self.options.count)
        self.depth = found.get("depth", self.depth)
        return found["cpu"] / self.options.count / 1e3

    def untraced(self, shape):
        return self.measure(shape)

    def traced(self, shape):
        with contextlib.ExitStack() as stack:
            command = [self.options.nettraced, "--pid", str(self.targets[shape].pid), "--python", "stack", "--json",
                       "-i", "0", "--hooks", self.options.hooks]
            tracer = self.start(command, self.others, kind=Tracer, stack=stack)
            tracer.attached()
            cpu = self.measure(shape)
            summary = tracer.finish(signal.SIGINT)[-1]
            calls = sum(endpoint["calls"] for endpoint in summary["endpoints"])
            if calls != self.options.count or summary["lost"]["records"]:
                sys.exit("bench: %s: nettraced counted %d calls of %d" % (shape, calls, self.options.count))
            self.facts = {"kernel": summary["kernel"], "python": summary["targets"][0]["python"]}
            return cpu


def summarise(rounds, bench):
    shapes = {}
    for shape in SHAPES:
        added = [round_[shape, "traced"] - round_[shape, "untraced"] for round_ in rounds]
        shallow = [round_["shallow", "traced"] - round_["shallow", "untraced"] for round_ in rounds]
        shapes[shape] = {
            "cpu_us": statistics.median(round_[shape, "untraced"] for round_ in rounds),
            "cpu_added_us": statistics.median(added),
            "to_shallow": statistics.median(own / few for own, few in zip(added, shallow)),
        }
    return dict(bench.facts, rounds=len(rounds), round_trips=bench.options.count, seed=bench.options.seed,
                fastapi_frames=bench.depth, shapes=shapes)


def print_table(result):
    print("Python %(python)s, %(rounds)d rounds of %(round_trips)d round trips of 32 bytes" % result)
    print("Linux %(release)s, %(hooks)s; FastAPI's endpoint is %(frames)d frames deep" % dict(
        result["kernel"], frames=result["fastapi_frames"]))
    print("%-10s %9s %9s %11s" % ("", "CPU us", "added us", "to shallow"))
    for shape, row in result["shapes"].items():
        print("%-10s %9.2f %9.2f %11.2f" % (shape, row["cpu_us"], row["cpu_added_us"], row["to_shallow"]))


def main():
    options = parse(__doc__, 20000, "round trips of one loop, a multiple of 200")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    draw = random.Random(options.seed)
    ways = [(shape, way) for shape in SHAPES for way in ("untraced", "traced")]
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        build(directory)
        options.hooks = available_hooks(options)
        bench = Shapes(options, stack, directory)
        for shape in SHAPES:
            bench.measure(shape)  # warm up
        rounds = take_rounds(
            options, lambda: {way: getattr(bench, way[1])(way[0]) for way in draw.sample(ways, len(ways))})
        result = summarise(rounds, bench)
    print_table(result)
    write(result, options)


if __name__ == "__main__":
    main()

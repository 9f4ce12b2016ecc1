#!/usr/bin/python3
"""The demo: the shop with the sins of real code, what nettraced says of it, and what came of following that.

    demo.py [SECONDS] [FLAVOUR ...]    of each of the four traces (default 10); flask, fastapi (default both)

For each flavour: traces the shop under load and prints the summary with its findings; traces the shop as it is after
they were followed (tests/apps/shop_fixed); prints what has changed beside what had been predicted. That goes to
standard output, everything else to standard error. Whatever ends this script, ends what it started (shops.py).
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from shops import FLAVOURS, PATIENCE, PYTHON, Child, Failure, Shops  # noqa: E402

BUILD = os.path.join(os.path.dirname(HERE), "build")
NETTRACED = os.environ.get("NETTRACED", os.path.join(BUILD, "nettraced"))
NETTRACE = os.environ.get("NETTRACE", os.path.join(BUILD, "nettrace"))
STOCK_MS = 5  # what the stock service needs for an answer


def say(words):
    print("demo: " + words, file=sys.stderr, flush=True)


def trace(shops, flavour, version, seconds, recording, out):
    """The summary goes to `out`, the events to a recording."""
    with contextlib.ExitStack() as stack:
        server, port = shops.start(flavour, version, stack=stack)
        load = Child([PYTHON, os.path.join(HERE, "load.py"), str(port)], PATIENCE)
        stack.callback(load.close)
        load.expect("^serving$")
        command = [NETTRACED, "--pid", str(server.pid), "-d", str(seconds), "-i", "0", "--record", recording]
        say(" ".join(command))
        tracer = Child(command, PATIENCE + seconds, stdin=subprocess.DEVNULL, stdout=out, stderr=None)
        stack.callback(tracer.close)
        if tracer.process.wait(tracer.limit):
            raise Failure("nettraced failed")
        status, _, problems = load.wait()
        if status:
            raise Failure(problems.strip())


def show(shops, flavour, seconds):
    before, after = (os.path.join(shops.directory, "%s-%s" % (flavour, word)) for word in ("before", "after"))
    say("the shop under %s, as it was" % flavour)
    trace(shops, flavour, "before", seconds, before, None)
    say("the same after its findings were followed")
    trace(shops, flavour, "after", seconds, after, subprocess.DEVNULL)
    command = [NETTRACE, "diff", before, after]
    say(" ".join(command))
    subprocess.run(command, check=True, timeout=PATIENCE)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
            say("starting redis, memcached and the stock service")
            shops = Shops(stack, directory, stock=STOCK_MS)
            for flavour in sys.argv[2:] or FLAVOURS:
                show(shops, flavour, seconds)
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failure, OSError, subprocess.SubprocessError) as problem:
        say(str(problem))
        sys.exit(1)


if __name__ == "__main__":
    main()

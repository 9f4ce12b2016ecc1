"""How a target script of the tests runs: it waits until it is traced, does its load, and waits to be told to go.

    SCRIPT '{"scenario": NAME, ...}'      the options as JSON

A script hands its scenarios to main(). Each is a function of (options, go): what it does before go() happens before
nettraced is there, what it does after is compared. On standard output: "ready", then "done"; on standard input
the tests answer "go" and "quit"; end of input at any time ends the process, so that it never outlives who started it.
"""

import gc
import json
import os
import sys

import witness


def say(word):
    os.write(1, word.encode() + b"\n")


def hear(wanted):
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            os._exit(3)
        line += piece
    if line.strip().decode() != wanted:
        sys.exit("heard %r, expected %r" % (line, wanted))


def go():
    say("ready")
    hear("go")
    witness.mark("go")


def main(scenarios):
    options = json.loads(sys.argv[1])
    for name in ("redis", "memcache", "http", "raw", "raw6"):
        if options.get(name):
            options[name] = tuple(options[name])
    keep = scenarios[options["scenario"]](options, go)
    gc.collect()  # sockets in cycles close before the end of the comparison, not at a moment of their own
    say("done")
    hear("quit")
    del keep

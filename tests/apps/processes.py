"""Target: a parent and its children: forked before and after nettraced comes, and started as programs of their own.

`pause` seconds lie between the start of another program and its load: nettraced has to notice the new interpreter.
"""

import json
import os
import random
import subprocess
import sys
import time

import clients
import scenario
import witness


@witness.endpoint
def in_parent(sock, count):
    with witness.run():
        _exchanges(sock, count, 16)


@witness.endpoint
def in_child(sock, count):
    with witness.run():
        _exchanges(sock, count, 160)


@witness.endpoint
def in_program(sock, count):
    with witness.run():
        _exchanges(sock, count, 1600)


def _exchanges(sock, count, answer):
    for _ in range(count):
        sock.sendall(clients.raw_request(clients.ECHO, count, answer))
        clients.read_exactly(sock, answer)


def _work(endpoint, options, seed):
    draw = random.Random(seed)
    raw = clients.Client(options["raw"]).connect()
    for _ in range(options["runs"]):
        endpoint(raw.sock, draw.randrange(1, 5))
    raw.close()


def _fork(work):
    """Runs work() in a child that ends without the parent's exit handlers."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        witness.dump()
        status = 0
    finally:
        os._exit(status)


def _wait(children):
    for child in children:
        assert os.waitpid(child, 0)[1] == 0, "a child failed"


def forks(options, go):
    """Children that begin while nettraced is there, each with its own connection, and grandchildren."""
    seed = options["seed"]

    def with_grandchild():
        grandchild = _fork(lambda: _work(in_child, options, seed + 100))
        _work(in_child, options, seed + 101)
        _wait([grandchild])

    go()
    children = [_fork(lambda n=n: _work(in_child, options, seed + n)) for n in range(options["children"])]
    children.append(_fork(with_grandchild))
    _work(in_parent, options, seed)
    _wait(children)


def prefork(options, go):
    """Children that are there before nettraced, as those of a prefork server."""
    pipes = [os.pipe() for _ in range(options["children"])]

    def child(number):
        os.read(pipes[number][0], 1)
        witness.mark("go")
        _work(in_child, options, options["seed"] + number)

    children = [_fork(lambda n=n: child(n)) for n in range(options["children"])]
    go()
    for _, write in pipes:
        os.write(write, b"g")
    _work(in_parent, options, options["seed"] + 1000)
    _wait(children)


def storm(options, go):
    """Thousands of children, some at a time, that make a call each and end at once."""

    def child(number):
        witness.number(number)
        _work(in_child, options, number)

    go()
    living = []
    for number in range(options["children"]):
        if len(living) == options["together"]:
            _wait([living.pop(0)])
        living.append(_fork(lambda n=number: child(n)))
    _wait(living)


def programs(options, go):
    """Python programs that the target starts, and one that is not Python."""
    go()
    children = []
    for number in range(options["children"]):
        arguments = dict(options, scenario="program", seed=options["seed"] + number)
        children.append(subprocess.Popen([sys.executable, __file__, json.dumps(arguments)]))
    subprocess.run(["/bin/sh", "-c", ":"], check=True)
    _work(in_parent, options, options["seed"])
    for child in children:
        assert child.wait() == 0, "a program failed"


def program(options):
    witness.mark("go")
    time.sleep(options["pause"])
    _work(in_program, options, options["seed"])


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["scenario"] == "program":
        given["raw"] = tuple(given["raw"])
        program(given)
    else:
        scenario.main({"forks": forks, "prefork": prefork, "programs": programs, "storm": storm})

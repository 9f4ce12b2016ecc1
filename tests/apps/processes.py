"""Target: a parent and its children: forked before and after nettraced comes, and started as programs of their own.

`pause` seconds lie between the start of another program and its load: nettraced has to notice the new interpreter.
"""

import json
import multiprocessing
import os
import random
import select
import socket
import subprocess
import sys
import time

import clients
import pool_tasks
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
def in_reused(sock, count):
    with witness.run():
        _exchanges(sock, count, 16000)


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
    if not child:
        _leave(work)
    return child


def _leave(work):
    """Runs work() and ends without exit handlers."""
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


def same_id(options, go):
    """Children one after the other that all have the same process id, and do different things."""
    go()
    pid = None
    for number in range(options["children"]):
        endpoint = in_reused if number % 2 else in_child

        def child(number=number, endpoint=endpoint):
            witness.number(number)
            _work(endpoint, options, number)

        for _ in range(1000):  # others make processes, too
            if pid:
                with open("/proc/sys/kernel/ns_last_pid", "w") as last:
                    last.write(str(pid - 1))
            forked = os.fork()
            if not forked:
                if pid in (None, os.getpid()):
                    _leave(child)
                os._exit(0)
            assert os.waitpid(forked, 0)[1] == 0, "a child failed"
            if pid in (None, forked):
                break
        else:
            sys.exit("no child got the process id %d" % pid)
        pid = forked


def replaced(options, go):
    """Children that work, and then become another program that works, under the same process id."""

    def child(number):
        _work(in_child, options, options["seed"] + number)
        witness.number(1)
        witness.dump()
        os.execv(sys.executable, [sys.executable, __file__, _arguments(options, "program", number)])

    go()
    _wait([_fork(lambda n=n: child(n)) for n in range(options["children"])])


def pool(options, go):
    """A pool of multiprocessing with the start method that is asked for; its workers are replaced after some tasks."""
    go()
    context = multiprocessing.get_context(options["method"])
    tasks = [(options["raw"], 1 + number % 4) for number in range(options["runs"])]
    with context.Pool(3, pool_tasks.begin, (options["pause"],), maxtasksperchild=len(tasks) // 5) as workers:
        workers.starmap(pool_tasks.in_pool, tasks, chunksize=1)
        workers.close()
        workers.join()


def brief(options, go):
    """Programs that call as soon as they can and end at once, some at a time."""
    go()
    living = []
    for number in range(options["children"]):
        if len(living) == options["together"]:
            assert living.pop(0).wait() == 0, "a program failed"
        living.append(subprocess.Popen([sys.executable, __file__, _arguments(options, "program", number)]))
    for program in living:
        assert program.wait() == 0, "a program failed"


def flood(options, go):
    """Calls until nettraced has lost records; a child that is forked then; and its work when it is told to."""
    go()
    raw = clients.Client(options["raw"]).connect()
    for _ in range(options["runs"]):
        in_parent(raw.sock, 1000)
    read, write = os.pipe()

    def child():
        os.read(read, 1)
        witness.mark("go")
        _work(in_child, dict(options, runs=20), options["seed"])

    forked = _fork(child)
    scenario.say("child %d" % forked)
    scenario.hear("work")
    os.write(write, b"g")
    _wait([forked])


def until_told(options, go):
    """Calls until a line says that it is enough."""
    draw = random.Random(options["seed"])
    go()
    raw = clients.Client(options["raw"]).connect()
    for _ in range(100000):
        for _ in range(100):
            in_parent(raw.sock, draw.randrange(1, 5))
        if select.select([0], [], [], 0)[0]:
            break
    scenario.hear("enough")
    return raw


def relisten(options, go):
    """Listens on a port, closes it, and is a client on that port."""
    go()
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server.close()
    scenario.say("port %d" % port)
    scenario.hear("work")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.connect(options["raw"])
        for _ in range(options["runs"]):
            in_parent(sock, 3)


def _arguments(options, name, number):
    return json.dumps(dict(options, scenario=name, seed=options["seed"] + number))


def programs(options, go):
    """Python programs that the target starts, and one that is not Python."""
    go()
    children = []
    for number in range(options["children"]):
        children.append(subprocess.Popen([sys.executable, __file__, _arguments(options, "program", number)]))
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
        names = (forks, prefork, programs, storm, same_id, replaced, pool, brief, flood, until_told, relisten)
        scenario.main({function.__name__: function for function in names})

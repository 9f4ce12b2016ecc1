"""Target: functions that give their work to thread pools and to threads that they start.

Several endpoints give work to one pool at once, so that its threads do one piece for this endpoint and the next for that
one. Each asks with a size of its own.
"""

import concurrent.futures
import os
import random
import threading

import clients
import scenario
import witness

SIZES = {"waits": 11, "maps": 12, "leaves": 13, "passes_on": 14, "starts": 15, "starts_deeper": 16, "alone": 17}


class World:
    """Connections that all threads take from and give back to, and the pools."""

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.free = []
        self.pool = concurrent.futures.ThreadPoolExecutor(3)
        self.second = concurrent.futures.ThreadPoolExecutor(2)
        self.left = []  # work that nobody waits for yet

    def exchange(self, name):
        with self.lock:
            raw = self.free.pop() if self.free else clients.Client(self.options["raw"]).connect()
        raw.sock.sendall(clients.raw_request(clients.ECHO, SIZES[name], SIZES[name]))
        clients.read_exactly(raw.sock, SIZES[name])
        with self.lock:
            self.free.append(raw)

    def finish(self):
        concurrent.futures.wait(self.left)
        self.pool.shutdown()
        self.second.shutdown()


@witness.endpoint
def waits(world, draw):
    """More pieces than the pool has threads."""
    with witness.run():
        pieces = [world.pool.submit(world.exchange, "waits") for _ in range(draw.randrange(1, 9))]
        concurrent.futures.wait(pieces)
        world.exchange("waits")


@witness.endpoint
def maps(world, draw):
    with witness.run():
        world.exchange("maps")
        list(world.pool.map(world.exchange, ["maps"] * draw.randrange(1, 9)))


@witness.endpoint
def leaves(world, draw):
    """It is over before its work is."""
    with witness.run():
        world.exchange("leaves")
        world.left += [world.pool.submit(world.exchange, "leaves") for _ in range(draw.randrange(1, 4))]


@witness.endpoint
def passes_on(world, draw):
    """The work gives work to another pool."""
    with witness.run():
        world.exchange("passes_on")
        for _ in range(draw.randrange(1, 4)):
            world.pool.submit(passed_on, world).result()


def passed_on(world):
    world.second.submit(world.exchange, "passes_on").result()
    world.exchange("passes_on")


@witness.endpoint
def starts(world, draw):
    with witness.run():
        threads = [threading.Thread(target=world.exchange, args=("starts",)) for _ in range(draw.randrange(1, 4))]
        for thread in threads:
            thread.start()
        world.exchange("starts")
        for thread in threads:
            thread.join()


@witness.endpoint
def starts_deeper(world, draw):
    """A thread starts a thread that makes the call."""
    with witness.run():
        world.exchange("starts_deeper")
        started(world, draw.randrange(1, 4))


def started(world, levels):
    if levels:
        thread = threading.Thread(target=started, args=(world, levels - 1))
        thread.start()
        thread.join()
    world.exchange("starts_deeper")


@witness.endpoint
def alone(world, draw):
    """It gives nothing away: what the pool does for others meanwhile is not its."""
    with witness.run():
        for _ in range(draw.randrange(1, 4)):
            world.exchange("alone")


KINDS = {
    "pools": [waits, maps, leaves, passes_on, alone],
    "threads": [starts, starts_deeper, alone],
}
KINDS["mixed"] = sorted({kind for kinds in KINDS.values() for kind in kinds}, key=repr)


def work(options, seed, world):
    draw = random.Random(seed)
    for _ in range(options["runs"]):
        draw.choice(KINDS[options["kinds"]])(world, draw)


def work_all(options, world):
    """So many threads at once, which are nobody's."""
    seeds = range(options["seed"], options["seed"] + options["threads"])
    threads = [threading.Thread(target=work, args=(options, seed, world)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.finish()


def run(options, go):
    world = World(options)
    go()
    work_all(options, world)
    return world


def forked(options, go):
    """Children that are forked when the trace has begun."""
    go()
    children = []
    for number in range(options["children"]):
        child = os.fork()
        if not child:
            work_all(dict(options, seed=options["seed"] + 100 * number), World(options))
            witness.dump()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    scenario.main({"run": run, "forked": forked})

"""Target: an event loop (asyncio's or uvloop's) with endpoints of all the shapes that asynchronous code has.

Every endpoint takes the world (pools of connections that all share) and a source of random numbers. It asks HTTP for a
path that only it asks for, so that a call that is taken for another endpoint's shows.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import random
import sys
import threading

import aclients
import clients
import scenario
import witness

witness.watch_asyncio()

UPLOAD = 3000000  # bytes: more than a socket's buffers take
PATIENCE = 0.005  # seconds that an answer which never comes is waited for


class World:
    def __init__(self, options):
        self.options = options
        self.pause = options.get("pause", 0)  # seconds before a page is asked for, at most
        self.draw = random.Random(options["seed"])
        self.pools = {}
        self.blocking = []  # HTTP clients for threads
        self.lock = threading.Lock()
        self.left_alone = set()  # tasks that nobody waits for
        self.executor = concurrent.futures.ThreadPoolExecutor(4)

    def pool(self, kind, link):
        if (kind, link) not in self.pools:
            self.pools[kind, link] = aclients.Pool(kind, link, self.options[kind])
        return self.pools[kind, link]

    async def get(self, name, link="streams"):
        """Asks for the page of this name."""
        if self.pause:
            await asyncio.sleep(self.draw.uniform(0, self.pause))
        async with self.pool("http", link).use() as http:
            return await http.request("GET", "/of/" + name)

    def get_and_wait(self, name):
        """The same in a thread."""
        with self.lock:
            http = self.blocking.pop() if self.blocking else clients.Http(self.options["http"])
        http.request("GET", "/of/" + name)
        with self.lock:
            self.blocking.append(http)

    async def close(self):
        while self.left_alone:
            await asyncio.wait(self.left_alone)
        self.executor.shutdown()
        for pool in self.pools.values():
            pool.close()
        for http in self.blocking:
            http.close()
        await asyncio.sleep(0.01)  # loops close connections a little later


@witness.endpoint
async def chain(world, draw):
    """The call is made some awaits further down."""
    with witness.run():
        await descend(world, draw.randrange(1, 12))


async def descend(world, levels):
    if levels:
        await descend(world, levels - 1)
    else:
        await world.get("chain")


@witness.endpoint
async def gathers(world, draw):
    with witness.run():
        await asyncio.gather(*[world.get("gathers") for _ in range(draw.randrange(1, 4))])


@witness.endpoint
async def groups(world, draw):
    with witness.run():
        async with asyncio.TaskGroup() as group:
            for _ in range(draw.randrange(1, 4)):
                group.create_task(world.get("groups"))


@witness.endpoint
async def hastens(world, draw):
    """Tasks that begin inside of who makes them."""
    with witness.run():
        loop = asyncio.get_running_loop()
        make = functools.partial(asyncio.Task, loop=loop, eager_start=True)
        await asyncio.gather(*[make(hastened(world, number)) for number in range(draw.randrange(1, 4))])
        if draw.randrange(2):
            await make(world.get("hastens"))


async def hastened(world, number):
    if number % 2:
        await asyncio.sleep(0)
    await world.get("hastens")
    await world.get("hastens")


@witness.endpoint
async def spawns(world, draw):
    """It does not wait for its task."""
    with witness.run():
        if draw.randrange(2):
            await world.get("spawns")
        task = asyncio.get_running_loop().create_task(world.get("spawns"))
        world.left_alone.add(task)
        task.add_done_callback(world.left_alone.discard)


@witness.endpoint
async def spawns_deeper(world, draw):
    """A task makes a task that makes the call."""
    with witness.run():
        await asyncio.ensure_future(spawned(world, draw.randrange(1, 4)))


async def spawned(world, levels):
    if levels:
        await asyncio.ensure_future(spawned(world, levels - 1))
    await world.get("spawns_deeper")


@witness.endpoint
async def impatient(world, draw):
    """Some answers never come."""
    with witness.run():
        await asyncio.wait_for(world.get("impatient"), 600)
        if draw.randrange(3) == 0:
            with contextlib.suppress(asyncio.TimeoutError):
                async with world.pool("raw", "streams").use() as raw:
                    await asyncio.wait_for(raw.ask(5, 5, verb=clients.MUTE), PATIENCE)
        await world.get("impatient")


@witness.endpoint
async def cancels(world, draw):
    """Its task is cancelled where it happens to be."""
    with witness.run():
        with contextlib.suppress(asyncio.CancelledError):
            async with world.pool("raw", "streams").use() as raw:
                task = asyncio.ensure_future(raw.ask(5, 5, verb=clients.MUTE))
                await asyncio.sleep(draw.choice((0, PATIENCE)))
                task.cancel()
                await task
        await world.get("cancels")


@witness.endpoint
async def generates(world, draw):
    """The calls are made in an asynchronous generator, which is not always used up."""
    with witness.run():
        enough = draw.randrange(1, 4)
        pages = generated(world, 3)
        async for number in pages:
            if number == enough:
                break
        await pages.aclose()


async def generated(world, count):
    for number in range(count):
        yield number
        await world.get("generates")


@witness.endpoint
async def manages(world, draw):
    with witness.run():
        async with Transaction(world):
            for _ in range(draw.randrange(3)):
                await world.get("manages")


class Transaction:
    """Calls when it begins and when it ends."""

    def __init__(self, world):
        self.world = world

    async def __aenter__(self):
        await self.world.get("manages")

    async def __aexit__(self, *_):
        await self.world.get("manages")


@witness.endpoint
async def outer(world, draw):
    """Another endpoint does a part of the work: it is this one's."""
    with witness.run():
        await world.get("outer")
        await inner(world, draw, "outer")


@witness.endpoint
async def inner(world, draw, name="inner"):
    with witness.run():
        for _ in range(draw.randrange(1, 3)):
            await world.get(name)


def logged(function):
    @functools.wraps(function)
    async def wrapper(*arguments):
        return await function(*arguments)

    return wrapper


@logged
@logged
@witness.endpoint
async def decorated(world, draw):
    with witness.run():
        await world.get("decorated")
        await world.get("decorated")


@witness.endpoint
async def partially(name, world, draw):
    with witness.run():
        await world.get(name)


PARTIAL = functools.partial(functools.partial(partially, "partially"))


@witness.endpoint
async def recurses(world, draw, levels=None):
    with witness.run():
        if levels is None:
            levels = draw.randrange(1, 6)
        await world.get("recurses")
        if levels:
            await recurses(world, draw, levels - 1)


@witness.endpoint
async def by_streams(world, draw):
    """Pipelines of redis commands."""
    with witness.run():
        async with world.pool("redis", "streams").use() as redis:
            await redis.pipeline([("SET", "a", "v" * draw.randrange(2000))] + [("GET", "a")] * draw.randrange(1, 20))
            await world.get("by_streams")


@witness.endpoint
async def by_protocol(world, draw):
    with witness.run():
        async with world.pool("redis", "protocol").use() as redis:
            await redis.command("SET", "b", "v" * draw.randrange(2000))
            await redis.command("MGET", "a", "b", "c")
        await world.get("by_protocol", "protocol")


@witness.endpoint
async def by_sockets(world, draw):
    with witness.run():
        async with world.pool("redis", "sockets").use() as redis:
            await redis.command("SET", "c", "v" * draw.randrange(2000))
        await world.get("by_sockets", "sockets")


@witness.endpoint
async def uploads(world, draw):
    """More than the socket takes at once: the transport sends it later, to a server that reads slowly."""
    with witness.run():
        async with world.pool("raw", "protocol").use() as raw:
            await raw.ask(UPLOAD, 10, 200, clients.SLOW)
        await world.get("uploads")


@witness.endpoint
async def uploads_by_sockets(world, draw):
    """Likewise: sock_sendall() goes on in a callback."""
    with witness.run():
        async with world.pool("raw", "sockets").use() as raw:
            await raw.ask(UPLOAD, 10, 200, clients.SLOW)
        await world.get("uploads_by_sockets")


@witness.endpoint
async def uploads_by_streams(world, draw):
    """Likewise, from a task that waits until the transport has room."""
    with witness.run():
        async with world.pool("raw", "streams").use() as raw:
            await asyncio.gather(raw.ask(UPLOAD, 10, 200, clients.SLOW), world.get("uploads_by_streams"))


@witness.endpoint
async def in_thread(world, draw):
    """asyncio.to_thread(), which 3.8 did not have yet: the context goes along."""
    with witness.run():
        work = functools.partial(contextvars.copy_context().run, world.get_and_wait, "in_thread")
        if hasattr(asyncio, "to_thread") and draw.randrange(2):
            await asyncio.to_thread(world.get_and_wait, "in_thread")
        else:
            await asyncio.get_running_loop().run_in_executor(None, work)


@witness.endpoint
async def in_executor(world, draw):
    """A thread pool of its own; no context goes along."""
    with witness.run():
        run = asyncio.get_running_loop().run_in_executor
        pages = [run(world.executor, world.get_and_wait, "in_executor") for _ in range(draw.randrange(1, 4))]
        await asyncio.gather(*pages)


@witness.endpoint
async def slowly(world, draw):
    """Other runs get their turn between its calls."""
    with witness.run():
        for _ in range(draw.randrange(1, 6)):
            await world.get("slowly")
            await asyncio.sleep(draw.choice((0, 0.001)))


SHAPES = {
    "awaits": [chain, slowly, inner, recurses],
    "tasks": [gathers, spawns, spawns_deeper] + ([groups] if sys.version_info >= (3, 11) else [])
    + ([hastens] if sys.version_info >= (3, 12) else []),
    "cancellation": [impatient, cancels],
    "cancels": [cancels], "spawns": [spawns], "hastens": [hastens] if sys.version_info >= (3, 12) else [],
    "wrapping": [generates, manages, outer, inner, decorated, PARTIAL],
    "links": [by_streams, by_protocol, by_sockets],
    "uploads": [uploads, uploads_by_sockets, uploads_by_streams],
    "threads": [in_thread, in_executor],
}
SHAPES["mixed"] = sorted({shape for shapes in SHAPES.values() for shape in shapes}, key=repr)


def turns(options):
    """So many, or for so long."""
    end = asyncio.get_running_loop().time() + options.get("seconds", 0)
    for number in range(options["runs"]):
        if number and options.get("seconds") and asyncio.get_running_loop().time() > end:
            break
        yield number


async def work(world, shapes, seed):
    """Runs one after the other in one task: coroutines' addresses are used again at once."""
    draw = random.Random(seed)
    for _ in turns(world.options):
        await draw.choice(shapes)(world, draw)


async def work_apart(world, shapes, seed):
    """Each run is a task of its own."""
    draw = random.Random(seed)
    for _ in turns(world.options):
        await asyncio.get_running_loop().create_task(draw.choice(shapes)(world, draw))


async def work_mixed(world, shapes, seed):
    draw = random.Random(seed)
    for number in turns(world.options):
        run = draw.choice(shapes)(world, draw)
        await (asyncio.get_running_loop().create_task(run) if number % 2 else run)


WORKERS = {"task": work, "apart": work_apart, "mixed": work_mixed}


async def load(options, go):
    world = World(options)
    if options.get("open"):
        await world.pool("http", "streams").fill(options["open"])
    go()
    worker, shapes = WORKERS[options.get("worker", "task")], SHAPES[options["shapes"]]
    await asyncio.gather(*[worker(world, shapes, options["seed"] + number) for number in range(options["workers"])])
    await world.close()


def run(options, go):
    """One of SHAPES, in so many tasks at once, with so many runs each."""
    aclients.run(load(options, go), options["loop"])


if __name__ == "__main__":
    scenario.main({"run": run})

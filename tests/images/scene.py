"""The process that make_image.py takes a picture of: threads that rest on stacks of every kind, and what is true of them.

Runs on CPython 3.8 to 3.15 with nothing but the standard library. Prints one line of JSON when all is at rest, and rests
until its standard input closes. No frame moves after that line: what it says is then what memory holds.
"""

import asyncio
import gc
import inspect
import json
import sys
import threading
import time

GATE = threading.Lock()
GATE.acquire()
DEPTH = 150  # more than a walk follows
# Of functions by name: does C code call them? What is not here depends on the version.
FROM_C = {"called_by_map": 1, "called_by_sort": 1, "line": 0, "total": 0, "main": 0}


class Shop:
    """A closure below a method below a function, with calls that span lines."""

    def total(self, items):
        def line():
            if items:
                for _ in items:
                    GATE.acquire(
                        True,
                        -1,
                    )

        try:
            line()
        finally:
            items = None


def homepage(items):
    with threading.Lock():
        for shop in [Shop()]:
            shop.total(
                items,
            )


def inner_generator(gate):
    yield 1
    gate.acquire()


def outer_generator(gate):
    yield 0
    yield from inner_generator(gate)


def through_generators(gate):
    return sum(number for number in outer_generator(gate))


def called_by_map(number):
    return sorted([number], key=called_by_sort)


def called_by_sort(number):
    GATE.acquire()
    return number


def from_c(numbers):
    return list(map(called_by_map, numbers))


def größe(gate):
    return (lambda: 数える(gate))()


def 数える(gate):
    gate.acquire()


def deep(gate, left):
    if left:
        return deep(gate, left - 1)
    return gate.acquire()


async def waits(future):
    await future


async def query(gate):
    gate.acquire()


async def view(gate):
    async with Around():
        return await query(gate)


class Around:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None


async def serve(gate, kept):
    future = asyncio.get_running_loop().create_future()
    kept.append(asyncio.ensure_future(waits(future)))
    await asyncio.sleep(0)
    await asyncio.ensure_future(view(gate))


def event_loop(gate, kept):
    asyncio.new_event_loop().run_until_complete(serve(gate, kept))


def generator_of(frame, objects):
    """The generator or coroutine whose frame this is."""
    for thing in objects:
        for name in ("gi_frame", "cr_frame", "ag_frame"):
            if getattr(thing, name, None) is frame:
                return thing
    return None


def first_local(frame):
    """The address of what is in the first slot of the frame, where that is a plain variable that is bound."""
    code = frame.f_code
    if not code.co_varnames or code.co_varnames[0] in code.co_cellvars:
        return 0
    values = frame.f_locals
    return id(values[code.co_varnames[0]]) if code.co_varnames[0] in values else 0


def describe(frame, objects, spans):
    code = frame.f_code
    generator = generator_of(frame, objects)
    lines = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
    instructions = code.co_code if sys.version_info < (3, 11) else None
    for thing in (code, code.co_filename, code.co_name, getattr(code, "co_qualname", None), lines, instructions):
        if thing is not None:
            spans[id(thing)] = sys.getsizeof(thing) + (len(code.co_code) if thing is code else 0)
    if generator is not None:
        spans[id(generator)] = 256
    truth = {
        "file": code.co_filename,
        "name": getattr(code, "co_qualname", code.co_name),
        "line": frame.f_lineno,
        "first_line": code.co_firstlineno,
        "lasti": frame.f_lasti,
        "code": id(code),
        "flags": code.co_flags,
        "slots": len(dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars)),
        "local": first_local(frame),
        "is_generator": int(generator is not None),
        "generator": id(generator) if generator is not None else 0,
        "frame": id(frame) if sys.version_info < (3, 11) else 0,
    }
    if code.co_name in FROM_C:
        truth["from_c"] = FROM_C[code.co_name]
    return truth


def describe_generator(thing, spans):
    kind = "Coroutine" if inspect.iscoroutine(thing) else "Generator"
    state = getattr(inspect, "get%sstate" % kind.lower())(thing)
    frame = getattr(thing, "cr_frame" if kind == "Coroutine" else "gi_frame")
    spans[id(thing)] = 256
    if frame is not None and sys.version_info < (3, 11):
        spans[id(frame)] = 512
    return {
        "object": id(thing),
        "state": state.partition("_")[2].lower(),
        "frame": id(frame) if frame is not None and sys.version_info < (3, 11) else 0,
    }


def truth(threads, generators):
    spans = {}
    objects = [thing for thing in gc.get_objects() if inspect.isgenerator(thing) or inspect.iscoroutine(thing)]
    stacks = sys._current_frames()
    described = []
    for thread in threads:
        frames, frame = [], stacks[thread.ident]
        while frame is not None:
            frames.append(describe(frame, objects, spans))
            frame = frame.f_back
        described.append({"name": thread.name, "tid": thread.native_id, "self": thread.ident, "frames": frames})
    states = [describe_generator(thing, spans) for thing in generators]
    return {
        "python": list(sys.version_info[:3]),
        "threads": described,
        "generators": states,
        "spans": sorted(spans.items()),
    }


def finished():
    return
    yield


def report(threads, generators, tasks):
    time.sleep(0.5)  # for the others to come to rest: their states are read from outside anyway
    running = [thing for thing in gc.get_objects() if inspect.iscoroutine(thing) and thing.cr_code is view.__code__]
    waiting = [task.get_coro() for task in tasks]
    print(json.dumps(truth(threads, generators + running + waiting)), flush=True)
    GATE.acquire()


def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, name=function.__name__, daemon=True)
    thread.start()
    return thread


def main():
    tasks = []
    threads = [
        threading.main_thread(),
        start(homepage, [1]),
        start(through_generators, GATE),
        start(from_c, [1]),
        start(größe, GATE),
        start(deep, GATE, DEPTH),
        start(event_loop, GATE, tasks),
    ]
    suspended, over = outer_generator(GATE), finished()
    next(suspended)
    list(over)
    generators = [outer_generator(GATE), suspended, over]  # created, suspended, closed
    start(report, threads, generators, tasks)
    sys.stdin.buffer.read()


main()

"""Cases of event loops, asyncio's and uvloop's: who sends owns the answer, whatever task or thread goes on with it.

apps/aio.py has the endpoints, by shape. Each row of SHAPES is a case on either loop.
"""

import http.client
import json
import os
import random
import threading

from compare import compare
from lab import Absent, check, check_none
from loads import Load, check_wall_source, many, patterns, quit_target, traced
from registry import CASES, case

LOOPS = ("asyncio", "uvloop")
BACKENDS = ("redis", "http", "raw")

ENDPOINTS = {
    "awaits": ["chain", "slowly", "inner", "recurses"],
    "tasks": ["gathers", "spawns", "spawns_deeper", "groups", "hastens"],
    "cancellation": ["impatient", "cancels"], "cancels": ["cancels"], "spawns": ["spawns"], "hastens": ["hastens"],
    "wrapping": ["generates", "manages", "outer", "inner", "decorated", "partially"],
    "links": ["by_streams", "by_protocol", "by_sockets"],
    "uploads": ["uploads", "uploads_by_sockets", "uploads_by_streams"],
    "threads": ["in_thread", "in_executor"],
}
ENDPOINTS["mixed"] = sorted({name for names in ENDPOINTS.values() for name in names})


def need_loop(lab, loop):
    if loop == "uvloop":
        if "uvloop" not in lab.interpreter()["modules"]:
            raise Absent("uvloop is not for this Python")


def shape(shapes, workers, runs, **options):
    return Load("aio", "run", BACKENDS, ENDPOINTS[shapes], shapes=shapes, workers=workers, runs=runs, **options)


SHAPES = {
    # two hundred runs interleaved on one thread
    "interleaved": shape("awaits", 200, many(5)),
    # one after the other in one task: the coroutine's address is the same each time
    "one_after_the_other": shape("awaits", 1, many(150)),
    # one after the other, each in a task of its own, whose address is used again
    "task_after_task": shape("awaits", 1, many(150), worker="apart"),
    "tasks": shape("tasks", 20, many(12)),
    "tasks_of_tasks": shape("tasks", 20, many(12), worker="apart"),
    "cancellation": shape("cancellation", 20, many(12)),
    "wrapping": shape("wrapping", 20, many(12)),
    "links": shape("links", 20, many(12)),
    "links_from_before": shape("links", 20, many(12), open=20),
    "uploads": shape("uploads", 5, many(6)),
    "executors": shape("threads", 20, many(12)),
}


def run_shape(lab, load, loop, share=0, mode="stack", every_run=False):
    need_loop(lab, loop)
    load = Load(load.script, load.scenario, load.backends, load.endpoints, **dict(load.options, loop=loop))
    return traced(lab, load, mode, every_run=every_run, share=share)


def _add_shapes():
    for loop in LOOPS:
        for name, load in SHAPES.items():
            CASES["%s_%s" % (loop, name)] = lambda lab, load=load, loop=loop: run_shape(lab, load, loop)


_add_shapes()


def run_mixed(lab, loop, seconds):
    """
    Two hundred runs at once of all the endpoints. At most 0.5 % of the calls may be unattributed, none may be
    another endpoint's.
    """
    load = shape("mixed", 200, 10000, seconds=lab.seconds(seconds), pause=0.6, worker="mixed")
    summary, truth = run_shape(lab, load, loop, share=0.005)
    check(len(truth) >= 20 and len(summary["endpoints"]) >= 20, "%d endpoints only" % len(summary["endpoints"]))


@case
def asyncio_mixed_load(lab):
    run_mixed(lab, "asyncio", 60)


@case
def uvloop_mixed_load(lab):
    run_mixed(lab, "uvloop", 20)


class Server:
    """apps/aserver.py under the witness, or another one that serves the same pages."""

    def __init__(self, lab, kind, loop, script="aserver.py"):
        need_loop(lab, loop)
        self.lab, self.requests = lab, 0
        options = {"kind": kind, "loop": loop, "redis": lab.backend("redis"), "http": lab.backend("http")}
        variables = dict(os.environ, WITNESS=lab.seen_by_target(lab.path("seen")), PYTHONDONTWRITEBYTECODE="1")
        command = lab.python + [lab.seen_by_target(lab.path(script)), json.dumps(options)]
        self.child = lab.start(command, env=variables)
        self.port = int(self.child.expect(r"^port (\d+)").group(1))

    def load(self, clients=10):
        """Several clients at once, each with one connection that is kept open, and with several."""
        failures = []
        workers = [threading.Thread(target=self._ask, args=(number, failures)) for number in range(clients)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        check_none(failures)

    def _ask(self, number, failures):
        draw = random.Random(self.lab.seed + number)
        count = self.lab.number(20)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.lab.limit)
            for _ in range(count):
                connection.request("GET", "/%s/%d" % (draw.choice(("item", "items", "nothing")), draw.randrange(100)))
                answer = connection.getresponse()
                if answer.status != 200 or answer.read() != b"well\n":
                    failures.append("status %d" % answer.status)
                if draw.randrange(4) == 0:
                    connection.close()
            connection.close()
        except Exception as problem:
            failures.append(repr(problem))
        self.requests += count


def serve(lab, kind, loop):
    """Runs are requests, whoever reads them; the response's sender says which request a task answers."""
    check_server(lab, Server(lab, kind, loop), *patterns("item", "items", "nothing"))


def check_server(lab, server, *options):
    tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack", *options)
    server.load()
    summary = tracer.finish()[-1]
    status, _, err = server.child.wait()
    check(status == 0, "the server ended with %d: %s" % (status, err.strip()[-300:]))
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_requests(summary, server.requests)


def check_requests(summary, count):
    requests = summary["requests"]
    check(requests["count"] == count, "%d requests, truly %d" % (requests["count"], count))
    check_wall_source(summary, "request")
    for endpoint in summary["endpoints"]:
        route = "GET /%s/?" % endpoint["endpoint"].rpartition(".")[2]
        check(endpoint["route"] == route, "%s: route %s" % (endpoint["endpoint"], endpoint["route"]))


def _add_servers():
    for loop in LOOPS:
        for kind in ("streams", "protocol", "sockets"):
            CASES["%s_server_by_%s" % (loop, kind)] = lambda lab, kind=kind, loop=loop: serve(lab, kind, loop)


_add_servers()


def serve_routes(lab, loop):
    """The endpoints are found by themselves, whatever middleware is around them."""
    if lab.python != ["/usr/bin/python3"]:
        raise Absent("Starlette is run with this machine's Python only; tests/matrix has the others")
    lab.need_modules("fastapi", "uvicorn")  # which brings Starlette
    check_server(lab, Server(lab, "routes", loop, "routed.py"))


@case
def asyncio_server_by_routes(lab):
    serve_routes(lab, "asyncio")


@case
def uvloop_server_by_routes(lab):
    serve_routes(lab, "uvloop")


@case
def server_found_by_itself(lab):
    """Without -e the endpoint of a server by streams is what asyncio calls for a connection."""
    server = Server(lab, "streams", "asyncio")
    tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack")
    server.load()
    summary = tracer.finish()[-1]
    server.child.wait()
    true = lab.truth()
    names = [endpoint["endpoint"].rpartition(".")[2] for endpoint in summary["endpoints"]]
    check(names == ["handle"], "endpoints %s" % names)
    found = summary["endpoints"][0]
    runs = sum(len(endpoint.calling_runs) for endpoint in true.values())
    check(found["runs"] == runs, "%d runs, truly %d" % (found["runs"], runs))
    calls = sum(backend.numbers["calls"] for name in true for backend in true[name].backends.values())
    check(found["calls"] == calls, "%d calls, truly %d" % (found["calls"], calls))
    check(summary["unattributed"]["calls"] == 0, "%d unattributed" % summary["unattributed"]["calls"])
    check_wall_source(summary, "request")

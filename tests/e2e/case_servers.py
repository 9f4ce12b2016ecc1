"""Cases of servers: plain WSGI and the shop under gunicorn, whose runs are the requests that they answer."""

import ast
import collections
import contextlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

from compare import compare, lost
from container import program
from lab import APPS, Absent, Skip, check, check_none, descendants, free_port
from loads import check_wall_source
from registry import case

sys.path.append(APPS)

from shop import data  # noqa: E402

FIXED = os.path.join(APPS, "shop_fixed")


class Server:
    """
    gunicorn with an application of apps/, under the witness, and the number of requests that it answered. It can run in
    a container (container.py). `path` is searched for modules first.
    """

    def __init__(self, lab, application, *options, environment=(), container=None, path=()):
        lab.need_modules("gunicorn")
        if lab.root != "/":
            raise Skip("gunicorn is run in the root file system only")
        self.lab, self.port, self.requests = lab, free_port(), 0
        variables = dict(os.environ, WITNESS=lab.path("seen"), PYTHONDONTWRITEBYTECODE="1")
        variables["PYTHONPATH"] = ":".join([*path, lab.directory, APPS])
        variables.update(environment)
        self.network = container.network if container else contextlib.nullcontext
        command = container.inside() if container else []
        command += lab.python + ["-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:%d" % self.port,
                                "--log-level", "warning", *options, application]
        self.child = lab.start(command, stdin=subprocess.DEVNULL, cwd=lab.directory, env=variables)
        with self.network():
            lab.wait_for_port(self.port)
        self.pid = program(self.child.pid)
        deadline = time.monotonic() + lab.limit
        while len(descendants(self.pid)) < 2:
            check(time.monotonic() < deadline, "gunicorn has no two workers: " + self.child.last_words())
            time.sleep(0.02)

    def load(self, paths, threads=4, headers=dict):
        """Asks for all paths, each with headers(), on connections that the server may close after each answer."""
        parts = [paths[number::threads] for number in range(threads)]
        failures = []

        def work(part):
            with self.network():
                ask(part)

        def ask(part):
            try:
                for path in part:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.lab.limit)
                    connection.request("GET", path, headers=headers())
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    if answer.status != 200:
                        failures.append("%s: %d" % (path, answer.status))
            except Exception as problem:
                failures.append(repr(problem))

        workers = [threading.Thread(target=work, args=(part,)) for part in parts]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        check_none(failures)
        self.requests += len(paths)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        status, _, err = self.child.wait()
        check(status == 0, "the server ended with %d: %s" % (status, err.strip()[-300:]))


@case
def requests_to_a_server(lab):
    """The other direction: a Python server that calls nobody. Several requests a connection, and one each."""
    service = lab.start(lab.python + [lab.seen_by_target(lab.path("stock_service.py")), "0"], stderr=subprocess.DEVNULL)
    port = int(service.expect(r"^port (\d+)").group(1))
    tracer = lab.trace(service.pid, "-i", 0, "--python", "stack")
    draw = random.Random(lab.seed)
    count = 0
    for _ in range(lab.number(20)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=lab.limit)
        for _ in range(draw.randrange(1, 5)):
            connection.request("GET", "/stock/%d" % draw.randrange(100))
            answer = connection.getresponse()
            check(answer.status == 200 and answer.read(), "status %d" % answer.status)
            count += 1
        connection.close()
    summary = tracer.finish()[-1]
    requests = summary["requests"]
    check(requests["count"] == count, "%d requests, truly %d" % (requests["count"], count))
    check(requests["without_endpoint"] == count, "%d without an endpoint" % requests["without_endpoint"])
    check(requests["latency"]["count"] == count, "%d latencies" % requests["latency"]["count"])
    check(summary["endpoints"] == [] and summary["unattributed"]["calls"] == 0, "calls of a server that makes none")
    check_none(lost(summary))


def check_requests(summary, server):
    requests = summary["requests"]
    check(requests["count"] == server.requests, "%d requests, truly %d" % (requests["count"], server.requests))
    check_wall_source(summary, "request")


@case
def plain_wsgi_under_gunicorn(lab):
    """No framework and no -e: the endpoint is the application that gunicorn calls."""
    address = lab.backend("redis")
    server = Server(lab, "wsgi_plain:application", environment={"SHOP_REDIS_PORT": str(address[1])})
    tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack")
    draw = random.Random(lab.seed)
    server.load(["/?" + "k" * draw.randrange(20) for _ in range(lab.number(100))])
    summary = tracer.finish()[-1]
    server.stop()
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_requests(summary, server)


def shop_backends(lab):
    """Starts and fills them, and returns the variables that say where they are."""
    lab.need_modules("flask", "redis", "pymemcache", "requests")
    environment = {
        "SHOP_REDIS_PORT": str(lab.backend("redis")[1]),
        "SHOP_MEMCACHE_PORT": str(lab.backend("memcache")[1]),
        "SHOP_STOCK_PORT": str(stock_service(lab)),
    }
    status, _, err = lab.run(*lab.python, "-m", "shop.seed", env=dict(os.environ, PYTHONPATH=APPS, **environment))
    check(status == 0, "the shop could not be filled: " + err[-300:])
    return environment


def start_shop(lab, *worker_options, container=None, fixed=False):
    """The shop with its backends; some of its connections are open already."""
    environment = shop_backends(lab)
    server = Server(lab, "shop_witnessed:app", *worker_options, environment=environment, container=container,
                    path=[FIXED] if fixed else [])
    server.load(["/health"] * 20)
    server.requests = 0
    return server


def serve_shop(lab, *worker_options, container=None, fixed=False):
    server = start_shop(lab, *worker_options, container=container, fixed=fixed)
    tracer = lab.trace(server.pid, "-i", 0, "--python", "stack")
    since = time.monotonic_ns()
    paths = shop_paths(lab)
    visit_shop(lab, server, paths)
    summary = tracer.finish()[-1]
    server.stop()
    check_none(compare(summary, lab.truth(since), lab.qualified()))
    check_requests(summary, server)
    check_shop(summary, paths, fixed)


def shop_paths(lab):
    draw = random.Random(lab.seed)
    return [data.path(draw, draw.choice(data.PAGES)) for _ in range(lab.number(150))]


def visit_shop(lab, server, paths):
    """Each page is asked for by another user."""
    draw = random.Random(lab.seed)
    server.load(paths, headers=lambda: data.cookie(draw))


def stock_service(lab):
    service = lab.start(lab.python + [os.path.join(APPS, "stock_service.py"), "0"], stderr=subprocess.DEVNULL)
    return int(service.expect(r"^port (\d+)").group(1))


# What newer client libraries send of their own accord when they connect.
ON_CONNECT = ("CLIENT SETINFO", "HELLO")


def documented_calls(package="shop", fixed=False):
    """What the shop's views say in their docstrings: endpoint -> {protocol: calls a run}."""
    with open(os.path.join(FIXED if fixed else APPS, package, "views.py")) as source:
        tree = ast.parse(source.read())
    found = {}
    for node in tree.body:
        text = ast.get_docstring(node) or "" if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else ""
        if text.startswith("Calls a run: "):
            found["%s.views.%s" % (package, node.name)] = {
                protocol: int(calls) for protocol, calls in re.findall(r"(\w+) (\d+)", text)
            }
    return found


def check_shop(summary, paths, fixed, package="shop"):
    """A summary of the shop must agree with the shop's source."""
    found, true = summary["requests"]["without_endpoint"], paths.count("/about")
    check(found == true, "%d requests without an endpoint, truly %d" % (found, true))
    documented = documented_calls(package, fixed)
    for endpoint in summary["endpoints"]:
        found = collections.Counter()
        for backend in endpoint["backends"]:
            calls = sum(row["calls"] for row in backend["operations"] if row["operation"] not in ON_CONNECT)
            found[backend["protocol"]] += calls / endpoint["runs"]
        name = endpoint["endpoint"]
        check(endpoint["partial_runs"] == 0, "%s: %d partial runs" % (name, endpoint["partial_runs"]))
        true = documented.get(name)
        check(found == true, "%s: %s calls a run, its source says %s" % (name, dict(found), true))


@case
def capture_begins_and_ends_under_load(lab):
    """Requests are under way when the capture begins and when it ends: those runs are partial, all others are whole."""
    server = start_shop(lab)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            visit_shop(lab, server, ["/"] * 4)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        summaries = []
        for _ in range(3):
            tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack")
            time.sleep(lab.limit / 60)
            summaries.append(tracer.finish()[-1])
    finally:
        stop.set()
        worker.join()
    server.stop()
    lab.forget_truth()
    true = documented_calls()["shop.views.homepage"]
    for summary in summaries:
        check([row["endpoint"] for row in summary["endpoints"]] == ["shop.views.homepage"], "not the endpoint")
        endpoint = summary["endpoints"][0]
        found = {backend["protocol"]: backend["calls_per_run"] for backend in endpoint["backends"]}
        check(found == true, "%s calls a run, its source says %s" % (found, true))
        check(endpoint["runs"] == endpoint["wall"]["count"] == endpoint["network"]["count"], "runs without times")
        check(endpoint["calls"] == sum(backend["calls"] for backend in endpoint["backends"]), "calls do not add up")
        extra = endpoint["calls"] - endpoint["runs"] * sum(true.values())
        partial = endpoint["partial_runs"]
        check(extra > 0 if partial else extra == 0, "%d calls in %d partial runs" % (extra, partial))
        check(partial <= 4, "%d partial runs of two workers" % partial)
        check_none(lost(summary))
    cut = sum(summary["endpoints"][0]["partial_runs"] for summary in summaries)
    check(cut > 0, "no capture cut a run: the case tests nothing")


@case
def shop_sync_workers(lab):
    serve_shop(lab)


@case
def shop_threaded_workers(lab):
    serve_shop(lab, "-k", "gthread", "--threads", "4")


@case
def shop_as_it_is_fixed(lab):
    """Its endpoints' threads make their calls at once."""
    serve_shop(lab, fixed=True)


class AsyncShop(Server):
    """The shop under FastAPI and uvicorn. Its clients know no witness: the source has to do."""

    def __init__(self, lab, fixed):
        if lab.python != ["/usr/bin/python3"]:
            raise Absent("the clients of event loops are this machine's only; tests/matrix has the others")
        lab.need_modules("fastapi", "uvicorn", "aiohttp")
        self.lab, self.port, self.requests, self.network = lab, free_port(), 0, contextlib.nullcontext
        path = ":".join([FIXED, APPS] if fixed else [APPS])
        variables = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=path, **shop_backends(lab))
        command = lab.python + ["-m", "uvicorn", "--port", str(self.port), "--log-level", "warning"]
        command += ["shop_async.app:app"]
        self.child = lab.start(command, stdin=subprocess.DEVNULL, env=variables)
        self.pid = self.child.pid
        lab.wait_for_port(self.port)


def serve_async_shop(lab, fixed):
    server = AsyncShop(lab, fixed)
    server.load(["/health"] * 20)
    server.requests = 0
    tracer = lab.trace(server.pid, "-i", 0, "--python", "stack")
    paths = shop_paths(lab)
    visit_shop(lab, server, paths)
    summary = tracer.finish()[-1]
    server.stop()
    check_requests(summary, server)
    check_shop(summary, paths, fixed, "shop_async")
    check(summary["unattributed"]["calls"] == 0, "unattributed: %s" % summary["unattributed"]["reasons"])
    check_none(lost(summary))


@case
def async_shop(lab):
    serve_async_shop(lab, fixed=False)


@case
def async_shop_as_it_is_fixed(lab):
    serve_async_shop(lab, fixed=True)

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
import threading
import time

from compare import compare, lost
from container import program
from lab import APPS, Skip, check, check_none, descendants, free_port
from loads import check_wall_source
from registry import case


class Server:
    """
    gunicorn with an application of apps/, under the witness, and the number of requests that it answered. It can run in
    a container (container.py).
    """

    def __init__(self, lab, application, *options, environment=(), container=None):
        lab.need_modules("gunicorn")
        if lab.root != "/":
            raise Skip("gunicorn is run in the root file system only")
        self.lab, self.port, self.requests = lab, free_port(), 0
        variables = dict(os.environ, WITNESS=lab.path("seen"), PYTHONDONTWRITEBYTECODE="1")
        variables["PYTHONPATH"] = lab.directory + ":" + APPS
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

    def load(self, paths, threads=4):
        """Asks for all paths, on connections that the server may close after each answer."""
        parts = [paths[number::threads] for number in range(threads)]
        failures = []

        def work(part):
            with self.network():
                ask(part)

        def ask(part):
            try:
                for path in part:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.lab.limit)
                    connection.request("GET", path)
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
        check(status == 0, "gunicorn ended with %d: %s" % (status, err.strip()[-300:]))


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


def start_shop(lab, *worker_options, container=None):
    """The shop with its backends, filled; some of its connections are open already."""
    lab.need_modules("flask", "redis", "pymemcache", "requests")
    environment = {
        "SHOP_REDIS_PORT": str(lab.backend("redis")[1]),
        "SHOP_MEMCACHE_PORT": str(lab.backend("memcache")[1]),
        "SHOP_STOCK_PORT": str(stock_service(lab)),
    }
    status, _, err = lab.run(*lab.python, "-m", "shop.seed", env=dict(os.environ, PYTHONPATH=APPS, **environment))
    check(status == 0, "the shop could not be filled: " + err[-300:])
    server = Server(lab, "shop_witnessed:app", *worker_options, environment=environment, container=container)
    server.load(["/health"] * 20)
    server.requests = 0
    return server


def serve_shop(lab, *worker_options, container=None):
    server = start_shop(lab, *worker_options, container=container)
    tracer = lab.trace(server.pid, "-i", 0, "--python", "stack")
    since = time.monotonic_ns()
    paths = shop_paths(lab)
    server.load(paths)
    summary = tracer.finish()[-1]
    server.stop()
    check_none(compare(summary, lab.truth(since), lab.qualified()))
    check_requests(summary, server)
    found, true = summary["requests"]["without_endpoint"], paths.count("/about")
    check(found == true, "%d requests without an endpoint, truly %d" % (found, true))
    check_documented_calls(summary)


def shop_paths(lab):
    draw = random.Random(lab.seed)
    pages = ["/", "/product/%d", "/search?q=item+%d", "/cart", "/health", "/about"]
    paths = [draw.choice(pages) for _ in range(lab.number(150))]
    return [path % draw.randrange(1, 40) if "%" in path else path for path in paths]


def stock_service(lab):
    service = lab.start(lab.python + [os.path.join(APPS, "stock_service.py"), "0"], stderr=subprocess.DEVNULL)
    return int(service.expect(r"^port (\d+)").group(1))


# What newer client libraries send of their own accord when they connect.
ON_CONNECT = ("CLIENT SETINFO", "HELLO")


def documented_calls():
    """What the shop's views say in their docstrings: endpoint -> {protocol: calls a run}."""
    with open(os.path.join(APPS, "shop", "views.py")) as source:
        tree = ast.parse(source.read())
    found = {}
    for node in tree.body:
        text = ast.get_docstring(node) or "" if isinstance(node, ast.FunctionDef) else ""
        if text.startswith("Calls a run: "):
            found["shop.views." + node.name] = {
                protocol: int(calls) for protocol, calls in re.findall(r"(\w+) (\d+)", text)
            }
    return found


def check_documented_calls(summary):
    """A summary of the shop must agree with the shop's source."""
    documented = documented_calls()
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
            server.load(["/"] * 4)

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

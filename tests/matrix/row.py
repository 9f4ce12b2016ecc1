#!/usr/bin/python3
"""One row of the matrix: an application under a server, asked concurrently, traced, held against the witness in it.

    row.py NAME        prints one line of JSON: what came out. lab.py lists what can be set in the environment; and
                       MATRIX_PORT is the port that the server gets

No -e and no configuration: nettraced has to find the endpoints by itself. Calls, round trips, bytes, operations and
connects of each endpoint must be those that the witness wrote down, nothing may be unattributed or lost, and no
endpoint may show up that the witness does not know.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from compare import compare, endpoint_matches  # noqa: E402
from lab import Failure, Lab, check, check_none, free_port  # noqa: E402
import table  # noqa: E402
from place import numbers  # noqa: E402

ROUNDS = 12  # times that each of ASKED is asked
PACKAGES = "dist-packages"
BACKENDS = ("redis", "http", "raw")


def port_of_its_own():
    """The one that run.py gives: no other row takes it before the server does. Otherwise one that is free now."""
    return int(os.environ.get("MATRIX_PORT") or free_port())


class Served:
    """The application under its server, as one child of ours."""

    def __init__(self, lab, row):
        self.lab, self.row, self.port = lab, row, port_of_its_own()
        self._install()
        self.environment = dict(
            os.environ,
            WITNESS=lab.path("seen"),
            MATRIX_BACKENDS=json.dumps({kind: lab.backend(kind) for kind in BACKENDS}),
            PYTHONDONTWRITEBYTECODE="1",
            PYTHONPATH=lab.directory + ":" + lab.path(PACKAGES),
        )
        server = row.server
        start = lab.python[:-1] + [server.program] if server.program else lab.python
        self.log = open(lab.path("log"), "w+b")
        self.child = lab.start(
            start + self._words(server.command), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            cwd=lab.directory, env=self.environment,
        )

    def _install(self):
        """The applications, and as packages what they share: the witness and the clients are not their own code."""
        os.mkdir(self.lab.path(PACKAGES))
        for name in os.listdir(self.lab.directory):
            if name.endswith(".py"):
                os.rename(self.lab.path(name), os.path.join(self.lab.path(PACKAGES), name))
        for name in ("kit.py", "akit.py"):
            shutil.copy(os.path.join(HERE, name), self.lab.path(PACKAGES))
        for name in os.listdir(table.APPS):
            if name.endswith(".py"):
                shutil.copy(os.path.join(table.APPS, name), self.lab.directory)

    def _words(self, command):
        application = self.row.application
        return command.format(
            app=application.name, application=application.application, port=self.port, directory=self.lab.directory,
            tag="%d%d" % self.lab.version(), redis="redis://%s:%d" % tuple(self.lab.backend("redis")),
        ).split()

    def said(self):
        """The end of what the server wrote; nothing, if that is all."""
        self.log.seek(0)
        return " | ".join(self.log.read().decode("utf-8", "replace").strip().split("\n")[-8:])

    def ask(self, rounds):
        """Asks for everything that often; returns how many requests that were."""
        if self.row.server.ask == "own":
            return self._let_ask(rounds)
        words = [word for word in self.row.application.asked for _ in range(rounds)]
        random.Random(self.lab.seed).shuffle(words)
        self._ask_at_once(words)
        last = [self.row.application.last] if self.row.application.last else []
        self._ask_at_once(last)
        return len(words) + len(last)

    def _ask_at_once(self, words):
        clients = min(self.row.server.clients, len(words))
        failures = []
        workers = [
            threading.Thread(target=self._ask_part, args=(words[number::clients], failures))
            for number in range(clients)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failures:
            raise Failure(failures[0])

    def _ask_part(self, words, failures):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.lab.limit)
        try:
            for word in words:
                answer = self._answer(connection, *word.split())
                body = answer.read()
                if answer.status != 200:
                    failures.append("%s: %d %r" % (word, answer.status, body[-300:]))
        except Exception as problem:
            failures.append(repr(problem))
        finally:
            connection.close()

    @staticmethod
    def _answer(connection, method, path):
        """A server may close a connection that is not used; then clients ask again on another one."""
        reused = connection.sock is not None
        connection.request(method, path)
        try:
            return connection.getresponse()
        except http.client.RemoteDisconnected:
            if not reused:
                raise
        connection.request(method, path)
        return connection.getresponse()

    def _let_ask(self, rounds):
        words = "{directory}/{app}.py ask {port} %d %d" % (self.lab.seed, rounds)
        environment = dict(self.environment)
        del environment["WITNESS"]
        status, out, err = self.lab.run(*self.lab.python, *self._words(words), env=environment)
        asked = re.search(r"^asked (\d+)$", out, re.MULTILINE)
        check(status == 0 and asked, "asking failed: " + err[-300:])
        return int(asked.group(1))

    def warm_up(self):
        """Everything once: until then workers load, and connections are made that are older than the capture."""
        if "{port}" in self.row.server.command:
            self._wait_for_port()
        self.ask(1)

    def _wait_for_port(self):
        deadline = time.monotonic() + self.lab.limit
        while True:
            check(self.child.process.poll() is None, "the server ended")
            try:
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=1).connect()
                return
            except OSError:
                check(time.monotonic() < deadline, "nobody listens")
                time.sleep(0.02)

    def stop(self):
        self.child.process.send_signal(signal.SIGTERM)
        self.child.wait()


def route_of(word):
    """What is asked, without its data."""
    return "/".join("?" if part.isdigit() else part for part in word.partition("?")[0].split("/"))


def last_name(name):
    return name.rpartition(".")[2]


def check_requests(summary, row, count, rounds):
    """Requests, and for each endpoint the route that leads to it."""
    requests, asked = summary["requests"], row.application.asked
    apart = [last_name(endpoint["endpoint"]) for endpoint in summary["endpoints"] if endpoint["wall_source"] == "calls"]
    quiet = sum(all(last_name(name) in apart for name in names) for names in asked.values()) * rounds
    quiet += bool(row.application.last)
    check(requests["count"] == count, "%d requests, truly %d" % (requests["count"], count))
    found = requests["without_endpoint"]
    # In an event loop, a run that nothing led to its request while it went on is told apart by its calls: seldom.
    unknown = count // 20 if row.server.mode in ("async", "uvloop") else 0
    check(quiet <= found <= quiet + unknown, "%d requests without an endpoint, truly %d" % (found, quiet))
    for endpoint in summary["endpoints"]:
        name, last = endpoint["endpoint"], last_name(endpoint["endpoint"])
        source = "request" if last not in apart or last not in table.apart(row) else "calls"
        check(endpoint["wall_source"] == source, "%s: wall times by %s" % (name, endpoint["wall_source"]))
        routes = [route_of(word) for word, names in asked.items() if last in map(last_name, names)]
        if source == "request":
            check(endpoint["route"] in routes, "%s: route %s, truly %s" % (name, endpoint["route"], routes))


def check_unattributed(summary, row):
    """
    Only a broker's traffic may be nobody's: because no endpoint is on the stack, or because the request was there
    before the capture was (workers wait for the next job's message).
    """
    nobody = ("no_endpoint", "owner_unknown")
    calls, reasons = summary["unattributed"]["calls"], summary["unattributed"]["reasons"]
    check(row.server.broker or calls == 0, "%d unattributed calls: %s" % (calls, reasons))
    others = {reason: count for reason, count in reasons.items() if count and reason not in nobody}
    check(not others, "unattributed for other reasons: %s" % others)


def check_names(row, endpoints, qualified):
    """The application says which endpoints answer; the witness must have seen those, or the row proves nothing."""
    true = {name for names in row.application.asked.values() for name in names}
    seen = {name.partition(":")[2] for name, endpoint in endpoints.items() if name and endpoint.calling_runs}
    check(seen == true, "the witness saw %s, the application says %s" % (sorted(seen), sorted(true)))


def answers(lab, server):
    """Does who runs the application send the answer as well?"""
    if not server.answers:
        return True
    module, since = server.answers
    script = "from importlib.metadata import version; print(version(%r))" % module
    return numbers(subprocess.check_output(lab.python + ["-c", script], timeout=lab.limit, text=True)) >= since


def run_row(lab, row):
    """Returns what there is to tell of a row that went well."""
    served = Served(lab, row)
    try:
        return trace(lab, row, served)
    except Failure as reason:
        raise Failure("%s; the server said: %s" % (reason, served.said())) from None
    finally:
        served.log.close()


def trace(lab, row, served):
    served.warm_up()
    tracer = lab.trace(served.child.pid, "-i", 0, "--python", "stack")
    since = time.monotonic_ns()
    rounds = lab.number(ROUNDS)
    count = served.ask(rounds)
    summary = tracer.finish()[-1]
    served.stop()
    endpoints = lab.truth(since)
    check_names(row, endpoints, lab.qualified())
    by_request = row.server.ask == "http" and answers(lab, row.server)
    check_none(compare(summary, endpoints, lab.qualified(), exact_runs=by_request, merged=table.apart(row),
                       unattributed=summary["unattributed"]["calls"]))
    check_unattributed(summary, row)
    if by_request:
        check_requests(summary, row, count, rounds)
    return {
        "calls": sum(endpoint["calls"] for endpoint in summary["endpoints"]),
        "runs": sum(endpoint["runs"] for endpoint in summary["endpoints"]),
        "attribution": "request" if by_request else "calls",
        "runs_exact": all(endpoint["runs_exact"] for endpoint in summary["endpoints"]),
        "unattributed": summary["unattributed"]["calls"],
    }


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = {row.name: row for row in table.rows()}
    if len(sys.argv) != 2 or sys.argv[1] not in rows:
        sys.exit("usage: row.py NAME, one of: " + " ".join(rows))
    with Lab() as lab:
        said = {"seed": lab.seed}
        try:
            said.update(run_row(lab, rows[sys.argv[1]]), result="ok")
        except Failure as reason:
            said.update(result="not ok", reason=" ".join(str(reason).split()), lost=lab.events_lost())
        except Exception as problem:
            traceback.print_exc()
            said.update(result="not ok", reason=repr(problem))
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()

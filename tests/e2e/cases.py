"""The cases: what is run under nettraced, and what its summary must say. Read by runner.py and by test_cases.py.

A case is a function that takes the lab and raises Failure or Skip; case() names it and puts it in CASES. Most
are a script of apps/ and a scenario of it: LOADS is the table of those.
"""

import ast
import collections
import http.client
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

from compare import close_enough, compare, lost, median
from lab import APPS, Failure, Skip, check, check_none, descendants, free_port

CASES = collections.OrderedDict()


def case(function):
    CASES[function.__name__] = function
    return function


def patterns(*endpoints):
    return [word for name in endpoints for word in ("-e", "*." + name)]


class Load:
    """A scenario of a script in apps/, its options, and how its summary is compared."""

    def __init__(self, script, scenario, backends, endpoints, needs=(), finish="stop", exact_runs=True, **options):
        self.script, self.scenario, self.backends, self.endpoints = script, scenario, backends, endpoints
        self.needs, self.finish, self.exact_runs, self.options = needs, finish, exact_runs, options

    def scaled(self, lab):
        """The options; a number N written as many(N) shrinks with the lab's scale."""
        options = {name: value(lab) if callable(value) else value for name, value in self.options.items()}
        return dict(options, scenario=self.scenario)


def many(size, least=3):
    return lambda lab: lab.number(size, least)


SMALL = ("redis", "memcache", "http", "raw")
CHILDREN = ["in_parent", "in_child"]

LOADS = {
    "plain_script": Load(
        "plain", "mixed", SMALL, ["profile", "listing", "availability", "lookup", "everything"], runs=many(300)
    ),
    "connections_from_before": Load("plain", "before", SMALL, ["profile", "everything"], runs=many(100)),
    "target_ends_by_itself": Load(
        "plain", "mixed", SMALL, ["profile", "listing", "availability", "lookup", "everything"], finish="exit", runs=many(60)
    ),
    "redis_pipelines": Load("plain", "pipelines", ("redis",), ["batch", "broken"], runs=many(150)),
    "http_shapes": Load("plain", "pages", ("http",), ["fetch"], runs=many(150)),
    "reconnects": Load("plain", "reconnects", ("raw",), ["connect_each_time"], runs=many(100)),
    "handoff_between_threads": Load("plain", "handoff", ("raw",), ["submit"], runs=many(200)),
    "deep_recursion": Load("plain", "recursion", ("raw",), ["deep"], runs=many(100)),
    "shapes_of_functions": Load(
        "plain", "shapes", ("raw",), ["größe", "数える", "through_a_generator", "*total", "raises"], runs=many(100)
    ),
    "runs_that_look_alike": Load("plain", "merged", ("raw",), ["indistinct"], exact_runs=False, runs=many(60)),
    "threads": Load("threads", "separate", ("redis", "raw"), ["first_kind", "second_kind"], threads=8, runs=many(100)),
    "threads_share_a_connection": Load("threads", "shared", ("raw",), ["shared_a", "shared_b"], threads=8, runs=many(60)),
    "blocked_in_recv": Load("threads", "blocked", ("raw",), ["wait_at_gate"], threads=64, rounds=3),
    "sendfile": Load("sockets", "sendfile", ("raw",), ["by_sendfile"], runs=many(50)),
    "splice": Load("sockets", "splice", ("raw",), ["by_splice", "splice_out"], needs=("splice",), runs=many(50)),
    "vectored": Load("sockets", "vectored", ("raw",), ["by_vectors", "by_addressed"], runs=many(100)),
    "peek_and_waitall": Load("sockets", "flags", ("raw",), ["by_peeking", "by_waiting"], runs=many(100)),
    "nonblocking": Load("sockets", "nonblocking", ("raw",), ["by_selecting"], runs=many(60)),
    "partial_sends": Load("sockets", "partial", ("raw",), ["upload"], runs=many(10)),
    "ipv6": Load("sockets", "ipv6", ("raw6",), ["over_ipv6"], needs=("ipv6",), runs=many(50)),
    "ipv4_mapped": Load("sockets", "mapped", ("raw",), ["over_mapped"], needs=("ipv6",), runs=many(50)),
    "connects_that_fail": Load(
        "failures", "connects", ("raw",), ["refused", "refused_nonblocking", "connected_nonblocking", "answered"],
        needs=("nobody",), runs=many(80),
    ),
    "connects_that_time_out": Load("failures", "connect_timeouts", (), ["never_accepted"], runs=many(5)),
    "answers_that_never_come": Load(
        "failures", "answers", ("raw",), ["reset", "timed_out", "hung_up", "answered", "http_fails", "redis_fails"],
        runs=many(120),
    ),
    "forked_after_attach": Load("processes", "forks", ("raw",), CHILDREN, children=3, runs=many(50)),
    "forked_before_attach": Load("processes", "prefork", ("raw",), CHILDREN, children=3, runs=many(50)),
    "programs_started_after_attach": Load(
        "processes", "programs", ("raw",), ["in_parent", "in_program"], children=2, runs=many(50), pause=2
    ),
}


def options_of(lab, load):
    options = load.scaled(lab)
    if "splice" in load.needs and not lab.interpreter()["splice"]:
        raise Skip("os.splice came with Python 3.10")
    if "ipv6" in load.needs and not os.path.exists("/proc/sys/net/ipv6"):
        raise Skip("this kernel has no IPv6")
    if "nobody" in load.needs:
        options["nobody"] = ["127.0.0.1", free_port()]
    return options


def traced(lab, load, mode, every_run=False):
    """Runs a load under nettraced and compares; returns summary and truth for more checks."""
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", mode, *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    if load.finish == "stop":
        summary = tracer.finish()[-1]
        quit_target(target)
    else:
        quit_target(target)
        summary = tracer.finish(None)[-1]
    truth = lab.truth()
    check(any(truth[name].runs for name in truth), "the witness saw no run: the case tests nothing")
    check_none(compare(summary, truth, lab.qualified(), every_run=every_run, exact_runs=load.exact_runs))
    return summary, truth


def quit_target(target):
    target.say("quit")
    status, _, err = target.wait()
    check(status == 0, "the target ended with %d: %s" % (status, err.strip()[-300:]))


def _add_loads():
    for name, load in LOADS.items():
        CASES[name] = lambda lab, load=load: traced(lab, load, "stack")


_add_loads()


def need_working_probes(lab):
    if not lab.interpreter()["dtrace"] or lab.version() not in ((3, 8), (3, 9), (3, 10)):
        raise Skip("this Python (%d.%d) has no working entry probes" % lab.version())


USDT_LOADS = ("plain_script", "threads", "forked_after_attach", "forked_before_attach", "answers_that_never_come",
              "handoff_between_threads")


def _add_usdt():
    def run(lab, name):
        need_working_probes(lab)
        summary, _ = traced(lab, LOADS[name], "usdt", every_run=True)
        check_wall_source(summary, "usdt")

    for name in USDT_LOADS:
        CASES["usdt_" + name] = lambda lab, name=name: run(lab, name)


_add_usdt()


def check_wall_source(summary, source):
    for endpoint in summary["endpoints"]:
        check(endpoint["wall_source"] == source, "%s: wall_source %s" % (endpoint["endpoint"], endpoint["wall_source"]))
        check(endpoint["runs_exact"] is True, "%s: runs not exact" % endpoint["endpoint"])


SPARSE = Load("plain", "sparse", ("raw",), ["timed", "through_a_generator", "raises", "idle"], runs=many(400, 20))


@case
def usdt_sees_runs_without_calls(lab):
    need_working_probes(lab)
    summary, truth = traced(lab, SPARSE, "usdt", every_run=True)
    check_wall_source(summary, "usdt")
    check(not truth["__main__:idle"].calling_runs, "idle() made calls")


@case
def auto_never_takes_dead_probes(lab):
    """--python auto counts right on every interpreter, whatever it chose."""
    load = LOADS["threads"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "auto", *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    chosen = summary["targets"][0]["attribution"]
    check(chosen in ("stack", "usdt"), "attribution %r" % chosen)
    if lab.version() not in ((3, 8), (3, 9), (3, 10)):
        check(chosen == "stack", "chose %s on Python %d.%d" % ((chosen,) + lab.version()))
    check_none(compare(summary, lab.truth(), lab.qualified(), every_run=chosen == "usdt"))


@case
def many_calls(lab):
    """200,000 calls in one capture: nothing lost, counts exact, private memory below 32 MiB."""
    load = Load("plain", "many", ("raw",), ["steady"], runs=many(50000))
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 1, "--python", "stack", *patterns("steady"))
    target.say("go")
    target.limit *= 5
    target.expect("^done$")
    anonymous = rss_anon(tracer.pid)
    lines = tracer.finish()
    quit_target(target)
    check(anonymous < 32 << 20, "nettraced has %d bytes of anonymous memory" % anonymous)
    truth = lab.truth()
    check_none(compare(lines[-1], truth, lab.qualified()))
    # The intervals are parts of the whole.
    parts = sum(endpoint["calls"] for line in lines[:-1] for endpoint in line["endpoints"])
    check(parts <= lines[-1]["endpoints"][0]["calls"], "the intervals have %d calls, more than all" % parts)


def rss_anon(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def _latency(lab, micros):
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    load = Load("plain", "latency", ("raw",), ["timed"], runs=many(500), micros=micros)
    summary, truth = traced(lab, load, "stack")
    backend = summary["endpoints"][0]["backends"][0]
    true = median(list(truth["__main__:timed"].backends.values())[0].latencies)
    check(close_enough(backend["latency"]["p50"], true), "latency p50 %s ms, truly %.4f" % (backend["latency"]["p50"], true / 1e6))
    check(backend["wait"]["p50"] <= backend["latency"]["p50"], "waits longer than it takes")
    network = summary["endpoints"][0]["network"]["p50"]
    check(close_enough(network, true), "network p50 %s ms, truly %.4f" % (network, true / 1e6))


@case
def latency_of_microseconds(lab):
    _latency(lab, 0)


@case
def latency_of_milliseconds(lab):
    _latency(lab, 3000)


@case
def usdt_wall_times(lab):
    need_working_probes(lab)
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    load = Load("plain", "latency", ("raw",), ["timed"], runs=many(300), micros=2000)
    summary, truth = traced(lab, load, "usdt", every_run=True)
    true = median(truth["__main__:timed"].walls)
    check(close_enough(summary["endpoints"][0]["wall"]["p50"], true), "wall p50 %s ms, truly %.4f" % (
        summary["endpoints"][0]["wall"]["p50"], true / 1e6))


@case
def two_tracers(lab):
    """Two nettraced on one target both tell the truth."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracers = [lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints)) for _ in range(2)]
    target.say("go")
    target.expect("^done$")
    found = [tracer.finish()[-1] for tracer in tracers]
    quit_target(target)
    truth = lab.truth()
    for summary in found:
        check_none(compare(summary, truth, lab.qualified()))


@case
def killed_tracer_leaves_the_target_alone(lab):
    """kill -9 in the middle of a load; the target ends its work, and the next nettraced finds a clean kernel."""
    load = LOADS["connections_from_before"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    killed = lab.trace(target.pid, "-i", 0, "--python", "stack")
    killed.process.kill()
    killed.process.wait()
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    victim = lab.trace(target.pid, "-i", 0, "--python", "stack")
    target.say("go")
    victim.process.kill()
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    check_none(compare(summary, lab.truth(), lab.qualified()))


@case
def endpoint_found_by_itself(lab):
    """Without -e it is the outermost function of the application's own code, and no call is missing."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack")
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    truth = lab.truth()
    calls = sum(backend.numbers["calls"] for endpoint in truth.values() for backend in endpoint.backends.values())
    found = {endpoint["endpoint"].partition(".")[2]: endpoint["calls"] for endpoint in summary["endpoints"]}
    check(found == {"mixed": calls} or found == {"main": calls}, "endpoints %s, truly %d calls below main, mixed" % (found, calls))
    check_none(lost(summary))


@case
def replay_is_identical(lab):
    """--record and nettrace replay: the same JSON, byte for byte; and it is readable by its owner only."""
    load = LOADS["plain_script"]
    recording = lab.path("recording")
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 1, "--python", "stack", "--record", recording, *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    tracer.process.send_signal(signal.SIGINT)
    status, live, err = tracer.wait()
    quit_target(target)
    check(status == 0, "nettraced ended with %d: %s" % (status, err))
    lab.truth()
    check(os.stat(recording).st_mode & 0o777 == 0o600, "mode %o" % os.stat(recording).st_mode)
    command = [lab.nettrace, "replay", "--json", recording]
    if os.getuid() == 0:  # it needs no privileges
        os.chown(recording, 65534, 65534)
        os.chmod(lab.directory, 0o755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + command
    status, replayed, err = lab.run(*command)
    check(status == 0, "replay ended with %d: %s" % (status, err))
    check(live == replayed, "live and replayed JSON differ: %s" % first_difference(live, replayed))
    broken_recordings(lab, recording)
    os.unlink(recording)


def first_difference(one, other):
    at = next((i for i, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other)))
    return "at %d: %r, %r" % (at, one[max(at - 60, 0) : at + 60], other[max(at - 60, 0) : at + 60])


def broken_recordings(lab, recording):
    """Cut, changed, empty and foreign files get status 1 and one line; what can be read of them may be summed up."""
    with open(recording, "rb") as file:
        good = file.read()
    draw = random.Random(lab.seed)
    at = draw.randrange(8, len(good) // 2)
    changed = good[:at] + bytes(byte ^ 0xFF for byte in good[at : at + 64]) + good[at + 64 :]
    foreign = b"#!/bin/sh\n" * 100
    for name, data in (("empty", b""), ("foreign", foreign), ("cut", good[: len(good) // 3 * 2 + 1]), ("changed", changed)):
        path = lab.path("broken")
        with open(path, "wb") as file:
            file.write(data)
        status, out, err = lab.run(lab.nettrace, "replay", "--json", path)
        os.unlink(path)
        # A change within payload leaves a recording that is well-formed.
        check(status == 1 or (name == "changed" and status == 0), "%s recording: status %d" % (name, status))
        check(status == 0 or one_line(err), "%s recording: %r" % (name, err))
        check(out == "" or name in ("cut", "changed"), "%s recording: a summary" % name)


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1 and len(text) > 10


@case
def text_summary(lab):
    """Text is the default: the header, lost, cost and the endpoints; plain when it is piped."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, *patterns(*load.endpoints), json_format=False)
    target.say("go")
    target.expect("^done$")
    tracer.process.send_signal(signal.SIGTERM)
    status, out, err = tracer.wait()
    quit_target(target)
    truth = lab.truth()
    check(status == 0, "status %d: %s" % (status, err))
    check("\x1b" not in out, "escape sequences in a pipe")
    lines = out.splitlines()
    check(lines[0].startswith("nettraced ") and "pid %d" % target.pid in lines[0], "first line %r" % lines[0])
    check(lines[1].startswith("lost 0 ") and "cost:" in lines[1], "second line %r" % lines[1])
    for name, endpoint in truth.items():
        if name and endpoint.calling_runs:
            wanted = "." + name.partition(":")[2]
            row = next((line.split() for line in lines if line.split()[:1] and line.split()[0].endswith(wanted)), None)
            check(row and row[1] == str(len(endpoint.calling_runs)), "%s: %d runs, row %s" % (name, len(endpoint.calling_runs), row))


@case
def duration_and_output_file(lab):
    """-d ends it, -o takes the summary, standard output stays empty."""
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    path = lab.path("summary")
    start = time.monotonic()
    tracer = lab.trace(target.pid, "-d", 2, "-i", 0.5, "-o", path)
    status, out, err = tracer.wait()
    took = time.monotonic() - start
    check(status == 0 and out == "", "status %d, standard output %r, error %s" % (status, out, err))
    check(took >= 2, "-d 2 ended after %.2f s" % took)
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    os.unlink(path)
    check(len(lines) >= 3 and lines[-1]["final"] is True, "%d summaries" % len(lines))
    check(lines[-1]["schema"] == "nettrace.summary/1", "schema %r" % lines[-1]["schema"])
    check(1.9 <= lines[-1]["duration_s"] < 4 * lab.limit / 60 + 2, "duration_s %s" % lines[-1]["duration_s"])
    lab.end_case()
    lab.forget_truth()


@case
def check_says_what_is_possible(lab):
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    status, out, err = lab.run(lab.nettraced, "--check", "--pid", target.pid)
    check(status == 0, "status %d: %s" % (status, err))
    for word in ("fentry", "kprobe", "tracepoint", "%d.%d" % lab.version(), os.uname().release):
        check(word in out, "%r is not in the output of --check" % word)
    lab.end_case()
    lab.forget_truth()


def expect_refusal(lab, command, statuses, *words):
    """One line on standard error that has the words, nothing on standard output."""
    status, out, err = lab.run(*command)
    label = " ".join(str(word) for word in command[:6])
    check(status in statuses, "%s: status %d, %r" % (label, status, err))
    check(out == "", "%s: on standard output %r" % (label, out[:100]))
    check(one_line(err), "%s: not one line: %r" % (label, err))
    for word in words:
        check(word.lower() in err.lower(), "%s: no %r in %r" % (label, word, err))


def dead_pid(lab):
    status, out, _ = lab.run("/bin/sh", "-c", "echo $$")
    check(status == 0, "the shell failed")
    return int(out)


@case
def no_such_process(lab):
    expect_refusal(lab, [lab.nettraced, "--pid", dead_pid(lab)], (1,), "process")
    expect_refusal(lab, [lab.nettraced, "--pid", 2**22 + 1], (1, 2))


@case
def not_a_python(lab):
    sleeper = lab.start(["/bin/sleep", "600"], stdin=subprocess.DEVNULL)
    expect_refusal(lab, [lab.nettraced, "--pid", sleeper.pid, "-d", 1], (1,), "python")


@case
def nonsense_options(lab):
    for words in (
        ["--nonsense"],
        ["--pid"],
        ["--pid", "abc"],
        ["--pid", "12x"],
        ["--pid", "-5"],
        ["--pid", "0"],
        ["--pid", "99999999999999999999"],
        [],
        ["--pid", str(os.getpid()), "-d", "soon"],
        ["--pid", str(os.getpid()), "-d", "-1"],
        ["--pid", str(os.getpid()), "-d", "nan"],
        ["--pid", str(os.getpid()), "-i", "x"],
        ["--pid", str(os.getpid()), "-f", "xml"],
        ["--pid", str(os.getpid()), "--hooks", "magic"],
        ["--pid", str(os.getpid()), "--python", "guess"],
        ["--pid", str(os.getpid()), "stray"],
    ):
        expect_refusal(lab, [lab.nettraced] + words, (2,))


@case
def unwritable_output(lab):
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    for option in ("-o", "--record"):
        command = [lab.nettraced, "--pid", target.pid, "-d", 1, option, "/nonexistent/directory/file"]
        expect_refusal(lab, command, (1,), "/nonexistent/directory/file")
    lab.end_case()
    lab.forget_truth()


@case
def full_disk(lab):
    """A summary that cannot be written whole is a failure and not silence."""
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    tracer = lab.launch("--pid", target.pid, "-d", 1, "-o", "/dev/full")
    status, out, err = tracer.wait()
    check(status == 1 and out == "", "status %d, output %r" % (status, out))
    check("/dev/full" in err or "space" in err.lower(), "standard error %r" % err)
    lab.end_case()
    lab.forget_truth()


@case
def without_privileges(lab):
    if os.getuid():
        raise Skip("needs root to give it up")
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab.nettraced, "--pid", target.pid, "-d", 1]
    expect_refusal(lab, command, (1,))
    lab.end_case()
    lab.forget_truth()


@case
def unsupported_python(lab):
    """A Python that has no row in the table of versions is named, and so are those that have one."""
    other = os.environ.get("NETTRACE_UNSUPPORTED_PYTHON")
    if not other:
        raise Skip("NETTRACE_UNSUPPORTED_PYTHON names no interpreter")
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    target = lab.start([other, "-c", code])
    target.expect("^ready$")
    expect_refusal(lab, [lab.nettraced, "--pid", target.pid, "-d", 1], (1,), "python", "3.11")


class Server:
    """gunicorn with an application of apps/, under the witness, and the number of requests that it answered."""

    def __init__(self, lab, application, *options, environment=()):
        lab.need_modules("gunicorn")
        if lab.root != "/":
            raise Skip("gunicorn is run in the root file system only")
        self.lab, self.port, self.requests = lab, free_port(), 0
        variables = dict(os.environ, WITNESS=lab.path("seen"), PYTHONDONTWRITEBYTECODE="1")
        variables["PYTHONPATH"] = lab.directory + ":" + APPS
        variables.update(environment)
        command = lab.python + ["-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:%d" % self.port,
                                "--log-level", "warning", *options, application]
        self.child = lab.start(command, stdin=subprocess.DEVNULL, cwd=lab.directory, env=variables)
        lab.wait_for_port(self.port)
        deadline = time.monotonic() + lab.limit
        while len(descendants(self.child.pid)) < 2:
            check(time.monotonic() < deadline, "gunicorn has no two workers: " + self.child.last_words())
            time.sleep(0.02)

    def load(self, paths, threads=4):
        """Asks for all paths, on connections that the server may close after each answer."""
        parts = [paths[number::threads] for number in range(threads)]
        failures = []

        def work(part):
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
        self.child.process.send_signal(signal.SIGTERM)
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
    check(requests["without_endpoint"] == count, "%d requests had an endpoint that called" % (count - requests["without_endpoint"]))
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


def start_shop(lab, *worker_options):
    """The shop with its backends, filled; some of its connections are open already."""
    lab.need_modules("flask", "redis", "pymemcache", "requests")
    environment = {
        "SHOP_REDIS_PORT": str(lab.backend("redis")[1]),
        "SHOP_MEMCACHE_PORT": str(lab.backend("memcache")[1]),
        "SHOP_STOCK_PORT": str(stock_service(lab)),
    }
    status, _, err = lab.run(*lab.python, "-m", "shop.seed", env=dict(os.environ, PYTHONPATH=APPS, **environment))
    check(status == 0, "the shop could not be filled: " + err[-300:])
    server = Server(lab, "shop_witnessed:app", *worker_options, environment=environment)
    server.load(["/health"] * 20)
    server.requests = 0
    return server


def _shop(lab, *worker_options):
    server = start_shop(lab, *worker_options)
    tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack")
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
            found[backend["protocol"]] += backend["calls"] / endpoint["runs"]
        name = endpoint["endpoint"]
        check(found == documented.get(name), "%s: %s calls a run, its source says %s" % (name, dict(found), documented.get(name)))


@case
def shop_sync_workers(lab):
    _shop(lab)


@case
def shop_threaded_workers(lab):
    _shop(lab, "-k", "gthread", "--threads", "4")

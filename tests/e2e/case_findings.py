"""Cases of findings: applications that sin, and innocent ones that differ in the one thing that matters.

SCENARIOS has the truth: what each endpoint of apps/findings_sync.py and findings_async.py is to be told, and nothing
else. What is drawn for a run says apps/findings_plan.py, from a seed that is new each time (NETTRACE_SEED repeats it).
Nothing here depends on how long anything takes: the rules below ask for no least time where a kind has one.
"""

import collections
import json
import os
import random
import re
import subprocess
import sys

from case_names import resolve_inside
from case_servers import Server
from container import program
from lab import APPS, Absent, check, check_none
from registry import case

sys.path.insert(0, APPS)

import findings_plan  # noqa: E402

RUNS = 6
RUNS_ACROSS = 14  # of what is looked at across runs


class Truth:
    """A finding that is to be there. `needless` is of (plan), in each run; `at` are marks in the application."""

    def __init__(self, kind, operation, needless, *at, protocol="redis", sure=True):
        self.kind, self.operation, self.needless, self.at = kind, operation, needless, at
        self.protocol, self.sure = protocol, sure


def duplicate(operation, needless, *at, protocol="redis"):
    return Truth("duplicate", operation, needless, *at, protocol=protocol)


def again(plan):
    return plan.times - 1


def others(plan):
    return plan.many - 1


# Looked at with the rules CALLS: what is wrong with calls one by one.
SCENARIOS = {
    "dup_redis": [duplicate("GET dup_redis:?", again, "dup_redis")],
    "dup_helper": [duplicate("GET dup_helper:?", 1, "dup_helper")],
    "dup_changed": [],
    "dup_written": [],
    "dup_written_other": [duplicate("GET dup_written_other:?", 1, "dup_written_other")],
    "dup_memcache": [duplicate("get dup_memcache:?", again, "dup_memcache", protocol="memcache")],
    "dup_memcache_written": [],
    "dup_http": [duplicate("GET /dup_http/?/part", again, "dup_http", protocol="http")],
    "dup_http_put": [],
    "dup_http_post": [],
    "dup_http_traced": [duplicate("GET /dup_http_traced/?/part", again, "dup_http_traced", protocol="http")],
    "dup_other_key": [],
    "dup_transaction": [],
    "dup_pipeline": [duplicate("GET dup_pipeline:?", 1, "dup_pipeline")],
    "dup_retry": [],
    "dup_broken": [],
    "dup_across": [],
    "dup_multiget": [duplicate("MGET dup_multiget:?", 2, "dup_multiget")],
    "dup_multiget_apart": [],
    "nplus_redis": [Truth("n_plus_one", "GET nplus_redis:?", others, "nplus_redis")],
    "nplus_mget": [],
    "nplus_memcache": [Truth("n_plus_one", "get nplus_memcache:?", others, "nplus_memcache", protocol="memcache")],
    "nplus_walk": [],
    "nplus_templates": [],
    "nplus_few": [],
    "nplus_http": [Truth("n_plus_one", "GET /nplus_http/?/item/?", others, "nplus_http", protocol="http")],
    "nplus_pipeline": [],
    "nplus_at_once": [],
    "connect_each": [Truth("reconnect", "connect", 1, "connect_each", protocol="http")],
    "connect_kept": [],
    "start_tls": [Truth("slow_start", None, 1, "start_tls", protocol="tls")],
    "start_tls_kept": [],
    "stall_nagle": [Truth("stalled", "POST /stall_nagle/?/order", None, "wire", protocol="http")],
    "stall_no_delay": [],
    "stall_lost": [Truth("stalled", "POST /stall_lost/?/deaf", 1, "wire", protocol="http")],
    "stall_late": [],
    "stall_one_send": [],
    "stall_slow_backend": [],
    "stream_read": [],
    "stream_between": [],
    "stream_sent": [duplicate("GET stream_sent:?", again, "stream_sent")],
}


def in_a_row(calls, mark, operation=None, sure=True):
    return Truth("serial", operation, calls, mark, protocol=None, sure=sure)


# Looked at with the rules ROWS: of two calls, could one have been made before the other was answered?
ROWS = {
    "serial_hosts": [in_a_row(3, "serial_hosts")],
    "serial_session": [in_a_row(2, "serial_session")],
    "serial_mixed": [in_a_row(4, "serial_mixed")],
    "serial_prefix": [in_a_row(2, "serial_prefix")],
    "serial_chance": [in_a_row(2, "serial_chance")],
    "serial_echo": [in_a_row(2, "serial_echo")],
    "serial_written": [],
    "serial_polling": [],
    "serial_big": [in_a_row(2, "serial_big", sure=False)],
    "serial_zipped": [in_a_row(2, "serial_zipped", sure=False)],
    "serial_threads": [],
    "chain_number": [],
    "chain_string": [],
    "chain_short": [],
    "chain_link": [],
    "chain_place": [],
    "chain_header": [],
    "chain_quoted": [],
    "chain_redis": [],
    "chain_body": [],
    "chain_to_redis": [],
    "stream_read": [],
    "stream_between": [],
    "dup_redis": SCENARIOS["dup_redis"],
    "nplus_http": SCENARIOS["nplus_http"] + [in_a_row(lambda plan: plan.many, "nplus_http")],
    "nplus_at_once": [],
    "nplus_walk": [],
}

# Looked at with the rules ACROSS: what many runs ask for.
ACROSS = {
    "rep_same": [Truth("repeated", "GET rep_same:?", None, "rep_same")],
    "rep_changes": [],
    "rep_written": [],
    "rep_user": [],
}

OFF = {"on": False}
HALF = {"run_share": 0.5}  # of the runs must have it: a machine that is too busy for a moment makes no finding
RULES = {
    "calls": (SCENARIOS, {"preset": "default", "serial": OFF, "repeated": OFF, "slow_start": {"time_ms": 0},
                          "stalled": {"to_ms": 10000}, "shown": HALF}),
    "rows": (ROWS, {"preset": "default", "repeated": OFF, "stalled": OFF, "shown": HALF,
                    "serial": {"call_time_ms": 0, "saving_ms": 0, "saving_share": 0}}),
    "across": (ACROSS, {"preset": "default", "serial": OFF}),
}


def certificate(lab):
    """Its file and its key's, good for localhost and a day."""
    files = lab.path("findings.pem"), lab.path("findings.key")
    if not os.path.exists(files[0]):
        status, _, err = lab.run(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", files[1], "-out", files[0])
        check(status == 0, "no certificate: " + err[-300:])
    return files


def backend(lab):
    """The ports of a scenario backend."""
    command = [sys.executable, os.path.join(APPS, "findings_backend.py"), str(lab.seed), *certificate(lab)]
    child = lab.start(command, stderr=subprocess.DEVNULL)
    return [int(port) for port in child.expect(r"^ports (.*)").group(1).split()]


def all_runs(lab, application):
    """Scenario of the application -> its runs' numbers."""
    with open(os.path.join(APPS, application + ".py")) as source:
        names = re.findall(r"^@scenario\n(?:async )?def (\w+)", source.read(), re.MULTILINE)
    unknown = set(names) - {*SCENARIOS, *ROWS, *ACROSS}
    check(not unknown, "no truth is known of %s" % unknown)
    return {name: findings_plan.run_numbers(lab.seed, name, RUNS_ACROSS if name in ACROSS else RUNS) for name in names}


def marks(application):
    """Mark -> the lines that have it."""
    lines = collections.defaultdict(set)
    with open(os.path.join(APPS, application + ".py")) as source:
        for number, line in enumerate(source, 1):
            for mark in re.findall(r"# @(\w+)", line):
                lines[mark].add(number)
    return lines


class Application:
    """An application of apps/ with its backends, all of whose endpoints are asked in an order of chance."""

    def __init__(self, lab, name, *modules):
        lab.need_modules("gunicorn", "redis", "pymemcache", *modules)
        self.lab, self.name = lab, name
        self.runs = all_runs(lab, name)
        self.options = {"seed": lab.seed, "http": backend(lab), "certificate": certificate(lab)[0],
                        "redis": lab.backend("redis")[1], "memcache": lab.backend("memcache")[1]}
        fill = json.dumps(dict(self.options, runs=self.runs))
        status, _, err = lab.run(*lab.python, lab.path("findings_seed.py"), fill)
        check(status == 0, "the backends could not be filled: " + err[-300:])

    def environment(self):
        return {"FINDINGS": json.dumps(self.options)}

    def paths(self):
        paths = ["/%s/%d" % (name, number) for name, numbers in self.runs.items() for number in numbers]
        random.Random(self.lab.seed).shuffle(paths)
        return paths


def rules_file(lab, name):
    path = lab.path("rules-%s.json" % name)
    with open(path, "w") as file:
        json.dump(RULES[name][1], file)
    return path


class Verdict:
    """What was found against what is true, over all scenarios of all rules."""

    def __init__(self, application, seed):
        self.application, self.seed, self.lines = application, seed, marks(application)
        self.scenarios = self.right = 0
        self.missing, self.wrong = [], []

    def judge(self, summary, scenarios, runs):
        found = {one["endpoint"].split(".")[1]: one for one in summary["endpoints"]}
        for name in [name for name in scenarios if name in runs]:
            truths = scenarios[name]
            self.scenarios += 1
            if name not in found:
                self.missing.append(name + " was not seen at all")
                continue
            if found[name]["runs"] != len(runs[name]):
                self.missing.append("%s: %d runs, truly %d" % (name, found[name]["runs"], len(runs[name])))
            self.judge_scenario(name, truths, found[name]["findings"], len(runs[name]))

    def judge_scenario(self, name, truths, findings, runs):
        left = list(findings)
        plan = findings_plan.Plan(self.seed, name)
        for truth in truths:
            fitting = [one for one in left if one["kind"] == truth.kind]
            if not fitting:
                self.missing.append("%s: no %s" % (name, truth.kind))
                continue
            left.remove(fitting[0])
            problems = self.differences(truth, fitting[0], plan, runs)
            if problems:
                self.wrong += ["%s %s: %s" % (name, truth.kind, problem) for problem in problems]
            else:
                self.right += 1
        self.wrong += ["%s: %s" % (name, " ".join([one["kind"], one["operation"], json.dumps(one)])) for one in left]

    def differences(self, truth, finding, plan, runs):
        problems = []

        def expect(what, said, true):
            if said != true:
                problems.append("%s %s, truly %s" % (what, said, true))

        if truth.operation:
            expect("operation", finding["operation"], truth.operation)
        if truth.protocol:
            expect("backend", finding["backend"].split()[0], truth.protocol)
        if truth.needless is not None:
            true = truth.needless(plan) if callable(truth.needless) else truth.needless
            expect("runs", finding["runs"], runs)
            expect("needless", finding["needless_calls_per_run"], true)
        lines = {(os.path.basename(where["file"]), where["line"]) for where in finding["where"]}
        expect("where", lines, {(self.application + ".py", line) for mark in truth.at for line in self.lines[mark]})
        saving = finding["saving"]
        if not saving["low"] <= saving["expected"] <= saving["high"]:
            problems.append("saving %s" % saving)
        if not truth.sure:
            expect("expected saving", saving["expected"], 0)
        return problems

    def conclude(self):
        false = len(self.wrong)
        precision = self.right / (self.right + false) if self.right + false else 0
        recall = self.right / (self.right + len(self.missing)) if self.right + len(self.missing) else 0
        print("precision %.2f recall %.2f over %d scenarios" % (precision, recall, self.scenarios), flush=True)
        check_none(self.missing + self.wrong)
        check(precision == recall == 1, "nothing was right")


def replayed(lab, recording, rules):
    status, out, err = lab.run(lab.nettrace, "replay", recording, "--json", "-i", 0, "--rules", rules_file(lab, rules))
    check(status == 0, "replay ended with %d: %s" % (status, err.strip()))
    return out.splitlines()[-1]


def judged(lab, application, tracer, recording):
    """Ends the capture; its own rules were those of `calls`, and its recording is asked with all of them."""
    live = tracer.finish()[-1]
    verdict = Verdict(application.name, lab.seed)
    for name, (scenarios, _) in RULES.items():
        summary = replayed(lab, recording, name)
        if name == "calls":
            same = json.dumps(json.loads(summary)["endpoints"]) == json.dumps(live["endpoints"])
            check(same, "the recording says something else than the capture")
        verdict.judge(json.loads(summary), scenarios, application.runs)
    verdict.conclude()


def need_own_python(lab):
    if lab.python != ["/usr/bin/python3"]:
        raise Absent("findings are of calls, whichever Python made them: this machine's own shows them")


def traced(lab, pid):
    recording = lab.path("findings.recording")
    tracer = lab.trace(pid, "-i", 0, "--python", "stack", "--capture", findings_plan.CAPTURE, "--record", recording,
                       "--rules", rules_file(lab, "calls"))
    return tracer, recording


@case
def findings_of_threads(lab):
    """Flask under gunicorn, with two workers of four threads each, that share their connections."""
    need_own_python(lab)
    application = Application(lab, "findings_sync", "flask", "requests")
    server = Server(lab, "findings_sync:app", "-k", "gthread", "--threads", "4", environment=application.environment())
    tracer, recording = traced(lab, server.child.pid)
    server.load(application.paths())
    judged(lab, application, tracer, recording)
    server.stop()


@case
def findings_of_event_loops(lab):
    """FastAPI under uvicorn, on asyncio or on uvloop as the seed has it."""
    need_own_python(lab)
    application = Application(lab, "findings_async", "fastapi", "uvicorn", "httpx", "aiohttp", "uvloop")
    worker = random.Random(lab.seed).choice(["UvicornWorker", "UvicornH11Worker"])
    options = ["-k", "uvicorn.workers." + worker]
    server = Server(lab, "findings_async:app", *options, environment=application.environment())
    tracer, recording = traced(lab, server.child.pid)
    server.load(application.paths())
    judged(lab, application, tracer, recording)
    server.stop()


def names(lab, options):
    """A name that each run looks up, as `options` tell the resolver."""
    need_own_python(lab)
    container = resolve_inside(lab, options)
    target = container.target("findings_names", {"scenario": "run", "runs": RUNS}, ("raw",), witness=False)
    tracer = lab.trace(program(target.pid), "-i", 0, "--python", "stack", "-e", "*.looks_up", "-e", "*.looked_up",
                       "--rules", rules_file(lab, "calls"))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    verdict = Verdict("findings_names", lab.seed)
    truth = {"looks_up": [Truth("slow_start", None, 1, "looks_up", protocol="dns")], "looked_up": []}
    verdict.judge(summary, truth, dict.fromkeys(truth, range(RUNS)))
    verdict.conclude()


@case
def findings_of_names(lab):
    """By UDP, as it mostly is."""
    names(lab, "")


@case
def findings_of_names_by_stream(lab):
    names(lab, "options use-vc\n")

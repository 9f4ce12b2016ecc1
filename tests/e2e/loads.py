"""Loads: a scenario of a script in apps/ under nettraced, with the witness's truth held against the summary.

LOADS is the table of them; each row is a case of its own, and other cases borrow rows. A new way to use a socket is a
scenario in apps/ and a row here.
"""

import os

from compare import compare, compare_share
from lab import Absent, Skip, check, check_none, free_port
from registry import CASES


def patterns(*endpoints):
    return [word for name in endpoints for word in ("-e", name if "." in name else "*." + name)]


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
MIXED = ["profile", "listing", "availability", "lookup", "everything"]
CHILDREN = ["in_parent", "in_child"]

LOADS = {
    "plain_script": Load(
        "plain", "mixed", SMALL, MIXED, runs=many(300)
    ),
    "connections_from_before": Load("plain", "before", SMALL, ["profile", "everything"], runs=many(100)),
    "target_ends_by_itself": Load(
        "plain", "mixed", SMALL, MIXED, finish="exit", runs=many(60)
    ),
    "redis_pipelines": Load("plain", "pipelines", ("redis",), ["batch", "broken"], runs=many(150)),
    "http_shapes": Load("plain", "pages", ("http",), ["fetch"], runs=many(150)),
    "reconnects": Load("plain", "reconnects", ("raw",), ["connect_each_time"], runs=many(100)),
    "handoff_between_threads": Load("plain", "handoff", ("raw",), ["submit"], runs=many(200)),
    "deep_recursion": Load("plain", "recursion", ("raw",), ["deep"], runs=many(100)),
    "shapes_of_functions": Load(
        "plain", "shapes", ("raw",), ["größe", "数える", "through_a_generator", "*total", "raises"], runs=many(100)
    ),
    "callbacks_from_c": Load(
        "plain", "callbacks", ("raw",), ["by_map", "by_sort"], needs=("entries",), runs=many(100)
    ),
    "runs_called_from_c": Load(
        "plain", "mappings", ("raw",), ["mapped", "mapped_twice"], exact_runs=False, needs=("entries",), runs=many(60)
    ),
    "runs_that_look_alike": Load("plain", "merged", ("raw",), ["indistinct"], exact_runs=False, runs=many(60)),
    "functions_thrown_away": Load("plain", "thrown_away", ("raw",), ["made_*"], runs=many(200, 70)),
    "threads": Load("threads", "separate", ("redis", "raw"), ["first_kind", "second_kind"], threads=8, runs=many(100)),
    "threads_share_a_connection": Load(
        "threads", "shared", ("raw",), ["shared_a", "shared_b"], threads=8, runs=many(60)
    ),
    "blocked_in_recv": Load("threads", "blocked", ("raw",), ["wait_at_gate"], threads=64, rounds=3),
    "sendfile": Load("sockets", "sendfile", ("raw",), ["by_sendfile"], runs=many(50)),
    "splice": Load("sockets", "splice", ("raw",), ["by_splice", "splice_out"], needs=("splice",), runs=many(50)),
    "vectored": Load("sockets", "vectored", ("raw",), ["by_vectors", "by_addressed"], runs=many(100)),
    "peek_and_waitall": Load("sockets", "flags", ("raw",), ["by_peeking", "by_waiting"], runs=many(100)),
    "half_closed": Load("sockets", "half_closed", ("raw",), ["by_half_closing"], runs=many(20)),
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
        raise Absent("os.splice came with Python 3.10")
    if "entries" in load.needs and lab.version() < (3, 11):
        raise Absent("before 3.11 nothing in a frame tells that C code called it")
    if "ipv6" in load.needs and not os.path.exists("/proc/sys/net/ipv6"):
        raise Skip("this kernel has no IPv6")
    if "nobody" in load.needs:
        options["nobody"] = ["127.0.0.1", free_port()]
    return options


def traced(lab, load, mode, every_run=False, share=0):
    """Runs a load under nettraced and compares; returns summary and truth for more checks. `share`: compare_share()'s."""
    options = options_of(lab, load)
    target = lab.target(load.script, options, load.backends)
    target.limit += options.get("seconds", 0)
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
    if share and summary["unattributed"]["calls"]:
        check_none(compare_share(summary, truth, share, lab.qualified()))
    else:
        check_none(compare(summary, truth, lab.qualified(), every_run=every_run, exact_runs=load.exact_runs))
    return summary, truth


def check_wall_source(summary, source):
    for endpoint in summary["endpoints"]:
        check(endpoint["wall_source"] == source, "%s: wall_source %s" % (endpoint["endpoint"], endpoint["wall_source"]))
        check(endpoint["runs_exact"] is True, "%s: runs not exact" % endpoint["endpoint"])


def quit_target(target):
    target.say("quit")
    status, _, err = target.wait()
    check(status == 0, "the target ended with %d: %s" % (status, err.strip()[-300:]))


def _add_loads():
    for name, load in LOADS.items():
        CASES[name] = lambda lab, load=load: traced(lab, load, "stack")


_add_loads()

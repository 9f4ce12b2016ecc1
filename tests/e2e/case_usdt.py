"""Cases of attribution by USDT probes, which see every run, and of the choice between them and the stack."""

import os

from case_async import SHAPES, run_shape
from case_refusals import expect_refusal
from compare import close_enough, compare, endpoint_matches, lost, median, true_name
from lab import Absent, Skip, await_summaries, check, check_none
from loads import LOADS, Load, check_wall_source, many, options_of, patterns, quit_target, traced
from registry import CASES, case


WORKING = ((3, 8), (3, 9), (3, 10), (3, 15))


def need_working_probes(lab):
    if not lab.interpreter()["dtrace"] or lab.version() not in WORKING:
        raise Absent("this Python (%d.%d) has no working entry probes" % lab.version())


USDT_LOADS = ("plain_script", "threads", "forked_after_attach", "forked_before_attach", "answers_that_never_come",
              "handoff_between_threads")


def _add_usdt():
    def run(lab, name):
        need_working_probes(lab)
        summary, _ = traced(lab, LOADS[name], "usdt", every_run=True)
        if name != "forked_after_attach":  # a child's first runs come before its probes
            check_wall_source(summary, "usdt")

    for name in USDT_LOADS:
        CASES["usdt_" + name] = lambda lab, name=name: run(lab, name)


_add_usdt()


# Endpoints that are coroutines, and wait: the shapes of case_async.py that are run so as well. Each waits a little longer
# here, as what the probes cost the target is in the wall time and not in the witness's.
PAUSE = 0.008
SHORT = 2e6  # ns of a run that what the probes cost matters to
USDT_SHAPES = ("interleaved", "one_after_the_other", "task_after_task", "tasks", "cancellation", "wrapping")


def check_wall_times(lab, summary, truth):
    """
    Means are the witness's; medians too, but for a place more or less in the order, because these endpoints wait at random.
    Not where the clock is emulated, nor of runs so short that what the probes cost them matters.
    """
    for name, endpoint in truth.items():
        walls = sorted(endpoint.walls)
        if not name or lab.scale < 1 or sum(walls) / len(walls) < SHORT:
            continue
        found = [row["wall"] for row in summary["endpoints"]
                 if endpoint_matches(row["endpoint"], name, lab.qualified())]
        check(found and close_enough(found[0]["mean"], sum(walls) / len(walls)),
              "%s: wall %s, truly %.4f ms on average" % (name, found, sum(walls) / len(walls) / 1e6))
        middle = walls[max(0, len(walls) // 2 - 2) : len(walls) // 2 + 2]
        if middle[0] < SHORT:  # most of them are, a few make the mean
            continue
        low, high = close_enough(found[0]["p50"], middle[0]), close_enough(found[0]["p50"], middle[-1])
        check(low or high or middle[0] < found[0]["p50"] * 1e6 < middle[-1],
              "%s: wall p50 %s ms, truly of %s ns" % (name, found[0]["p50"], middle))


def _add_usdt_shapes():
    def run(lab, load):
        need_working_probes(lab)
        # With their module: the standard library has functions of these names, whose runs would be seen as well.
        endpoints = ["%s.%s" % (load.script, name) for name in load.endpoints]
        load = Load(load.script, load.scenario, load.backends, endpoints, **dict(load.options, pause=PAUSE))
        summary, truth = run_shape(lab, load, "asyncio", mode="usdt", every_run=True)
        check_wall_source(summary, "usdt")
        check_wall_times(lab, summary, truth)

    for name in USDT_SHAPES:
        CASES["usdt_asyncio_" + name] = lambda lab, load=SHAPES[name]: run(lab, load)


_add_usdt_shapes()


SPARSE = Load("plain", "sparse", ("raw",), ["timed", "through_a_generator", "raises", "idle"], runs=many(400, 20))


@case
def usdt_sees_runs_without_calls(lab):
    need_working_probes(lab)
    summary, truth = traced(lab, SPARSE, "usdt", every_run=True)
    check_wall_source(summary, "usdt")
    check(not truth["__main__:idle"].calling_runs, "idle() made calls")


def count_by_auto(lab, target, load):
    """Counts right with --python auto, whatever it chose; returns that."""
    tracer = lab.trace(target.pid, "-i", 0, "--python", "auto", *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    chosen = summary["targets"][0]["attribution"]
    check_none(compare(summary, lab.truth(), lab.qualified(), every_run=chosen == "usdt"))
    return chosen


@case
def auto_never_takes_dead_probes(lab):
    load = LOADS["threads"]
    chosen = count_by_auto(lab, lab.target(load.script, options_of(lab, load), load.backends), load)
    expected = ("stack", "usdt") if lab.version() in WORKING else ("stack",)
    check(chosen in expected, "chose %s on Python %d.%d" % ((chosen,) + lab.version()))


@case
def usdt_not_with_a_compiler(lab):
    """What 3.15's own compiler makes passes no probe: they are refused, and auto goes by the stack."""
    need_working_probes(lab)
    if lab.version() < (3, 13):
        raise Absent("before 3.13 there is no such compiler")
    load = LOADS["threads"]
    os.environ["PYTHON_JIT"] = "1"
    try:
        target = lab.target(load.script, options_of(lab, load), load.backends)
    finally:
        del os.environ["PYTHON_JIT"]
    expect_refusal(lab, [lab.nettraced, "--pid", target.pid, "-d", 1, "--python", "usdt"], (1,), "PYTHON_JIT")
    check(count_by_auto(lab, target, load) == "stack", "it took the probes")


@case
def usdt_wall_times(lab):
    need_working_probes(lab)
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    load = Load("plain", "latency", ("raw",), ["timed"], runs=many(300), micros=2000)
    summary, truth = traced(lab, load, "usdt", every_run=True)
    true = median(truth["__main__:timed"].walls)
    wall = summary["endpoints"][0]["wall"]["p50"]
    check(close_enough(wall, true), "wall p50 %s ms, truly %.4f" % (wall, true / 1e6))


@case
def usdt_duty_cycle(lab):
    """Probes are on for a part of the time, by stack between: every call is there, and both ways were in use."""
    need_working_probes(lab)
    target = lab.target("processes", {"scenario": "until_told"}, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0.2, "--python", "usdt", "--usdt-duty", "1s/2s", *patterns("in_parent"))
    target.say("go")

    def turns(lines):
        """How often the way has changed by which most runs of an interval were known."""
        ways = [endpoint["wall_source"] for line in lines for endpoint in line["endpoints"]]
        return sum(one != other for one, other in zip(ways, ways[1:]))

    await_summaries(lab, tracer, lambda lines: turns(lines) >= 3)
    target.say("enough")
    target.expect("^done$")
    lines = tracer.finish()
    quit_target(target)
    truth, summary = lab.truth(), lines[-1]
    check(summary["targets"][0]["attribution"] == "usdt", "attribution %s" % summary["targets"][0]["attribution"])
    for endpoint in summary["endpoints"]:
        true = truth[true_name(endpoint, truth, lab.qualified())]
        calls = sum(backend.numbers["calls"] for backend in true.backends.values())
        check(endpoint["calls"] == calls, "%s: %d calls, truly %d" % (endpoint["endpoint"], endpoint["calls"], calls))
        runs, partial = endpoint["runs"], endpoint["partial_runs"]
        check(runs <= true.runs and (true.runs <= runs + partial or not endpoint["runs_exact"]),
              "%s: %d runs and %d partial ones (exact: %s), truly %d" % (
            endpoint["endpoint"], runs, partial, endpoint["runs_exact"], true.runs))
    check(len(summary["endpoints"]) == 1, "%d endpoints" % len(summary["endpoints"]))
    check(summary["unattributed"]["calls"] == 0, "%d unattributed calls" % summary["unattributed"]["calls"])
    check_none(lost(summary))


@case
def usdt_above_the_ceiling(lab):
    """Probes that cost more than they may are the first thing that is given up; every call is there all the same."""
    need_working_probes(lab)
    target = lab.target("processes", {"scenario": "until_told"}, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0.5, "--python", "usdt", "--max-cost", 0.5, *patterns("in_parent"))
    target.say("go")
    tracer.expect(r"more than --max-cost 0.5 allows: function probes are off", "stderr")
    await_summaries(lab, tracer, lambda lines: lines[-1]["targets"][0]["attribution"] == "stack")
    target.say("enough")
    target.expect("^done$")
    lines = tracer.finish()
    quit_target(target)
    truth, summary = lab.truth(), lines[-1]
    steps = [line["cost"]["reduced"] for line in lines]
    check(steps[0] == "none" and "usdt_off" in steps, "steps %s" % steps)
    check(summary["targets"][0]["attribution"] == "stack", "attribution %s" % summary["targets"][0]["attribution"])
    calls = sum(endpoint["calls"] for endpoint in summary["endpoints"]) + summary["unattributed"]["calls"]
    true = sum(backend.numbers["calls"] for endpoint in truth.values() for backend in endpoint.backends.values())
    check(calls == true, "%d calls, truly %d" % (calls, true))
    check(set(summary["unattributed"]["reasons"]) <= {"not_sampled"}, summary["unattributed"]["reasons"])
    check_none(lost(summary))

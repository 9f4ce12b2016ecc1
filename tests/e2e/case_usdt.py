"""Cases of attribution by USDT probes, which see every run, and of the choice between them and the stack."""

from compare import close_enough, compare, median
from lab import Absent, Skip, check, check_none
from loads import LOADS, Load, check_wall_source, many, options_of, patterns, quit_target, traced
from registry import CASES, case


def need_working_probes(lab):
    if not lab.interpreter()["dtrace"] or lab.version() not in ((3, 8), (3, 9), (3, 10)):
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
def usdt_wall_times(lab):
    need_working_probes(lab)
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    load = Load("plain", "latency", ("raw",), ["timed"], runs=many(300), micros=2000)
    summary, truth = traced(lab, load, "usdt", every_run=True)
    true = median(truth["__main__:timed"].walls)
    wall = summary["endpoints"][0]["wall"]["p50"]
    check(close_enough(wall, true), "wall p50 %s ms, truly %.4f" % (wall, true / 1e6))

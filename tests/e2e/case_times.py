"""Cases of where the rest of a run's time goes: what the target's own clocks say of each part against what is reported."""

import json

from compare import compare, lost
from lab import Skip, check, check_none
from loads import patterns
from registry import case

# What the clocks themselves cost, and what happens between reading them and the system call that is measured; seconds a run.
SLACK = 0.0005
SHARE = 0.1


def rows_of(summary):
    return {row["endpoint"].rpartition(".")[2]: row for row in summary["endpoints"]}


@case
def time_beside_the_network(lab):
    """CPU, run queue, locks and sleep of each endpoint, and what is left adds up to its wall time."""
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    options = {"scenario": "parts", "runs": 60}
    target = lab.target("spending", options, ["raw"])
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns("burns", "sleeps", "waits"))
    target.say("go")
    spent = {}
    for _ in range(3):
        match = target.expect(r"^spent (\w+) (.*)$")
        spent[match.group(1)] = json.loads(match.group(2))
    target.expect("^done$")
    summary = tracer.finish()[-1]
    target.say("quit")
    target.wait()
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_none(lost(summary))
    rows = rows_of(summary)
    for name, total in spent.items():
        row = rows[name]
        check_parts(name, row["time"], row["wall"]["mean"])
        check_spent(name, row["time"], {part: seconds / row["runs"] for part, seconds in total.items()})


def check_parts(name, parts, wall):
    wanted = {"network", "cpu", "run_queue", "lock", "sleep", "other"}
    check(set(parts) == wanted, "%s: parts %s" % (name, sorted(parts)))
    total = sum(parts.values())
    check(abs(total - wall) <= 0.001 * wall + 0.001, "%s: parts add up to %f, wall is %f" % (name, total, wall))


def check_spent(name, reported, true):
    """`reported` in milliseconds, `true` in seconds, both a run."""
    for part, seconds in true.items():
        found = reported[part] / 1e3
        check(abs(found - seconds) <= SLACK + SHARE * seconds,
              "%s: %s %.3f ms a run, truly %.3f" % (name, part, found * 1e3, seconds * 1e3))

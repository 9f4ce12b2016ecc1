"""Cases of where the rest of a run's time goes: what the target's own clocks say of each part against what is reported."""

import json
import os

from compare import compare, lost
from lab import Skip, check, check_none
from loads import patterns
from registry import case

# What the clocks themselves cost, and what happens between reading them and the system call that is measured; seconds a run.
SLACK = 0.0005
SHARE = 0.1


def stolen():
    """Seconds that a hypervisor took from the machine's processors: CPU time to nettraced's clock, and not to the kernel's."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


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
    before = stolen()
    target.say("go")
    spent = {}
    for _ in range(3):
        match = target.expect(r"^spent (\w+) (.*)$")
        spent[match.group(1)] = json.loads(match.group(2))
    target.expect("^done$")
    taken = stolen() - before
    summary = tracer.finish()[-1]
    target.say("quit")
    target.wait()
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_none(lost(summary))
    rows = rows_of(summary)
    for name, total in spent.items():
        row = rows[name]
        check_parts(name, row["time"], row["wall"]["mean"])
        true = {part: seconds / row["runs"] for part, seconds in total.items()}
        check_spent(name, row["time"], true, taken / row["runs"])


def check_parts(name, parts, wall):
    wanted = {"network", "cpu", "run_queue", "lock", "sleep", "other"}
    check(set(parts) == wanted, "%s: parts %s" % (name, sorted(parts)))
    total = sum(parts.values())
    check(abs(total - wall) <= 0.001 * wall + 0.001, "%s: parts add up to %f, wall is %f" % (name, total, wall))


def check_spent(name, reported, true, taken):
    """`reported` in milliseconds, `true` and `taken` in seconds, all of a run."""
    found = {part: reported[part] / 1e3 for part in true}
    far = [part for part, seconds in true.items() if abs(found[part] - seconds) > SLACK + SHARE * seconds + taken]
    check(not far, "%s: %s of a run differ: %s, truly %s" % (name, " and ".join(far), _shown(found), _shown(true)))


def _shown(parts):
    return ", ".join("%s %.3f ms" % (part, seconds * 1e3) for part, seconds in parts.items())

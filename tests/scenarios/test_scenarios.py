"""Findings of recordings whose truth is known: make.py draws them, `nettrace replay` is asked.

    /usr/bin/python3 -m pytest tests/replay tests/scenarios

NETTRACE_SEED=N repeats a run. Thresholds of time are 0: a finding is there or it is not.
"""

import json
import os
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "replay")]

import make  # noqa: E402
from test_replay import nettrace  # noqa: E402

SEED = int(os.environ.get("NETTRACE_SEED", time.time_ns() % 10**9))
ROUNDS = 25
PROGRAMS = 40  # of a recording
RULES = {"preset": "default", "repeated": {"on": False}, "reconnect": {"on": False}, "stalled": {"on": False},
         "serial": {"call_time_ms": 0, "saving_ms": 0, "saving_share": 0}, "shown": {"run_share": 0}}
MS = 1e6


def replayed(path, directory, rules):
    """Endpoint -> what is said of it, by name."""
    rules_file = directory / "rules.json"
    rules_file.write_text(json.dumps(rules))
    result = nettrace("replay", path, "--json", "-i", "0", "--rules", rules_file)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout.decode().splitlines()[-1])
    assert summary["unattributed"]["calls"] == 0 and not any(summary["lost"].values()), summary["lost"]
    return {endpoint["endpoint"]: endpoint for endpoint in summary["endpoints"]}


def story(program, said):
    """For people: what was drawn and what was said of it."""
    lines = ["%s, seed %d, NETTRACE_SEED=%d" % (program.name, program.seed, SEED), *map(repr, program.calls())]
    lines += ["must be found: %r, saved %s" % (program.found, program.saved)]
    lines += [json.dumps(finding) for finding in said["findings"]] + [json.dumps(said["predicted"])]
    return "\n".join(lines)


def check_listed(program, said):
    """Exactly those, besides what is in a row."""
    found = sorted((one["kind"], one["operation"], one["needless_calls_per_run"])
                   for one in said["findings"] if one["kind"] != "serial")
    assert found == sorted(program.found), story(program, said)


def calls_at(program, finding):
    """Each call has a line of its own."""
    lines = [where["line"] for where in finding["where"]]
    return [call for call in program.calls() if make.FIRST_LINE + call.line in lines]


def keeps(before, after):
    """Had the one to wait for the other, as far as that shows? A connection of redis keeps its order."""
    if before.protocol == "redis" and before.connection == after.connection:
        return True
    return before in after.needs and not before.veiled


def is_free(program, call, next_call):
    """Could the lane's next call have been made when this one was?"""
    between = [one for one in program.calls() if call.began < one.ended <= next_call.began]
    return not any(keeps(one, next_call) for one in between)


def lanes(program):
    """Of the run's own thread, and of each other one that it had for a while."""
    own = [call for stage in program.stages for call in stage[0]]
    return [own] + [lane for stage in program.stages for lane in stage[1:]]


def lies_behind(veiled, first, call):
    """Could the call have its data from an answer that cannot be seen, and that came after the first one began?"""
    return veiled.veiled and veiled.began >= first.began and veiled.ended <= call.began


def check_row(program, said, finding):
    calls = calls_at(program, finding)
    first = min(calls, key=lambda call: call.began)
    assert len(calls) == len(finding["where"]) >= 2, story(program, said)
    sure = finding["evidence"] == "in a row, no data seen passed on"
    for call in calls:
        others = [other for other in calls if other is not call]
        if sure:
            assert not any(call.waits_for(other) for other in others), story(program, said)
            assert not any(lies_behind(one, first, call) for one in program.calls()), story(program, said)
        else:
            assert not any(other in call.needs and not other.veiled for other in others), story(program, said)
            assert finding["saving"]["expected"] < finding["saving"]["high"], story(program, said)


def neighbours(program):
    """Pairs of calls that follow each other in the run's own thread while it has no other."""
    for stage, next_stage in zip(program.stages, [*program.stages[1:], [[]]]):
        if len(stage) == 1:
            yield from zip(stage[0], stage[0][1:] + (next_stage[0][:1] if len(next_stage) == 1 else []))


def check_rows(program, said):
    """
    No two calls that are said to be independent depend on each other. Where two neighbours could go at once, something
    is said; beside other threads only what would save time is.
    """
    rows = [one for one in said["findings"] if one["kind"] == "serial"]
    for one in rows:
        check_row(program, said, one)
    free = any(is_free(program, *pair) for lane in lanes(program) for pair in zip(lane, lane[1:]))
    surely = any(is_free(program, *pair) for pair in neighbours(program))
    assert surely <= bool(rows) <= free, story(program, said)


def check_prediction(program, said):
    """Time that is left is never less than the calls need that wait for each other, nor more than it was."""
    now, then = said["predicted"]["wall_now"], said["predicted"]["wall_then"]
    low, high = said["predicted"]["low"], said["predicted"]["high"]
    assert 0 <= low <= then <= high <= now + 1e-6, story(program, said)
    if not said["findings"]:
        assert then == now, story(program, said)
    assert then * MS >= 0.999 * critical_path(program), story(program, said)
    if program.saved is not None:
        true = now - program.saved / MS
        assert low - 1e-3 <= true <= high + 1e-3, "%s\ntruly %f" % (story(program, said), true)
        assert abs(then - true) <= 0.1 * now, "%s\ntruly %f" % (story(program, said), true)


def critical_path(program):
    """ns that the calls take that need each other's answers, whatever else is done at once: never less."""
    if program.name not in ("rows", "veiled"):
        return 0
    longest = {}

    def length(call):
        if call not in longest:
            longest[call] = call.took + max(map(length, call.needs), default=0)
        return longest[call]

    return max(map(length, program.calls()), default=0)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_programs(number, tmp_path):
    print("NETTRACE_SEED=%d" % SEED)
    base = (SEED + number) * 1000
    names = [name for name in make.KINDS if name != "ideal"]
    programs = [make.make(names[at % len(names)], base + at) for at in range(PROGRAMS)]
    programs += [make.make("ideal", base + at) for at in range(PROGRAMS // 4)]
    path = tmp_path / "scenarios.recording"
    path.write_bytes(make.write(programs, base))
    found = replayed(path, tmp_path, RULES)
    for program in programs:
        said = found[program.endpoint]
        assert said["runs"] == 1 and said["calls"] == len(program.calls()), story(program, said)
        check_listed(program, said)
        if program.name in ("rows", "veiled"):
            check_rows(program, said)
        check_prediction(program, said)


def test_replay_is_exact(tmp_path):
    """The same findings, to the byte."""
    path = tmp_path / "scenarios.recording"
    path.write_bytes(make.write([make.make(name, SEED) for name in make.KINDS], SEED))
    first, second = nettrace("replay", path, "--json"), nettrace("replay", path, "--json")
    assert first.returncode == 0 and first.stdout == second.stdout and b"findings" in first.stdout

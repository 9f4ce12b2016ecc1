"""nettrace replay: recordings in, golden JSON out; the counts that are true of them; and broken recordings.

    /usr/bin/python3 -m pytest tests/replay

NETTRACE=FILE is the program under test (default: the newer one of build/nettrace and `make ASAN=1`'s).
NETTRACE_SEED=N repeats a run of the random damage. NETTRACE_GOLDEN=write writes the golden files anew: read the difference.
"""

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

import make_recordings

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOLDEN = HERE / "golden"
TIMEOUT = 60


def find_nettrace():
    if os.environ.get("NETTRACE"):
        return os.environ["NETTRACE"]
    builds = [path for path in (ROOT / "build/asan/nettrace", ROOT / "build/nettrace") if path.exists()]
    if not builds:
        pytest.exit("build/nettrace is not there: run make first", returncode=1)
    return str(max(builds, key=lambda path: path.stat().st_mtime))


NETTRACE = find_nettrace()


def nettrace(*arguments, **options):
    return subprocess.run([NETTRACE, *map(str, arguments)], capture_output=True, timeout=TIMEOUT, check=False, **options)


def replay(*arguments):
    return nettrace("replay", *arguments)


def summaries(result):
    """The objects that were printed; what is not one JSON object a line, in UTF-8, raises."""
    return [json.loads(line) for line in result.stdout.decode("utf-8", "strict").splitlines()]


def assert_one_line(result, *words):
    text = result.stderr.decode()
    assert text.count("\n") == 1 and text.startswith("nettrace: "), text
    for word in words:
        assert word in text, text


@pytest.fixture(scope="module", params=sorted(make_recordings.SCENARIOS))
def scenario(request, tmp_path_factory):
    recording = make_recordings.SCENARIOS[request.param]()
    path = tmp_path_factory.mktemp("recordings") / f"{request.param}.recording"
    path.write_bytes(recording.data())
    return request.param, recording, path


@pytest.fixture
def shop_file(tmp_path):
    path = tmp_path / "shop.recording"
    path.write_bytes(make_recordings.shop().data())
    return path


def test_golden(scenario):
    name, _, path = scenario
    result = replay(path, "--json")
    assert result.returncode == 0 and result.stderr == b""
    golden = GOLDEN / f"{name}.jsonl"
    if os.environ.get("NETTRACE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_bytes(result.stdout)
    # As objects first: that difference can be read. The bytes must be the same, too.
    assert summaries(result) == [json.loads(line) for line in golden.read_text().splitlines()]
    assert result.stdout == golden.read_bytes()


def test_again_is_the_same(scenario):
    _, _, path = scenario
    for form in ("json", "text"):
        first, second = replay(path, "-f", form), replay(path, "-f", form)
        assert first.returncode == 0 and first.stdout == second.stdout


def backends_of(summary):
    for endpoint in summary["endpoints"]:
        for backend in endpoint["backends"]:
            yield endpoint["endpoint"], backend
    for backend in summary["unattributed"]["backends"]:
        yield None, backend


@pytest.mark.parametrize("name", ["shop", "unattributed", "quiet", "findings", "followed"])
def test_counts_are_true(name, tmp_path):
    """Against what the generator added up itself."""
    recording = make_recordings.SCENARIOS[name]()
    path = tmp_path / "a.recording"
    path.write_bytes(recording.data())
    final = summaries(replay(path, "--json"))[-1]
    assert final["final"] is True
    found = {"calls": {}, "errors": {}, "keys": {}, "round_trips": {}}
    moved = {}
    for endpoint, backend in backends_of(final):
        key = (endpoint, backend["protocol"], backend["address"])
        for what, counts in found.items():
            if backend[what]:
                counts[key] = backend[what]
        for direction, what in enumerate(("bytes_out", "bytes_in")):
            if backend[what]:
                moved[key + (direction,)] = backend[what]
        assert sum(operation["calls"] for operation in backend["operations"]) == backend["calls"]
        assert sum(operation["errors"] for operation in backend["operations"]) == backend["errors"]
    for what, counts in found.items():
        assert counts == {key: count for key, count in getattr(recording, what).items() if count}, what
    assert moved == dict(recording.bytes)
    assert final["unattributed"]["reasons"] == dict(recording.reasons)
    assert final["unattributed"]["calls"] == sum(recording.reasons.values())
    assert final["requests"]["count"] == recording.requests
    assert {e["endpoint"]: e["runs"] for e in final["endpoints"]} == dict(recording.runs)


COUNTED = ("calls", "errors", "runs", "round_trips")


def test_intervals_add_up(shop_file):
    *intervals, final = summaries(replay(shop_file, "--json"))
    assert [summary["final"] for summary in intervals] == [False, False]
    assert [summary["duration_s"] for summary in intervals] == [10.0, 10.0] and final["duration_s"] == 25.0
    assert [summary["start"] for summary in intervals] == ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:10.000Z"]
    assert [summary["lost"]["records"] for summary in intervals] == [0, 2] and final["lost"]["records"] == 2
    assert [len(summary["targets"]) for summary in [*intervals, final]] == [3, 3, 3]
    assert [summary["cost"]["target_cpu_percent"] for summary in [*intervals, final]] == [1.2, 0.6, 0.84]
    for endpoint in final["endpoints"]:
        for what in COUNTED:
            parts = sum(e[what] for s in intervals for e in s["endpoints"] if e["endpoint"] == endpoint["endpoint"])
            assert parts <= endpoint[what]
    # With the rest as an interval of its own, the parts are the whole.
    *parts, whole = summaries(replay(shop_file, "--json", "--interval", "1"))
    assert len(parts) > 2
    for endpoint in whole["endpoints"]:
        for what in COUNTED:
            total = sum(e[what] for s in parts for e in s["endpoints"] if e["endpoint"] == endpoint["endpoint"])
            assert total <= endpoint[what]
    assert whole["endpoints"] == final["endpoints"]


@pytest.fixture(scope="module")
def page_files(tmp_path_factory):
    """Recordings of a page before and after its findings were followed."""
    directory = tmp_path_factory.mktemp("pages")
    paths = [directory / "before.recording", directory / "after.recording"]
    for path, scenario in zip(paths, (make_recordings.findings, make_recordings.followed)):
        path.write_bytes(scenario().data())
    return paths


def found_in(endpoint):
    """What was found, as (kind, backend, operation, runs, needless a run, lines)."""
    return sorted((f["kind"], f["backend"], f["operation"], f["runs"], f["needless_calls_per_run"],
                   [place["line"] for place in f["where"]]) for f in endpoint["findings"])


def line(offset):
    """Of a call in the function that makes them all."""
    return 30 + offset


TRUTH = [
    ("duplicate", "redis 127.0.0.1:6379", "GET user:?", make_recordings.RUNS, 2.0, [line(make_recordings.USER)]),
    ("n_plus_one", "redis 127.0.0.1:6379", "GET item:?", make_recordings.RUNS, 4.0, [line(make_recordings.ITEM)]),
    ("serial", "http 127.0.0.1:8000", "GET /price/?/?", make_recordings.RUNS, 3.0, [line(make_recordings.PRICE)]),
]


def test_findings_are_true(page_files):
    """What the page does wrong is found, all of it and nothing else; and following it takes the time that was predicted."""
    before, after = (summaries(replay(path, "--json", "-i", "0"))[-1]["endpoints"][0] for path in page_files)
    assert found_in(before) == TRUTH
    assert found_in(after) == []
    predicted = before["predicted"]
    assert predicted["runs"] == make_recordings.RUNS
    # Each call takes its latency and half a millisecond of its client; then two are left for the answer.
    assert predicted["wall_now"] == 3 * 1.5 + 5 * 2.5 + 3 * 10.5 + 5.5 + 2
    # On the wire there is no less than one of each; a call that is left keeps its client's time.
    assert 1 + 2 + 10 + 5 < predicted["wall_then"] < predicted["wall_now"] / 2
    assert predicted["low"] <= predicted["wall_then"] <= predicted["high"]
    assert abs(predicted["wall_then"] / after["predicted"]["wall_now"] - 1) < 0.1
    for finding in before["findings"]:
        saving = finding["saving"]
        assert 0 < saving["low"] <= saving["expected"] <= saving["high"]
        assert finding["saving_total_ms"] == pytest.approx(saving["expected"] * finding["runs"])
    savings = {finding["kind"]: finding["saving"] for finding in before["findings"]}
    # Their own time at least; at most with the client's.
    assert savings["duplicate"]["low"] >= 2 * 1 and savings["duplicate"]["high"] <= 2 * 1.5
    assert savings["n_plus_one"]["low"] >= 4 * 2 and savings["n_plus_one"]["high"] <= 4 * 2.5
    assert savings["serial"]["high"] <= 2 * 10.5
    # What would save most comes first.
    totals = [finding["saving_total_ms"] for finding in before["findings"]]
    assert totals == sorted(totals, reverse=True)


def test_findings_of_intervals_are_one(page_files):
    """Two intervals' findings are the capture's."""
    *parts, whole = summaries(replay(page_files[0], "--json"))
    assert len(parts) == 1 and found_in(whole["endpoints"][0]) == TRUTH
    *_, at_once = summaries(replay(page_files[0], "--json", "-i", "0"))
    assert at_once["endpoints"] == whole["endpoints"]
    part = parts[0]["endpoints"][0]
    assert [f["runs"] for f in part["findings"]] == [make_recordings.RUNS // 2 + 1] * 3


def test_data_is_masked(page_files):
    for form in ("json", "text"):
        masked = replay(page_files[0], "-f", form).stdout.decode()
        shown = replay(page_files[0], "-f", form, "--show-data").stdout.decode()
        for data in ("user:7000", "list31000", "thing-90000"):
            assert data not in masked and data in shown, (form, data)


def rules_of(path, *arguments):
    final = summaries(replay(path, "--json", "-i", "0", *arguments))[-1]
    return final["rules"], sorted(f["kind"] for f in final["endpoints"][0]["findings"])


def test_rules(page_files, tmp_path):
    """A replay answers again by other rules, and by those of the recording otherwise."""
    path = page_files[0]
    all_kinds = ["duplicate", "n_plus_one", "serial"]
    assert rules_of(path) == ("default", all_kinds)
    assert rules_of(path, "--rules", "sentry") == ("sentry", [])
    assert rules_of(path, "--rules", "perf-sentinel") == ("perf-sentinel", all_kinds)
    # By its thresholds a chain that needs its answers is one as well: it does not look at data.
    final = summaries(replay(path, "--json", "-i", "0", "--rules", "perf-sentinel"))[-1]
    serial = [f for f in final["endpoints"][0]["findings"] if f["kind"] == "serial"]
    assert serial[0]["calls_per_run"] > 3 and "no data" not in serial[0]["evidence"]
    rules = tmp_path / "rules.json"
    rules.write_text('{"serial": {"least": 5}, "duplicate": {"on": false}}')
    assert rules_of(path, "--rules", str(rules)) == ("custom", ["n_plus_one"])
    assert rules_of(path, "--rules", '{"shown": {"runs": %d}}' % (make_recordings.RUNS + 1)) == ("custom", [])
    assert "findings by the rules of sentry\n" in replay(path, "--rules", "sentry").stdout.decode()
    recorded = tmp_path / "sentry.recording"
    recording = make_recordings.Recording()
    recording.setting("rules", '{"serial":{"least":5}}')
    whole = make_recordings.findings()
    recorded.write_bytes(whole.header() + b"".join(recording.records + whole.records))
    assert rules_of(recorded) == ("custom", ["duplicate", "n_plus_one"])
    assert rules_of(recorded, "--rules", "default") == ("default", all_kinds)


@pytest.mark.parametrize("condition,status,words", [
    ("*.homepage calls_per_run > 12", 0, None),
    ("*.homepage calls_per_run >= 12", 3, "is met: shop.views.homepage has calls_per_run 12"),
    ("* needless_calls_per_run == 6", 3, "has needless_calls_per_run 6"),
    ("* findings != 3", 0, None),
    ("* wall_p50 > 55.9", 3, "wall_p50 56"),
    ("* saving < 25", 0, None),
    ("* saving > 25", 3, "has saving"),
    ("shop.view.* runs > 0", 1, "could not be checked: no endpoint matches"),
])
def test_fail_on(page_files, condition, status, words):
    plain = replay(page_files[0], "-i", "0")
    result = replay(page_files[0], "-i", "0", "--fail-on", condition)
    assert result.returncode == status and result.stdout == plain.stdout
    if words:
        assert_one_line(result, words, condition)
    else:
        assert result.stderr == b""


def test_fail_on_damage(page_files, tmp_path):
    """What ends early is not judged."""
    path = tmp_path / "short.recording"
    path.write_bytes(page_files[0].read_bytes()[:-8])
    result = replay(path, "--fail-on", "* calls_per_run > 1")
    assert result.returncode == 1
    assert_one_line(result, "truncated")


def diff(*arguments):
    return nettrace("diff", *arguments)


def test_diff(page_files, tmp_path):
    """The same from recordings and from JSON, whole or with intervals; the numbers are those of the two summaries."""
    jsons = [tmp_path / f"{path.stem}.json" for path in page_files]
    for path, target in zip(page_files, jsons):
        target.write_bytes(replay(path, "--json").stdout)
    results = [diff(*paths, "--json") for paths in (page_files, jsons, (page_files[0], jsons[1]))]
    objects = [json.loads(result.stdout) for result in results]
    assert all(result.returncode == 0 and result.stderr == b"" for result in results)
    assert objects[0]["endpoints"] == objects[1]["endpoints"] == objects[2]["endpoints"]
    found, = objects[0]["endpoints"]
    before, after = (summaries(replay(path, "--json", "-i", "0"))[-1]["endpoints"][0] for path in page_files)
    assert found["endpoint"] == "shop.views.homepage" and found["in"] == "both"
    figures = found["figures"]
    assert figures["calls_per_run"] == {"before": 12.0, "after": 6.0, "change_percent": -50.0, "enough_runs": True}
    assert figures["needless_calls_per_run"]["before"] == 6.0 and figures["needless_calls_per_run"]["after"] == 0.0
    for name, distribution in (("wall", "wall"), ("network", "network")):
        for quantile in ("p50", "p95", "p99"):
            figure = figures[f"{name}_{quantile}"]
            assert (figure["before"], figure["after"]) == (before[distribution][quantile], after[distribution][quantile])
            assert figure["enough_runs"] is (quantile == "p50")
    predicted = found["predicted"]
    assert predicted["wall_then"] == before["predicted"]["wall_then"] and predicted["measured"] == after["wall"]["p50"]
    assert abs(predicted["error_percent"]) < 10 and predicted["enough_runs"] is True
    assert sorted(f["kind"] for f in found["findings"]["gone"]) == ["duplicate", "n_plus_one", "serial"]
    assert found["findings"]["new"] == []
    back, = json.loads(diff(*reversed(page_files), "--json").stdout)["endpoints"]
    assert back["findings"] == {"gone": [], "new": found["findings"]["gone"]}


def test_diff_text(page_files, shop_file):
    text = diff(*page_files).stdout.decode()
    for part in ("calls a run                                    12.0        6.0      -50 %\n",
                 "wall a run, p50                              56.0ms ", "   few runs\n", "predicted by BEFORE, measured by AFTER ",
                 "    gone  duplicate   redis GET user:?   -3.00ms\n", "\nfew runs: not enough"):
        assert part in text, text
    assert all(len(line) <= 120 for line in text.splitlines()[2:])
    same = diff(page_files[0], page_files[0]).stdout.decode()
    assert "gone" not in same and " new " not in same
    other = diff(page_files[0], shop_file).stdout.decode()
    assert "shop.views.stock" in other and "is new\n" in other
    few = json.loads(diff(page_files[0], shop_file, "--json").stdout)
    where = {endpoint["endpoint"]: endpoint["in"] for endpoint in few["endpoints"]}
    assert where == {"shop.views.homepage": "both", "shop.views.stock": "after"}
    assert [e["figures"]["wall_p50"]["enough_runs"] for e in few["endpoints"]] == [False, False]


@pytest.mark.parametrize("condition,status,words", [
    ("* wall_p50_change > 10", 0, None),
    ("* wall_p50_change < -50", 3, "is met: shop.views.homepage has wall_p50_change -6"),
    ("* wall_p95_change < -50", 1, "could not be checked: shop.views.homepage: not enough runs"),
    ("* calls_per_run_change < -49", 3, "has calls_per_run_change -50"),
    ("* calls_per_run > 6", 0, None),
    ("* findings == 0", 3, "has findings 0"),
    ("gone.* runs > 0", 1, "no endpoint matches"),
])
def test_diff_fail_on(page_files, condition, status, words):
    result = diff(*page_files, "--fail-on", condition)
    assert result.returncode == status and result.stdout == diff(*page_files).stdout
    if words:
        assert_one_line(result, words, condition)
    else:
        assert result.stderr == b""


def test_diff_of_what_is_none(page_files, tmp_path):
    good, bad = page_files[0], tmp_path / "bad"
    for content, words in (
            (b"", ["empty"]), (b"{}", ["neither a recording nor"]), (b"[1]", ["neither"]), (b"{", ["neither"]),
            (b'{"schema":"nettrace.summary/1"} {"schema":"other"}', ["neither"]),
            (good.read_bytes()[:-8], ["no whole recording", "nettrace replay"])):
        bad.write_bytes(content)
        for paths in ((bad, good), (good, bad)):
            result = diff(*paths)
            assert result.returncode == 1 and result.stdout == b""
            assert_one_line(result, str(bad), *words)
    for path, words in ((tmp_path / "none", ["No such file"]), (tmp_path, ["Is a directory"])):
        result = diff(good, path)
        assert result.returncode == 1 and result.stdout == b""
        assert_one_line(result, str(path), *words)
    bad.write_bytes(b'{"schema":"nettrace.summary/1","endpoints":[{"endpoint":"a.f","wall":7,"findings":{"a":1}},3]}\n')
    assert diff(bad, bad).returncode == 0 and diff(bad, good, "--json").returncode == 0


def test_interval_0_prints_the_last_only(shop_file):
    objects = summaries(replay(shop_file, "--json", "-i", "0"))
    assert len(objects) == 1 and objects[0]["final"]


def test_text(shop_file):
    result = replay(shop_file)
    text = result.stdout.decode()
    assert result.returncode == 0 and "\x1b" not in text
    assert text.count("nettraced 0.1.0   pid 100 gunicorn: master [shop.wsgi] and 2 more   Python 3.11.2 by stack") == 3
    assert "shop.views.homepage" in text and "redis 5  memcache 1  http 1" in text.replace("http 1  memcache 1", "memcache 1  http 1")
    assert "errors  " in text and "connect 4 of 4" in text
    assert all(len(line) <= 120 for line in text.splitlines()), text


def test_output_file(shop_file, tmp_path):
    target = tmp_path / "out.json"
    result = replay(shop_file, "--json", "-o", target)
    assert result.returncode == 0 and result.stdout == b""
    assert target.read_bytes() == replay(shop_file, "--json").stdout


def test_output_is_not_the_recording(shop_file):
    before = shop_file.read_bytes()
    result = replay(shop_file, "-o", shop_file)
    assert result.returncode == 1 and result.stdout == b"" and shop_file.read_bytes() == before
    assert_one_line(result, "the recording itself")


def test_unwritable_output(shop_file):
    result = replay(shop_file, "-o", "/nowhere/at/all")
    assert result.returncode == 1 and result.stdout == b""
    assert_one_line(result, "/nowhere/at/all", "No such file")
    if Path("/dev/full").exists():
        result = replay(shop_file, "-o", "/dev/full")
        assert result.returncode == 1
        assert_one_line(result, "/dev/full", "No space left")


@pytest.mark.parametrize("arguments,words", [
    ([], ["what?"]),
    (["replay"], ["one FILE"]),
    (["replay", "a", "b"], ["one FILE"]),
    (["replay", "--bogus", "a"], ["--bogus"]),
    (["replay", "a", "-f", "xml"], ["'xml'", "text or json"]),
    (["replay", "a", "-i", "soon"], ["'soon'", "seconds"]),
    (["frobnicate"], ["'frobnicate'"]),
    (["top"], ["top is not there yet"]),
    (["status"], ["not there yet"]),
    (["endpoints"], ["not there yet"]),
    (["show", "x"], ["not there yet"]),
    (["report"], ["not there yet"]),
    (["diff"], ["two files"]),
    (["diff", "a"], ["two files"]),
    (["diff", "a", "b", "c"], ["two files"]),
    (["diff", "a", "b", "--format", "xml"], ["'xml'", "text or json"]),
    (["diff", "a", "b", "--fail-on", "* walls > 1"], ["'walls'", "wall_p50"]),
    (["replay", "a", "--fail-on", "* wall_p50_change > 1"], ["wall_p50_change", "nettrace diff"]),
    (["replay", "a", "--rules", "lenient"], ["'lenient'", "perf-sentinel"]),
    (["replay", "a", "--rules", '{"serial": {"last": 2}}'], ["serial has no 'last'"]),
    (["stop"], ["not there yet"]),
])
def test_wrong_usage(arguments, words):
    result = nettrace(*arguments)
    assert result.returncode == 2 and result.stdout == b""
    assert_one_line(result, *words)


def test_help_and_version():
    for arguments in (["help"], ["--help"], ["replay", "--help"]):
        result = nettrace(*arguments)
        assert result.returncode == 0 and result.stderr == b"" and b"replay" in result.stdout
    assert nettrace("version").stdout == nettrace("--version").stdout != b""


def broken(path, data, *words):
    """Status 1, one line that says what is wrong, and the final summary of what is before."""
    path.write_bytes(data)
    result = replay(path, "--json")
    assert result.returncode == 1
    assert_one_line(result, *words)
    return summaries(result)


def test_truncated_everywhere(tmp_path):
    path = tmp_path / "a.recording"
    data = make_recordings.shop().data()
    for size in range(make_recordings.HEADER_SIZE, len(data), 97):
        objects = broken(path, data[:size], "truncated")
        assert objects[-1]["final"] is True and sum(o["final"] for o in objects) == 1
    for size in range(0, make_recordings.HEADER_SIZE, 7):
        assert broken(path, data[:size], "cannot replay") == []


def test_malformed_in_the_middle(tmp_path):
    recording = make_recordings.shop()
    offset = make_recordings.HEADER_SIZE + sum(map(len, recording.records[:20]))
    data = bytearray(recording.data())
    data[offset:offset + 4] = b"\xff\xff\xff\xff"
    objects = broken(tmp_path / "a.recording", bytes(data), f"malformed at offset {offset};")
    assert objects[-1]["final"] is True


def test_random_damage(tmp_path):
    seed = int(os.environ.get("NETTRACE_SEED", time.time_ns()))
    print(f"NETTRACE_SEED={seed}")
    chance = random.Random(seed)
    path = tmp_path / "a.recording"
    whole = [scenario().data() for scenario in make_recordings.SCENARIOS.values()]
    for _ in range(300):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.choice((1, 1, 2, 5, 50))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        result = replay(path, "--json")
        assert result.returncode in (0, 1), (seed, result)
        assert b"Sanitizer" not in result.stderr and b"runtime error" not in result.stderr, (seed, result.stderr)
        if result.returncode:
            assert_one_line(result)
        objects = summaries(result)
        assert not objects or objects[-1]["final"] is True


def test_other_abi(tmp_path):
    recording = make_recordings.shop()
    data = recording.header(make_recordings.ABI + 1) + b"".join(recording.records)
    assert broken(tmp_path / "a.recording", data, "another version") == []


def test_no_recording(tmp_path):
    assert broken(tmp_path / "a", b"", "not a recording") == []
    assert broken(tmp_path / "a", b"GIF89a" * 100, "not a recording") == []
    for what, word in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        result = replay(what)
        assert result.returncode == 1 and result.stdout == b""
        assert_one_line(result, str(what), word)


def test_no_permission(shop_file):
    shop_file.chmod(0)
    options = {}
    if os.geteuid() == 0:  # root may read everything: ask as somebody else
        options = {"user": 65534, "group": 65534, "extra_groups": []}
        for parent in shop_file.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
    try:
        result = nettrace("replay", shop_file, **options)
    except PermissionError:
        pytest.skip("another user cannot run the program under test here")
    assert result.returncode == 1 and result.stdout == b""
    assert_one_line(result, "Permission denied")

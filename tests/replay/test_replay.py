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


@pytest.mark.parametrize("name", ["shop", "unattributed", "quiet"])
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

"""Cases of what comes out: text, JSON, files, recordings and their replay, --check."""

import fcntl
import json
import os
import random
import select
import signal
import struct
import subprocess
import termios
import time

from compare import compare
from lab import APPS, Skip, check, check_none, one_line, summaries
from loads import LOADS, options_of, patterns, quit_target
from registry import case


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
    cut = good[: len(good) // 3 * 2 + 1]
    for name, data in (("empty", b""), ("foreign", foreign), ("cut", cut), ("changed", changed)):
        path = lab.path("broken")
        with open(path, "wb") as file:
            file.write(data)
        status, out, err = lab.run(lab.nettrace, "replay", "--json", path)
        os.unlink(path)
        # A change within payload leaves a recording that is well-formed.
        check(status == 1 or (name == "changed" and status == 0), "%s recording: status %d" % (name, status))
        check(status == 0 or one_line(err), "%s recording: %r" % (name, err))
        check(out == "" or name in ("cut", "changed"), "%s recording: a summary" % name)


@case
def where_calls_are_made(lab):
    """The innermost line of the application's own code that made a backend's calls; here without the witness's frames."""
    with open(os.path.join(APPS, "plain.py"), encoding="utf-8") as source:
        lines = source.read().splitlines()
    for scenario, function in (("latency", "timed"), ("shapes", "_exchange")):
        start = lines.index(next(line for line in lines if line.startswith("def %s(" % function)))
        line = next(number for number in range(start, len(lines)) if "sock.sendall(" in lines[number]) + 1
        options = {"scenario": scenario, "runs": lab.number(50, 10), "micros": 0}
        target = lab.target("plain", options, ("raw",), witness=False)
        tracer = lab.trace(target.pid, "-i", 0, "--python", "stack")
        target.say("go")
        target.expect("^done$")
        summary = tracer.finish()[-1]
        quit_target(target)
        check(len(summary["endpoints"]) == 1, "%d endpoints" % len(summary["endpoints"]))
        backend = summary["endpoints"][0]["backends"][0]
        place = {
            "function": "plain." + function,
            "file": lab.seen_by_target(lab.path("plain.py")),
            "line": line,
            "calls": backend["calls"],
        }
        check(backend["where"] == [place], "where is %s, truly %s" % (backend["where"], place))


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
    check(all(len(line) <= 120 for line in lines[:4]), "the header is too wide: %r" % lines[:4])
    facts = next((line for line in lines[1:3] if line.startswith("lost 0 ")), "")  # a long header takes two lines
    check("cost:" in facts, "lost and cost are not in the first lines: %r" % lines[:4])
    for name, endpoint in truth.items():
        if name and endpoint.calling_runs:
            wanted = "." + name.partition(":")[2]
            row = next((line.split() for line in lines if line.split()[:1] and line.split()[0].endswith(wanted)), None)
            runs = len(endpoint.calling_runs)
            check(row and row[1] == str(runs), "%s: %d runs, row %s" % (name, runs, row))


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


F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on


def start_piped(lab, target, *options):
    """nettraced, attached, with standard output a pipe of one page."""
    command = [lab.nettraced, "--hooks", lab.hooks, "--json", "--pid", str(target.pid)] + [str(o) for o in options]
    tracer = lab.start(command, stdin=subprocess.DEVNULL)
    fcntl.fcntl(tracer.process.stdout, F_SETPIPE_SZ, 4096)
    tracer.expect("^nettraced: attached", "stderr")
    return tracer


def quiet_target(lab):
    return lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))


@case
def reader_that_stops(lab):
    """Nobody reads standard output for a while: whole summaries are dropped and counted, and no record is lost."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = start_piped(lab, target, "-i", 0.005, "--python", "stack", *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    time.sleep(5)
    tracer.process.send_signal(signal.SIGINT)
    status, out, err = tracer.wait()
    quit_target(target)
    truth = lab.truth()
    check(status == 0, "status %d: %s" % (status, err))
    lines = summaries(out)
    check(sum(line["final"] for line in lines) == 1 and lines[-1]["final"], "not one final summary, the last one")
    dropped = lines[-1]["lost"].pop("summaries")
    check(dropped > 0 or lab.scale < 1, "%d summaries were printed and none was dropped" % len(lines))
    check(sum(line["lost"]["summaries"] for line in lines[:-1]) <= dropped, "the parts are more than all")
    check_none(compare(lines[-1], truth, lab.qualified()))


@case
def reader_that_never_reads(lab):
    """The last summary waits a few seconds for its reader, then it is one line and status 1."""
    target = quiet_target(lab)
    tracer = start_piped(lab, target, "-i", 0.01, "-d", 1)
    start = time.monotonic()
    status = tracer.process.wait(lab.limit)
    took = time.monotonic() - start
    expect_trouble(status, tracer.process.stderr.read().decode(), "standard output", "takes nothing")
    check(3 <= took < 3 + lab.limit / 4, "it took %.1f s" % took)
    lab.end_case()
    lab.forget_truth()


@case
def output_that_fails(lab):
    """A reader that has gone and a full disk: one line and status 1, without waiting for -d."""
    target = quiet_target(lab)
    tracer = start_piped(lab, target, "-i", 0.5, "-d", 1000)
    tracer.process.stdout.close()
    status = tracer.process.wait(lab.limit)
    expect_trouble(status, tracer.process.stderr.read().decode(), "standard output", "gone")
    if os.path.exists("/dev/full"):
        tracer = lab.trace(target.pid, "-i", 0.5, "-d", 1000, "-o", "/dev/full")
        status, _, err = tracer.wait()
        expect_trouble(status, err, "/dev/full", "No space left")
        tracer = lab.trace(target.pid, "-i", 0, "-d", 0.5, "-o", "/dev/full")
        status, _, err = tracer.wait()
        expect_trouble(status, err, "/dev/full", "No space left")
    lab.end_case()
    lab.forget_truth()


def expect_trouble(status, err, *words):
    check(status == 1, "status %d: %r" % (status, err))
    check(one_line(err) and all(word in err for word in words), "standard error %r" % err)


@case
def terminal_in_place(lab):
    """On a terminal a summary takes the last one's place, as high and wide as the terminal; the final one is whole."""
    rows, columns = 12, 90
    load = LOADS["plain_script"]
    try:
        ours, theirs = os.openpty()
    except OSError as problem:
        raise Skip("there are no pseudo-terminals here: %s" % problem) from None
    target = lab.target(load.script, options_of(lab, load), load.backends)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [lab.nettraced, "--hooks", lab.hooks, "--pid", str(target.pid), "-i", "0.5"]
    tracer = lab.start(command, stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    tracer.expect("^nettraced: attached", "stderr")
    target.say("go")
    target.expect("^done$")
    seen = read_terminal(lab, ours, tracer, pages=2)
    quit_target(target)
    lab.forget_truth()
    check(tracer.process.returncode == 0, "status %s" % tracer.process.returncode)
    before, *pages = seen.replace("\r\n", "\n").split("\x1b[H\x1b[J")
    check(len(pages) >= 3 and not before.strip("\n"), "%d pages; before the first one %r" % (len(pages), before))
    for page in pages[:-1]:
        lines = page.split("\n")
        check(page.startswith("nettraced ") and len(lines) <= rows, "a page of %d rows: %r" % (len(lines), page))
        check(all(len(line) <= columns for line in lines), "a page is too wide: %r" % page)
    check(" s in all" in pages[-1] and pages[-1].endswith("\n"), "the last page is not final: %r" % pages[-1])
    check("\x1b" not in "".join(pages), "other escape sequences")


def read_terminal(lab, terminal, tracer, pages):
    """What is written to it until it is closed; ^C comes when that many pages were seen."""
    seen, stopped, deadline = b"", False, time.monotonic() + lab.limit
    while time.monotonic() < deadline:
        if not stopped and seen.count(b"\x1b[H") >= pages:
            tracer.process.send_signal(signal.SIGINT)
            stopped = True
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # EIO: no process has it open any more
            break
    os.close(terminal)
    tracer.process.wait(lab.limit)
    return seen.decode()


@case
def check_says_what_is_possible(lab):
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    status, out, err = lab.run(lab.nettraced, "--check", "--pid", target.pid)
    check(status == 0, "status %d: %s" % (status, err))
    for word in ("fentry", "kprobe", "tracepoint", "%d.%d" % lab.version(), os.uname().release):
        check(word in out, "%r is not in the output of --check" % word)
    lab.end_case()
    lab.forget_truth()

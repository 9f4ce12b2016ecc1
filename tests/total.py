#!/usr/bin/python3
"""total.py LANE...: runs `make SUITE` for the suites of each lane, and sums up what they report.

A lane is names of suites with commas between, which run one after another; lanes run side by side, and a line then begins
with the suite that it is of. A suite prints one or more lines `NAME: N passed, N failed, N skipped`. One that prints none, or
that ends with an error although it reports no failure, counts as a failed test. A last test of our own, `leftovers`, is
that the suites left the machine as they found it. The last line is the sum; the exit status is 0 if nothing failed.
"""

import argparse
import contextlib
import ctypes
import glob
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULT = re.compile(r"[\w.-]+: (\d+) passed, (\d+) failed, (\d+) skipped")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def cache_directory():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/root", ".cache")
    return os.environ.get("NETTRACE_CACHE") or os.path.join(home, "nettrace")


def lines_of(*patterns):
    """Lines of the files that match; a file that is not there or not ours to read has none."""
    found = set()
    for path in (path for pattern in patterns for path in glob.glob(pattern)):
        try:
            with open(path, errors="replace") as file:
                found.update(line.rstrip("\n") for line in file)
        except OSError:
            pass
    return found


def mounts():
    ours = (CHECKOUT, cache_directory())
    points = (line.split()[4] for line in lines_of("/proc/self/mountinfo"))
    return {point for point in points if any(point == path or point.startswith(path + "/") for path in ours)}


# What a suite could leave behind besides processes: a line is a word for it and how to list it.
RESIDUE = {
    "mount": mounts,
    "pinned BPF object": lambda: set(glob.glob("/sys/fs/bpf/*")),
    "probe": lambda: lines_of("/sys/kernel/tracing/[ku]probe_events", "/sys/kernel/debug/tracing/[ku]probe_events"),
    "network namespace": lambda: set(glob.glob("/run/netns/*")),
    "control socket": lambda: set(glob.glob("/run/nettraced*")),
}


def residue():
    return {(kind, item) for kind, list_items in RESIDUE.items() for item in list_items()}


def descendants():
    """Processes below us, as (pid, command line). We are their subreaper, so orphans are among them."""
    parents, names = {}, {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/stat") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            with open(f"{path}/cmdline") as file:
                names[int(path[6:])] = file.read().replace("\0", " ").strip() or name
        except OSError:
            continue
        if state != "Z":
            parents[int(path[6:])] = int(parent)
    below, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return [(pid, names[pid]) for pid in sorted(below - {os.getpid()})]


def end_descendants():
    """Ends what a suite left running; returns what that was, by pid. New ones may appear meanwhile, so look again."""
    left = {}
    for _ in range(20):
        found = descendants()
        if not found:
            break
        left.update(found)
        for pid, _ in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        reap_all()
    return left


def reap_all():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def wait_for(pid, limit):
    """Waits for one child while reaping the orphans that we adopt: a suite may wait for one of them to be gone."""

    def expire(number, frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == pid:
                return os.waitstatus_to_exitcode(status)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def suite_environment():
    """Ours, with make's flags but for its job server, whose pipe the suites' own make does not get."""
    environment = dict(os.environ)
    flags = environment.get("MAKEFLAGS", "")
    environment["MAKEFLAGS"] = re.sub(r"\s*(--jobserver-\S+|-j\d*(?=\s|$))", "", flags)
    return environment


def start_suite(name, results, say):
    """Starts make, and a thread that passes its output on and picks the results from it."""
    make = subprocess.Popen(
        ["make", "--no-print-directory", "-C", CHECKOUT, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=suite_environment(),
    )

    def stream():
        for line in make.stdout:
            say(line.rstrip("\n"))
            match = RESULT.fullmatch(line.rstrip())
            if match:
                results.append([int(number) for number in match.groups()])

    reader = threading.Thread(target=stream, daemon=True)
    reader.start()
    return make, reader


def run_suite(name, limit, say):
    """Runs one suite. Returns its Tally, and the processes that it left, by pid."""
    results, left, trouble, tally = [], {}, None, Tally()
    say(f"==> {name}")
    start = time.monotonic()
    make, reader = start_suite(name, results, say)
    try:
        make.returncode = wait_for(make.pid, limit)
        trouble = f"make ended with status {make.returncode}" if make.returncode else None
        # Who has been told to end may take a moment to do so.
        time.sleep(0.5)
        left = end_descendants()
    except TimeoutError:
        trouble = f"not done after {limit:.0f} seconds"
        end_descendants()
    # Only now: a process that was left may have held the pipe open.
    reader.join(10)
    for numbers in results:
        tally.add(*numbers)
    if not results:
        trouble = trouble or "it reported nothing"
    if trouble and not tally.failed:
        tally.add(0, 1, 0)
        say(f"not ok {name} {trouble}")
    say(f"<== {name}: {time.monotonic() - start:.0f} s")
    return tally, left


class Lane:
    """Runs suites one after another, in a process of its own: whose orphans are whose shows by who adopts them."""

    def __init__(self, suites, width, limit):
        self.suites, self.width, self.limit = suites, width, limit
        self.results, self.to_parent = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self._run)
        self.process.start()
        self.to_parent.close()

    def _run(self):
        """A tally that did not arrive says that the lane came to a bad end."""
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            for suite in self.suites:
                tally, left = run_suite(suite, self.limit, lambda line, suite=suite: self._say(suite, line))
                self.to_parent.send((tally, [(suite, pid, command) for pid, command in left.items()]))
        finally:
            end_descendants()

    def _say(self, suite, line):
        """One write a line, so that those of other lanes do not get into it."""
        label = f"{suite:{self.width}}| " if self.width else ""
        sys.stdout.write(f"{label}{line}\n")
        sys.stdout.flush()

    def collect(self, tally):
        """Waits for the suites, and returns what they left."""
        left = []
        for suite in self.suites:
            try:
                found, of_suite = self.results.recv()
            except EOFError:
                print(f"not ok {suite} its lane ended before it did")
                tally.add(0, 1, 0)
                continue
            tally.add(found.passed, found.failed, found.skipped)
            left += of_suite
        return left

    def close(self):
        self.process.terminate()
        self.process.join()


def report_leftovers(before, left, tally):
    items = [f"process {pid} of {suite}: {command}" for suite, pid, command in left]
    items += [f"{kind} {item}" for kind, item in sorted(residue() - before)]
    tally.add(*((0, 1, 0) if items else (1, 0, 0)))
    print("not ok leftovers" if items else "ok leftovers")
    for item in items:
        print(f"    {item}")


def prctl(option, value):
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0):
        sys.exit(f"total.py: prctl {option} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lanes", nargs="+", metavar="LANE", type=lambda word: word.split(","))
    parser.add_argument("--limit", type=float, default=2400, help="seconds that a suite may take")
    options = parser.parse_args()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    width = max(len(suite) for lane in options.lanes for suite in lane) + 1 if len(options.lanes) > 1 else 0
    tally, left, lanes, before = Tally(), [], [], residue()
    try:
        for suites in options.lanes:
            lanes.append(Lane(suites, width, options.limit))
        for lane in lanes:
            left += lane.collect(tally)
    finally:
        for lane in lanes:
            lane.close()
        end_descendants()
    report_leftovers(before, left, tally)
    print(tally)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Runs the end-to-end cases on stock Debian kernels under QEMU: one guest per kernel, Python and ladder rung.

No hardware virtualisation is needed; guests are emulated, ten to twenty times slower than the machine. They prove
correctness, never cost. fetch-kernel.sh and ../suites/fetch.sh get what guests are made of, image.py packs it.

A job prints lines `ok NAME`, `not ok NAME reason` and `skip NAME reason`; the last line here is their sum.
"""

import argparse
import concurrent.futures
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import image

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))

# A Python is a line here: its version and the suite whose root has it.
SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie", "3.14": "sid", "3.15": "sid"}

# Unless asked for, these run on this rung only, and of the cases only those of the walk of the frames: that is what differs
# between Pythons, and it is the same on all rungs.
ONE_RUNG = {"3.9": "kprobe", "3.13": "kprobe", "3.14": "kprobe", "3.15": "kprobe"}

# One host thread for both processors of a guest: with two, one of them can go on executing code that the kernel has just
# patched, and be stuck there. The plainest processor: what `max` has beside that takes a fifth more time to emulate.
QEMU = (
    "qemu-system-x86_64 -machine q35 -accel tcg,thread=single -cpu qemu64 -smp 2 -m 1024 -nodefaults -no-reboot"
    " -no-user-config -display none -monitor none"
)
# Warnings are shown, because one that a tracer causes is a failure; a panic ends the guest.
KERNEL_PARAMETERS = "console=ttyS0 loglevel=5 panic=-1"
KERNEL_COMPLAINT = re.compile(r"WARNING: CPU|BUG: |Oops|Kernel panic|general protection fault|rcu.*stall")
VERDICT = re.compile(r"(ok|not ok|skip)\s+(\S+)\s*(.*)")


class Unavailable(Exception):
    """What guests are made of could not be had."""


class Guest:
    """One boot's worth of tests: what to boot, and what came of it."""

    def __init__(self, kernel, python, hooks):
        self.kernel, self.python, self.hooks = kernel, python, hooks
        self.name = f"{kernel}-{hooks}-py{python}"
        self.verdicts = []
        self.retries = 0
        self.seconds = 0.0

    def add(self, verdict, name, reason=""):
        self.verdicts.append((verdict, f"{self.name}/{name}", reason))


class Hypervisor:
    """Starts QEMUs and makes sure that none outlives us."""

    def __init__(self, limit):
        self.limit = limit
        self.running = set()
        self.closed = False
        self.lock = threading.Lock()

    def boot(self, kernel, initrd, environment, console, output):
        """Runs a guest to its end. Returns why it had to be ended, or None."""
        append = " ".join([KERNEL_PARAMETERS, *(f"{name}={value}" for name, value in environment.items())])
        command = ["setpriv", "--pdeathsig", "KILL", *shlex.split(QEMU), "-kernel", kernel, "-initrd", initrd]
        command += ["-append", append, "-serial", f"file:{console}", "-serial", f"file:{output}"]
        with self.lock:
            if self.closed:
                return "interrupted"
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self.running.add(process)
        try:
            status = process.wait(self.limit)
            return f"qemu ended with status {status}" if status else None
        except subprocess.TimeoutExpired:
            return f"not done after {self.limit} seconds"
        finally:
            process.kill()
            process.wait()
            with self.lock:
                self.running.discard(process)

    def close(self):
        with self.lock:
            self.closed = True
            for process in self.running:
                process.kill()


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def judge(guest, trouble, console, output):
    """Turns what a guest said into verdicts. Silence and an early end are failures, never passes."""
    lines = output.splitlines()
    for line in lines:
        match = VERDICT.fullmatch(line.rstrip())
        if match:
            guest.add(*match.groups())
    reported = len(guest.verdicts)
    end = next((line.split()[1] for line in lines if re.fullmatch(r"end \d+", line)), None)
    failed = any(verdict == "not ok" for verdict, _, _ in guest.verdicts)
    complaint = KERNEL_COMPLAINT.search(console)
    if complaint:
        line = console[complaint.start() :].splitlines()[0].strip()
        guest.add("not ok", "kernel", f"the kernel complained: {line}")
    if end is None:
        guest.add("not ok", "guest", trouble or "it powered off before the job's end")
    elif end != "0" and not failed:
        guest.add("not ok", "job", f"exit status {end}")
    elif reported == 0:
        guest.add("not ok", "job", "it reported no test")


def run_guest(guest, hypervisor, kernel, initrd, environment, logs):
    console, output = f"{logs}/{guest.name}.console", f"{logs}/{guest.name}.output"
    start = time.monotonic()
    while True:
        for path in (console, output):
            if os.path.exists(path):
                os.unlink(path)
        trouble = hypervisor.boot(kernel, initrd, environment, console, output)
        # Some kernels oops now and then before init under emulation, and that says nothing about us.
        if "begin" in read(output) or guest.retries == 1 or hypervisor.closed:
            break
        guest.retries += 1
    judge(guest, trouble, read(console), read(output))
    guest.seconds = time.monotonic() - start


def fetch(script, names):
    """Runs one of the fetch scripts, whose complaints go to standard error. Returns its paths by name."""
    process = subprocess.run([script, *names], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise Unavailable(f"{os.path.basename(script)} failed with status {process.returncode}")
    return dict(zip(names, process.stdout.split()))


def report(guest, logs):
    for verdict, name, reason in guest.verdicts:
        print(f"{verdict} {name} {reason}".rstrip())
    if any(verdict == "not ok" for verdict, _, _ in guest.verdicts):
        said = [line for line in read(f"{logs}/{guest.name}.output").splitlines() if not VERDICT.fullmatch(line.rstrip())]
        print("\n".join(f"    | {line}" for line in said[-60:]))
        print(f"    see {logs}/{guest.name}.output and .console")
    retried = f", booted again {guest.retries} time" if guest.retries else ""
    print(f"# {guest.name}: {guest.seconds:.0f} s{retried}", flush=True)


def walk_only(python, options):
    """What a Python is chosen for by name is all cases; otherwise, see ONE_RUNG."""
    return not options.python and python in ONE_RUNG


def guest_environment(guest, options):
    return {
        "NETTRACE_HOOKS": guest.hooks,
        "NETTRACE_PYTHON": f"/usr/bin/python{guest.python}",
        "NETTRACE_SCALE": options.scale,
        "NETTRACE_PATIENCE": "3",
        "NETTRACE_CASES": ",".join(options.cases) or ("walk" if walk_only(guest.python, options) else "all"),
        **dict(word.split("=", 1) for word in options.parameters),
    }


def run_all(guests, options, hypervisor):
    kernels = fetch(f"{HERE}/fetch-kernel.sh", sorted({guest.kernel for guest in guests}))
    roots = fetch(f"{CHECKOUT}/tests/suites/fetch.sh", sorted({SUITES[guest.python] for guest in guests}))
    logs = os.path.join(options.build, "vm")
    os.makedirs(logs, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        image.pack_work(CHECKOUT, options.build, options.job, f"{scratch}/work")
        images = {}
        for suite, root in roots.items():
            images[suite] = f"{scratch}/{suite}"
            image.pack_suite(root, f"{scratch}/layer")
            image.chain([f"{scratch}/layer", f"{scratch}/work"], images[suite])
        pending = {}
        try:
            for guest in guests:
                environment = guest_environment(guest, options)
                arguments = (kernels[guest.kernel], images[SUITES[guest.python]], environment, logs)
                pending[pool.submit(run_guest, guest, hypervisor, *arguments)] = guest
            for future in concurrent.futures.as_completed(pending):
                future.result()
                report(pending[future], logs)
        finally:
            hypervisor.close()


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", nargs="+", default=["6.1"], help="see the table in fetch-kernel.sh")
    parser.add_argument("--python", nargs="+", choices=SUITES, help="default: all, on some rungs")
    parser.add_argument("--hooks", nargs="+", default=["fentry", "kprobe"])
    parser.add_argument("--job", default=f"{HERE}/job.sh", help="script to run in the guest")
    parser.add_argument("--cases", nargs="+", default=[], metavar="NAME", help="handed to the job as NETTRACE_CASES")
    parser.add_argument("--scale", default="0.05", help="handed to the job as NETTRACE_SCALE")
    parser.add_argument("--parameters", nargs="+", default=[], metavar="NAME=VALUE", help="more of them for the kernel")
    parser.add_argument("--build", default=f"{CHECKOUT}/build", help="has nettraced.static; gets the guests' logs")
    parser.add_argument("--jobs", type=int, default=2, help="guests at a time")
    parser.add_argument("--limit", type=float, default=1200, help="seconds that a guest may take")
    return parser.parse_args()


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    # Those that take longest begin: the rung that takes longest to attach, and all cases.
    choices = itertools.product(options.hooks, options.kernel, options.python or SUITES)
    guests = [
        Guest(kernel, python, hooks)
        for hooks, kernel, python in choices
        if options.python or ONE_RUNG.get(python, hooks) == hooks
    ]
    guests.sort(key=lambda guest: walk_only(guest.python, options))
    hypervisor = Hypervisor(options.limit)
    try:
        run_all(guests, options, hypervisor)
    except Unavailable as error:
        for guest in guests:
            guest.add("skip", "guest", str(error))
            report(guest, "")
    finally:
        hypervisor.close()
    count = {kind: sum(v == kind for g in guests for v, _, _ in g.verdicts) for kind in ("ok", "not ok", "skip")}
    print(f"vm: {count['ok']} passed, {count['not ok']} failed, {count['skip']} skipped")
    return 1 if count["not ok"] else 0


if __name__ == "__main__":
    sys.exit(main())

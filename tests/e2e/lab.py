"""The lab: starts backends, targets and nettraced for one test case, and ends what it started, whatever happens.

Used by pytest (conftest.py) and by runner.py, which needs no pytest. Python 3.9's standard library only. What can be
set from outside:
    NETTRACED, NETTRACE   the programs (default: build/ of this tree)
    NETTRACE_PYTHON       the targets' interpreter, as a command: "/usr/bin/python3.9", "chroot /roots/x python3"
    NETTRACE_ROOT         directory that the targets see as / (with a chroot command); default /
    NETTRACE_HOOKS        what --hooks gets (default auto)
    NETTRACE_SEED         repeats the loads of an earlier session
    NETTRACE_SCALE        factor on the size of loads (0.05 in an emulated machine; default 1)
    NETTRACE_PATIENCE     factor on time limits (default 1)
    NETTRACE_DURATION     factor on how long loads go on that go on for a time (default 1)
    NETTRACE_BACKENDS     "own": the small servers of apps/backends.py in any case
"""

import contextlib
import ctypes
import getpass
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import truth

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
APPS = os.path.join(TESTS, "apps")
PROGRAMS = {"redis": "redis-server", "memcache": "memcached"}


# What is there may be compiled for another Python: only importing tells.
FACTS = """
import importlib, json, os, sys, sysconfig
modules = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    modules.append(name)
print(json.dumps({"version": sys.version_info[:3], "dtrace": bool(sysconfig.get_config_var("WITH_DTRACE")),
                  "splice": hasattr(os, "splice"), "modules": modules}))
"""


class Failure(Exception):
    """The case found something wrong."""


class Skip(Exception):
    """The case cannot run here."""


class Absent(Exception):
    """There is no such case with this interpreter, on any machine: what it tests does not exist there."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_none(problems):
    if problems:
        more = " (and %d more)" % (len(problems) - 12) if len(problems) > 12 else ""
        raise Failure("; ".join(problem[:300] for problem in problems[:12]) + more)


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1 and len(text) > 10


_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    """Runs in the child: where the tests are killed and can clean up nothing, the kernel does."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process of ours, in a process group of its own, with pipes; ended at the latest by close()."""

    def __init__(self, command, limit, **options):
        self.limit = limit
        self.buffers = {}
        options.setdefault("stdin", subprocess.PIPE)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        self.process = subprocess.Popen(command, start_new_session=True, preexec_fn=_die_with_parent, **options)
        self.pid = self.process.pid

    def expect(self, pattern, stream="stdout"):
        """Reads lines until one matches, and returns the match."""
        deadline = time.monotonic() + self.limit
        others = []
        while True:
            line = self._line(stream, deadline)
            if line is None:
                said = " | ".join(others[-6:] + [self.last_words()])
                raise Failure("%s ended before it said %r: %s" % (self.name(), pattern, said))
            others.append(line)
            match = re.search(pattern, line)
            if match:
                return match

    def _line(self, stream, deadline):
        pipe = getattr(self.process, stream)
        seen = self.buffers.setdefault(stream, b"")
        while b"\n" not in seen:
            if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise Failure("%s said nothing more in time; it had said %r" % (self.name(), seen[-500:]))
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                return None
            seen += piece
        line, _, self.buffers[stream] = seen.partition(b"\n")
        return line.decode("utf-8", "replace")

    def say(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def name(self):
        return os.path.basename(str(self.process.args[0]))

    def last_words(self):
        """Its exit status and what is left on standard error, in one line."""
        if self.process.stderr is None:
            return ""
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            status = self.process.wait(self.limit / 10)
            words = self.process.stderr.read().decode("utf-8", "replace").split("\n")[-6:]
            return "status %d, %s" % (status, " | ".join(words))
        return ""

    def wait(self):
        """Exit status and what it had still to say on standard output and standard error."""
        try:
            out, err = self.process.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end in time" % self.name()) from None
        rest = {name: self.buffers.get(name, b"") for name in ("stdout", "stderr")}
        decoded = [(rest[name] + (data or b"")).decode("utf-8", "replace") for name, data in
                   (("stdout", out), ("stderr", err))]
        return self.process.returncode, decoded[0], decoded[1]

    def close(self):
        """Ends the process and its group: end of input, SIGTERM, SIGKILL, each after a while."""
        process = self.process
        with contextlib.suppress(OSError, ValueError):
            if process.stdin:
                process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # children that outlived it
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


class Tracer(Child):
    """A running nettraced. Its standard output is a file: a pipe that nobody reads would fill and hold it up."""

    def __init__(self, command, limit, hooks="auto", **options):
        self.out = tempfile.TemporaryFile()
        self.hooks = hooks
        self.lost = {}
        super().__init__(command, limit, stdout=self.out, **options)

    def wait(self):
        status, _, err = super().wait()
        self.out.seek(0)
        return status, self.out.read().decode(), err

    def close(self):
        super().close()
        self.out.close()

    def attached(self):
        self.expect(r"^nettraced: attached", "stderr")
        return self

    def finish(self, number=signal.SIGINT):
        """Stops it and returns its summaries."""
        if number:
            self.process.send_signal(number)
        status, out, err = self.wait()
        check(status == 0, "nettraced ended with %d: %s" % (status, err.strip()))
        lines = summaries(out)
        self.lost = lines[-1]["lost"]
        used = lines[-1]["kernel"]["hooks"]
        check(self.hooks in ("auto", used), "it used %s hooks, not %s" % (used, self.hooks))
        return lines


def await_summaries(lab, tracer, enough):
    """Waits until what a tracer has printed so far is enough(lines). It has to print often (-i)."""
    deadline = time.monotonic() + lab.limit
    while True:
        lines = [json.loads(line) for line in os.pread(tracer.out.fileno(), 1 << 26, 0).decode().split("\n")[:-1]]
        if lines and enough(lines):
            return
        check(tracer.process.poll() is None, "nettraced ended: " + tracer.last_words())
        check(time.monotonic() < deadline, "what it prints never becomes what it has to")
        time.sleep(0.05)


def summaries(text):
    lines = [json.loads(line) for line in text.splitlines()]
    check(lines, "nettraced printed no summary")
    check(lines[-1]["final"] is True, "the last summary is not final")
    check(not any(line["final"] for line in lines[:-1]), "a summary before the last one is final")
    return lines


class Lab:
    def __init__(self):
        build = os.path.join(os.path.dirname(TESTS), "build")
        self.nettraced = os.environ.get("NETTRACED", os.path.join(build, "nettraced"))
        self.nettrace = os.environ.get("NETTRACE", os.path.join(build, "nettrace"))
        self.python = shlex.split(os.environ.get("NETTRACE_PYTHON", "/usr/bin/python3"))
        self.root = os.environ.get("NETTRACE_ROOT", "/")
        self.hooks = os.environ.get("NETTRACE_HOOKS", "auto")
        self.seed = int(os.environ.get("NETTRACE_SEED", random.SystemRandom().randrange(10**9)))
        self.scale = float(os.environ.get("NETTRACE_SCALE", 1))
        self.limit = 60 * float(os.environ.get("NETTRACE_PATIENCE", 1))
        self.duration = float(os.environ.get("NETTRACE_DURATION", 1))
        self.own_backends = os.environ.get("NETTRACE_BACKENDS") == "own"
        self.facts = None
        self.session = contextlib.ExitStack()
        self.case = contextlib.ExitStack()
        self.tracers = []
        self.addresses = {}
        self.directory = None

    def __enter__(self):
        os.makedirs(os.path.join(self.root, "tmp"), exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="nettrace-test-", dir=os.path.join(self.root, "tmp"))
        self.session.callback(shutil.rmtree, self.directory, ignore_errors=True)
        os.chmod(self.directory, 0o755)
        for name in os.listdir(APPS):
            if name.endswith(".py"):
                shutil.copy(os.path.join(APPS, name), self.directory)
        shutil.copy(os.path.join(TESTS, "witness.py"), self.directory)
        return self

    def __exit__(self, *_):
        self.end_case()
        self.session.close()

    def end_case(self):
        self.case.close()
        self.case = contextlib.ExitStack()
        self.tracers = []

    def events_lost(self):
        """What the case's tracers counted of events that the kernel or the ring had no room for."""
        found = [(name, tracer.lost.get(name)) for tracer in self.tracers for name in ("probes", "records")]
        return ["lost.%s is %d" % one for one in found if one[1]]

    def number(self, size, least=1):
        """The size of a load, scaled."""
        return max(least, int(size * self.scale))

    def seconds(self, time_long):
        """How long a load goes on, scaled."""
        return max(1, time_long * self.scale * self.duration)

    def seen_by_target(self, path):
        """A path below the root directory as the target names it."""
        return path if self.root == "/" else "/" + os.path.relpath(path, self.root)

    def path(self, name):
        return os.path.join(self.directory, name)

    def interpreter(self):
        """Facts about the targets' interpreter: version, probes, modules that are there."""
        if self.facts is None:
            names = ("flask", "gunicorn", "redis", "pymemcache", "requests", "uvloop",
                     "fastapi", "uvicorn", "httpx", "aiohttp")
            self.facts = json.loads(subprocess.check_output(self.python + ["-c", FACTS, *names], timeout=self.limit))
        return self.facts

    def version(self):
        return tuple(self.interpreter()["version"][:2])

    def qualified(self):
        return self.version() >= (3, 11)

    def need_modules(self, *names):
        missing = [name for name in names if name not in self.interpreter()["modules"]]
        if missing:
            raise Skip("the target's Python has no " + ", ".join(missing))

    def start(self, command, kind=Child, stack=None, **options):
        child = kind(command, self.limit, **options)
        (stack or self.case).callback(child.close)
        if isinstance(child, Tracer):
            self.tracers.append(child)
        return child

    def backend(self, kind):
        """The address of a backend, which lives until the session ends: redis, memcache, http, raw or raw6."""
        if kind not in self.addresses:
            program = shutil.which(PROGRAMS.get(kind, ""))
            if program and not self.own_backends:
                self.addresses[kind] = self._real_backend(kind, program)
            else:
                self.addresses[kind] = self._own_backend(kind)
        return self.addresses[kind]

    def _own_backend(self, kind):
        host = "::1" if kind.endswith("6") else "127.0.0.1"
        command = [sys.executable, os.path.join(APPS, "backends.py"), kind.rstrip("6"), "--host", host]
        server = self.start(command, stack=self.session, stderr=subprocess.DEVNULL)
        return [host, int(server.expect(r"^port (\d+)").group(1))]

    def _real_backend(self, kind, program):
        port = free_port()
        if kind == "redis":
            command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
                       "--dir", self.directory]
        else:
            # Another user than ours would lose _die_with_parent()'s promise.
            command = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", getpass.getuser()]
        self.start(command, stack=self.session, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        self.wait_for_port(port)
        return ["127.0.0.1", port]

    def wait_for_port(self, port):
        deadline = time.monotonic() + self.limit
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            if time.monotonic() > deadline:
                raise Failure("nobody listens on port %d" % port)
            time.sleep(0.02)

    def target(self, script, options, backends=(), witness=True, inside=(), python=None):
        """
        Starts a script of apps/, normally under the witness, and waits until it is ready to be traced. `inside` is a
        command that enters a container, `python` another one than self.python.
        """
        options = dict(options)
        options.setdefault("seed", self.seed)
        for kind in backends:
            options[kind] = self.backend(kind)
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if witness:
            environment["WITNESS"] = self.seen_by_target(self.path("seen"))
        command = [*inside, *(python or self.python), self.seen_by_target(self.path(script + ".py"))]
        target = self.start(command + [json.dumps(options)], env=environment)
        target.expect("^ready$")
        return target

    def trace(self, pid, *options, json_format=True):
        """Starts nettraced on a process and waits until it is attached."""
        return self.launch("--pid", pid, *options, json_format=json_format).attached()

    def launch(self, *options, json_format=True):
        command = [self.nettraced, "--hooks", self.hooks] + [str(option) for option in options]
        if json_format:
            command += ["--json"]
        return self.start(command, kind=Tracer, stdin=subprocess.DEVNULL, hooks=self.hooks)

    def run(self, *command, **options):
        """Runs a command to its end: status, standard output, standard error."""
        child = self.start([str(word) for word in command], stdin=subprocess.DEVNULL, **options)
        return child.wait()

    def truth(self, since=0):
        """What the witnesses of this case wrote, summed up; the files are removed for the next case."""
        prefix = self.path("seen")
        try:
            return truth.summarise(truth.read(prefix, since))
        finally:
            self.forget_truth()

    def forget_truth(self):
        for name in os.listdir(self.directory):
            if re.match(r"seen\.\d+", name):
                os.unlink(self.path(name))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    """Process ids of all descendants that exist now."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open("/proc/%s/stat" % name) as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found

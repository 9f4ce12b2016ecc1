"""Containers for the cases: real namespaces by unshare(1) and nsenter(1), which end with the process that holds them."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

from lab import APPS, Tracer, descendants

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

# What a container runtime makes anew for each container or pod, and by which option, also of busybox.
KINDS = ("pid", "mount", "net", "ipc", "uts")
OPTIONS = {"pid": "-p", "mount": "-m", "net": "-n", "ipc": "-i", "uts": "-u", "user": "-U", "cgroup": "-C"}


class Container:
    """Namespaces of their own with a loopback interface that is up. `outer`: the container that it is made in."""

    def __init__(self, lab, *kinds, outer=None):
        self.lab, self.kinds, self.addresses = lab, kinds or KINDS, {}
        command = ["unshare"] + [OPTIONS[kind] for kind in self.kinds]
        if "user" in self.kinds:
            command.append("-r")
        if "pid" in self.kinds:
            command += ["-f", "--mount-proc"]
        holder = [sys.executable, "-B", os.path.join(APPS, "holder.py")]
        self.outer = outer
        child = lab.start((outer.inside() if outer else []) + command + holder)
        child.expect("^ready$")
        self.holder = program(child.pid)

    def inside(self):
        """Command that runs another one in it."""
        command = ["nsenter", "-t", str(self.holder)] + [OPTIONS[kind] for kind in self.kinds]
        return command + ["--preserve-credentials"] if "user" in self.kinds else command

    def backend(self, kind):
        """The address of one of our own backends, which runs in it."""
        if kind not in self.addresses:
            command = self.inside() + [sys.executable, os.path.join(APPS, "backends.py"), kind]
            server = self.lab.start(command)
            self.addresses[kind] = ["127.0.0.1", int(server.expect(r"^port (\d+)").group(1))]
        return self.addresses[kind]

    @contextlib.contextmanager
    def network(self):
        """The calling thread is on the container's network meanwhile, if that has one of its own."""
        with open("/proc/thread-self/ns/net") as own, open("/proc/%d/ns/net" % self.holder) as other:
            _enter(other)
            try:
                yield
            finally:
                _enter(own)

    def target(self, script, options, backends=(), python=None, witness=True):
        """Starts a script of apps/ in it; see Lab.target()."""
        options = dict(options, **{kind: self.backend(kind) for kind in backends})
        return self.lab.target(script, options, witness=witness, inside=self.inside(), python=python)

    def pid(self, child):
        """The process id of a program that was started in it, as it is in it."""
        return numbers(program(child.pid))[len(numbers(self.holder)) - 1]

    def ids(self):
        """The ids in it of all processes that can be seen there."""
        return {int(name) for name in subprocess.check_output([*self.inside(), "ls", "/proc"], text=True).split()
                if name.isdigit()}


def _enter(network):
    if _libc.setns(network.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns failed")


def program(pid):
    """The process that runs what unshare or nsenter was told to: with a pid namespace it is their child."""
    while True:
        with open("/proc/%d/comm" % pid) as comm:
            if comm.read().strip() not in ("unshare", "nsenter"):
                return pid
        pid = descendants(pid)[0]


def numbers(pid):
    """A process's ids, from that in our pid namespace to that in its own."""
    with open("/proc/%d/status" % pid) as status:
        return next([int(word) for word in line.split()[1:]] for line in status if line.startswith("NSpid:"))


class Sidecar:
    """nettraced in a container, started and stopped from outside."""

    def __init__(self, lab, container, *options, given=()):
        """`given`: a command that takes privileges away from the one behind it."""
        command = container.inside() + [*given, lab.nettraced, "--hooks", lab.hooks, "--json"] + [str(word) for word in options]
        self.tracer = lab.start(command, kind=Tracer, stdin=subprocess.DEVNULL, hooks=lab.hooks).attached()

    def finish(self):
        os.kill(program(self.tracer.pid), signal.SIGINT)  # nsenter passes none on
        return self.tracer.finish(None)

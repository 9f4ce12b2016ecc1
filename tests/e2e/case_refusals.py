"""Cases of what nettraced cannot or should not do: one line on standard error, nothing on standard output."""

import os
import shutil
import subprocess

from lab import APPS, Skip, check, one_line
from registry import case


def expect_refusal(lab, command, statuses, *words):
    """One line on standard error that has the words, nothing on standard output."""
    status, out, err = lab.run(*command)
    label = " ".join(str(word) for word in command[:6])
    check(status in statuses, "%s: status %d, %r" % (label, status, err))
    check(out == "", "%s: on standard output %r" % (label, out[:100]))
    check(one_line(err), "%s: not one line: %r" % (label, err))
    for word in words:
        check(word.lower() in err.lower(), "%s: no %r in %r" % (label, word, err))


def dead_pid(lab):
    status, out, _ = lab.run("/bin/sh", "-c", "echo $$")
    check(status == 0, "the shell failed")
    return int(out)


@case
def no_such_process(lab):
    expect_refusal(lab, [lab.nettraced, "--pid", dead_pid(lab)], (1,), "process")
    expect_refusal(lab, [lab.nettraced, "--pid", 2**22 + 1], (1, 2))


@case
def not_a_python(lab):
    sleeper = lab.start(["/bin/sleep", "600"], stdin=subprocess.DEVNULL)
    expect_refusal(lab, [lab.nettraced, "--pid", sleeper.pid, "-d", 1], (1,), "python")


@case
def nonsense_options(lab):
    for words in (
        ["--nonsense"],
        ["--pid"],
        ["--pid", "abc"],
        ["--pid", "12x"],
        ["--pid", "-5"],
        ["--pid", "0"],
        ["--pid", "99999999999999999999"],
        [],
        ["--pid", str(os.getpid()), "-d", "soon"],
        ["--pid", str(os.getpid()), "-d", "-1"],
        ["--pid", str(os.getpid()), "-d", "nan"],
        ["--pid", str(os.getpid()), "-i", "x"],
        ["--pid", str(os.getpid()), "-f", "xml"],
        ["--pid", str(os.getpid()), "--hooks", "magic"],
        ["--pid", str(os.getpid()), "--python", "guess"],
        ["--pid", str(os.getpid()), "stray"],
    ):
        expect_refusal(lab, [lab.nettraced] + words, (2,))


@case
def unwritable_output(lab):
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    for option in ("-o", "--record"):
        command = [lab.nettraced, "--pid", target.pid, "-d", 1, option, "/nonexistent/directory/file"]
        expect_refusal(lab, command, (1,), "/nonexistent/directory/file")
    lab.end_case()
    lab.forget_truth()


@case
def full_disk(lab):
    """A summary that cannot be written whole is a failure and not silence."""
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    tracer = lab.launch("--pid", target.pid, "-d", 1, "-o", "/dev/full")
    status, out, err = tracer.wait()
    check(status == 1 and out == "", "status %d, output %r" % (status, out))
    check("/dev/full" in err or "space" in err.lower(), "standard error %r" % err)
    lab.end_case()
    lab.forget_truth()


@case
def without_privileges(lab):
    if os.getuid():
        raise Skip("needs root to give it up")
    target = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab.nettraced, "--pid", target.pid]
    expect_refusal(lab, command, (1,))
    lab.end_case()
    lab.forget_truth()


@case
def unsupported_python(lab):
    """A Python that is too old, or newer than we know, is named, and so are those that are supported."""
    compiler = shutil.which("cc")
    if not compiler:
        raise Skip("no C compiler to make a Python of another version with")
    for major, minor in ((3, 7), (3, 99)):
        program = lab.path("python%d.%d" % (major, minor))
        version = "-DVERSION=0x%02x%02x00f0" % (major, minor)
        command = [compiler, "-rdynamic", version, "-o", program, os.path.join(APPS, "other_python.c")]
        status, _, err = lab.run(*command)
        check(status == 0, "it does not compile: " + err)
        target = lab.start([program])
        target.expect("^ready$")
        words = ("Python %d.%d" % (major, minor), "3.9", "3.11", "3.13")
        expect_refusal(lab, [lab.nettraced, "--pid", target.pid, "-d", 1], (1,), *words)
        os.unlink(program)

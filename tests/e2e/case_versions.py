"""Cases of interpreters that cannot be read: refused by name, or traced without Python if the user insists."""

from case_refusals import expect_refusal
from compare import lost
from lab import Absent, check, check_none
from loads import LOADS, options_of, quit_target
from registry import case


def other_kind(lab, kind):
    """A copy of the target's interpreter that says that it is another one."""
    copy = lab.seen_by_target(lab.path("python-" + kind))
    words = [*lab.python, lab.seen_by_target(lab.path("other_kind.py")), copy, kind]
    status, said, complaints = lab.run(*words)
    check(status == 0, said + complaints)
    return lab.python[:-1] + [copy]


def check_sockets_alone(summary, truth):
    """Every call is counted, and none is anybody's."""
    totals = {name: sum(backend.numbers[name] for endpoint in truth.values() for backend in endpoint.backends.values())
              for name in ("calls", "bytes_out", "bytes_in", "errors")}
    found = {name: sum(backend[name] for backend in summary["unattributed"]["backends"]) for name in totals}
    check(totals["calls"] > 50, "the witness saw %d calls" % totals["calls"])
    check(found == totals, "%s, truly %s" % (found, totals))
    check(not summary["endpoints"], "it found endpoints: %s" % summary["endpoints"][:1])
    check(summary["unattributed"]["reasons"] == {"interpreter_unsupported": totals["calls"]},
          "reasons %s" % summary["unattributed"]["reasons"])
    check_none(lost(summary))


def refused_and_insisted(lab, kind, *words):
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends, python=other_kind(lab, kind))
    expect_refusal(lab, [lab.nettraced, "--pid", target.pid, "-d", 1], (1,), "--python none", *words)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "none")
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    check_sockets_alone(summary, lab.truth())
    return summary["targets"][0]


@case
def unknown_version(lab):
    if lab.version() < (3, 11):
        raise Absent("before 3.11 a version is no number in the interpreter's file")
    described = refused_and_insisted(lab, "unknown", "Python 3.99", "3.8", "3.15")
    check(described["python"].startswith("3.99.") and described["attribution"] == "none", "it is %s" % described)


@case
def free_threaded_version(lab):
    if lab.version() < (3, 13):
        raise Absent("free-threaded builds came with 3.13")
    described = refused_and_insisted(lab, "free-threaded", "free-threaded", "%d.%d" % lab.version())
    check(described["attribution"] == "none", "it is %s" % described)


@case
def without_python(lab):
    """The user may want no Python to be read where it could be."""
    load = LOADS["threads"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "none")
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    check_sockets_alone(summary, lab.truth())

"""Cases of targets and nettraced in containers: namespaces, overlay file systems, files that are gone."""

from compare import compare
from container import KINDS, Container, Sidecar, program
from lab import check, check_none
from loads import LOADS, options_of, patterns, quit_target
from registry import case


def begin(lab, container, name, python=None):
    """Starts a load of the table in a container; its backends are in there, too."""
    load = LOADS[name]
    return load, container.target(load.script, options_of(lab, load), load.backends, python)


def hold_against_truth(lab, summary, load, target):
    quit_target(target)
    truth = lab.truth()
    check(any(truth[name].runs for name in truth), "the witness saw no run: the case tests nothing")
    check_none(compare(summary, truth, lab.qualified(), exact_runs=load.exact_runs))


def from_host(lab, container, name, python=None):
    """Traces a load in a container from outside."""
    load, target = begin(lab, container, name, python)
    tracer = lab.trace(program(target.pid), "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    hold_against_truth(lab, tracer.finish()[-1], load, target)


def from_sidecar(lab, pod, container, name, python=None):
    """Traces a load in a container from `pod`, whose processes see it."""
    load, target = begin(lab, container, name, python)
    pid = pod.pid(target)
    tracer = Sidecar(lab, pod, "--pid", pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    check(summary["targets"][0]["pid"] == pid, "it names pid %s, not %d" % (summary["targets"][0]["pid"], pid))
    hold_against_truth(lab, summary, load, target)


@case
def container_from_host(lab):
    from_host(lab, Container(lab, *KINDS, "user"), "plain_script")


@case
def sidecar(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "plain_script")


@case
def sidecar_and_deeper_container(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "plain_script")


@case
def sidecar_and_forks(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "forked_after_attach")


@case
def sidecar_and_prefork(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "forked_before_attach")


@case
def sidecar_and_programs(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "programs_started_after_attach")

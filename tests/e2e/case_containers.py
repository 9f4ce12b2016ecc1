"""Cases of targets and nettraced in containers: namespaces, other roots, overlay file systems, files that are gone."""

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys

from case_async import SHAPES, need_loop
from case_refusals import expect_refusal
from case_servers import Server, check_requests, serve_shop
from compare import compare
from container import KINDS, Container, Sidecar, program
from lab import APPS, TESTS, Skip, Tracer, check, check_none, one_line, summaries
from loads import LOADS, Load, check_wall_source, options_of, patterns, quit_target
from registry import case

SUITES = os.path.join(TESTS, "suites")


def once(function):
    """A case that chooses its interpreter itself, or shows the same with each: not for tests/suites to repeat."""
    return function if "enter.sh" in os.environ.get("NETTRACE_PYTHON", "") else case(function)


def begin(lab, container, name, python=None):
    """Starts a load of the tables in a container; its backends are in there, too."""
    load = LOADS[name] if name in LOADS else event_loop(lab, *name.split("_", 1))
    return load, container.target(load.script, options_of(lab, load), load.backends, python)


def event_loop(lab, loop, shape):
    """A load of case_async.py's table."""
    need_loop(lab, loop)
    load = SHAPES[shape]
    return Load(load.script, load.scenario, load.backends, load.endpoints, **dict(load.options, loop=loop))


def hold_against_truth(lab, summary, load, target, every_run=False):
    quit_target(target)
    truth = lab.truth()
    check(any(truth[name].runs for name in truth), "the witness saw no run: the case tests nothing")
    check_none(compare(summary, truth, lab.qualified(), every_run=every_run, exact_runs=load.exact_runs))


def from_host(lab, container, name, python=None, mode="stack", meanwhile=None):
    """Traces a load in a container from outside. meanwhile(pid) happens between the target's start and ours."""
    load, target = begin(lab, container, name, python)
    if meanwhile:
        meanwhile(program(target.pid))
    tracer = lab.trace(program(target.pid), "-i", 0, "--python", mode, *patterns(*load.endpoints))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    hold_against_truth(lab, summary, load, target, every_run=mode == "usdt")
    if mode == "usdt":
        check_wall_source(summary, "usdt")


def from_sidecar(lab, pod, container, name, python=None, given=()):
    """Traces a load in a container from `pod`, whose processes see it."""
    load, target = begin(lab, container, name, python)
    pid = pod.pid(target)
    tracer = Sidecar(lab, pod, "--pid", pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints),
                     given=given)
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    check(summary["targets"][0]["pid"] == pid, "it names pid %s, not %d" % (summary["targets"][0]["pid"], pid))
    hold_against_truth(lab, summary, load, target)


@case
def container_from_host(lab):
    from_host(lab, Container(lab, *KINDS, "user"), "plain_script")


@once
def container_with_event_loop(lab):
    """The C functions that tell of tasks and executors are found in the container's own files."""
    with with_python(lab, suite_python(lab, "trixie")):
        from_host(lab, Container(lab), "asyncio_executors")


@once
def sidecar_and_event_loop(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "asyncio_executors")


@once
def sidecar(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "plain_script")


@case
def sidecar_and_deeper_container(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "threads")


@once
def sidecar_and_forks(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "forked_after_attach")


@once
def sidecar_and_prefork(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "forked_before_attach")


@once
def sidecar_and_programs(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "programs_started_after_attach")


@once
def sidecar_and_its_double(lab):
    """Two pods whose processes have the same ids, each with its load: the sidecar of one sees nothing of the other."""
    pods = Container(lab), Container(lab)
    load, target = begin(lab, pods[0], "threads")
    double = pods[1].target(load.script, options_of(lab, load), load.backends, witness=False)
    pid = pods[0].pid(target)
    check(pods[1].pid(double) == pid, "the pods' targets have other ids: the case tests nothing")
    tracer = Sidecar(lab, pods[0], "--pid", pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    for one in (double, target):
        one.say("go")
    for one in (double, target):
        one.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(double)
    hold_against_truth(lab, summary, load, target)


@once
def sidecar_of_all(lab):
    """--all is all of the pod, and nothing of the machine, on which at least this program is a Python."""
    pod = Container(lab)
    load, target = begin(lab, pod, "forked_before_attach")
    tracer = Sidecar(lab, pod, "--all", "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    ids = pod.ids()
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    found = [row["pid"] for row in summary["targets"]]
    check(pod.pid(target) in found, "the target is not among %s" % found)
    check(set(found) <= ids, "%s are not all among the pod's %s" % (found, sorted(ids)))
    hold_against_truth(lab, summary, load, target)


@once
def sidecar_with_own_root(lab):
    """As from an image of its own: another root, none of our libraries in it."""
    static = lab.nettraced + ".static"
    if not os.path.exists(static):
        raise Skip("no statically linked nettraced: make tools")
    enter, root, _ = suite_python(lab, "trixie")
    mounts = 'mount --rbind /sys "$1/sys"; exec "$2" "$1" "$3" "${@:5}"'
    given = ["unshare", "--mount", "--propagation", "private", "bash", "-ec", mounts, "bash", root, enter, static]
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "plain_script", given=given)


def serve(lab, container, trace):
    """gunicorn with two workers, its clients and its backend in a container. trace(server) starts nettraced."""
    address = container.backend("redis")
    server = Server(lab, "wsgi_plain:application", environment={"SHOP_REDIS_PORT": str(address[1])},
                    container=container)
    tracer = trace(server)
    draw = random.Random(lab.seed)
    server.load(["/?" + "k" * draw.randrange(20) for _ in range(lab.number(100))])
    summary = tracer.finish()[-1]
    server.stop()
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_requests(summary, server)


@once
def container_with_server_from_host(lab):
    serve(lab, Container(lab), lambda server: lab.trace(server.pid, "-i", 0, "--python", "stack"))


@once
def sidecar_and_server(lab):
    pod = Container(lab)
    serve(lab, pod, lambda server: Sidecar(lab, pod, "--pid", pod.pid(server.child), "-i", 0, "--python", "stack"))


def suite_python(lab, suite):
    """The Python of another suite of Debian, in its own root, as a command."""
    try:
        root = subprocess.check_output([os.path.join(SUITES, "fetch.sh"), suite], timeout=lab.limit * 10)
    except (OSError, subprocess.SubprocessError) as problem:
        raise Skip("the root of %s could not be made: %s" % (suite, problem)) from None
    return [os.path.join(SUITES, "enter.sh"), root.decode().strip(), "/usr/bin/python3"]


@contextlib.contextmanager
def with_python(lab, command):
    """The lab's targets run another interpreter meanwhile."""
    python, facts = lab.python, lab.facts
    lab.python, lab.facts = command, None
    try:
        yield
    finally:
        lab.python, lab.facts = python, facts


@once
def container_with_another_root(lab):
    """The target's root has another Python than the machine's, at the same path, and tracing is done from the host."""
    with with_python(lab, suite_python(lab, "trixie")):
        from_host(lab, Container(lab), "plain_script")


@once
def sidecar_and_another_root(lab):
    pod = Container(lab)
    with with_python(lab, suite_python(lab, "trixie")):
        from_sidecar(lab, pod, Container(lab, outer=pod), "plain_script")


@once
def container_with_shop_of_another_root(lab):
    """Modules of packages, and the libraries' dispatchers, are named by the files that the target sees."""
    with with_python(lab, suite_python(lab, "trixie")):
        serve_shop(lab, container=Container(lab, "pid", "mount", "ipc", "uts"))


def root_of(lab):
    """The directory that the lab's interpreter sees as /."""
    return lab.python[1] if lab.python[0].endswith("enter.sh") else "/"


def layers_of(lab):
    """New directories for an overlay: what is written, the kernel's own, and where it is to be mounted."""
    layers = [lab.path("overlay-" + name) for name in ("upper", "work", "merged")]
    for layer in layers:
        shutil.rmtree(layer, ignore_errors=True)
        os.mkdir(layer)
    return layers


OVERLAY = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$1"; eval "$4"; shift 4; exec "$@"'


def on_overlay(lab, then=""):
    """
    The lab's interpreter, as a command, with an overlay over the /usr that it sees. `then`: what a shell does before, to
    files of the overlay. The mount is in a namespace of its own.
    """
    usr = os.path.join(root_of(lab), "usr")
    layers = layers_of(lab)[:2]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", OVERLAY, "sh", usr, *layers, then,
            *lab.python]


PIVOT = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
mount -t proc proc "$4/proc"
mount --rbind /dev "$4/dev"
mount --bind /tmp "$4/tmp"
cd "$4"
pivot_root . .
shift 4
exec "$1" -c "$DETACH" "$@"
"""
# The old root, which lies on the new one; an image has no umount(8). MNT_DETACH is 2.
DETACH = """import ctypes, os, sys
assert ctypes.CDLL(None).umount2(b'.', 2) == 0
os.chdir('/')
os.execv(sys.argv[1], sys.argv[1:])
"""


def image_python(lab, suite):
    """The Python of a suite as from an image: the root is an overlay, and nothing of the machine's is above it."""
    root = suite_python(lab, suite)[1]
    return ["unshare", "--mount", "--propagation", "private", "env", "DETACH=" + DETACH, "sh", "-ec", PIVOT, "sh",
            root, *layers_of(lab), "/usr/bin/python3"]


@once
def container_of_an_image(lab):
    with with_python(lab, image_python(lab, "trixie")):
        from_host(lab, Container(lab), "plain_script")


@once
def sidecar_and_an_image(lab):
    pod = Container(lab)
    with with_python(lab, image_python(lab, "trixie")):
        from_sidecar(lab, pod, Container(lab, outer=pod), "asyncio_executors")


@once
def usdt_in_an_image(lab):
    with with_python(lab, image_python(lab, "bullseye")):
        from_host(lab, Container(lab), "forked_before_attach", mode="usdt")


def interpreter_file(lab):
    """The interpreter's file as the machine sees it."""
    command = lab.python + ["-c", "import os, sys; print(os.path.realpath(sys.executable))"]
    return root_of(lab) + subprocess.check_output(command, timeout=lab.limit).decode().strip()


@once
def interpreter_in_lower_layer(lab):
    from_host(lab, Container(lab), "plain_script", on_overlay(lab))


@once
def interpreter_in_upper_layer(lab):
    copied = "cp -p {0} {0}.copy; mv {0}.copy {0}".format(interpreter_file(lab))
    from_host(lab, Container(lab), "plain_script", on_overlay(lab, copied))


@once
def usdt_in_lower_layer(lab):
    with with_python(lab, suite_python(lab, "bullseye")):
        from_host(lab, Container(lab), "threads", on_overlay(lab), "usdt")


@once
def usdt_in_upper_layer(lab):
    with with_python(lab, suite_python(lab, "bullseye")):
        copied = "cp -p {0} {0}.copy; mv {0}.copy {0}".format(interpreter_file(lab))
        from_host(lab, Container(lab), "threads", on_overlay(lab, copied), "usdt")


def own_interpreter(lab):
    """A copy of the lab's interpreter, as a command that ends with its path."""
    path = lab.path("python3")
    shutil.copy(interpreter_file(lab), path)
    return lab.python[:-1] + [path]


@case
def deleted_interpreter(lab):
    python = own_interpreter(lab)
    from_host(lab, Container(lab), "plain_script", python, meanwhile=lambda _: os.unlink(python[-1]))


@once
def usdt_of_deleted_interpreter(lab):
    with with_python(lab, suite_python(lab, "bullseye")):
        python = own_interpreter(lab)
        from_host(lab, Container(lab), "threads", python, "usdt", meanwhile=lambda _: os.unlink(python[-1]))


def replace_file(path):
    """As a package's upgrade does: another file takes the name."""
    shutil.copy(path, path + ".new")
    os.rename(path + ".new", path)


@once
def replaced_interpreter(lab):
    """The target runs on with the old file; programs that it starts run the new one."""
    python = own_interpreter(lab)
    from_host(lab, Container(lab), "programs_started_after_attach", python,
              meanwhile=lambda _: replace_file(python[-1]))


def delete_modules(pid):
    """Of a process on an overlay, the libraries that its interpreter has loaded as modules."""
    with open("/proc/%d/maps" % pid) as maps:
        found = {line.split()[-1] for line in maps if re.search(r"/(lib-dynload|uvloop)/.*\.so$", line)}
    check(found, "the target has loaded no modules: the case tests nothing")
    for path in found:
        os.unlink("/proc/%d/root%s" % (pid, path))


@once
def deleted_modules_of_asyncio(lab):
    from_host(lab, Container(lab), "asyncio_executors", on_overlay(lab), meanwhile=delete_modules)


@once
def deleted_modules_of_uvloop(lab):
    from_host(lab, Container(lab), "uvloop_links", on_overlay(lab), meanwhile=delete_modules)


def embedding_program(lab):
    """A program that runs Python from a library, and a copy of that library, as a command."""
    script = "import sysconfig as s; print(s.get_config_var('LIBDIR') + '/' + s.get_config_var('INSTSONAME'))"
    library = root_of(lab) + subprocess.check_output(lab.python + ["-c", script], timeout=lab.limit).decode().strip()
    compiler = shutil.which("cc")
    if not compiler or not os.path.exists(library):
        raise Skip("no C compiler, or no shared library of this Python (%s)" % library)
    copy, name = lab.path(os.path.basename(library)), lab.path("embedded")
    shutil.copy(library, copy)
    status, _, err = lab.run(compiler, "-o", name, os.path.join(APPS, "embedded.c"), "-ldl")
    check(status == 0, "it does not compile: " + err)
    return lab.python[:-1] + [name, copy]


@once
def python_as_a_library(lab):
    from_host(lab, Container(lab), "plain_script", embedding_program(lab))


@once
def deleted_library(lab):
    python = embedding_program(lab)
    from_host(lab, Container(lab), "plain_script", python, meanwhile=lambda _: os.unlink(python[-1]))


@once
def replaced_library(lab):
    python = embedding_program(lab)
    from_host(lab, Container(lab), "threads", python, meanwhile=lambda _: replace_file(python[-1]))


# What nettraced needs, besides what every container may (docs/containers.md).
LEAST = ("bpf", "perfmon", "sys_ptrace", "dac_read_search")


def only(*capabilities):
    """A command that runs another one with these capabilities and no others."""
    return ["setpriv", "--bounding-set=" + ",".join(("-all",) + tuple("+" + name for name in capabilities)),
            "--inh-caps=-all"]


@once
def sidecar_with_least_privileges(lab):
    pod = Container(lab)
    from_sidecar(lab, pod, Container(lab, outer=pod), "plain_script", given=only(*LEAST))


@once
def sidecar_with_least_privileges_and_event_loop(lab):
    """Hand-overs are seen without the privilege that function probes want, where the kernel has a way (6.6 on)."""
    pod = Container(lab)
    status, out, _ = lab.run(*only(*LEAST), lab.nettraced, "--check", "--pid", os.getpid())
    if "no  pid %d  hand-overs" % os.getpid() in out:
        raise Skip("this kernel wants CAP_SYS_ADMIN for them")
    check(status == 0, "--check ended with %d" % status)
    status, _, err = lab.run(*only(*LEAST), lab.nettraced, "--pid", os.getpid(), "-d", 0.1)
    check(status == 0 and "not all seen" not in err, "it says %r" % err)
    container = Container(lab, outer=pod)
    from_sidecar(lab, pod, container, "asyncio_executors", given=only(*LEAST))
    from_sidecar(lab, pod, container, "uvloop_links", given=only(*LEAST))


@once
def least_privileges_and_another_user(lab):
    """The target belongs to another user, and has changed to it: nobody else may look at it."""
    os.chmod(lab.directory, 0o777)
    pod = Container(lab)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    try:
        from_sidecar(lab, pod, pod, "plain_script", nobody + lab.python, given=only(*LEAST))
    finally:
        os.chmod(lab.directory, 0o755)


@once
def library_with_least_privileges(lab):
    """The library's file is found by its path: the link in map_files is for more privileged eyes."""
    pod = Container(lab)
    from_sidecar(lab, pod, pod, "threads", embedding_program(lab), given=only(*LEAST))


@once
def deleted_library_with_least_privileges(lab):
    """There is no path to it any more: one capability more is needed, and named."""
    load, python = LOADS["threads"], embedding_program(lab)
    target = lab.target(load.script, options_of(lab, load), load.backends, python=python)
    os.unlink(python[-1])
    command = [lab.nettraced, "--pid", target.pid, "-d", 1]
    expect_refusal(lab, only(*LEAST) + command, (1,), "CAP_CHECKPOINT_RESTORE", os.path.basename(python[-1]))
    command = only(*LEAST, "checkpoint_restore") + [lab.nettraced, "--json", "-i", "0", "--python", "stack", "--pid"]
    tracer = lab.start([*command, str(target.pid), *patterns(*load.endpoints)], kind=Tracer,
                       stdin=subprocess.DEVNULL).attached()
    target.say("go")
    target.expect("^done$")
    hold_against_truth(lab, tracer.finish()[-1], load, target)


@once
def each_privilege_is_named(lab):
    sleeper = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",), witness=False)
    for missing in LEAST:
        given = only(*[name for name in LEAST if name != missing])
        named = "missing privilege: cap_%s (" % missing
        expect_refusal(lab, given + [lab.nettraced, "--pid", sleeper.pid], (1,), named)
        status, out, _ = lab.run(*given, lab.nettraced, "--check", "--pid", sleeper.pid)
        check(status == 1 and named in out.lower(), "--check says %r" % out)
    expect_refusal(lab, only() + [lab.nettraced, "--pid", sleeper.pid], (1,), *["cap_" + name for name in LEAST])


@once
def usdt_without_privilege(lab):
    """Newer kernels want more for probes in programs: they are had, or refused with the reason, but never left out."""
    with with_python(lab, suite_python(lab, "bullseye")):
        load = LOADS["threads"]
        target = lab.target(load.script, options_of(lab, load), load.backends)
        command = only(*LEAST) + [lab.nettraced, "--json", "--python", "usdt", "-d", 1, "--pid", target.pid]
        status, out, err = lab.run(*command)
        if status == 1:
            check(out == "" and one_line(err) and "CAP_SYS_ADMIN" in err, "it says %r" % err)
        else:
            attribution = summaries(out)[-1]["targets"][0]["attribution"]
            check(status == 0 and attribution == "usdt", "status %d, attribution by %s" % (status, attribution))
    lab.end_case()
    lab.forget_truth()


@once
def ceiling_without_privilege(lab):
    """What the programs cost is for the most privileged to ask; a ceiling that is not held would be none."""
    sleeper = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",), witness=False)
    command = [lab.nettraced, "--pid", sleeper.pid, "--max-cost", 5]
    expect_refusal(lab, only(*LEAST) + command, (1,), "--max-cost", "CAP_SYS_ADMIN")


# A seccomp profile as container runtimes set one: this system call is refused (linux/filter.h, linux/seccomp.h).
SECCOMP = """
import ctypes, os, struct, sys
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
assert ctypes.CDLL(None).prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP
os.execv(sys.argv[2], sys.argv[2:])
"""
REFUSED_CALLS = {"bpf": 321, "perf_event_open": 298, "openat2": 437}


@once
def system_calls_that_are_refused(lab):
    sleeper = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",), witness=False)
    for name, number in REFUSED_CALLS.items():
        command = [sys.executable, "-c", SECCOMP, number, lab.nettraced, "--pid", sleeper.pid]
        expect_refusal(lab, command, (1,), "seccomp", "system call %s " % name)


@once
def namespaces_that_are_in_the_way(lab):
    sleeper = lab.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",), witness=False)
    command = [lab.nettraced, "--pid", sleeper.pid]
    expect_refusal(lab, ["unshare", "--user", "--map-root-user"] + command, (1,), "user namespace")
    command = [lab.nettraced, "--pid", 1]
    expect_refusal(lab, ["unshare", "--pid", "--fork"] + command, (1,), "/proc", "outer pid namespace")
    hidden = 'mount -t tmpfs tmpfs /proc; exec "$@"'
    expect_refusal(lab, ["unshare", "--mount", "sh", "-c", hidden, "sh"] + command, (1,), "/proc", "mount")


@once
def processes_that_are_hidden(lab):
    pod = Container(lab)
    status, _, err = lab.run(*pod.inside(), "mount", "-o", "remount,hidepid=2", "/proc")
    check(status == 0, "hidepid could not be set: " + err)
    from_sidecar(lab, pod, pod, "forked_before_attach", given=only(*LEAST))


@once
def check_speaks_of_namespaces(lab):
    pod = Container(lab, *KINDS, "cgroup")
    target = pod.target("plain", {"scenario": "latency", "runs": 1, "micros": 0}, ("raw",))
    status, out, _ = lab.run(lab.nettraced, "--check", "--pid", program(target.pid))
    number = pod.pid(target)
    check(status == 0 and "process ids are those of the machine" in out, "from the host: %r" % out)
    for word in ("pid, mnt, net, cgroup, ipc, uts; its own number there is %d" % number, "frames can be walked"):
        check(word in out, "from the host: %r" % out)
    status, out, _ = lab.run(*pod.inside(), lab.nettraced, "--check", "--pid", number)
    check(status == 0 and "this pid namespace" in out, "from inside: %r" % out)
    check("other namespaces" not in out, "from inside: %r" % out)
    lab.end_case()
    lab.forget_truth()

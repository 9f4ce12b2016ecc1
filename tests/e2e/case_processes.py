"""Cases of which processes are traced: found by name, control group or all; replaced, forked, ended while traced."""

import json
import os
import shutil
import signal
import time

from case_limits import rss_anon
from case_servers import Server, check_requests
from compare import compare, lost
from lab import APPS, Skip, await_summaries, check, check_none, descendants, summaries
from loads import MIXED, Load, many, options_of, patterns, quit_target
from registry import case


def await_targets(lab, tracer, pids):
    """Waits until summaries list them all. The tracer has to print one often (-i)."""

    def listed(lines):
        return set(pids) <= {target["pid"] for line in lines for target in line["targets"]}

    await_summaries(lab, tracer, listed)


class Services:
    """Copies of one script under a name that no other process of the machine has."""

    def __init__(self, lab):
        self.lab = lab
        self.name = "service_%d_%d" % (os.getpid(), time.monotonic_ns())
        shutil.copy(lab.path("plain.py"), lab.path(self.name + ".py"))
        lab.case.callback(os.unlink, lab.path(self.name + ".py"))
        self.targets = []

    def start(self):
        options = {"scenario": "mixed", "runs": many(40)(self.lab)}
        target = self.lab.target(self.name, options, ("redis", "memcache", "http", "raw"))
        self.targets.append(target)
        return target

    def pids(self):
        return [target.pid for target in self.targets]

    def patterns(self):
        return [word for name in MIXED for word in ("-e", "%s.%s" % (self.name, name))]

    def work(self):
        for target in self.targets:
            target.say("go")
        for target in self.targets:
            target.expect("^done$")

    def quit(self):
        for target in self.targets:
            quit_target(target)


def check_found(lab, tracer, services, others=False):
    """What the services did, in a summary; `others`: the machine's other processes may be in it as well."""
    await_targets(lab, tracer, services.pids())
    services.work()
    summary = tracer.finish()[-1]
    services.quit()
    truth = lab.truth()
    check(truth, "the witness saw nothing")
    if others:
        foreign = [row for row in summary["endpoints"] if not row["endpoint"].startswith(services.name + ".")]
        check(not foreign, "endpoints that -e does not name: %s" % [row["endpoint"] for row in foreign])
        check(summary["lost"]["records"] == 0, "%d records lost" % summary["lost"]["records"])
        summary = dict(summary, unattributed={"calls": 0}, lost={})
    else:
        pids = sorted(target["pid"] for target in summary["targets"])
        check(pids == sorted(services.pids()), "targets %s, truly %s" % (pids, services.pids()))
    check_none(compare(summary, truth, lab.qualified()))


@case
def found_by_command(lab):
    """No process has the name, one is started, then another one, and one that has another name."""
    services, others = Services(lab), Services(lab)
    tracer = lab.launch("--command", services.name, "-i", 0.1, "--python", "stack", *services.patterns())
    tracer.expect(r"^nettraced: attached .* no Python process matches so far", "stderr")
    others.start()
    services.start()
    services.start()
    check_found(lab, tracer, services)
    others.work()
    others.quit()
    lab.forget_truth()


@case
def found_by_command_of_those_that_run(lab):
    """Two names, of which one is a glob and the other nobody's; two processes run already."""
    services = Services(lab)
    services.start()
    services.start()
    tracer = lab.launch("--command", "nobody-has-this-name", "--command", services.name[:-1] + "?.py", "-i", 0.1,
                        "--python", "stack", *services.patterns()).attached()
    check_found(lab, tracer, services)


@case
def found_by_interpreter(lab):
    """--command with the interpreter's name, which other processes of the machine have, too."""
    services = Services(lab)
    services.start()
    tracer = lab.launch("--command", "python3", "-i", 0.1, "--python", "stack", *services.patterns()).attached()
    services.start()
    check_found(lab, tracer, services, others=True)


@case
def found_among_all(lab):
    """--all: also this test itself and whatever Python the machine runs."""
    services = Services(lab)
    services.start()
    tracer = lab.launch("--all", "-i", 0.1, "--python", "stack", *services.patterns()).attached()
    services.start()
    await_targets(lab, tracer, [os.getpid()])
    check_found(lab, tracer, services, others=True)


def control_groups():
    """The directory of a hierarchy of control groups that processes can be moved in, of version 2 if there is one."""
    found = []
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            if kind in ("cgroup2", "cgroup") and "rw" in options.split(","):
                # Of version 1 the named one and `pids` take any process without further settings.
                rank = 0 if kind == "cgroup2" else 1 if "pids" in options or "name=" in options else 2
                found.append((rank, point))
    if not found or min(found)[0] == 2:
        raise Skip("no control groups are mounted in which a process could be put")
    return min(found)[1]


def make_group(lab, path):
    os.mkdir(path)
    lab.case.callback(os.rmdir, path)
    return path


def move(pid, group):
    with open(os.path.join(group, "cgroup.procs"), "w") as procs:
        procs.write(str(pid))


def _found_by_cgroup(lab, shown):
    """One service is in the group, one is put into a group below it later, and one is outside."""
    group = make_group(lab, os.path.join(control_groups(), "nettrace-test-%d" % os.getpid()))
    below = make_group(lab, os.path.join(group, "below"))
    services, others = Services(lab), Services(lab)
    move(services.start().pid, group)
    others.start()
    tracer = lab.launch("--cgroup", shown(group), "-i", 0.1, "--python", "stack", *services.patterns()).attached()
    move(services.start().pid, below)
    check_found(lab, tracer, services)
    others.work()
    others.quit()
    lab.forget_truth()


@case
def found_by_control_group(lab):
    _found_by_cgroup(lab, lambda group: group + "/")


@case
def found_by_path_of_control_group(lab):
    """As /proc/PID/cgroup and systemd show it: below the mount."""
    _found_by_cgroup(lab, lambda group: group[len(control_groups()):])


@case
def options_from_a_file(lab):
    """The file says what to trace; the command line wins where both say something, and adds where that can be."""
    services = Services(lab)
    patterns = services.patterns()[1::2]
    options = {"command": services.name, "interval": 60, "format": "text", "python": "stack", "endpoint": patterns[1:]}
    path = lab.path("nettraced.json")
    with open(path, "w") as file:
        json.dump(options, file, indent=2)
    lab.case.callback(os.unlink, path)
    services.start()
    tracer = lab.launch("-e", patterns[0], "--config", path, "-i", 0.1).attached()
    check_found(lab, tracer, services)
    with open(path, "a") as file:
        file.write("\n}")
    status, out, err = lab.run(lab.nettraced, "--config", path)
    line = len(json.dumps(options, indent=2).split("\n")) + 1
    check(status == 2 and out == "", "status %d, output %r" % (status, out))
    check("%s line %d" % (path, line) in err, "standard error %r" % err)


@case
def nothing_matches(lab):
    """It waits, says so once, and ends in order; a directory without control groups is refused."""
    tracer = lab.launch("--command", "no-such-command", "-d", 0.3, "-i", 0.1)
    status, out, err = tracer.wait()
    check(status == 0, "status %d: %s" % (status, err))
    check(err.count("no Python process matches") == 1 and err.count("\n") == 1, "standard error %r" % err)
    lines = summaries(out)
    check(all(line["targets"] == [] and line["endpoints"] == [] for line in lines), "it traced something")


@case
def found_but_not_supported(lab):
    """A Python of another version among those that match is named once, and nothing ends because of it."""
    compiler = shutil.which("cc")
    if not compiler:
        raise Skip("no C compiler to make a Python of another version with")
    program = lab.path("python3.99")
    command = [compiler, "-rdynamic", "-DVERSION=0x036300f0", "-o", program, os.path.join(APPS, "other_python.c")]
    status, _, err = lab.run(*command)
    check(status == 0, "it does not compile: " + err)
    lab.case.callback(os.unlink, program)
    running = lab.start([program])
    running.expect("^ready$")
    services = Services(lab)
    tracer = lab.launch("--command", "python3.99", "--command", services.name, "-i", 0.1, "--python", "stack",
                        *services.patterns())
    tracer.expect(r"^nettraced: process %d runs Python 3\.99, which is not supported" % running.pid, "stderr")
    tracer.attached()
    later = lab.start([program])
    tracer.expect(r"^nettraced: process %d runs Python 3\.99, which is not supported" % later.pid, "stderr")
    services.start()
    await_targets(lab, tracer, services.pids())
    services.work()
    tracer.process.send_signal(signal.SIGINT)
    status, out, err = tracer.wait()
    services.quit()
    check(status == 0 and err == "", "status %d, and then it said %r" % (status, err))
    check_none(compare(summaries(out)[-1], lab.truth(), lab.qualified()))


@case
def cost_of_short_intervals(lab):
    """An interval shorter than the period of the samples knows what the probes took, too: four of five would not, but
    for one that the tracer was late for on a busy machine."""
    services = Services(lab)
    target = services.start()
    tracer = lab.trace(target.pid, "-i", 0.1, "--python", "stack")
    services.work()
    await_summaries(lab, tracer, lambda lines: len(lines) > 2)
    lines = tracer.finish()
    services.quit()
    check(len(lines) > 1, "no interval in %s s" % lines[-1]["duration_s"])
    unknown = [line["cost"] for line in lines if line["cost"]["target_cpu_percent"] is None]
    check(2 * len(unknown) < len(lines), "of %d summaries %d do not know: %s" % (len(lines), len(unknown), unknown[:1]))


@case
def check_of_what_matches(lab):
    """--check names the processes that would be traced, and says that the hooks attach; it traces none."""
    services = Services(lab)
    status, out, err = lab.run(lab.nettraced, "--check", "--command", services.name)
    check(status == 0 and err == "", "status %d, %r" % (status, err))
    check("no Python process matches so far" in out, "it says %r" % out)
    target = services.start()
    status, out, err = lab.run(lab.nettraced, "--check", "--command", services.name)
    check(status == 0 and err == "", "status %d, %r" % (status, err))
    check(" attach; --hooks auto takes these" in out, "no hooks attach: %r" % out)
    check("pid %d  Python" % target.pid in out and out.count("frames can be walked") == 1, "it says %r" % out)
    services.work()
    services.quit()


def processes_traced(lab, scenario, endpoints, limit=1, **options):
    """Runs a scenario of apps/processes.py under nettraced: its summary, the truth, and nettraced's private memory."""
    load = Load("processes", scenario, ("raw",), endpoints, **options)
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns(*endpoints))
    target.limit *= limit
    target.say("go")
    target.expect("^done$")
    memory = rss_anon(tracer.pid)
    summary = tracer.finish()[-1]
    quit_target(target)
    return summary, lab.truth(), memory


@case
def thousands_of_children(lab):
    """Each is forked, makes one call and ends: all are there, named, and leave nothing in nettraced's memory."""
    children = lab.number(2000)
    summary, truth, memory = processes_traced(
        lab, "storm", ["in_child"], limit=5, children=children, together=8, runs=1
    )
    check(truth["__main__:in_child"].runs == children, "the witness saw %d runs" % truth["__main__:in_child"].runs)
    check_none(compare(summary, truth, lab.qualified()))
    check(memory < 32 << 20, "nettraced has %d bytes of anonymous memory" % memory)
    listed = len(summary["targets"]) + summary["targets_more"]
    check(listed == children + 1, "%d targets, truly %d" % (listed, children + 1))


@case
def process_id_comes_again(lab):
    """Children one after the other with one process id: each is itself, whatever was known of the one before."""
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        raise Skip("process ids cannot be chosen here")
    children = 20
    summary, truth, _ = processes_traced(
        lab, "same_id", ["in_child", "in_reused"], children=children, runs=many(5)
    )
    check_none(compare(summary, truth, lab.qualified()))
    pids = [target["pid"] for target in summary["targets"]]
    most = max(pids.count(pid) for pid in pids)
    check(most >= children, "%d targets have one process id, truly %d" % (most, children))


@case
def replaced_by_another_program(lab):
    """exec: what the process was before and what it is then are two programs' endpoints."""
    summary, truth, _ = processes_traced(
        lab, "replaced", ["in_child", "in_program"], children=3, runs=many(20), pause=2
    )
    check_none(compare(summary, truth, lab.qualified()))


def _pool(lab, method):
    if lab.scale < 1:
        raise Skip("a pool takes minutes where the machine is emulated")
    summary, truth, _ = processes_traced(lab, "pool", ["in_pool"], method=method, runs=100, pause=1)
    check(truth["pool_tasks:in_pool"].runs == 100, "the witness saw %d runs" % truth["pool_tasks:in_pool"].runs)
    check_none(compare(summary, truth, lab.qualified(), exact_runs=False))  # starmap() is C: it may merge them


@case
def pool_of_forked_workers(lab):
    _pool(lab, "fork")


@case
def pool_of_spawned_workers(lab):
    _pool(lab, "spawn")


@case
def pool_of_a_fork_server(lab):
    _pool(lab, "forkserver")


def calls_of(endpoints):
    return sum(backend.numbers["calls"] for endpoint in endpoints.values() for backend in endpoint.backends.values())


@case
def short_lived_programs(lab):
    """
    Programs that call as soon as they run: nettraced may not know yet what they are, so some calls can have no
    endpoint. But all of them are there, with that as the reason.
    """
    children = lab.number(60)
    summary, truth, _ = processes_traced(
        lab, "brief", ["in_program"], limit=3, children=children, together=3, runs=2, pause=0
    )
    missed, found = summary["unattributed"], summary["endpoints"][0]
    check(truth["__main__:in_program"].runs == 2 * children, "the witness saw %d runs" % found["runs"])
    check(found["calls"] + missed["calls"] == calls_of(truth), "%d and %d calls, truly %d" % (
        found["calls"], missed["calls"], calls_of(truth)))
    check(set(missed["reasons"]) <= {"interpreter_unsupported"}, "reasons %s" % missed["reasons"])
    check(len(summary["targets"]) > children / 2, "%d targets" % len(summary["targets"]))
    check_none(lost(summary))


@case
def fork_that_was_lost(lab):
    """nettraced is stopped while the ring fills up, and a child is forked then: it is found all the same."""
    options = {"scenario": "flood", "runs": 40}
    target = lab.target("processes", options, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0.2, "--python", "stack", *patterns("in_parent", "in_child"))
    tracer.process.send_signal(signal.SIGSTOP)
    target.say("go")
    child = int(target.expect(r"^child (\d+)$").group(1))
    tracer.process.send_signal(signal.SIGCONT)
    await_targets(lab, tracer, [child])
    target.say("work")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    truth = lab.truth()
    check(summary["lost"]["records"] > 0, "no record was lost: the case tests nothing")
    found = [row for row in summary["endpoints"] if row["endpoint"].endswith(".in_child")]
    true = {"__main__:in_child": truth["__main__:in_child"]}
    check_none(compare(dict(summary, endpoints=found, lost={}, unattributed={"calls": 0}), true, lab.qualified()))


@case
def closed_listener_is_forgotten(lab):
    """A port that the target once listened on: a connection that it makes from there is a client's."""
    bpftool = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/usr/local/sbin")
    if not bpftool:
        raise Skip("no bpftool to see the kernel's table with")
    target = lab.target("processes", {"scenario": "relisten", "runs": 5}, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns("in_parent"))
    target.say("go")
    port = int(target.expect(r"^port (\d+)$").group(1))
    deadline = time.monotonic() + lab.limit
    while listens(lab, bpftool, port):
        check(time.monotonic() < deadline, "port %d is not forgotten" % port)
        time.sleep(0.1)
    target.say("work")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    check_none(compare(summary, lab.truth(), lab.qualified()))


def listens(lab, bpftool, port):
    """Is the port in the table of some nettraced? Not known, which counts as yes, where one of them ends meanwhile."""
    status, out, _ = lab.run(bpftool, "-j", "map", "dump", "name", "listeners")
    return status != 0 or '"port":%d,' % port in out.replace(" ", "")


def _workers(lab, replace, *options):
    """A plain WSGI application whose workers are replaced while it is traced."""
    address = lab.backend("redis")
    server = Server(lab, "wsgi_plain:application", *options, environment={"SHOP_REDIS_PORT": str(address[1])})
    tracer = lab.trace(server.child.pid, "-i", 0, "--python", "stack")
    workers = set(descendants(server.child.pid))
    for _ in range(4):
        server.load(["/?" + "k" * (number % 5) for number in range(lab.number(40))])
        replace(server)
    new = set(descendants(server.child.pid)) - workers
    check(new, "no worker was replaced: the case tests nothing")
    summary = tracer.finish()[-1]
    server.stop()
    check_none(compare(summary, lab.truth(), lab.qualified()))
    check_requests(summary, server)
    check(len(summary["targets"]) > 4, "%d targets" % len(summary["targets"]))


@case
def workers_end_after_some_requests(lab):
    _workers(lab, lambda server: None, "--max-requests", "10")


@case
def workers_are_reloaded(lab):
    """kill -HUP: the master starts new workers and ends the old ones when they have answered."""

    def reload(server):
        old = set(descendants(server.child.pid))
        server.child.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + lab.limit
        while len(set(descendants(server.child.pid)) - old) < 2 or set(descendants(server.child.pid)) & old:
            check(time.monotonic() < deadline, "the workers are not replaced")
            time.sleep(0.05)

    _workers(lab, reload)


@case
def ceiling_of_the_cost(lab):
    """
    Many calls and a low ceiling: nettraced gives up one thing after the other and says each; every call is still there,
    those that were not looked at without an endpoint, and that is their reason.
    """
    target = lab.target("processes", {"scenario": "until_told"}, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0.5, "--python", "stack", "--max-cost", 0.1, *patterns("in_parent"))
    target.say("go")
    tracer.expect(r"^nettraced: the probes took [\d.]+ % of a CPU, more than --max-cost 0.1 allows: where threads'",
                  "stderr")
    tracer.expect(r"more than --max-cost 0.1 allows: the Python stack of one call in 2 ", "stderr")
    await_summaries(lab, tracer, lambda lines: lines[-1]["cost"]["reduced"] == "walks_thinned")
    target.say("enough")
    target.expect("^done$")
    lines = tracer.finish()
    quit_target(target)
    truth, summary = lab.truth(), lines[-1]
    steps = [line["cost"]["reduced"] for line in lines[:-1]]
    order = ["none", "times_off", "walks_thinned"]
    check(steps == sorted(steps, key=order.index) and set(steps) == set(order), "steps %s" % steps)
    check(summary["cost"]["reduced"] == "walks_thinned" and summary["cost"]["walks_one_in"] > 1, summary["cost"])
    (found,), missed = summary["endpoints"], summary["unattributed"]
    check(set(missed["reasons"]) == {"not_sampled"}, "reasons %s" % missed["reasons"])
    check(found["calls"] + missed["calls"] == calls_of(truth), "%d and %d calls, truly %d" % (
        found["calls"], missed["calls"], calls_of(truth)))
    check(found["runs_exact"] is False, "runs are exact, though calls of them are not known")
    check_none(lost(summary))

#!/usr/bin/env python3
"""What tracing costs: a blocking request/answer loop, untraced and traced in three ways, interleaved in one run.

    run.py [--rounds N] [--count N] [--hooks KIND] [--json FILE] [--nettraced PATH]

    untraced   nobody watches
    floor      empty programs on nettraced's hooks, with its look at the process id: what no tracer there gets below
    nettraced  --python stack
    witness    sockets patched in Python that note time, size, peer and 16 frames in a list

Each round runs all four in a random order and compares them with its own untraced loop; the table has the medians
over the rounds. The client and the server share one core, nettraced has the others. CPU is the client process's, in
microseconds a round trip, and so has the probes in it; nettraced's own CPU is listed beside it. No pass or fail.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from lab import Child, Tracer  # noqa: E402

WAYS = ("untraced", "floor", "nettraced", "witness")
SETTLE = 0.5  # seconds before each loop: the kernel still frees the maps of the last tracer, and patches its code
LIMIT = 120  # seconds for any step
PYTHON = os.environ.get("NETTRACE_PYTHON", "/usr/bin/python3")


def build(directory):
    """Compiles the server, the floor's loader and its programs."""
    triplet = subprocess.check_output(["cc", "-dumpmachine"], text=True).strip()
    flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-std=gnu11"]
    for command in (
        ["cc", *flags, "-o", "echo", os.path.join(HERE, "echo.c")],
        ["cc", *flags, "-o", "floor", os.path.join(HERE, "floor.c"), "-lbpf", "-lelf", "-lz"],
        ["clang", "-target", "bpf", *flags, "-I/usr/include/" + triplet, "-c", os.path.join(HERE, "floor.bpf.c"),
         "-o", "floor.bpf.o"],
    ):
        subprocess.run(command, cwd=directory, check=True)


def cores():
    """The core that client and server share, and the other ones, for nettraced.

    On two cores each round trip would wake a sleeping core twice, which costs several times what is measured and
    varies by as much; and a blocking client never runs together with its server anyway.
    """
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, set(allowed[1:]) or {allowed[0]}


class Bench:
    def __init__(self, options, stack, directory):
        self.options, self.stack, self.directory = options, stack, directory
        self.core, self.others = cores()
        server = self.start([os.path.join(directory, "echo")], self.core)
        self.port = server.expect(r"^port (\d+)").group(1)
        self.plain = self.client()
        self.patched = self.client("patched")
        self.facts = {}

    def start(self, command, core=None, kind=Child, stack=None):
        child = kind(command, LIMIT)
        if core:
            os.sched_setaffinity(child.pid, core)
        (stack or self.stack).callback(child.close)
        return child

    def client(self, *words):
        client = self.start([PYTHON, os.path.join(HERE, "client.py"), self.port, *words], self.core)
        client.expect("^ready$")
        return client

    def loop(self, client):
        time.sleep(SETTLE)
        client.say("run %d" % self.options.count)
        found = json.loads(client.expect(r"^{.*}$").group(0))
        count = self.options.count
        return {"cpu_us": found["cpu"] / count / 1e3, "wall_us": found["wall"] / count / 1e3, "notes": found["notes"]}

    def run_untraced(self):
        return self.loop(self.plain)

    def run_witness(self):
        found = self.loop(self.patched)
        if found["notes"] != 2 * self.options.count:
            sys.exit("bench: the witness noted %d events of %d" % (found["notes"], 2 * self.options.count))
        return found

    def run_floor(self):
        with contextlib.ExitStack() as stack:
            command = [os.path.join(self.directory, name) for name in ("floor", "floor.bpf.o")]
            floor = self.start(command + [str(self.plain.pid), self.options.hooks], stack=stack)
            floor.expect("^attached$")
            found = self.loop(self.plain)
            floor.process.stdin.close()
            hits = int(floor.expect(r"^hits (\d+)").group(1))
            if hits < 2 * self.options.count:
                sys.exit("bench: the floor's programs were hit %d times only" % hits)
            return found

    def run_nettraced(self):
        with contextlib.ExitStack() as stack:
            command = [self.options.nettraced, "--pid", str(self.plain.pid), "--python", "stack", "--json", "-i", "0",
                       "--hooks", self.options.hooks]
            tracer = self.start(command, self.others, kind=Tracer, stack=stack)
            tracer.attached()
            before = cpu_of(tracer.pid)
            found = self.loop(self.plain)
            found["daemon_cpu_us"] = (cpu_of(tracer.pid) - before) / self.options.count * 1e6
            summary = tracer.finish(signal.SIGINT)[-1]
            calls = sum(endpoint["calls"] for endpoint in summary["endpoints"])
            if calls != self.options.count:
                sys.exit("bench: nettraced counted %d calls of %d" % (calls, self.options.count))
            found["lost"] = sum(summary["lost"].values())
            self.facts = {"kernel": summary["kernel"], "python": summary["targets"][0]["python"]}
            return found


def cpu_of(pid):
    """Seconds of CPU that a process has used."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def available_hooks(options):
    """What nettraced takes where --hooks says auto: the floor needs to know."""
    if options.hooks != "auto":
        return options.hooks
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    with contextlib.ExitStack() as stack:
        target = Child([PYTHON, "-c", code], LIMIT)
        stack.callback(target.close)
        target.expect("^ready$")
        tracer = Tracer([options.nettraced, "--pid", str(target.pid), "--json", "-i", "0"], LIMIT)
        stack.callback(tracer.close)
        return tracer.attached().finish()[-1]["kernel"]["hooks"]


def summarise(rounds, facts, options):
    """Medians over the rounds; ratios and differences are taken within a round first."""
    def median(way, value):
        return statistics.median(value(round_[way], round_["untraced"]) for round_ in rounds)

    ways = {}
    for way in WAYS:
        ways[way] = {
            "cpu_us": median(way, lambda own, _: own["cpu_us"]),
            "wall_us": median(way, lambda own, _: own["wall_us"]),
            "round_trips_per_s": median(way, lambda own, _: 1e6 / own["wall_us"]),
            "cpu_ratio": median(way, lambda own, base: own["cpu_us"] / base["cpu_us"]),
            "throughput_ratio": median(way, lambda own, base: base["wall_us"] / own["wall_us"]),
            "cpu_added_us": median(way, lambda own, base: own["cpu_us"] - base["cpu_us"]),
        }

    def share(part):
        """Of what the witness adds in the same round: the machine's speed changes from one round to the next."""
        def of(round_):
            base = round_["untraced"]["cpu_us"]
            witness = round_["witness"]["cpu_us"] - base
            return part({way: round_[way]["cpu_us"] - base for way in WAYS}) / witness
        return statistics.median(of(round_) for round_ in rounds)

    return {
        "rounds": len(rounds), "round_trips": options.count, "seed": options.seed, **facts, "ways": ways,
        "daemon_cpu_us": statistics.median(round_["nettraced"]["daemon_cpu_us"] for round_ in rounds),
        "lost": sum(round_["nettraced"]["lost"] for round_ in rounds),
        "added_as_fraction_of_witness": {
            "nettraced": share(lambda added: added["nettraced"]),
            "floor": share(lambda added: added["floor"]),
            "nettraced_above_floor": share(lambda added: added["nettraced"] - added["floor"]),
        },
    }


def print_table(result):
    print("Python %(python)s, %(rounds)d rounds of %(round_trips)d round trips of 32 bytes, 16 frames deep" % result)
    print("Linux %(release)s, %(hooks)s" % result["kernel"])
    print("%-10s %9s %8s %9s %9s %11s %8s" % ("", "CPU us", "ratio", "added us", "wall us", "per second", "ratio"))
    for way, row in result["ways"].items():
        print("%-10s %9.2f %8.3f %9.2f %9.2f %11.0f %8.3f" % (
            way, row["cpu_us"], row["cpu_ratio"], row["cpu_added_us"], row["wall_us"], row["round_trips_per_s"],
            row["throughput_ratio"]))
    share = result["added_as_fraction_of_witness"]
    print("nettraced's own process: %.2f us of CPU a round trip; lost %d" % (result["daemon_cpu_us"], result["lost"]))
    print("of what the witness adds to the CPU time of a call, nettraced adds %.3f, the floor %.3f" % (
        share["nettraced"], share["floor"]))


def parse(text, count, count_is="round trips of one loop"):
    """The options that all parts of the bench have."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=count, help=count_is)
    parser.add_argument("--hooks", default="auto", help="as nettraced's")
    parser.add_argument("--json", help="write the result there as well")
    default = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "nettraced")
    parser.add_argument("--nettraced", default=os.environ.get("NETTRACED", default))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    return parser.parse_args()


def take_rounds(options, run_round):
    """What each of the rounds found."""
    found = []
    for number in range(options.rounds):
        print("bench: round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
        found.append(run_round())
    return found


def write(result, options):
    if options.json:
        with open(options.json, "w") as out:
            json.dump(result, out, indent=1)
            out.write("\n")


def main():
    options = parse(__doc__, 30000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        build(directory)
        options.hooks = available_hooks(options)
        bench = Bench(options, stack, directory)
        for client in (bench.plain, bench.patched):
            bench.loop(client)  # warm up
        rounds = take_rounds(
            options, lambda: {way: getattr(bench, "run_" + way)() for way in draw.sample(WAYS, len(WAYS))})
        result = summarise(rounds, bench.facts, options)
    print_table(result)
    write(result, options)


if __name__ == "__main__":
    main()

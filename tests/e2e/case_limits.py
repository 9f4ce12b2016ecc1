"""Cases of quantity, time, and company: many calls, latencies, two tracers, a tracer that is killed."""

from compare import close_enough, compare, lost, median
from lab import Skip, check, check_none
from loads import LOADS, Load, many, options_of, patterns, quit_target, traced
from registry import case


@case
def many_calls(lab):
    """200,000 calls in one capture: nothing lost, counts exact, private memory below 32 MiB."""
    load = Load("plain", "many", ("raw",), ["steady"], runs=many(50000))
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 1, "--python", "stack", *patterns("steady"))
    target.say("go")
    target.limit *= 5
    target.expect("^done$")
    anonymous = rss_anon(tracer.pid)
    lines = tracer.finish()
    quit_target(target)
    check(anonymous < 32 << 20, "nettraced has %d bytes of anonymous memory" % anonymous)
    truth = lab.truth()
    check_none(compare(lines[-1], truth, lab.qualified()))
    # The intervals are parts of the whole.
    parts = sum(endpoint["calls"] for line in lines[:-1] for endpoint in line["endpoints"])
    check(parts <= lines[-1]["endpoints"][0]["calls"], "the intervals have %d calls, more than all" % parts)


def rss_anon(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def _latency(lab, micros):
    if lab.scale < 1:
        raise Skip("times are not compared where the clock is emulated")
    load = Load("plain", "latency", ("raw",), ["timed"], runs=many(500), micros=micros)
    summary, truth = traced(lab, load, "stack")
    backend = summary["endpoints"][0]["backends"][0]
    true = median(list(truth["__main__:timed"].backends.values())[0].latencies)
    latency = backend["latency"]["p50"]
    check(close_enough(latency, true), "latency p50 %s ms, truly %.4f" % (latency, true / 1e6))
    check(backend["wait"]["p50"] <= backend["latency"]["p50"], "waits longer than it takes")
    network = summary["endpoints"][0]["network"]["p50"]
    check(close_enough(network, true), "network p50 %s ms, truly %.4f" % (network, true / 1e6))


@case
def latency_of_microseconds(lab):
    _latency(lab, 0)


@case
def latency_of_milliseconds(lab):
    _latency(lab, 3000)


@case
def two_tracers(lab):
    """Two nettraced on one target both tell the truth."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracers = [lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints)) for _ in range(2)]
    target.say("go")
    target.expect("^done$")
    found = [tracer.finish()[-1] for tracer in tracers]
    quit_target(target)
    truth = lab.truth()
    for summary in found:
        check_none(compare(summary, truth, lab.qualified()))


@case
def killed_tracer_leaves_the_target_alone(lab):
    """kill -9 in the middle of a load; the target ends its work, and the next nettraced finds a clean kernel."""
    load = LOADS["connections_from_before"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    killed = lab.trace(target.pid, "-i", 0, "--python", "stack")
    killed.process.kill()
    killed.process.wait()
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns(*load.endpoints))
    victim = lab.trace(target.pid, "-i", 0, "--python", "stack")
    target.say("go")
    victim.process.kill()
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    check_none(compare(summary, lab.truth(), lab.qualified()))


@case
def no_endpoint_matches(lab):
    """A pattern that names no function: all calls are there, unattributed, with the reason."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *patterns("no_such_function"))
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    backends = [backend for endpoint in lab.truth().values() for backend in endpoint.backends.values()]
    calls, out = (sum(backend.numbers[name] for backend in backends) for name in ("calls", "bytes_out"))
    found = summary["unattributed"]
    check(summary["endpoints"] == [], "%d endpoints" % len(summary["endpoints"]))
    check(found["calls"] == calls, "%d unattributed calls, truly %d" % (found["calls"], calls))
    check(found["reasons"] == {"no_endpoint": calls}, "reasons %s" % found["reasons"])
    bytes_out = sum(backend["bytes_out"] for backend in found["backends"])
    check(bytes_out == out, "%d bytes out, truly %d" % (bytes_out, out))
    check_none(lost(summary))


@case
def endpoint_found_by_itself(lab):
    """Without -e it is the outermost function of the application's own code, and no call is missing."""
    load = LOADS["plain_script"]
    target = lab.target(load.script, options_of(lab, load), load.backends)
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack")
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    truth = lab.truth()
    calls = sum(backend.numbers["calls"] for endpoint in truth.values() for backend in endpoint.backends.values())
    found = {endpoint["endpoint"].partition(".")[2]: endpoint["calls"] for endpoint in summary["endpoints"]}
    check(found == {"mixed": calls} or found == {"main": calls}, "endpoints %s, truly %d calls" % (found, calls))
    check_none(lost(summary))

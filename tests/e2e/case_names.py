"""Cases of look-ups of names by UDP, from a name server in a network of its own (apps/names.py, apps/name_server.py)."""

import json

from case_containers import once
from compare import lost
from container import Container, program
from lab import check, check_none
from loads import patterns, quit_target


def resolve_inside(lab, options=""):
    """A container with a name server, which the C library's resolver asks as `options` of resolv.conf say."""
    container = Container(lab, "mount", "net")
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\n" + options), ("nsswitch.conf", "hosts: dns\n")):
        with open(lab.path(name), "w") as file:
            file.write(text)
        status, _, err = lab.run(*container.inside(), "mount", "--bind", lab.path(name), "/etc/" + name)
        check(status == 0, "mount: " + err[-300:])
    lab.start(container.inside() + lab.python + [lab.path("name_server.py")]).expect("^ready$")
    return container


ENDPOINTS = ("by_library", "by_socket", "by_version_6", "by_message", "unknown", "unanswered", "in_threads", "elsewhere")


@once
def look_ups(lab):
    """Every way to ask, each with its number, its bytes and its answers; other datagrams are none of it."""
    container = resolve_inside(lab)
    runs = lab.number(12, 3)
    target = container.target("names", {"scenario": "run", "runs": runs, "seed": lab.seed}, witness=False)
    tracer = lab.trace(program(target.pid), "-i", 0, "--python", "stack", *patterns(*ENDPOINTS))
    target.say("go")
    truth = json.loads(target.expect(r"^{.*}$").group(0))
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    found = {endpoint["endpoint"].rpartition(".")[2]: endpoint for endpoint in summary["endpoints"]}
    check(set(found) == set(ENDPOINTS) - {"elsewhere"}, "endpoints %s" % sorted(found))
    check(summary["unattributed"]["calls"] == 0, "unattributed: %s" % summary["unattributed"])
    check_none(lost(summary))
    check_none([difference for name in found for difference in differences(found[name], truth[name], runs)])


def differences(endpoint, truth, runs):
    name, backends = endpoint["endpoint"], endpoint["backends"]
    address = "[::1]:53" if name.endswith("by_version_6") else "127.0.0.1:53"
    wanted = {"calls": truth["calls"], "round_trips": truth["calls"], "connects": 0, "errors": 0}
    wanted.update({word: truth[word] for word in ("bytes_out", "bytes_in") if word in truth})
    if [(backend["protocol"], backend["address"]) for backend in backends] != [("dns", address)]:
        return ["%s: backends %s" % (name, backends)]
    found = dict(backends[0], runs=endpoint["runs"], answers=backends[0]["latency"]["count"])
    wanted.update(runs=runs, answers=truth["calls"] - truth.get("unanswered", 0))
    return ["%s %s: %s, truly %s" % (name, word, found[word], wanted[word])
            for word in wanted if found[word] != wanted[word]]

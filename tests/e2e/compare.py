"""Holds a summary of nettraced against the witness: a list of the differences, empty when there are none."""

import collections

from truth import NUMBERS


def endpoint_matches(reported, true_name, qualified=True):
    """
    `true_name` is the target's own module:qualname. A script's module may be called by its file's stem;
    without `qualified` (CPython 3.8-3.10 keep no qualified names) the last part of the name is all there is.
    """
    module, _, name = true_name.partition(":")
    if not qualified:
        name = name.rpartition(".")[2]
    if module == "__main__":
        return reported.partition(".")[2] == name
    return reported == module + "." + name


def compare(summary, endpoints, qualified=True, every_run=False, exact_runs=True, unattributed=0, merged=()):
    """
    `every_run`: runs without calls are seen, too. exact_runs=False: runs may be merged, which must be admitted;
    `merged`: only those of the endpoints with these last names.
    """
    problems = []
    missing = [name for name, endpoint in endpoints.items() if name and _seen(endpoint, every_run)]
    for reported in summary["endpoints"]:
        name = true_name(reported, {name: endpoints[name] for name in missing}, qualified)
        if name is None:
            problems.append("endpoint %s: the witness knows none or had it already" % reported["endpoint"])
            continue
        missing.remove(name)
        exact = exact_runs and reported["endpoint"].rpartition(".")[2] not in merged
        problems += _compare_endpoint(reported, endpoints[name], every_run, exact)
    problems += ["endpoint %s is missing" % name for name in missing]
    _expect(problems, "unattributed calls", summary["unattributed"]["calls"], unattributed)
    problems += lost(summary)
    return problems


def compare_share(summary, endpoints, share, qualified=True):
    """Where at most this share of all calls is unattributed: the others are where they belong."""
    problems = lost(summary)
    unattributed = summary["unattributed"]["calls"]
    true, reported = _true_calls(endpoints), _reported_calls(summary, endpoints, qualified)
    if unattributed > share * sum(true.values()):
        problems.append("%d calls of %d unattributed: %s" % (
            unattributed, sum(true.values()), summary["unattributed"]["reasons"]))
    _expect(problems, "calls in endpoints", sum(reported.values()), sum(true.values()) - unattributed)
    for key, count in reported.items():
        if count > true.get(key, 0):
            problems.append("%s: %d calls, truly %d" % (" ".join(map(str, key)), count, true.get(key, 0)))
    for row in summary["endpoints"]:
        name = true_name(row, endpoints, qualified)
        runs = len(endpoints[name].calling_runs) if name else 0
        if abs(row["runs"] - runs) > unattributed:
            problems.append("%s runs: %d, truly %d" % (row["endpoint"], row["runs"], runs))
    return problems


def _true_calls(endpoints):
    """(endpoint, protocol, address, operation) -> calls; no operation where the protocol is not known."""
    calls = collections.Counter()
    for name, endpoint in endpoints.items():
        for key, backend in endpoint.backends.items():
            operations = backend.operations or {None: backend.numbers}
            calls.update({(name, *key, operation): row["calls"] for operation, row in operations.items()})
    return calls


def _reported_calls(summary, endpoints, qualified):
    calls = collections.Counter()
    for row in summary["endpoints"]:
        name = true_name(row, endpoints, qualified) or row["endpoint"]
        for backend in row["backends"]:
            key = (name, backend["protocol"], backend["address"])
            if backend["protocol"] == "tcp":
                calls[(*key, None)] += backend["calls"]
            else:
                calls.update({(*key, one["operation"]): one["calls"] for one in backend["operations"]})
    return calls


def true_name(reported, endpoints, qualified):
    """Without qualified names several functions can have one, in different lines."""
    for name, endpoint in endpoints.items():
        if name and endpoint_matches(reported["endpoint"], name, qualified):
            if qualified or not endpoint.line or endpoint.line == reported["line"]:
                return name
    return None


def lost(summary):
    return ["lost.%s is %s" % (name, count) for name, count in summary["lost"].items() if count]


def _seen(endpoint, every_run):
    return endpoint.runs if every_run else endpoint.calling_runs


def _expect(problems, what, reported, true):
    if reported != true:
        problems.append("%s: %s, truly %s" % (what, reported, true))


def _compare_endpoint(reported, true, every_run, exact_runs):
    problems = []
    name = reported["endpoint"]
    runs = true.runs if every_run else len(true.calling_runs)
    if exact_runs:
        _expect(problems, name + " runs", reported["runs"], runs)
        _expect(problems, name + " runs_exact", reported["runs_exact"], True)
    elif reported["runs"] > runs or (reported["runs"] != runs and reported["runs_exact"]):
        problems.append("%s runs: %d, exact %s, truly %d" % (name, reported["runs"], reported["runs_exact"], runs))
    for number in ("calls", "round_trips", "errors"):
        total = sum(backend.numbers[number] for backend in true.backends.values())
        _expect(problems, "%s %s" % (name, number), reported[number], total)
    _compare_connects(problems, name, reported, true)
    found = {}
    for backend in reported["backends"]:
        if backend["calls"] or backend["bytes_out"] or backend["bytes_in"]:
            found[backend["protocol"], backend["address"]] = backend
    for key in sorted(set(found) | set(true.backends)):
        label = "%s %s %s" % (name, key[0], key[1])
        if key not in found or key not in true.backends:
            problems.append("%s: %s" % (label, "missing" if key not in found else "the witness saw none"))
        else:
            _compare_backend(problems, label, found[key], true.backends[key])
    return problems


def _compare_connects(problems, name, reported, true):
    made = {}
    for backend in reported["backends"]:
        if backend["connects"]:
            made[backend["address"]] = made.get(backend["address"], 0) + backend["connects"]
    _expect(problems, name + " connects", made, dict(true.connects))


def _compare_backend(problems, label, reported, true):
    for number in NUMBERS:
        _expect(problems, "%s %s" % (label, number), reported[number], true.numbers[number])
    _expect(problems, label + " latency.count", reported["latency"]["count"], true.answered)
    if true.operations:
        operations = {
            operation["operation"]: {number: operation[number] for number in ("calls", "keys", "errors")}
            for operation in reported["operations"]
        }
        _expect(problems, label + " operations", operations, dict(true.operations))


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def close_enough(reported_ms, true_ns):
    """Medians within 5 % or 50 us of each other."""
    difference = abs(reported_ms * 1e6 - true_ns)
    return difference <= max(50e3, true_ns * 0.05)

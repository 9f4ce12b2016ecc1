#!/usr/bin/python3
"""The matrix: every application of apps/ under its servers, with the Python of every suite, and a table of the results.

    run.py [--suite SUITE]... [--write] [ROW ...]    ROW: glob over row names; default: all, on this machine and in SUITES

    ok SUITE/ROW calls, runs
    not ok SUITE/ROW reason
    none SUITE/ROW why the suite has no such pair; decided by its package lists and modules, never by a failure

RESULTS holds what the last complete run found, and is compared: a pair that comes or goes is a failure until --write has
noted it. The table of README.md is made from it (readme.py). Two rows run at a time.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)

import results  # noqa: E402
import table  # noqa: E402

SUITES = ("bookworm", "bullseye", "trixie")
HOME = "bookworm"  # the machine's own suite
AT_ONCE = 2
LIMIT = 180  # seconds that a row may take; it ends itself earlier where a part of it hangs

FACTS = """
import importlib.util as u, json, sys
try:
    from importlib.metadata import version
except ImportError:
    version = None
def found(name):
    try:
        return version(name)
    except Exception:
        return ""
print(json.dumps({"python": "%d.%d.%d" % sys.version_info[:3],
                  "modules": {name: found(name) for name in sys.argv[1:] if u.find_spec(name)}}))
"""

Place = collections.namedtuple("Place", "suite command python modules absent")
Result = collections.namedtuple("Result", "place row state said")


def root_of(suite):
    """The suite's root directory; None: its packages could not be had."""
    made = subprocess.run([os.path.join(TESTS, "suites", "fetch.sh"), suite], stdout=subprocess.PIPE, text=True)
    return made.stdout.strip() if made.returncode == 0 else None


def look_at(suite):
    """A Place; None: it could not be had."""
    command, absent = ["/usr/bin/python3"], []
    if suite != HOME:
        root = root_of(suite)
        if root is None:
            return None
        command = [os.path.join(TESTS, "suites", "enter.sh"), root, "/usr/bin/python3"]
        with open(os.path.join(root, ".absent")) as names:
            absent = names.read().split()
    out = subprocess.check_output(command + ["-c", FACTS] + table.modules(), timeout=LIMIT)
    facts = json.loads(out)
    return Place(suite, command, facts["python"], facts["modules"], absent)


def why_none(place, row):
    """Why the suite has no such pair; None: it has."""
    wanted = row.application.packages + row.server.packages.split()
    for package in wanted:
        if package in place.absent:
            return "%s has no package %s" % (place.suite, package)
    return None


def run(place, row):
    reason = why_none(place, row)
    if reason:
        return Result(place, row, "none", {"reason": reason})
    environment = dict(os.environ, NETTRACE_PYTHON=" ".join(shlex.quote(word) for word in place.command))
    command = ["/usr/bin/python3", "-B", os.path.join(HERE, "row.py"), row.name]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(child.communicate(timeout=LIMIT)[0])
    except subprocess.TimeoutExpired:
        child.terminate()  # it ends what it started
        child.wait()
        said = {"result": "not ok", "reason": "not done after %d s" % LIMIT}
    except ValueError:
        said = {"result": "not ok", "reason": "row.py ended with %d and said nothing" % child.returncode}
    return Result(place, row, said["result"], said)


def line_of(result):
    name = "%s/%s" % (result.place.suite, result.row.name)
    said = result.said
    if result.state == "ok":
        exact = "" if said["runs_exact"] else " (merged)"
        more = ", %d calls of no endpoint" % said["unattributed"] if said["unattributed"] else ""
        return "ok %s %d calls in %d runs%s%s" % (name, said["calls"], said["runs"], exact, more)
    seed = " (NETTRACE_SEED=%d)" % said["seed"] if "seed" in said else ""
    return "%s %s %s%s" % (result.state, name, said["reason"], seed)


def run_all(places, rows):
    found = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [pool.submit(run, place, row) for place in places for row in rows]
        try:
            for task in concurrent.futures.as_completed(tasks):
                found.append(task.result())
                print(line_of(found[-1]), flush=True)
        finally:
            for task in tasks:
                task.cancel()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", action="append", help="only these; " + HOME + " is the machine's own Python")
    parser.add_argument("--write", action="store_true", help="note what was found in RESULTS")
    parser.add_argument("row", nargs="*", help="globs over names of rows")
    options = parser.parse_args()
    rows = [row for row in table.rows()
            if not options.row or any(fnmatch.fnmatch(row.name, glob) for glob in options.row)]
    if not rows:
        sys.exit("no such row; there are: " + " ".join(row.name for row in table.rows()))
    wanted = options.suite or SUITES
    places = [(suite, look_at(suite)) for suite in wanted]
    missing = [suite for suite, place in places if place is None]
    for suite in missing:
        print("skip %s/all its packages could not be had" % suite)
    found = run_all([place for _, place in places if place], rows)
    passed = sum(result.state == "ok" for result in found)
    failed = sum(result.state == "not ok" for result in found)
    whole = not options.row and not options.suite and not missing
    if whole:
        new = results.of(found)
        print(results.render(new))
        if options.write and not failed:
            results.write(new)
        problem = results.difference(new)
        print("not ok table " + problem if problem else "ok table")
        passed, failed = passed + (not problem), failed + bool(problem)
    print("matrix: %d passed, %d failed, %d skipped" % (passed, failed, len(missing)))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

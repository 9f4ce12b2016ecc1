#!/usr/bin/python3
"""The matrix: every application of apps/ under its servers, with the machine's Python and those of the other suites.

    run.py [--python VERSION]... [--write] [ROW ...]    ROW: a glob over names of rows; default: all

    ok VERSION/ROW what was counted
    not ok VERSION/ROW reason
    none VERSION/ROW why there is no such pair: decided by package lists and modules, never because a row failed

RESULTS has what was found and noted with --write, and a complete run is compared with it: a pair that comes or goes is
a failure. README's table is made from it (results.py). Rows mostly wait, so more of them than processors run at a time.
On a busy machine the kernel can leave out a probe, which is counted in `lost` and fails the row: such a row is asked once
more when all others are done, alone. Both answers are printed, and the second one counts. A row that fails without such a
loss has failed.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True

import place  # noqa: E402
import results  # noqa: E402
import table  # noqa: E402

AT_ONCE = (os.cpu_count() or 1) + 1
LIMIT = 180  # seconds that a row may take; what hangs inside it is mostly ended earlier

PORTS = range(10000, 32000)  # of the rows' servers: below those that the kernel gives to anybody

Result = collections.namedtuple("Result", "place row state said")


def ports():
    """Free ones, none twice, in an order of chance: another matrix on this machine hardly takes them at the same time."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def run(where, row, port):
    reason = place.why_none(where, row)
    if reason:
        return Result(where, row, "none", {"reason": reason})
    python = " ".join(map(shlex.quote, where.command))
    environment = dict(os.environ, NETTRACE_PYTHON=python, MATRIX_PORT=str(port))
    command = ["/usr/bin/python3", "-B", os.path.join(table.HERE, "row.py"), row.name]
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(child.communicate(timeout=LIMIT)[0])
    except subprocess.TimeoutExpired:
        said = {"result": "not ok", "reason": "not done after %d s" % LIMIT}
    except ValueError:
        said = {"result": "not ok", "reason": "row.py ended with %s and said nothing" % child.returncode}
    finally:
        child.terminate()  # it ends what it started
        child.wait()
    return Result(where, row, said["result"], said)


def line_of(result):
    name, said = "%s/%s" % (result.place.version, result.row.name), result.said
    if result.state == "ok":
        merged = "" if said["runs_exact"] else ", some merged"
        nobody = "; %d calls of no endpoint" % said["unattributed"] if said["unattributed"] else ""
        return "ok %s %d calls in %d runs%s%s" % (name, said["calls"], said["runs"], merged, nobody)
    seed = " (NETTRACE_SEED=%d)" % said["seed"] if "seed" in said else ""
    return "%s %s %s%s" % (result.state, name, said["reason"], seed)


def again(result, free):
    """A row that has failed and that events are missing from, alone."""
    lost = result.state == "not ok" and result.said.get("lost")
    if not lost:
        return result
    print("again %s/%s %s" % (result.place.version, result.row.name, "; ".join(lost)))
    second = run(result.place, result.row, next(free))
    print(line_of(second), flush=True)
    return second


def run_all(places, rows):
    found, free = [], ports()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [pool.submit(run, where, row, next(free)) for where in places for row in rows]
        try:
            for task in tasks:
                found.append(task.result())
                print(line_of(found[-1]), flush=True)
        finally:
            for task in tasks:
                task.cancel()
    return [again(result, free) for result in found]


def look_at_all(wanted):
    """The places, and how many could not be had."""
    places, missing = [], 0
    for version, suite, python in place.known():
        if wanted and version not in wanted:
            continue
        try:
            places.append(place.look_at(version, suite, python))
        except place.Unavailable as problem:
            missing += 1
            print("not ok %s/all %s" % (version, problem), flush=True)
    return places, missing


def report_table(lines):
    """Prints the table; 1 if it is not the one that was noted, else 0."""
    print(results.render(lines))
    problem = results.difference(lines)
    print("not ok table " + problem if problem else "ok table")
    return 1 if problem else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", help="only these versions")
    parser.add_argument("--write", action="store_true", help="note in RESULTS what was found")
    parser.add_argument("row", nargs="*", help="globs over names of rows")
    options = parser.parse_args()
    rows = [row for row in table.rows()
            if not options.row or any(fnmatch.fnmatch(row.name, glob) for glob in options.row)]
    if not rows:
        sys.exit("no such row; there are: " + " ".join(row.name for row in table.rows()))
    places, failed = look_at_all(options.python)
    found = run_all(places, rows)
    passed = sum(result.state == "ok" for result in found)
    failed += sum(result.state == "not ok" for result in found)
    whole = not options.row and not options.python and not failed
    lines = results.of(found)
    if options.write:
        results.write(lines, whole)
    if not options.row and not options.python:
        differs = report_table(lines)
        passed, failed = passed + 1 - differs, failed + differs
    print("matrix: %d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

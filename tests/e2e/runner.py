#!/usr/bin/env python3
"""Runs the cases without pytest, for places that have only a Python: prints a line a case, and a count at the end.

    runner.py [NAME ...]    names of cases, or globs of them; default: all

    ok NAME
    not ok NAME reason
    skip NAME reason
    absent NAME reason    it does not exist with this interpreter, and counts as nothing

Exit status 1 when a case failed, or when nothing ran. lab.py lists what can be set in the environment.
"""

import fnmatch
import os
import signal
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases  # noqa: E402
from registry import attempt  # noqa: E402
from lab import Absent, Failure, Lab, Skip  # noqa: E402


def chosen(patterns):
    names = [name for name in cases.CASES if not patterns or any(fnmatch.fnmatch(name, glob) for glob in patterns)]
    unknown = [glob for glob in patterns if not any(fnmatch.fnmatch(name, glob) for name in cases.CASES)]
    if unknown:
        sys.exit("no such case: " + ", ".join(unknown))
    return names


def run(lab, name):
    """One of ok, skip, absent, not ok; and the line to print."""
    try:
        attempt(lab, name)
        return "ok", "ok %s" % name
    except Skip as reason:
        return "skip", "skip %s %s" % (name, reason)
    except Absent as reason:
        return "absent", "absent %s %s" % (name, reason)
    except Failure as reason:
        return "not ok", "not ok %s %s" % (name, " ".join(str(reason).split()))
    except Exception as problem:
        traceback.print_exc()
        return "not ok", "not ok %s %r" % (name, problem)
    finally:
        lab.end_case()
        lab.forget_truth()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = {"ok": 0, "not ok": 0, "skip": 0, "absent": 0}
    with Lab() as lab:
        print("# seed %d (NETTRACE_SEED=%d repeats it)" % (lab.seed, lab.seed), flush=True)
        for name in chosen(sys.argv[1:]):
            result, line = run(lab, name)
            counts[result] += 1
            print(line, flush=True)
    print("# %(ok)d ok, %(not ok)d not ok, %(skip)d skipped" % counts, flush=True)
    return 1 if counts["not ok"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())

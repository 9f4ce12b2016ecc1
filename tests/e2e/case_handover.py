"""Cases of work that is handed over: to the threads of a pool, to threads that are started. What event loops hand over is in
case_async.py.
"""

from lab import check
from loads import Load, check_wall_source, many, patterns, quit_target, traced
from registry import CASES, case

POOLS = ["waits", "maps", "leaves", "passes_on", "alone"]
THREADS = ["starts", "starts_deeper", "alone"]
MIXED = sorted({*POOLS, *THREADS})

HANDOVERS = {
    "pools_one_after_the_other": Load(
        "handover", "run", ("raw",), POOLS, kinds="pools", threads=1, runs=many(60)
    ),
    "pools_are_shared": Load("handover", "run", ("raw",), POOLS, kinds="pools", threads=6, runs=many(30)),
    "threads_are_started": Load("handover", "run", ("raw",), THREADS, kinds="threads", threads=4, runs=many(30)),
    "handed_over_in_forked_children": Load(
        "handover", "forked", ("raw",), MIXED, kinds="mixed", threads=3, children=3, runs=many(20)
    ),
}


def _add_handovers():
    for name, load in HANDOVERS.items():
        CASES[name] = lambda lab, load=load: traced(lab, load, "stack")


_add_handovers()

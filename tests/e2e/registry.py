"""The list of cases: functions that take the lab and raise Failure or Skip."""

import collections

from lab import Failure

CASES = collections.OrderedDict()


def case(function):
    CASES[function.__name__] = function
    return function


def attempt(lab, name):
    """
    Runs a case. Where it fails and the kernel or the ring had no room for an event, which is counted and shown as it
    should be, the machine was too busy to tell anything else: then once more, and that counts.
    """
    try:
        CASES[name](lab)
    except Failure:
        lost = lab.events_lost()
        if not lost:
            raise
        print("again %s %s" % (name, "; ".join(lost)), flush=True)
        lab.end_case()
        lab.forget_truth()
        CASES[name](lab)

"""The list of cases: functions that take the lab and raise Failure or Skip."""

import collections

CASES = collections.OrderedDict()


def case(function):
    CASES[function.__name__] = function
    return function

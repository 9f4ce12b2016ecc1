"""Writes a row of code_fixtures.h for the Python that runs it.

Run it with each version's interpreter and put the output into its array: test_lines.c and test_flow.c then hold what the
daemon reads in code objects against what this interpreter itself says of them.
"""

import dis
import sys


class Nothing(Exception):
    pass


def a(*args):
    return None


b = c = d = e = g = h = k = a


def sample(items, count):
    a()
    for item in items:
        b(
            item,
            count,
        )
        if item:
            continue
        c()
    while count:
        count -= 1
        d()
    try:
        e()
    except Nothing:
        g()
    finally:
        h()
    k()


def lines_of(code):
    """(first offset behind, line; 0: none) for each stretch of code with one line."""
    size = len(code.co_code)
    lines = [0] * size
    if sys.version_info >= (3, 10):
        for start, end, line in code.co_lines():
            lines[start:end] = [line or 0] * (end - start)
    else:
        starts = list(dis.findlinestarts(code)) + [(size, 0)]
        for (start, line), (end, _) in zip(starts, starts[1:]):
            lines[start:end] = [line] * (end - start)
    stretches = []
    for offset in range(0, size, 2):
        if stretches and stretches[-1][1] == lines[offset]:
            stretches[-1] = (offset + 2, lines[offset])
        else:
            stretches.append((offset + 2, lines[offset]))
    return stretches


def call_of(instructions, name):
    """Offset of the call of a global function; of the first one where `finally` was compiled twice."""
    at = next(i for i, one in enumerate(instructions) if one.opname == "LOAD_GLOBAL" and one.argval == name)
    return next(one.offset for one in instructions[at:] if one.opname in ("CALL", "CALL_FUNCTION"))


def array(data):
    data = list(data)
    rows = [", ".join("%#04x" % byte for byte in data[i : i + 18]) for i in range(0, len(data), 18)]
    return "{\n\t\t\t" + ",\n\t\t\t".join(rows) + ",\n\t\t}"


def main():
    for _ in range(200):  # so that what can be specialised is
        sample([0, 1, 2], 2)
    code = sample.__code__
    minor = sys.version_info[1]
    table = code.co_linetable if minor >= 10 else code.co_lnotab
    raw = getattr(code, "_co_code_adaptive", code.co_code)
    instructions = list(dis.get_instructions(code))
    calls = ", ".join(".%s = %d" % (name, call_of(instructions, name)) for name in "abcdeghk")
    stretches = lines_of(code)
    print("\t{")
    print("\t\t.minor = %d, .first_line = %d," % (minor, code.co_firstlineno))
    print("\t\t.lines_size = %d, .lines = %s," % (len(table), array(table)))
    print("\t\t.code_size = %d, .code = %s," % (len(raw), array(raw)))
    print("\t\t.stretch_count = %d, .stretches = {" % len(stretches))
    for i in range(0, len(stretches), 9):
        print("\t\t\t" + " ".join("{%d, %d}," % pair for pair in stretches[i : i + 9]))
    print("\t\t},")
    print("\t\t.calls = {%s}," % calls)
    print("\t},")


main()

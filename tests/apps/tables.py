"""Holds what the daemon reads in code objects against what this interpreter says of them: the standard library's code.

    tables.py LIBRARY FILES    the readers of daemon/run/ as a shared library; how many files at most

Every instruction's line (lines.c) must be the one that co_lines() or dis has for it, every instruction must begin where
dis says (flow.c and opcodes.c), and jumps back must lead where they do. Prints how much it compared, and the first
differences.
"""

import ctypes
import dis
import os
import sys
import sysconfig
import types

MINOR = sys.version_info[1]
MOST_BYTES = 8192  # of instructions: the kernel side cuts what is longer
TOLD = 10


def load(path):
    library = ctypes.CDLL(path)
    library.lines_find.restype = ctypes.c_uint32
    library.lines_find.argtypes = [ctypes.c_uint8, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_uint32,
                                   ctypes.c_uint32]
    library.flow_new.restype = ctypes.c_void_p
    library.flow_new.argtypes = [ctypes.c_uint8, ctypes.c_char_p, ctypes.c_size_t]
    library.flow_free.argtypes = [ctypes.c_void_p]
    library.flow_instruction.restype = ctypes.c_uint32
    library.flow_instruction.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.flow_reaches.restype = ctypes.c_bool
    library.flow_reaches.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    return library


def sources():
    for directory, names, files in os.walk(sysconfig.get_paths()["stdlib"]):
        names[:] = sorted(name for name in names if name not in ("test", "tests", "site-packages", "dist-packages"))
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.join(directory, name)


def codes_of(path):
    """All code objects of a file."""
    with open(path, "rb") as source:
        try:
            pending = [compile(source.read(), path, "exec", dont_inherit=True)]
        except (SyntaxError, ValueError):
            return
    while pending:
        code = pending.pop()
        yield code
        pending += [thing for thing in code.co_consts if isinstance(thing, types.CodeType)]


def true_lines(code):
    lines = [0] * len(code.co_code)
    if sys.version_info >= (3, 10):
        for start, end, line in code.co_lines():
            lines[start:end] = [line or 0] * (end - start)
        return lines
    # A line is not always greater than 0 there, and the last one goes on to the end.
    starts = list(dis.findlinestarts(code)) + [(len(lines), 0)]
    for (start, line), (end, _) in zip(starts, starts[1:]):
        lines[start:end] = [line] * (end - start)
    if starts[0][0]:
        lines[: starts[0][0]] = [code.co_firstlineno] * starts[0][0]
    return lines


def check_lines(library, code):
    table = code.co_linetable if MINOR >= 10 else code.co_lnotab
    for offset, line in enumerate(true_lines(code)):
        if offset % 2:
            continue
        found = library.lines_find(MINOR, table, len(table), len(table), code.co_firstlineno, offset)
        if found != line:
            yield "offset %d has line %d, truly %d" % (offset, found, line)


def awaits(code):
    """Offsets within an `await` or `yield from`, which is one place however many instructions it has: offset -> place."""
    found, instructions = {}, list(dis.get_instructions(code))
    for before, one in zip(instructions, instructions[1:]):
        if one.opname == "YIELD_FROM":  # up to 3.10, where something is thrown into a frame at the one before
            found[one.offset] = before.offset
        if one.opname == "JUMP_BACKWARD_NO_INTERRUPT":
            send = next((other for other in instructions if other.offset == one.argval), None)
            if send and send.opname.startswith("SEND"):
                found.update({offset: send.offset for offset in range(send.offset, one.offset + 2, 2)})
    return found


def check_flow(library, code):
    raw = getattr(code, "_co_code_adaptive", code.co_code)
    flow = library.flow_new(MINOR, raw, len(raw))
    if not flow:
        yield "its instructions cannot be read"
        return
    waiting, before = awaits(code), None
    for one in dis.get_instructions(code):
        # What is thrown into an `await` leads to its end, from 3.12 on by a jump back that makes no loop.
        thrown = before in ("CLEANUP_THROW", "PUSH_EXC_INFO")
        before = before if one.opname == "EXTENDED_ARG" else one.opname
        if library.flow_instruction(flow, one.offset) != waiting.get(one.offset, one.offset):
            yield "offset %d: no instruction begins there" % one.offset
        if one.offset in waiting or thrown:
            continue
        back = "JUMP" in one.opname and isinstance(one.argval, int) and one.argval <= one.offset
        if back and not library.flow_reaches(flow, one.offset, one.argval):
            yield "offset %d: %s does not lead back to %d" % (one.offset, one.opname, one.argval)
    library.flow_free(flow)


def codes(most):
    for _, path in zip(range(most), sources()):
        yield from codes_of(path)
    # These have run often enough to be specialised.
    yield from (function.__code__ for function in (codes_of, true_lines, check_lines, check_flow))


def main():
    library, count, differences = load(sys.argv[1]), 0, 0
    for code in codes(int(sys.argv[2])):
        if len(code.co_code) > MOST_BYTES:
            continue
        count += 1
        for problem in list(check_lines(library, code)) + list(check_flow(library, code)):
            differences += 1
            if differences <= TOLD:
                print("%s:%d %s: %s" % (code.co_filename, code.co_firstlineno, code.co_name, problem))
    print("%d code objects, %d differences" % (count, differences))
    sys.exit(1 if differences or count < 1000 else 0)


main()

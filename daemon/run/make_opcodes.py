"""Writes the table of opcodes.c for the Python that runs it.

3.11 and 3.12 tell their specialised instructions in opcode.h only: give its path as the argument.
"""

import opcode
import re
import sys
import textwrap

MINOR = sys.version_info[1]

# The first that matches says what kind an instruction is.
KINDS = [
    ("EXTEND", r"EXTENDED_ARG"),
    ("HIDDEN", r"INSTRUMENTED_(LINE|INSTRUCTION)$|ENTER_EXECUTOR|TRACE_RECORD"),
    ("BACK", r".*JUMP_BACKWARD"),
    ("FOR", r"(INSTRUMENTED_)?FOR_ITER"),
    ("AWAIT", r"YIELD_FROM|(INSTRUMENTED_)?SEND(_|$)"),
    ("STORE", r"STORE_FAST(?!_MAYBE_NULL)|UNPACK_(SEQUENCE|EX)"),
]
if MINOR >= 11:
    # CALL_FUNCTION_EX calls bound methods through C, and what else it calls there hardly ever calls back more than once.
    KINDS += [("ONCE", r"(INSTRUMENTED_)?CALL_FUNCTION_EX|BEFORE_(ASYNC_)?WITH|WITH_EXCEPT_START|LOAD_SPECIAL"),
              ("ONCE", r"(LOAD|STORE)_ATTR|LOAD_METHOD")]
    KINDS = [("RESUME", "JUMP_BACKWARD_NO_INTERRUPT")] + KINDS
if MINOR >= 13:
    KINDS = [("HANDLER", "PUSH_EXC_INFO|CLEANUP_THROW")] + KINDS
if MINOR == 12:
    KINDS += [("THROWN", "CLEANUP_THROW")]
if MINOR == 8:
    KINDS += [("CALL_FINALLY", "CALL_FINALLY"), ("END_FINALLY", "END_FINALLY")]


def names():
    """Every instruction's number, and each specialised one's family."""
    numbers, families = dict(opcode.opmap), {}
    if MINOR >= 13:
        import _opcode_metadata as metadata

        numbers.update(metadata._specialized_opmap)
        families = metadata._specializations
    elif MINOR >= 11:
        families = opcode._specializations
        with open(sys.argv[1]) as header:
            for name, number in re.findall(r"^#define ([A-Z]\w+) +(\d+)$", header.read(), re.MULTILINE):
                if not re.match("HAVE_|MIN_|MAX_|NB_", name):
                    numbers[name] = int(number)
    return {name: number for name, number in numbers.items() if number < 256}, families


def caches_of(name, families):
    """An instruction that replaces another has that one's inline caches."""
    for family, members in families.items():
        if name in members:
            name = family
    name = re.sub("^INSTRUMENTED_", "", name)
    if MINOR >= 13:
        return opcode._inline_cache_entries.get(name, 0)
    return opcode._inline_cache_entries[opcode.opmap[name]] if MINOR >= 11 and name in opcode.opmap else 0


def kind_of(name, number):
    for kind, pattern in KINDS:
        if re.match(pattern, name):
            return kind
    return "ABSOLUTE" if MINOR <= 10 and number in opcode.hasjabs else None


def main():
    numbers, families = names()
    ranges = []
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        kind, caches = kind_of(name, number), caches_of(name, families)
        entry = " | ".join((["OPCODE_" + kind] if kind else []) + ([str(caches)] if caches else []))
        if entry and ranges and ranges[-1][1] == number - 1 and ranges[-1][2] == entry:
            ranges[-1][1] = number
        elif entry:
            ranges.append([number, number, entry])
    entries = ["[%d] = %s" % (a, e) if a == b else "[%d ... %d] = %s" % (a, b, e) for a, b, e in ranges]
    # Spaces within an entry are no places to break at.
    text = textwrap.fill(", ".join(entry.replace(" ", "~") for entry in entries), 110)
    print("static const uint8_t opcodes_%d[256] = {" % MINOR)
    print("\t" + text.replace("~", " ").replace("\n", "\n\t") + ",\n};")


main()

"""Writes a copy of the interpreter that runs this which says that it is of another kind, and works as before.

    other_kind.py COPY unknown|free-threaded

What nettraced reads is changed and nothing else: Py_Version in the file's data, from 3.13 on _Py_DebugOffsets.
"""

import os
import struct
import sys

UNKNOWN_MINOR = 99


def main():
    copy, kind = sys.argv[1:]
    version = struct.pack("<Q", sys.hexversion)
    other = struct.pack("<Q", sys.hexversion & ~0xFF0000 | UNKNOWN_MINOR << 16)
    head = b"xdebugpy" if sys.version_info >= (3, 13) else b""
    with open(os.path.realpath(sys.executable), "rb") as file:
        program = file.read()
    if kind == "unknown":
        changed = program.replace(head + version, head + other)
    else:
        changed = program.replace(head + version + struct.pack("<Q", 0), head + version + struct.pack("<Q", 1))
    if changed == program:
        sys.exit("the file does not say its version where it should")
    with open(copy, "wb") as file:
        file.write(changed)
    os.chmod(copy, 0o755)


main()

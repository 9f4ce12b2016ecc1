#!/usr/bin/python3
"""make_image.py IMAGE COMMAND...: takes a picture of the interpreter that COMMAND starts, for tests/unit/test_images.c.

COMMAND gets `-c CODE` behind it, runs scene.py by that, and its process must become the interpreter. See README.md here.
"""

import gzip
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
RANGES = "build/unit/image_ranges"
DEBUG_OFFSETS = 1024  # bytes at the beginning of _PyRuntime, where they stand from 3.13 on


def start_scene(command):
    """The process at rest, and what it says of itself. The scene's path is the same wherever it was made."""
    with open(os.path.join(HERE, "scene.py")) as source:
        text = source.read()
    code = "exec(compile(%r, '/srv/shop/scene.py', 'exec'))" % text
    process = subprocess.Popen(command + ["-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return process, json.loads(process.stdout.readline())


def read_ranges(pid, truth):
    """Address of _PyRuntime, and what the walk reads, as a list of (address, size)."""
    threads = [str(thread["self"]) for thread in truth["threads"]]
    said = subprocess.check_output([os.path.join(CHECKOUT, RANGES), str(pid), *threads], text=True).split()
    numbers = list(map(int, said))
    return numbers[0], list(zip(numbers[1::2], numbers[2::2]))


def merged(ranges):
    result = []
    for address, size in sorted(ranges):
        if result and address <= result[-1][0] + result[-1][1]:
            result[-1][1] = max(result[-1][1], address + size - result[-1][0])
        else:
            result.append([address, size])
    return result


def take(pid, truth):
    runtime, ranges = read_ranges(pid, truth)
    spans = truth.pop("spans") + [(runtime, DEBUG_OFFSETS)]
    pieces, kept = [], []
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for address, size in merged(ranges + [(start // 8 * 8, size + 8) for start, size in spans]):
            memory.seek(address)
            pieces.append(memory.read(size))
            kept.append([address, len(pieces[-1])])
    header = dict(truth, runtime=runtime, ranges=kept)
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + b"".join(pieces)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.splitlines()[0])
    subprocess.check_call(["make", "-s", RANGES], cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    process, truth = start_scene(sys.argv[2:])
    try:
        picture = take(process.pid, truth)
    finally:
        process.kill()
        process.wait()
    with open(sys.argv[1], "wb") as image:
        image.write(gzip.compress(picture, mtime=0))
    print("%s: Python %s, %d bytes of memory, %d in the file" % (
        sys.argv[1], ".".join(map(str, truth["python"])), len(picture), os.path.getsize(sys.argv[1])))


main()

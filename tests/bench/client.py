"""The program that the bench measures: a blocking request/answer loop, 16 Python frames deep.

    client.py PORT [patched]

Reads "run N" on standard input, makes N round trips of 32 bytes, and prints a JSON object: its CPU time and wall time
in nanoseconds. `patched`: with the sockets patched, as a team without a tracer would note time, size, peer and 16
frames.
"""

import gc
import json
import resource
import socket
import sys
import time

MESSAGE = b"m" * 32
DEPTH = 16
notes = []


def patch():
    """Notes each send and receive in a list: time, size, peer and the code and line of 16 frames."""
    peers = {}
    clock, getframe, note = time.monotonic_ns, sys._getframe, notes.append

    def frames():
        frame, found = getframe(2), []
        for _ in range(DEPTH):
            if frame is None:
                break
            found.append((frame.f_code, frame.f_lineno))
            frame = frame.f_back
        return found

    def patched(real, size_of):
        def wrapper(self, *arguments):
            start = clock()
            result = real(self, *arguments)
            note((start, clock(), size_of(result), peers.get(self.fileno()), frames()))
            return result

        return wrapper

    def connect(self, address, real=socket.socket.connect):
        real(self, address)
        peers[self.fileno()] = address

    socket.socket.connect = connect
    socket.socket.send = patched(socket.socket.send, int)
    socket.socket.recv = patched(socket.socket.recv, len)


def exchange(sock, count):
    for _ in range(count):
        sock.send(MESSAGE)
        sock.recv(32)


def descend(levels, sock, count):
    """The module, main() and exchange() are frames as well."""
    if levels:
        descend(levels - 1, sock, count)
    else:
        exchange(sock, count)


def measure(sock, count):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic_ns()
    descend(DEPTH - 5, sock, count)
    wall = time.monotonic_ns() - wall
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": (usage.ru_utime + usage.ru_stime - cpu) * 1e9, "wall": wall}


def main():
    if "patched" in sys.argv[2:]:
        patch()
    sock = socket.socket()
    sock.connect(("127.0.0.1", int(sys.argv[1])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        result = measure(sock, int(line.split()[1]))
        result["notes"] = len(notes)
        notes.clear()
        print(json.dumps(result), flush=True)


main()

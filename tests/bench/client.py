"""The program that the bench measures: a blocking request/answer loop, 16 Python frames deep.

    client.py PORT [patched | shallow | threads]

Reads "run N" on standard input, makes N round trips of 32 bytes, and prints a JSON object: its CPU time and wall time
in nanoseconds. `patched`: with the sockets patched, as a team without a tracer would note time, size, peer and 16
frames. `shallow`: as few frames as there can be. `threads`: likewise on 200 threads at once, a connection each.
"""

import gc
import json
import resource
import socket
import sys
import threading
import time

MESSAGE = b"m" * 32
DEPTH = 16
THREADS = 200
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


def at_once(socks, count):
    threads = [threading.Thread(target=exchange, args=(sock, count // len(socks))) for sock in socks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(work):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic_ns()
    work()
    wall = time.monotonic_ns() - wall
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": (usage.ru_utime + usage.ru_stime - cpu) * 1e9, "wall": wall}


def connect():
    sock = socket.socket()
    sock.connect(("127.0.0.1", int(sys.argv[1])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def main():
    way = sys.argv[2] if len(sys.argv) > 2 else None
    if way == "patched":
        patch()
    socks = [connect() for _ in range(THREADS if way == "threads" else 1)]
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line.split()[1])
        if way == "threads":
            result = measure(lambda: at_once(socks, count))
        else:
            result = measure(lambda: descend(0 if way == "shallow" else DEPTH - 6, socks[0], count))
        result["notes"] = len(notes)
        notes.clear()
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

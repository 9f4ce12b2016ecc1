"""What the applications of the matrix share: an endpoint's calls, with clients that every interpreter has.

Clients are kept in pools that all threads, greenlets and tasks take from: who opened a connection is mostly not who
sends on it. The backends' addresses come in MATRIX_BACKENDS. ask() is the client of applications that bring their own.
"""

import contextlib
import json
import os
import random
import signal
import threading

import clients
import witness

ADDRESSES = json.loads(os.environ.get("MATRIX_BACKENDS", "{}"))
PAUSE = 2000  # microseconds that the raw server takes for an answer: time for others to run

_pools = {kind: [] for kind in ("redis", "http", "raw")}
_classes = {"redis": clients.Redis, "http": clients.Http, "raw": clients.Client}


class borrowed:
    """Context manager: a client of this kind, back in the pool afterwards."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        try:
            self.client = _pools[self.kind].pop()
        except IndexError:
            self.client = _classes[self.kind](tuple(ADDRESSES[self.kind]))
        return self.client.connect()

    def __exit__(self, *problem):
        if problem[0] is None:
            _pools[self.kind].append(self.client)
        else:
            self.client.close()
        return False


def redis(*command):
    with borrowed("redis") as client:
        return client.command(*command)


def http(path, template=None):
    with borrowed("http") as client:
        return client.request("GET", path, template=template)


def raw(size=10, answer=100, pause=PAUSE):
    with borrowed("raw") as client:
        client.sock.sendall(clients.raw_request(clients.ECHO, size, answer, pause))
        return clients.read_exactly(client.sock, answer)


def _forget_clients():
    """In a forked child: the parent goes on with its connections."""
    for pool in _pools.values():
        del pool[:]


def _exit(status):
    """Children of celery, rq and multiprocessing end here, where no atexit runs."""
    witness.dump()
    _real_exit(status)


def _end(number, frame):
    """A server that has no handler of its own is told to end."""
    os._exit(0)


_real_exit = os._exit
os._exit = _exit
if witness.enabled() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
    with contextlib.suppress(ValueError):  # imported by another thread than the main one: it is a server with handlers
        signal.signal(signal.SIGTERM, _end)
os.register_at_fork(after_in_child=_forget_clients)


def ask(names, function, seed, count, threads=4):
    """Calls function(name) `count` times for each name, in an order that the seed says, on some threads."""
    words = [name for name in names for _ in range(count)]
    random.Random(seed).shuffle(words)
    failures = []

    def work(part):
        try:
            for name in part:
                function(name)
        except Exception as problem:
            failures.append(repr(problem))

    workers = [threading.Thread(target=work, args=(words[number::threads],)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise SystemExit("asking failed: " + failures[0])
    print("asked %d" % len(words), flush=True)

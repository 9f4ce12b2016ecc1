"""Target: endpoints that spend their time on something else than the network, and that say on what.

What a run spent is noted where nettraced cannot look: by the thread's own clocks, between its first request's end and its
last answer. "spent NAME JSON" on standard output, in seconds, for each endpoint.
"""

import json
import random
import threading
import time

import clients
import scenario
import witness

_totals = {}


def _account():
    """
    Seconds on a CPU, and ready without one, of this thread, as the kernel counts them. The first by its clock: the file has
    them as of when the thread last left the CPU.
    """
    with open("/proc/thread-self/schedstat") as stat:
        waited = stat.read().split()[1]
    return time.thread_time(), int(waited) / 1e9


class _Spending:
    """One run: everything between its first and its last exchange."""

    def __init__(self, name, sock):
        self.total = _totals.setdefault(name, dict.fromkeys(("cpu", "run_queue", "lock", "sleep"), 0.0))
        self.sock = sock

    def __enter__(self):
        _exchange(self.sock)
        self.before = _account()
        return self

    def __exit__(self, *_):
        after = _account()
        self.total["cpu"] += after[0] - self.before[0]
        self.total["run_queue"] += after[1] - self.before[1]
        _exchange(self.sock)
        return False

    def waiting(self, part, work):
        """Time off the CPU in `work`, but for what it was ready."""
        ran, waited = _account()
        start = time.monotonic()
        work()
        away = time.monotonic() - start
        after = _account()
        self.total[part] += max(away - (after[0] - ran) - (after[1] - waited), 0)


def _exchange(sock):
    sock.sendall(clients.raw_request(clients.ECHO, 20, 20))
    clients.read_exactly(sock, 20)


@witness.endpoint
def burns(sock, draw):
    with witness.run(), _Spending("burns", sock):
        end = time.thread_time() + draw.uniform(0.001, 0.01)
        while time.thread_time() < end:
            pass


@witness.endpoint
def sleeps(sock, draw):
    with witness.run(), _Spending("sleeps", sock) as spending:
        spending.waiting("sleep", lambda: time.sleep(draw.uniform(0.001, 0.02)))


@witness.endpoint
def waits(sock, lock, holder):
    with witness.run(), _Spending("waits", sock) as spending:
        holder.set()
        spending.waiting("lock", lock.acquire)


def _hold(lock, wanted, draw):
    """Gives the lock a while after it was asked for."""
    while True:
        wanted.wait()
        wanted.clear()
        time.sleep(draw.uniform(0.002, 0.02))
        lock.release()


def parts(options, go):
    draw = random.Random(options["seed"])
    sock = clients.Client(options["raw"]).connect().sock
    lock, wanted = threading.Semaphore(0), threading.Event()
    threading.Thread(target=_hold, args=(lock, wanted, random.Random(options["seed"] + 1)), daemon=True).start()
    go()
    for _ in range(options["runs"]):
        burns(sock, draw)
        sleeps(sock, draw)
        waits(sock, lock, wanted)
    for name, total in _totals.items():
        scenario.say("spent %s %s" % (name, json.dumps(total)))
    return sock


scenario.main({"parts": parts})

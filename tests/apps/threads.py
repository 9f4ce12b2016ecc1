"""Target: many threads, with connections of their own, with one that they share, and all blocked at once."""

import random
import threading

import clients
import scenario
import witness


def _exchange(sock, size, answer):
    sock.sendall(clients.raw_request(clients.ECHO, size, answer))
    clients.read_exactly(sock, answer)


@witness.endpoint
def first_kind(sock, count, size):
    with witness.run():
        for _ in range(count):
            _exchange(sock, size, 64)


@witness.endpoint
def second_kind(redis, key):
    with witness.run():
        redis.command("SET", key, key)
        redis.command("GET", key)


def _run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def separate(options, go):
    """Each thread has its own connections."""
    keep = []

    def work(seed):
        draw = random.Random(seed)
        raw, redis = clients.Client(options["raw"]).connect(), clients.Redis(options["redis"])
        keep.append((raw, redis))
        for number in range(options["runs"]):
            if draw.randrange(2):
                first_kind(raw.sock, draw.randrange(1, 5), draw.randrange(200))
            else:
                second_kind(redis, "t%d:%d" % (seed, number))

    go()
    _run_all([threading.Thread(target=work, args=(options["seed"] + number,)) for number in range(options["threads"])])
    return keep


@witness.endpoint
def shared_a(sock, lock):
    with witness.run(), lock:
        _exchange(sock, 20, 100)


@witness.endpoint
def shared_b(sock, lock):
    with witness.run(), lock:
        _exchange(sock, 30, 3000)


def shared(options, go):
    """One connection for all threads, under a lock: it belongs to whoever asks."""
    raw, lock = clients.Client(options["raw"]).connect(), threading.Lock()

    def work(seed):
        draw = random.Random(seed)
        for _ in range(options["runs"]):
            draw.choice((shared_a, shared_b))(raw.sock, lock)

    go()
    _run_all([threading.Thread(target=work, args=(options["seed"] + number,)) for number in range(options["threads"])])
    return raw


@witness.endpoint
def wait_at_gate(sock, request, rounds):
    with witness.run():
        for _ in range(rounds):
            sock.sendall(request)
            clients.read_exactly(sock, 10)


def blocked(options, go):
    """The server answers nobody until all threads wait in recv."""
    count = options["threads"]
    request = clients.raw_request(clients.GATE, 0, 10, count)
    connections = [clients.Client(options["raw"]).connect() for _ in range(count)]
    threads = [
        threading.Thread(target=wait_at_gate, args=(raw.sock, request, options["rounds"])) for raw in connections
    ]
    go()
    _run_all(threads)
    return connections


if __name__ == "__main__":
    scenario.main({"separate": separate, "shared": shared, "blocked": blocked})

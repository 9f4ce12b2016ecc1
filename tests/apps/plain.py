"""Target: one thread that calls redis, memcache, HTTP and a raw server from functions that tests name as endpoints."""

import random
import threading

import clients
import scenario
import witness


@witness.endpoint
def profile(redis, user, extra):
    """1 GET, then `extra` pairs of SET and GET."""
    with witness.run():
        redis.command("GET", "user:%d" % user)
        for number in range(extra):
            redis.command("SET", "user:%d:%d" % (user, number), "v" * (user % 50))
            redis.command("GET", "user:%d:%d" % (user, number))


@witness.endpoint
def listing(memcache, keys):
    """1 set and 1 get of all the keys."""
    with witness.run():
        memcache.set(keys[0], b"x" * len(keys))
        memcache.get(*keys)


@witness.endpoint
def availability(http, items):
    """1 GET an item."""
    with witness.run():
        for item in items:
            http.request("GET", "/stock/%d" % item, template="/stock/?")


@witness.endpoint
def lookup(raw, count, size, answer):
    """`count` exchanges with a protocol that nobody knows."""
    with witness.run():
        for _ in range(count):
            raw.sock.sendall(clients.raw_request(clients.ECHO, size, answer))
            clients.read_exactly(raw.sock, answer)


@witness.endpoint
def everything(redis, memcache, http, raw):
    """One call to each backend."""
    with witness.run():
        redis.command("INCR", "everything")
        memcache.get(b"everything")
        http.request("POST", "/orders", b"{}")
        raw.sock.sendall(clients.raw_request(clients.ECHO, 10, 20))
        clients.read_exactly(raw.sock, 20)


def mixed(options, go):
    """Endpoints in random order; their connections are made inside the first run that needs them."""
    draw = random.Random(options["seed"])
    go()
    redis, memcache = clients.Redis(options["redis"]), clients.Memcache(options["memcache"])
    http, raw = clients.Http(options["http"]), clients.Client(options["raw"]).connect()
    for _ in range(options["runs"]):
        kind = draw.randrange(5)
        if kind == 0:
            profile(redis, draw.randrange(1, 10**6), draw.randrange(4))
        elif kind == 1:
            listing(memcache, [b"k%d" % draw.randrange(1000) for _ in range(draw.randrange(1, 9))])
        elif kind == 2:
            availability(http, [draw.randrange(1000) for _ in range(draw.randrange(1, 6))])
        elif kind == 3:
            lookup(raw, draw.randrange(1, 5), draw.randrange(0, 3000), draw.randrange(1, 9000))
        else:
            everything(redis, memcache, http, raw)
    return redis, memcache, http, raw


def before(options, go):
    """All connections are open, and used, before nettraced comes."""
    draw = random.Random(options["seed"])
    redis, memcache = clients.Redis(options["redis"]), clients.Memcache(options["memcache"])
    http, raw = clients.Http(options["http"]), clients.Client(options["raw"]).connect()
    everything(redis, memcache, http, raw)
    go()
    for _ in range(options["runs"]):
        if draw.randrange(2):
            profile(redis, draw.randrange(1, 10**6), draw.randrange(4))
        else:
            everything(redis, memcache, http, raw)
    return redis, memcache, http, raw


@witness.endpoint
def batch(redis, commands):
    with witness.run():
        redis.pipeline(commands)


@witness.endpoint
def broken(redis):
    """The answer to the second one is an error."""
    with witness.run():
        redis.command("SET", "word", "abc")
        redis.command("INCR", "word")


def pipelines(options, go):
    """Pipelines of redis commands, with multi-key commands, transactions and errors among them."""
    draw = random.Random(options["seed"])
    go()
    redis = clients.Redis(options["redis"])
    for number in range(options["runs"]):
        commands = [_command(draw) for _ in range(draw.randrange(1, 40))]
        if draw.randrange(3) == 0:
            commands = [("MULTI",)] + commands + [("EXEC",)]
        batch(redis, commands)
        if number % 5 == 0:
            broken(redis)
    return redis


def _command(draw):
    keys = ["k%d" % draw.randrange(100) for _ in range(draw.randrange(1, 6))]
    return draw.choice(
        [
            ("GET", keys[0]),
            ("SET", keys[0], "v" * draw.randrange(3000)),
            ("MGET", *keys),
            ("MSET", *[word for key in keys for word in (key, "1")]),
            ("DEL", *keys),
            ("INCR", "counter"),
            ("PING",),
        ]
    )


@witness.endpoint
def fetch(http, method, path, body, template):
    with witness.run():
        http.request(method, path, body, template)


def pages(options, go):
    """HTTP of all sorts on keep-alive connections: chunks, big bodies both ways, no bodies, errors, closing."""
    draw = random.Random(options["seed"])
    go()
    http = clients.Http(options["http"])
    for _ in range(options["runs"]):
        number = draw.randrange(2, 100)
        method, path, size, template = draw.choice(
            [
                ("GET", "/size/%d" % (number * 100), 0, "/size/?"),
                ("GET", "/size/%d" % (number * 20000), 0, "/size/?"),
                ("GET", "/chunked/%d" % (number * 99), 0, "/chunked/?"),
                ("HEAD", "/size/%d" % number, 0, "/size/?"),
                ("GET", "/status/204", 0, "/status/?"),
                ("GET", "/status/304", 0, "/status/?"),
                ("GET", "/status/404", 0, "/status/?"),
                ("GET", "/status/500", 0, "/status/?"),
                ("GET", "/status/503", 0, "/status/?"),
                ("POST", "/orders", number * 10, "/orders"),
                ("PUT", "/orders/%d" % number, number * 10000, "/orders/?"),
                ("DELETE", "/orders/%d?force=%d" % (number, number), 0, "/orders/?"),
                ("GET", "/close/%d" % number, 0, "/close/?"),
            ]
        )
        fetch(http, method, path, b"p" * size, template)
    return http


@witness.endpoint
def connect_each_time(address, count):
    """A new connection for each of `count` exchanges."""
    with witness.run():
        for _ in range(count):
            raw = clients.Client(address).connect()
            raw.sock.sendall(clients.raw_request(clients.ECHO, 5, 50))
            clients.read_exactly(raw.sock, 50)
            raw.close()


def reconnects(options, go):
    draw = random.Random(options["seed"])
    go()
    for _ in range(options["runs"]):
        connect_each_time(options["raw"], draw.randrange(1, 6))


@witness.endpoint
def steady(sock, request, answer):
    """Four exchanges."""
    with witness.run():
        for _ in range(4):
            sock.sendall(request)
            clients.read_exactly(sock, answer)


def many(options, go):
    """As many calls as fit in: does anything get lost, and are the counts still exact?"""
    go()
    raw = clients.Client(options["raw"]).connect()
    request = clients.raw_request(clients.ECHO, 12, 32)
    for _ in range(options["runs"]):
        steady(raw.sock, request, 32)
    return raw


@witness.endpoint
def timed(sock, request, answer):
    """One exchange, so that the run's wall time, the call's latency and the network time are nearly one."""
    with witness.run():
        sock.sendall(request)
        clients.read_exactly(sock, answer)


def latency(options, go):
    raw = clients.Client(options["raw"]).connect()
    request = clients.raw_request(clients.ECHO, 12, 32, options["micros"])
    go()
    for _ in range(options["runs"]):
        timed(raw.sock, request, 32)
    return raw


@witness.endpoint
def submit(sock, request, answered):
    """Sends; another thread, outside any endpoint, reads the answer."""
    with witness.run():
        sock.sendall(request)
        answered.acquire()


def handoff(options, go):
    """Who sent the request owns the answer, whoever reads it."""
    raw = clients.Client(options["raw"]).connect()
    answered = threading.Semaphore(0)

    def read():
        for _ in range(options["runs"]):
            clients.read_exactly(raw.sock, 700)
            answered.release()

    reader = threading.Thread(target=read)
    go()
    reader.start()
    request = clients.raw_request(clients.ECHO, 100, 700)
    for _ in range(options["runs"]):
        submit(raw.sock, request, answered)
    reader.join()
    return raw


@witness.endpoint
def deep(sock, levels):
    with witness.run():
        _descend(sock, levels)


def _descend(sock, levels):
    if levels:
        return _descend(sock, levels - 1)
    sock.sendall(clients.raw_request(clients.ECHO, 0, 1))
    return clients.read_exactly(sock, 1)


def recursion(options, go):
    """Calls from 1 to 100 Python frames below the endpoint."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        deep(raw.sock, draw.randrange(1, 100))
    return raw


@witness.endpoint
def größe(sock):
    """A name in Latin-1, which CPython stores as one byte a character but not as ASCII."""
    with witness.run():
        _exchange(sock)


@witness.endpoint
def 数える(sock):
    """A name in UCS-2."""
    with witness.run():
        _exchange(sock)


@witness.endpoint
def through_a_generator(sock, count):
    """The calls are made in a generator and a comprehension that the endpoint drives."""
    with witness.run():
        sum(_exchanges(sock, count))
        [_exchange(sock) for _ in range(count)]


def _exchange(sock):
    sock.sendall(clients.raw_request(clients.ECHO, 3, 30))
    return clients.read_exactly(sock, 30)


def _exchanges(sock, count):
    for _ in range(count):
        yield _exchange(sock)


class Basket:
    @witness.endpoint
    def total(self, sock):
        with witness.run():
            _exchange(sock)


def shapes(options, go):
    """Functions of many kinds, and one whose exception the caller catches."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    basket = Basket()
    for _ in range(options["runs"]):
        kind = draw.randrange(5)
        if kind == 0:
            größe(raw.sock)
        elif kind == 1:
            数える(raw.sock)
        elif kind == 2:
            through_a_generator(raw.sock, draw.randrange(1, 4))
        elif kind == 3:
            basket.total(raw.sock)
        else:
            try:
                raises(raw.sock)
            except KeyError:
                pass
    return raw


@witness.endpoint
def raises(sock):
    with witness.run():
        _exchange(sock)
        raise KeyError("of the application's own")


@witness.endpoint
def idle(number):
    """No calls at all."""
    with witness.run():
        return sum(range(number))


def sparse(options, go):
    """Most runs make no call: only probes on entry and return can see those."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    request = clients.raw_request(clients.ECHO, 12, 32)
    go()
    for _ in range(options["runs"]):
        kind = draw.randrange(4)
        if kind == 0:
            timed(raw.sock, request, 32)
        elif kind == 1:
            through_a_generator(raw.sock, 2)
        elif kind == 2:
            try:
                raises(raw.sock)
            except KeyError:
                pass
        else:
            idle(1000)
    return raw


@witness.endpoint
def by_map(sock, numbers):
    """A function written in C calls back for each number."""
    with witness.run():
        list(map(lambda _: _exchange(sock), numbers))


@witness.endpoint
def by_sort(sock, numbers):
    """Another one, through a method, and a second place behind it."""
    with witness.run():
        sorted(numbers, key=Fetcher(sock).key)
        max(numbers, key=Fetcher(sock).key)


class Fetcher:
    def __init__(self, sock):
        self.sock = sock

    def key(self, number):
        _exchange(self.sock)
        return -number


def callbacks(options, go):
    """The calls of a run come from functions that C code calls again and again from one place."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        draw.choice((by_map, by_sort))(raw.sock, range(draw.randrange(1, 5)))
    return raw


@witness.endpoint
def mapped(sock):
    with witness.run():
        _exchange(sock)


@witness.endpoint
def mapped_twice(sock):
    with witness.run():
        for _ in range(2):
            _exchange(sock)


def mappings(options, go):
    """The runs themselves are what C code calls again and again from one place."""
    raw = clients.Client(options["raw"]).connect()
    go()
    list(map(mapped, [raw.sock] * options["runs"]))
    list(map(mapped_twice, [raw.sock] * options["runs"]))
    return raw


LEFT = []


@witness.endpoint
def indistinct(sock):
    """Two to four exchanges from one place."""
    with witness.run():
        for _ in range(LEFT.pop()):
            _exchange(sock)


def _drive(sock):
    """Nothing in this frame changes from one run to the next: its state is all in a global."""
    while LEFT:
        indistinct(sock)


def merged(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    LEFT.extend(draw.randrange(2, 5) for _ in range(options["runs"]))
    go()
    _drive(raw.sock)
    return raw


KINDS = 7


def _make(kind):
    """A function made anew. All kinds are of one size, so that they come to lie at one address. Each has its own name,
    first line, and places of its calls in the code: what calls from the same place there cannot be told apart."""
    source = "\n" * kind + (
        "def made_%d(sock):\n"
        "    with witness.run('__main__:made_%d'):\n"
        "        %sexchange(sock); exchange(sock); %spass\n"
        % (kind, kind, "kind = None; " * (13 * kind), "kind = None; " * (13 * (KINDS - kind)))
    )
    names = {"witness": witness, "exchange": _exchange}
    exec(compile(source, "made.py", "exec"), names)
    return names.pop("made_%d" % kind)


def thrown_away(options, go):
    """Functions that are gone after one run: what another one is made of comes to lie where their code was."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    kinds = {}  # address of a code object -> the kinds that were there
    go()
    for number in range(options["runs"]):
        kind = number % KINDS if number < 10 * KINDS else draw.randrange(KINDS)
        made = _make(kind)
        kinds.setdefault(id(made.__code__), set()).add(kind)
        made(raw.sock)
        del made
    assert max(map(len, kinds.values())) > 1, "no address was used twice"
    return raw


if __name__ == "__main__":
    scenario.main(
        {
            "mixed": mixed,
            "thrown_away": thrown_away,
            "before": before,
            "pipelines": pipelines,
            "pages": pages,
            "reconnects": reconnects,
            "many": many,
            "latency": latency,
            "handoff": handoff,
            "recursion": recursion,
            "shapes": shapes,
            "sparse": sparse,
            "merged": merged,
            "callbacks": callbacks,
            "mappings": mappings,
        }
    )

"""Recordings made by hand: what a capture of a small shop would have written, and what is true of it.

Each scenario is a function that returns a Recording: its bytes, and the counts that any summary of it must have,
added up here independently of the code under test. `make_recordings.py DIRECTORY` writes them all as files.
"""

import collections
import struct
import sys
from pathlib import Path

ABI = 2
HEADER_SIZE = 160
(SOCKET, CONNECT, SEGMENT, CLOSE, STACK, CODE, FUNCTION, FORK, EXEC, EXIT) = range(1, 11)
(PROCESS, MODULE, SETTING, LOSS, COST, TICK, END) = range(64, 71)
CLIENT, SERVER = 1, 2
OUT, IN = 0, 1
TURN = 1
WALK_NONE, WALK_OK, WALK_NO_THREAD, WALK_FAILED, WALK_TRUNCATED, WALK_UNSUPPORTED, WALK_SKIPPED = range(7)
BY_STACK = 1
AF_INET, AF_INET6 = 2, 10
ECONNREFUSED, EINPROGRESS = 111, 115

BEGIN = 5_000_000_000_000  # monotonic ns of the first record
WALL = 1_769_860_800_000_000_000  # the same moment since the epoch
MS = 1_000_000
SECOND = 1000 * MS


def pad(data):
    return data + bytes(-len(data) % 8)


class Recording:
    """Records, the clock that they are written by, and the counts that are true of them."""

    def __init__(self):
        self.records = []
        self.now = BEGIN
        self.connections = 0
        self.stacks = {}
        self.codes = {}
        self.calls = collections.Counter()  # (endpoint or None, protocol, address) -> calls
        self.errors = collections.Counter()
        self.keys = collections.Counter()
        self.round_trips = collections.Counter()
        self.connects = collections.Counter()
        self.bytes = collections.Counter()  # the same and a direction -> bytes
        self.reasons = collections.Counter()
        self.runs = collections.Counter()  # endpoint -> runs
        self.requests = 0

    def add(self, kind, pid=0, tid=0, body=b""):
        head = struct.pack("<IHHQII", 24 + len(body), kind, ABI, self.now, pid, tid or pid)
        assert len(body) % 8 == 0
        self.records.append(head + body)

    def tick(self, at):
        self.now = BEGIN + at
        self.add(TICK)

    def end(self, at):
        self.now = BEGIN + at
        self.add(END)

    def setting(self, name, value):
        name, value = name.encode(), value.encode()
        self.add(SETTING, body=struct.pack("<HHI", len(name), len(value), 0) + pad(name + value))

    def start(self, interval="10"):
        for name, value in [("version", "0.1.0"), ("host", "web-3"), ("release", "6.1.0-18-amd64"),
                            ("hooks", "kprobe"), ("ring", "8388608"), ("interval", interval), ("start", str(WALL))]:
            self.setting(name, value)

    def process(self, pid, command, parent=1, version=(3, 11, 2)):
        text = command.encode()
        self.add(PROCESS, pid, body=struct.pack("<QI4BH6x", BEGIN - SECOND, parent, *version, BY_STACK, len(text))
                 + pad(text))

    def loss(self, **counts):
        order = ("records", "stacks", "payload", "sockets", "processes", "probes", "threads")
        self.add(LOSS, body=struct.pack("<7Q", *(counts.get(name, 0) for name in order)))

    def cost(self, wall, daemon_cpu, rss, probe_ns=0, probe_runs=0):
        self.add(COST, body=struct.pack("<6Q", wall, daemon_cpu, rss, probe_ns, probe_runs, 0))

    def code(self, pid, file, name, module, line, lines=40):
        """A function of `lines` lines, three instructions a line, the last of which returns. Its address."""
        key = (pid, file, name)
        if key in self.codes:
            return self.codes[key]
        address = 0x7F0000000000 + 0x1000 * (len(self.codes) + 1)
        self.codes[key] = address
        # PEP 657's table: entries without columns (code 13) of three instructions, each one line further.
        table = bytes([0x80 | 13 << 3 | 2, 0]) + bytes([0x80 | 13 << 3 | 2, 1 << 1]) * (lines - 1)
        nop, return_value = bytes([9, 0]), bytes([83, 0])  # CPython 3.11's opcodes
        code = nop * (3 * lines - 1) + return_value
        strings = [file.encode("latin-1", "replace"), name.encode("latin-1", "replace")]
        fixed = struct.pack("<QIIHHHHIIBBB5x", address, line, 192, len(strings[0]), len(strings[1]), len(table),
                            len(code), len(table), len(code), 1, 1, 1)
        self.add(CODE, pid, body=fixed + b"".join(map(pad, strings + [table, code])))
        if module:
            self.add(MODULE, pid, body=struct.pack("<QHHHH", address, len(module), 0, 0, 0) + pad(module.encode()))
        return address

    def stack(self, pid, *frames):
        """Frames, innermost first, are (code address, line within the function from 0). The stack's id."""
        key = (pid, frames)
        if key not in self.stacks:
            self.stacks[key] = len(self.stacks) + 1
            packed = [struct.pack("<QIB3x", code, 192 + 2 * 3 * line, 0) for code, line in frames]
            self.add(STACK, pid, body=struct.pack("<QII", self.stacks[key], len(frames), 0) + b"".join(packed))
        return self.stacks[key]

    def socket(self, pid, role, port, address="127.0.0.1", before=0):
        self.connections += 1
        if ":" in address:
            import ipaddress

            family, remote = AF_INET6, ipaddress.IPv6Address(address).packed
        else:
            family, remote = AF_INET, bytes(map(int, address.split("."))) + bytes(12)
        self.add(SOCKET, pid, body=struct.pack("<Q4BHH", self.connections, 1, family, role, before, 50000, port)
                 + bytes(16) + remote)
        return self.connections

    def owner(self, owner):
        """An owner is (walk, stack, caller states)."""
        walk, stack, states = owner
        return struct.pack("<5Q3B5x", stack, 0, 0, 0, 0, walk, len(states), 0), pad(struct.pack(f"<{len(states)}I", *states))

    def connect(self, pid, tid, connection, ended, error, owner=(WALK_NONE, 0, ())):
        fixed, states = self.owner(owner)
        self.add(CONNECT, pid, tid, struct.pack("<QB3xi", connection, ended, error) + fixed + states)

    def segment(self, pid, tid, connection, direction, data, owner=(WALK_NONE, 0, ()), turn=True, captured=None):
        fixed, states = self.owner(owner)
        kept = data if captured is None else data[:captured]
        self.add(SEGMENT, pid, tid, struct.pack("<QQQIIiBBH", connection, self.now, len(data), len(kept), 1, 0,
                                                direction, TURN if turn else 0, 0) + bytes(32) + fixed + states + pad(kept))

    def close(self, pid, connection, out, into, error=0):
        self.add(CLOSE, pid, body=struct.pack("<QQQiB3x", connection, out, into, error, 0))

    def header(self, abi=ABI):
        text = b"\nA recording made by hand for tests.\n"
        return struct.pack("<8sIIII", b"nettrace", abi, HEADER_SIZE, 1, 0) + text + bytes(HEADER_SIZE - 24 - len(text))

    def data(self):
        return self.header() + b"".join(self.records)


LIBRARY = "/usr/lib/python3/dist-packages"


class Shop:
    """A gunicorn worker with a Flask application, its connections, and who calls what."""

    def __init__(self, recording, pid=101, tid=101):
        self.recording, self.pid, self.tid = recording, pid, tid
        r = recording
        self.dispatch = r.code(pid, f"{LIBRARY}/flask/app.py", "Flask.dispatch_request", "flask.app", 1800)
        self.redis_code = r.code(pid, f"{LIBRARY}/redis/connection.py", "Connection.send_packed_command",
                                 "redis.connection", 750)
        self.views = {name: r.code(pid, "/srv/shop/views.py", name, "shop.views", line)
                      for name, line in [("homepage", 12), ("stock", 60)]}
        self.session = r.code(pid, "/srv/shop/session.py", "current_user", "shop.session", 30)
        self.sockets, self.moved = {}, {}
        self.state = 0

    def connection(self, protocol, port):
        if protocol not in self.sockets:
            self.sockets[protocol] = self.recording.socket(self.pid, CLIENT, port), f"127.0.0.1:{port}"
        return self.sockets[protocol]

    def frames(self, view, line):
        return ((self.redis_code, 3), (self.session, line), (self.views[view], line), (self.dispatch, 7))

    def exchange(self, view, line, protocol, port, messages, latency, operations=1, keys=None, errors=0):
        """`messages` are (request, answer) bytes; several operations in one request are a pipeline."""
        r = self.recording
        connection, address = self.connection(protocol, port)
        request, answer = messages
        owner = (WALK_OK, r.stack(self.pid, *self.frames(view, line)), (7, 8, self.state))
        r.now += MS // 2
        r.segment(self.pid, self.tid, connection, OUT, request, owner)
        r.now += latency
        r.segment(self.pid, self.tid, connection, IN, answer)
        self.moved.setdefault(connection, [0, 0])
        self.moved[connection][OUT] += len(request)
        self.moved[connection][IN] += len(answer)
        key = (f"shop.views.{view}", protocol, address)
        r.calls[key] += operations
        r.keys[key] += operations if keys is None else keys
        r.round_trips[key] += 1
        r.errors[key] += errors
        r.bytes[key + (OUT,)] += len(request)
        r.bytes[key + (IN,)] += len(answer)

    def at_once(self, view, line, port, messages, latency):
        """HTTP requests on connections of their own, each sent before the first answer comes."""
        r = self.recording
        began = r.now + MS // 2
        for out in (True, False):
            for index, (request, answer) in enumerate(messages):
                connection, address = self.connection(f"http {index}", port)
                r.now = began + index * MS // 10 + (0 if out else latency)
                if out:
                    owner = (WALK_OK, r.stack(self.pid, *self.frames(view, line)), (7, 8, self.state))
                    r.segment(self.pid, self.tid, connection, OUT, request, owner)
                    continue
                r.segment(self.pid, self.tid, connection, IN, answer)
                moved = self.moved.setdefault(connection, [0, 0])
                moved[OUT] += len(request)
                moved[IN] += len(answer)
                key = (f"shop.views.{view}", "http", address)
                for counts, by in ((r.calls, 1), (r.keys, 1), (r.round_trips, 1)):
                    counts[key] += by
                r.bytes[key + (OUT,)] += len(request)
                r.bytes[key + (IN,)] += len(answer)

    def request(self, view, path, body, status=b"200 OK"):
        """A client's request, what `body` does within it, and the response."""
        r = self.recording
        self.state += 1
        connection = r.socket(self.pid, SERVER, 43210)
        r.now += MS
        asked = b"GET %s HTTP/1.1\r\nHost: shop\r\n\r\n" % path
        r.segment(self.pid, self.tid, connection, IN, asked)
        body(view)
        r.now += 2 * MS
        response = b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status
        r.segment(self.pid, self.tid, connection, OUT, response)
        r.now += MS // 10
        r.close(self.pid, connection, len(response), len(asked))
        r.requests += 1
        r.runs[f"shop.views.{view}"] += 1

    def close(self):
        for connection, _ in self.sockets.values():
            moved = self.moved[connection]
            self.recording.close(self.pid, connection, moved[OUT], moved[IN])


def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def homepage(shop, number):
    user = b"user:%d" % number

    def body(view):
        shop.exchange(view, 2, "redis", 6379, (resp(b"GET", user), b"$3\r\nann\r\n"), 1 * MS)
        shop.exchange(view, 2, "redis", 6379, (resp(b"GET", user), b"$3\r\nann\r\n"), 1 * MS)
        pipeline = resp(b"SET", b"seen", b"1") + resp(b"INCR", b"hits") + resp(b"GET", b"motd")
        shop.exchange(view, 5, "redis", 6379, (pipeline, b"+OK\r\n:%d\r\n$-1\r\n" % number), 2 * MS, operations=3)
        values = b"".join(b"VALUE item:%d 0 2\r\nab\r\n" % i for i in range(3))
        shop.exchange(view, 9, "memcache", 11211, (b"get item:0 item:1 item:2\r\n", values + b"END\r\n"), MS // 2, keys=3)
        stock = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"
        shop.exchange(view, 11, "http", 8000, (b"GET /stock/17 HTTP/1.1\r\nHost: stock\r\n\r\n", stock), 5 * MS)

    shop.request("homepage", b"/", body)


def stock(shop):
    def body(view):
        failed = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"
        shop.exchange(view, 1, "http", 8000, (b"GET /stock/18 HTTP/1.1\r\nHost: stock\r\n\r\n", failed), 30 * MS, errors=1)
        shop.exchange(view, 3, "redis", 6379, (resp(b"HGET", b"a"), b"-ERR wrong number of arguments\r\n"), MS, errors=1)
        refused_connect(shop, view)

    shop.request("stock", b"/stock/18", body, b"502 Bad Gateway")


def refused_connect(shop, view):
    r = shop.recording
    connection = r.socket(shop.pid, CLIENT, 9)
    owner = (WALK_OK, r.stack(shop.pid, *shop.frames(view, 4)), (7, 8, shop.state))
    r.now += MS
    r.connect(shop.pid, shop.tid, connection, 0, 0, owner)
    r.now += MS // 5
    r.connect(shop.pid, shop.tid, connection, 1, ECONNREFUSED)
    r.close(shop.pid, connection, 0, 0, ECONNREFUSED)
    key = (f"shop.views.{view}", "tcp", "127.0.0.1:9")
    r.calls[key] += 1
    r.errors[key] += 1


def unattributed_call(r, pid, tid, port, walk, reason, stack=0):
    connection = r.socket(pid, CLIENT, port)
    request, answer = resp(b"PING"), b"+PONG\r\n"
    r.now += MS
    r.segment(pid, tid, connection, OUT, request, (walk, stack, (1,) if stack else ()))
    r.now += MS
    r.segment(pid, tid, connection, IN, answer)
    r.close(pid, connection, len(request), len(answer))
    key = (None, "redis", f"127.0.0.1:{port}")
    r.calls[key] += 1  # PING has no key
    r.round_trips[key] += 1
    r.bytes[key + (OUT,)] += len(request)
    r.bytes[key + (IN,)] += len(answer)
    r.reasons[reason] += 1


def shop():
    """Two intervals of a shop and a rest, errors, a refused connect, and a process that ends."""
    r = Recording()
    r.start()
    r.process(100, "gunicorn: master [shop.wsgi]")
    r.process(101, "gunicorn: worker [shop.wsgi]", parent=100)
    r.process(102, "gunicorn: worker [shop.wsgi]", parent=100)
    worker = Shop(r)
    for number in range(4):
        homepage(worker, number)
    r.cost(10 * SECOND, 80 * MS, 11534336, 120 * MS, 100000)
    r.loss()
    r.tick(10 * SECOND)
    for number in range(3):
        homepage(worker, number)
        stock(worker)
    r.add(EXIT, 102)
    r.cost(10 * SECOND, 40 * MS, 11034624, 60 * MS, 50000)
    r.loss(records=2, probes=1)
    r.tick(20 * SECOND)
    stock(worker)
    worker.close()
    r.cost(5 * SECOND, 20 * MS, 11034624, 30 * MS, 20000)
    r.loss(records=2, probes=1)
    r.end(25 * SECOND)
    return r


def unattributed():
    """Calls that belong to no endpoint, for every reason that there is."""
    r = Recording()
    r.start("0")
    r.process(200, "python3 odd.py")
    library = r.code(200, f"{LIBRARY}/redis/connection.py", "Connection.send_packed_command", "redis.connection", 750)
    stack = r.stack(200, (library, 3))
    for index, (walk, reason, where) in enumerate([
            (WALK_NO_THREAD, "no_python_thread", 0), (WALK_FAILED, "walk_failed", 0),
            (WALK_UNSUPPORTED, "interpreter_unsupported", 0), (WALK_OK, "no_endpoint", stack),
            (WALK_SKIPPED, "not_sampled", 0)]):
        for _ in range(index + 1):
            unattributed_call(r, 200, 201 + index, 7000 + index, walk, reason, where)
    # An answer on a connection that is older than the capture.
    connection = r.socket(200, CLIENT, 6379, before=1)
    answer = b"$3\r\nann\r\n"
    r.now += MS
    r.segment(200, 200, connection, IN, answer)
    r.close(200, connection, 0, len(answer))
    key = (None, "tcp", "127.0.0.1:6379")  # an answer alone does not tell the protocol
    r.calls[key] += 1
    r.bytes[key + (IN,)] += len(answer)
    r.reasons["owner_unknown"] += 1
    r.end(3 * SECOND)
    return r


def quiet():
    """A target that does nothing."""
    r = Recording()
    r.start()
    r.process(300, "python3 idle.py")
    r.tick(10 * SECOND)
    r.end(12 * SECOND)
    return r


def strange():
    """IPv6, an unknown protocol, a message of which only a part was captured, and names that are no plain text."""
    r = Recording()
    r.start("0")
    r.process(400, "python3 \x1b[2J\xff")
    code = r.code(400, "/srv/caf\xe9/t\x07.py", "caf\xe9\x1b[31m", None, 5)
    owner = (WALK_OK, r.stack(400, (code, 4)), (1,))
    connection = r.socket(400, CLIENT, 4000, "2001:db8::1")
    request, answer = b"\x00\x01\x02\x03" * 10, bytes(range(256))
    r.now += MS
    r.segment(400, 400, connection, OUT, request, owner, captured=16)
    r.now += MS
    r.segment(400, 400, connection, IN, answer, captured=16)
    r.close(400, connection, len(request), len(answer) + 7)
    r.end(SECOND)
    return r


def http_answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: prices\r\n\r\n" % path


RUNS = 25  # more than a median takes to be compared
CLIENT_TIME = MS // 2  # what exchange() leaves between two calls
USER, ITEM, PRICE, ACCOUNT = 2, 4, 6, 8  # lines of the calls in the function that makes them
ITEMS, PRICES = 5, 3  # so few prices are no N+1


def page_data(number):
    """Each answer has what the next request needs: a list of things, prices' numbers, the account's."""
    name = b"list%d" % (31000 + number)
    items = [(b"item:%s:%d" % (name, item), b"thing-%d" % (90000 + 100 * number + item)) for item in range(ITEMS)]
    prices = [(b"/price/%s/%d" % (items[0][1], 41 + price), b'{"amount": %d}' % (7700000 + 100 * number + price))
              for price in range(PRICES)]
    account = b"/account/%d" % (7700000 + 100 * number)
    return b"user:%d" % (7000 + number), name, items, prices, account


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


def sinner(shop, number):
    """Asks for one user three times, for five things one by one, for three prices one after the other, and then for an account
    by a price: each of them needs an answer of the one before."""
    user, name, items, prices, account = page_data(number)

    def body(view):
        for _ in range(3):
            shop.exchange(view, USER, "redis", 6379, (resp(b"GET", user), bulk(name)), 1 * MS)
        for key, thing in items:
            shop.exchange(view, ITEM, "redis", 6379, (resp(b"GET", key), bulk(thing)), 2 * MS)
        for path, amount in prices:
            shop.exchange(view, PRICE, "http", 8000, (get(path), http_answer(amount)), 10 * MS)
        shop.exchange(view, ACCOUNT, "http", 8000, (get(account), http_answer(b"[]")), 5 * MS)

    shop.request("homepage", b"/", body)


def saint(shop, number):
    """The same page with what is said of it followed."""
    user, name, items, prices, account = page_data(number)

    def body(view):
        shop.exchange(view, USER, "redis", 6379, (resp(b"GET", user), bulk(name)), 1 * MS)
        answer = b"*%d\r\n" % ITEMS + b"".join(bulk(thing) for _, thing in items)
        shop.exchange(view, ITEM, "redis", 6379, (resp(b"MGET", *(key for key, _ in items)), answer), 2 * MS, keys=ITEMS)
        shop.at_once(view, PRICE, 8000, [(get(path), http_answer(amount)) for path, amount in prices], 10 * MS)
        shop.exchange(view, ACCOUNT, "http", 8000, (get(account), http_answer(b"[]")), 5 * MS)

    shop.request("homepage", b"/", body)


def runs_of(page):
    r = Recording()
    r.start()
    r.process(101, "gunicorn: worker [shop.wsgi]")
    worker = Shop(r)
    for number in range(RUNS):
        page(worker, number)
        if number == RUNS // 2:
            r.tick(10 * SECOND)
    worker.close()
    r.end(20 * SECOND)
    return r


def findings():
    """A page that does what findings are about, in two intervals."""
    return runs_of(sinner)


def followed():
    """The same page with its findings followed."""
    return runs_of(saint)


SCENARIOS = {"shop": shop, "unattributed": unattributed, "quiet": quiet, "strange": strange, "findings": findings,
             "followed": followed}


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, scenario in SCENARIOS.items():
        (directory / f"{name}.recording").write_bytes(scenario().data())


if __name__ == "__main__":
    main()

"""Recordings of runs whose calls, their times and what needs what are drawn from a seed, and the truth of them.

    make.py SEED FILE    writes the recording of that seed, prints what is true of it

A Program is one run: calls in lanes, with the values that go from one to another. Nothing here knows how findings are
found: the truth is what the program was drawn with. write() lays programs into one recording, several at a time, on
connections that they share. test_scenarios.py holds `nettrace replay` against them.
"""

import gzip
import json
import os
import random
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "replay"))

from make_recordings import (  # noqa: E402
    BEGIN, CLIENT, IN, LIBRARY, MS, OUT, SECOND, SERVER, WALK_OK, Recording, resp,
)

HANDOVER, HANDOVER_THREAD = 11, 3
FIRST_LINE = 10  # of the view
NAMES = ["account", "basket", "catalog", "delivery", "exchange", "favourite", "garage", "harbour", "invoice", "journal",
         "kitchen", "ledger", "market", "notice", "outlet", "parcel", "quarter", "review", "shelf", "ticket"]
HTTP_PORTS = [8000, 8001, 8002, 8003]
LIBRARY_TIME = {"redis": MS // 16, "memcache": MS // 16, "http": MS // 4}  # of a call, whatever it asks


class Call:
    """A request and its answer as bytes, how long it takes, and the Python time before it."""

    def __init__(self, line, protocol, port, request, answer, took, gap):
        self.line, self.protocol, self.port = line, protocol, port
        self.request, self.answer, self.took, self.gap = request, answer, took, gap
        self.needs = set()  # calls whose answers it was made with
        self.captured = None  # bytes of the answer that were kept, where not all were
        self.veiled = False  # what is in the answer cannot be seen
        self.connection = None  # write()'s
        self.began = self.ended = 0

    def __repr__(self):
        return "line %d %s:%d %r -> %r in %d after %d, needs %s" % (
            self.line, self.protocol, self.port, self.request, self.answer, self.took, self.gap,
            sorted(call.line for call in self.needs))

    def waits_for(self, other):
        """Does it need the other one's answer, be it by way of others?"""
        return other in self.needs or any(call.waits_for(other) for call in self.needs)


class Program:
    """
    What one run does: `stages` are made one after the other, each a list of lanes, each a list of calls. A stage of one
    lane is the run's own thread.
    """

    def __init__(self, name, seed):
        self.name, self.seed = name, seed
        self.draw = random.Random("%s %d" % (name, seed))
        self.stages = []
        self.tail = self.draw.randrange(MS // 20, MS // 4)
        self.count = 0
        self.veils = 0  # share of the answers that cannot be seen
        self.asked = None  # a value that the client gave
        self.found = []  # (kind, operation, needless) that must be there; `serial` is told by needs
        self.saved = None  # ns that are saved by following what is found, where that can be told

    def gap(self, protocol):
        """The client library's time, and in half of all cases some of the application's own."""
        own = self.draw.randrange(MS // 20, MS // 2) if self.draw.randrange(2) else 0
        return LIBRARY_TIME[protocol] + own

    def number(self):
        """A value that nothing else has."""
        return self.draw.randrange(10**8, 10**9)

    def call(self, protocol, port, request, answer):
        self.count += 1
        return Call(self.count, protocol, port, request, answer, self.took(), self.gap(protocol))

    def took(self):
        return self.draw.randrange(MS, 20 * MS)

    def redis(self, *words, answer, port=6379):
        if isinstance(answer, list):
            data = b"*%d\r\n" % len(answer) + b"".join(map(bulk, answer))
        else:
            data = bulk(answer) if not isinstance(answer, bytes) else answer
        return self.call("redis", port, resp(*(str(word).encode() for word in words)), data)

    def http(self, path, value, port=8000, headers="", method="GET", body="", veil=None):
        """`veil`: "zipped", or "cut" behind the answer's head."""
        length = "Content-Length: %d\r\n" % len(body) if body else ""
        request = "%s %s HTTP/1.1\r\nHost: service\r\n%s%s\r\n%s" % (method, path, headers, length, body)
        text = json.dumps(value).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if veil == "zipped":
            text = gzip.compress(text, mtime=0)
            head += "Content-Encoding: gzip\r\n"
        head += "Content-Length: %d\r\n\r\n" % len(text)
        call = self.call("http", port, request.encode(), head.encode() + text)
        call.veiled = veil is not None
        call.captured = len(head) + 5 if veil == "cut" else None
        return call

    def then(self, *calls):
        """In the run's own thread."""
        self.stages.append([list(calls)])

    def calls(self):
        return [call for stage in self.stages for lane in stage for call in lane]

    def lay(self, began):
        """Gives all calls their times; the run's end."""
        now = began
        for stage in self.stages:
            ends = []
            for lane in stage:
                at = now
                for call in lane:
                    call.began = at + call.gap
                    call.ended = at = call.began + call.took
                ends.append(at)
            now = max(ends)
        return now + self.tail


def bulk(value):
    if value is None:
        return b"$-1\r\n"
    data = str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


# --- programs ---


def carried(program, values):
    """A GET that has these values, in a form of chance: path and headers."""
    name = "/" + NAMES[program.count]
    form = program.draw.randrange(4) if values else 0
    words = [str(value) for value in values]
    if form == 0:
        return "/".join([name, *words]), ""
    if form == 1:
        return name + "?of=" + ",".join(words), ""
    if form == 2:
        return name + "?" + "&".join("k%d=%s" % (number, word) for number, word in enumerate(words)), ""
    return name, "".join("X-Of-%d: %s\r\n" % (number, word) for number, word in enumerate(words))


def given(program, value):
    """An answer that has the value, in a shape of chance, among what has nothing to do with anything."""
    draw = program.draw
    noise = {"name": draw.choice(["Ada", "Grace", "Hedy", "Radia"]), "score": draw.random(), "count": draw.randrange(100)}
    shape = draw.randrange(4)
    if shape == 0:
        return dict(noise, id=value)
    if shape == 1:
        return dict(noise, order=str(value))
    if shape == 2:
        return {"rows": [noise, {"ref": {"number": value}}]}
    return dict(noise, link="/things/%d?full=1" % value)


def rows(program):
    """
    Reads of HTTP and redis, in the run's own thread and in threads beside each other, each with the values of some earlier ones, or
    with none; what is known already or is small comes along by chance.
    """
    draw = program.draw
    values = {}
    asked = program.number()  # all requests may have it: the client gave it
    program.asked = asked
    share = draw.choice([0, 0.2, 0.5, 0.8, 1])
    for _ in range(draw.randint(1, 4)):
        lanes = draw.choice([1, 1, 1, 2, 3])
        before = list(values)
        stage, made = [], []
        for _ in range(lanes):
            lane, there = [], list(before)
            for _ in range(draw.randint(1, 4) if lanes == 1 else draw.randint(1, 2)):
                if program.count == len(NAMES) - 1:
                    break
                needs = set()
                if there and draw.random() < share:
                    needs = {there[-1]} | set(draw.sample(there, draw.randint(0, min(2, len(there)))))
                call = carry(program, needs, values, asked)
                lane.append(call)
                there.append(call)
                made.append(call)
            if lane:
                stage.append(lane)
        if stage:
            program.stages.append(stage)


def veiled(program):
    """The same, but what is in some answers cannot be seen."""
    program.veils = 0.3
    rows(program)


def carry(program, needs, values, asked):
    draw = program.draw
    words = sorted(values[call] for call in needs)
    chance = draw.randrange(3)
    if chance == 1:
        words.append(asked)
    path, headers = carried(program, words)
    if chance == 2:
        path += ("&" if "?" in path else "?") + "page=%d" % draw.randrange(100)
    value = program.number()
    answer = given(program, value)
    if draw.randrange(2) and isinstance(answer, dict):
        answer["for"] = asked
    if draw.randrange(4) == 0:
        key = ":".join([NAMES[program.count], *map(str, words or ["all"])])
        call = program.redis("GET", key, answer=draw.choice([value, json.dumps(answer)]))
    else:
        veil = draw.choice(["zipped", "cut"]) if draw.random() < program.veils else None
        call = program.http(path, answer, draw.choice(HTTP_PORTS), headers, veil=veil)
    call.needs = set(needs)
    values[call] = value
    return call


class RedisStore:
    many, single = "MGET", "GET"

    def __init__(self, program):
        self.program = program

    def key(self, kind):
        return "%s:%d" % (kind, self.program.number())

    def operation(self, keys):
        return "%s %s:?" % (self.single if len(keys) == 1 else self.many, keys[0].split(":")[0])

    def get(self, keys, values):
        if len(keys) == 1:
            return self.program.redis("GET", keys[0], answer=values[0])
        return self.program.redis("MGET", *keys, answer=values)

    def set(self, key, value):
        return self.program.redis("SET", key, value, answer=b"+OK\r\n")


class MemcacheStore(RedisStore):
    many = single = "get"

    def get(self, keys, values):
        found = ["VALUE %s 0 %d\r\n%s\r\n" % (key, len(value), value) for key, value in zip(keys, values)]
        request = "get %s\r\n" % " ".join(keys)
        return self.program.call("memcache", 11211, request.encode(), ("".join(found) + "END\r\n").encode())

    def set(self, key, value):
        request = "set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)
        return self.program.call("memcache", 11211, request.encode(), b"STORED\r\n")


class HttpStore(RedisStore):
    many = None

    def key(self, kind):
        return "/%s/%d" % (kind, self.program.number())

    def operation(self, keys):
        return "GET /%s/?" % keys[0].split("/")[1]

    def get(self, keys, values):
        trace = "traceparent: 00-%032x-%016x-01\r\n" % (self.program.number(), self.program.number())
        return self.program.http(keys[0], {"value": values[0]}, headers=trace)

    def set(self, key, value):
        return self.program.http(key, {"done": True}, method="PUT", body=json.dumps({"value": value}))


def repeats(program):
    """Reads and writes of a few keys of one store: what is asked again though nobody has written it since."""
    draw = program.draw
    store = draw.choice([RedisStore, MemcacheStore, HttpStore])(program)
    kind = draw.choice(["user", "basket"])
    keys = [store.key(kind) for _ in range(draw.randint(1, 3))]  # more would be an N+1
    content = {key: "v%d" % program.number() for key in keys}
    known, needless = {}, {}
    for turn in range(draw.randint(2, 15)):
        key = draw.choice(keys)
        act = draw.choice(["get", "get", "get", "many", "set", "touch", "other"]) if turn else "get"
        if act == "get" or (act == "many" and store.many):
            asked = [key] if act == "get" else draw.sample(keys, draw.randint(1, len(keys)))
            operation = store.operation(asked)
            again = sum(known.get(one) == content[one] for one in asked)
            if again:
                needless[operation] = needless.get(operation, 0) + again
            known.update({one: content[one] for one in asked})
            program.then(store.get(asked, [content[one] for one in asked]))
        elif act in ("set", "touch"):  # what is written may be what was there already
            if act == "set":
                content[key] = "v%d" % program.number()
            known.pop(key, None)
            program.then(store.set(key, content[key]))
        elif act == "other" and draw.randrange(2):  # somebody else has written it, which nobody sees here
            content[key] = "v%d" % program.number()
    program.found = [("duplicate", operation, count) for operation, count in needless.items()]


def fans(program):
    """A list, and what is asked for each of it: one by one, or as a chain, or too few, or all at once."""
    draw = program.draw
    count = draw.randint(2, 9)
    ids = [program.number() for _ in range(count)]
    way = draw.choice(["redis", "http", "many", "chain", "names"])
    if way == "many":
        program.then(program.redis("LRANGE", "list:%d" % program.number(), 0, -1, answer=ids))
        program.then(program.redis("MGET", *("item:%d" % one for one in ids), answer=["v%d" % one for one in ids]))
    elif way == "redis":
        program.then(program.redis("LRANGE", "list:%d" % program.number(), 0, -1, answer=ids))
        program.then(*(program.redis("GET", "item:%d" % one, answer="v%d" % program.number()) for one in ids))
    elif way == "http":
        program.then(program.http("/list", {"rows": [{"id": one} for one in ids]}))
        program.then(*(program.http("/item/%d" % one, {"left": program.number()}) for one in ids))
    elif way == "chain":
        for here, there in zip(ids, [*ids[1:], None]):
            program.then(program.redis("GET", "item:%d" % here, answer=there))
    else:
        names = draw.sample(NAMES, count)
        program.then(*(program.redis("GET", "%s:%d" % (name, one), answer="v%d" % program.number())
                       for name, one in zip(names, ids)))
    if count >= 4 and way in ("redis", "http"):
        program.found = [("n_plus_one", {"redis": "GET item:?", "http": "GET /item/?"}[way], count - 1)]


def ideal(program):
    """
    One sin, with nothing else about it: calls that take the same, or in a row some time each, and no time of the
    application's own between them. So what is saved can be told.
    """
    draw = program.draw
    count = draw.randint(4, 10)
    way = draw.choice(["repeats", "fans", "rows"])
    if way == "repeats":
        key = "user:%d" % program.number()
        calls = [program.redis("GET", key, answer="v1") for _ in range(count)]
        program.found = [("duplicate", "GET user:?", count - 1)]
    elif way == "fans":
        calls = [program.redis("GET", "item:%d" % program.number(), answer="v%d" % program.number())
                 for _ in range(count)]
        program.found = [("n_plus_one", "GET item:?", count - 1)]
    else:
        calls = [program.http("/" + NAMES[number], {"name": "v%d" % program.number()}, draw.choice(HTTP_PORTS))
                 for number in range(count)]
    took = program.took()
    for call in calls:
        call.gap = LIBRARY_TIME[call.protocol]
        if way != "rows":
            call.took = took
    all_of_them = sum(call.took for call in calls)
    if way == "rows":
        program.saved = all_of_them - max(call.took for call in calls)
    else:
        program.saved = (count - 1) * (took + LIBRARY_TIME["redis"])
    program.then(*calls)


KINDS = {"rows": rows, "veiled": veiled, "repeats": repeats, "fans": fans, "ideal": ideal}


def make(name, seed):
    program = Program(name, seed)
    KINDS[name](program)
    return program


# --- into a recording ---


class Writer:
    """Programs as runs of a threaded server's views, on connections that they take from pools."""

    def __init__(self):
        self.recording = Recording()
        self.recording.start("0")
        self.recording.process(101, "gunicorn: worker [shop.wsgi]")
        self.threads = 1000  # ids
        self.events = []  # (time, number, what to write)
        self.free = {}
        self.moved = {}
        r = self.recording
        self.dispatch = r.code(101, LIBRARY + "/flask/app.py", "Flask.dispatch_request", "flask.app", 1800)
        self.library = r.code(101, LIBRARY + "/redis/connection.py", "Connection.send_packed_command",
                              "redis.connection", 750)
        self.started = r.code(101, "/usr/lib/python3.11/threading.py", "Thread.run", "threading", 900)

    def at(self, time, act):
        self.events.append((time, len(self.events), act))

    def add(self, program, began):
        """Its end."""
        r = self.recording
        self.threads += 100
        tid = self.threads
        view = r.code(101, "/srv/shop/views.py", "run%d" % tid, "shop.views", FIRST_LINE)
        program.endpoint = "shop.views.run%d" % tid
        ended = program.lay(began)
        self.add_request(program, tid, began, ended)
        for at, stage in enumerate(program.stages):
            for number, lane in enumerate(stage):
                thread = tid + 4 * at + number if number else tid
                if thread != tid:
                    self.at(lane[0].began - lane[0].gap, self.hand_over(tid, thread, view, lane[0]))
                for call in lane:
                    self.add_call(call, thread, view, self.dispatch if thread == tid else self.started)
        return ended

    def frames(self, view, outermost, line):
        return ((self.library, 3), (view, line), (outermost, 7))

    def owner(self, view, outermost, line):
        return WALK_OK, self.recording.stack(101, *self.frames(view, outermost, line)), (7, line)

    def hand_over(self, tid, thread, view, call):
        def act():
            fixed, states = self.recording.owner(self.owner(view, self.dispatch, call.line))
            self.recording.add(HANDOVER, 101, tid, struct.pack("<QB7x", thread, HANDOVER_THREAD) + fixed + states)
        return act

    def add_request(self, program, tid, began, ended):
        path = b"/run/%d" % (program.asked or 7)
        asked = b"GET %s HTTP/1.1\r\nHost: shop\r\n\r\n" % path
        response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        state = {}

        def ask():
            state["connection"] = self.recording.socket(101, SERVER, 43210)
            self.recording.segment(101, tid, state["connection"], IN, asked)

        def answer():
            self.recording.segment(101, tid, state["connection"], OUT, response)
            self.recording.close(101, state["connection"], len(response), len(asked))

        self.at(began, ask)
        self.at(ended, answer)

    def add_call(self, call, thread, view, outermost):
        pool = self.free.setdefault((call.protocol, call.port), [])
        state = {}

        def send():
            connection = pool.pop() if pool else self.recording.socket(101, CLIENT, call.port)
            state["connection"] = call.connection = connection
            owner = self.owner(view, outermost, call.line)
            self.recording.segment(101, thread, connection, OUT, call.request, owner)
            self.moved.setdefault(connection, [0, 0])[OUT] += len(call.request)

        def receive():
            connection = state["connection"]
            self.recording.segment(101, thread, connection, IN, call.answer, captured=call.captured)
            self.moved[connection][IN] += len(call.answer)
            pool.append(connection)

        self.at(call.began, send)
        self.at(call.ended, receive)

    def data(self):
        end = 0
        for time, _, act in sorted(self.events, key=lambda event: event[:2]):
            self.recording.now = end = time
            act()
        for pool in self.free.values():
            for connection in pool:
                moved = self.moved[connection]
                self.recording.close(101, connection, moved[OUT], moved[IN])
        self.recording.end(end - BEGIN + SECOND)
        return self.recording.data()


def write(programs, seed):
    """Up to four runs at a time, each of an endpoint of its own."""
    draw = random.Random(seed)
    writer = Writer()
    lanes = [BEGIN + SECOND] * draw.randint(1, 4)
    for program in programs:
        lane = draw.randrange(len(lanes))
        lanes[lane] = writer.add(program, lanes[lane] + draw.randrange(MS, 5 * MS)) + MS
    return writer.data()


def main():
    seed = int(sys.argv[1])
    programs = [make(name, seed) for name in KINDS]
    with open(sys.argv[2], "wb") as file:
        file.write(write(programs, seed))
    for program in programs:
        print(program.endpoint, program.found)
        for call in program.calls():
            print("   ", call)


if __name__ == "__main__":
    main()

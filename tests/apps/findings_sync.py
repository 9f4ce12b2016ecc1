"""Target: a Flask application whose endpoints sin, or look as if they did. gunicorn loads `app`.

Each endpoint is a scenario of e2e/case_findings.py, which knows what is to be found: the lines that it is to be found
at end with a mark, `# @NAME`. FINDINGS in the environment is JSON: seed, ports of redis, memcached and
findings_backend.py, and the certificate. What is drawn for a run says findings_plan.py.
"""

import http.client
import json
import os
import queue
import socket
import ssl
import threading

import flask
import pymemcache
import redis
import requests

import findings_plan

OPTIONS = json.loads(os.environ["FINDINGS"])
PORTS = OPTIONS["http"]

app = flask.Flask("findings")
store = redis.Redis("127.0.0.1", OPTIONS["redis"], decode_responses=True)
cache = pymemcache.PooledClient(("127.0.0.1", OPTIONS["memcache"]), no_delay=True)


def make_session():
    session = requests.Session()
    session.trust_env = False
    session.verify = OPTIONS["certificate"]
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=64))
    return session


web = make_session()


def scenario(function):
    app.add_url_rule("/%s/<int:number>" % function.__name__, view_func=function)
    return function


def plan(name, number):
    return findings_plan.Plan(OPTIONS["seed"], name, number)


def at(which, path):
    return "http://127.0.0.1:%d%s" % (PORTS[which], path)


# --- duplicate ---


@scenario
def dup_redis(number):
    p = plan("dup_redis", number)
    for _ in range(p.times):
        store.get(p.key(0))  # @dup_redis
    return "ok"


def helper(key):
    return store.get(key)  # @dup_helper


@scenario
def dup_helper(number):
    """Two callers of a helper, and other calls between."""
    p = plan("dup_helper", number)
    helper(p.key(0))
    web.get(at(0, p.path("part")))
    helper(p.key(0))
    return "ok"


@scenario
def dup_changed(number):
    p = plan("dup_changed", number)
    for _ in range(p.times):
        web.get(at(0, p.path("counter")))
    return "ok"


@scenario
def dup_written(number):
    p = plan("dup_written", number)
    value = store.get(p.key(0))
    store.set(p.key(0), value)
    store.get(p.key(0))
    return "ok"


@scenario
def dup_written_other(number):
    """What is written is another key, so it is needless."""
    p = plan("dup_written_other", number)
    value = store.get(p.key(0))
    store.set(p.key(1), value)
    store.get(p.key(0))  # @dup_written_other
    return "ok"


@scenario
def dup_memcache(number):
    p = plan("dup_memcache", number)
    for _ in range(p.times):
        cache.get(p.key(0))  # @dup_memcache
    return "ok"


@scenario
def dup_memcache_written(number):
    p = plan("dup_memcache_written", number)
    value = cache.get(p.key(0))
    cache.set(p.key(0), value)
    cache.get(p.key(0))
    return "ok"


@scenario
def dup_http(number):
    p = plan("dup_http", number)
    for _ in range(p.times):
        web.get(at(0, p.path("part")))  # @dup_http
    return "ok"


@scenario
def dup_http_put(number):
    p = plan("dup_http_put", number)
    web.get(at(0, p.path("part")))
    web.put(at(0, p.path("part")), json={"name": p.words[0]})
    web.get(at(0, p.path("part")))
    return "ok"


@scenario
def dup_http_post(number):
    p = plan("dup_http_post", number)
    for _ in range(p.times):
        web.post(at(0, p.path("order")), json={"of": p.ids[0]})
    return "ok"


@scenario
def dup_http_traced(number):
    """Trace headers differ, the request is the same."""
    p = plan("dup_http_traced", number)
    for position in range(p.times):
        parent = {"traceparent": "00-%032x-%016x-01" % (p.ids[position], p.ids[position])}
        web.get(at(0, p.path("part")), headers=parent)  # @dup_http_traced
    return "ok"


@scenario
def dup_other_key(number):
    p = plan("dup_other_key", number)
    store.get(p.key(0))
    store.get(p.key(1))
    return "ok"


@scenario
def dup_transaction(number):
    p = plan("dup_transaction", number)
    with store.pipeline(transaction=True) as pipeline:
        pipeline.get(p.key(0))
        pipeline.get(p.key(0))
        pipeline.execute()
    return "ok"


@scenario
def dup_pipeline(number):
    p = plan("dup_pipeline", number)
    with store.pipeline(transaction=False) as pipeline:
        for position in (0, 1, 0):
            pipeline.get(p.key(position))
        pipeline.execute()  # @dup_pipeline
    return "ok"


@scenario
def dup_retry(number):
    """The first one is refused."""
    p = plan("dup_retry", number)
    if web.get(at(0, p.path("fails"))).status_code != 200:
        web.get(at(0, p.path("fails")))
    return "ok"


@scenario
def dup_broken(number):
    """The first one is never answered."""
    p = plan("dup_broken", number)
    try:
        web.get(at(0, p.path("drops")))
    except requests.ConnectionError:
        web.get(at(0, p.path("drops")))
    return "ok"


@scenario
def dup_across(number):
    """Once a run, but every run."""
    plan("dup_across", number)
    store.get("rep_same:motd")
    return "ok"


@scenario
def dup_multiget(number):
    p = plan("dup_multiget", number)
    store.mget(p.keys(4))
    store.mget([p.key(position) for position in (2, 3, 4, 5)])  # @dup_multiget
    return "ok"


@scenario
def dup_multiget_apart(number):
    p = plan("dup_multiget_apart", number)
    store.mget(p.keys(4))
    store.mget([p.key(position) for position in (4, 5, 6, 7)])
    return "ok"


# --- n_plus_one ---


@scenario
def nplus_redis(number):
    p = plan("nplus_redis", number)
    for one in store.lrange(p.own("list"), 0, -1):
        store.get("nplus_redis:" + one)  # @nplus_redis
    return "ok"


@scenario
def nplus_mget(number):
    p = plan("nplus_mget", number)
    store.mget(["nplus_mget:" + one for one in store.lrange(p.own("list"), 0, -1)])
    return "ok"


@scenario
def nplus_memcache(number):
    p = plan("nplus_memcache", number)
    for one in store.lrange(p.own("list"), 0, -1):
        cache.get("nplus_memcache:" + one)  # @nplus_memcache
    return "ok"


@scenario
def nplus_walk(number):
    """Each key is the previous one's value."""
    p = plan("nplus_walk", number)
    one = str(p.ids[0])
    for _ in range(p.many):
        one = store.get("nplus_walk:next:" + one)
    return "ok"


@scenario
def nplus_templates(number):
    p = plan("nplus_templates", number)
    for position in range(p.many):
        store.get(p.other("abcdefghij"[position]))
    return "ok"


@scenario
def nplus_few(number):
    p = plan("nplus_few", number)
    for one in store.lrange(p.own("list"), 0, p.few - 1):
        store.get("nplus_few:" + one)
    return "ok"


@scenario
def nplus_http(number):
    p = plan("nplus_http", number)
    for one in findings_plan.ids_of(web.get(at(0, p.path("list"))).json()):
        web.get(at(0, p.path("item", one)))  # @nplus_http
    return "ok"


@scenario
def nplus_pipeline(number):
    """One round trip already."""
    p = plan("nplus_pipeline", number)
    with store.pipeline(transaction=False) as pipeline:
        for one in store.lrange(p.own("list"), 0, -1):
            pipeline.get("nplus_pipeline:" + one)
        pipeline.execute()
    return "ok"


def at_once(urls):
    """A thread for each."""
    threads = [threading.Thread(target=web.get, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@scenario
def nplus_at_once(number):
    p = plan("nplus_at_once", number)
    ids = findings_plan.ids_of(web.get(at(0, p.path("list"))).json())
    at_once([at(0, p.path("item", one)) for one in ids])
    return "ok"


# --- serial ---


@scenario
def serial_hosts(number):
    p = plan("serial_hosts", number)
    web.get(at(0, p.path("stock")))  # @serial_hosts
    web.get(at(1, p.path("price")))  # @serial_hosts
    web.get(at(2, p.path("review")))  # @serial_hosts
    return "ok"


@scenario
def serial_session(number):
    p = plan("serial_session", number)
    web.get(at(0, p.path("stock")))  # @serial_session
    web.get(at(0, p.path("price")))  # @serial_session
    return "ok"


@scenario
def serial_mixed(number):
    """Across protocols."""
    p = plan("serial_mixed", number)
    store.get(p.key(0))  # @serial_mixed
    web.get(at(1, p.path("price")))  # @serial_mixed
    cache.get(p.key(1))  # @serial_mixed
    web.get(at(2, p.path("review")))  # @serial_mixed
    return "ok"


@scenario
def serial_prefix(number):
    """What comes back is only the beginning of what is asked next."""
    p = plan("serial_prefix", number)
    key = web.get(at(0, p.path("user"))).json()["key"]  # @serial_prefix
    assert ("user:%d" % p.ids[0]).startswith(key)
    web.get(at(1, p.path("of", "user:%d" % p.ids[0])))  # @serial_prefix
    return "ok"


@scenario
def serial_chance(number):
    """A count that happens to be the next page's number."""
    p = plan("serial_chance", number)
    web.get(at(0, p.path("count")))  # @serial_chance
    web.get(at(1, p.path("page", p.small)))  # @serial_chance
    return "ok"


@scenario
def serial_echo(number):
    """What comes back was known before."""
    p = plan("serial_echo", number)
    web.get(at(0, p.path("echo", p.words[0])))  # @serial_echo
    web.get(at(1, p.path("of", p.words[0])))  # @serial_echo
    return "ok"


@scenario
def serial_written(number):
    p = plan("serial_written", number)
    web.get(at(0, p.path("stock")))
    web.post(at(0, p.path("order")), json={"of": p.ids[0]})
    web.get(at(0, p.path("price")))
    return "ok"


@scenario
def serial_polling(number):
    p = plan("serial_polling", number)
    while not web.get(at(0, p.path("job"))).json()["done"]:
        pass
    return "ok"


@scenario
def serial_big(number):
    """Who knows what was in the rest of the answer."""
    p = plan("serial_big", number)
    web.get(at(0, p.path("big")))  # @serial_big
    web.get(at(1, p.path("price")))  # @serial_big
    return "ok"


@scenario
def serial_zipped(number):
    p = plan("serial_zipped", number)
    web.get(at(0, p.path("zipped")))  # @serial_zipped
    web.get(at(1, p.path("price")))  # @serial_zipped
    return "ok"


@scenario
def serial_threads(number):
    """At once already."""
    p = plan("serial_threads", number)
    at_once([at(which, p.path("stock")) for which in range(3)])
    return "ok"


# --- chains: each call needs the one before ---


@scenario
def chain_number(number):
    p = plan("chain_number", number)
    order = web.get(at(0, p.path("gives", "number"))).json()["order"]
    web.get(at(1, p.path("takes", order)))
    return "ok"


@scenario
def chain_string(number):
    p = plan("chain_string", number)
    order = web.get(at(0, p.path("gives", "string"))).json()["order"]
    web.get(at(1, p.path("takes")), params={"order": order})
    return "ok"


@scenario
def chain_short(number):
    p = plan("chain_short", number)
    short = web.get(at(0, p.path("gives", "short"))).json()["id"]
    web.get(at(1, p.path("takes", short)))
    return "ok"


@scenario
def chain_link(number):
    p = plan("chain_link", number)
    web.get(at(1, web.get(at(0, p.path("gives", "link"))).json()["link"]))
    return "ok"


@scenario
def chain_place(number):
    p = plan("chain_place", number)
    web.get(at(0, p.path("gives", "place")))
    return "ok"


@scenario
def chain_header(number):
    p = plan("chain_header", number)
    token = web.get(at(0, p.path("gives", "header"))).headers["X-Continue"]
    web.get(at(1, p.path("takes")), headers={"Authorization": "Bearer " + token})
    return "ok"


@scenario
def chain_quoted(number):
    p = plan("chain_quoted", number)
    name = web.get(at(0, p.path("gives", "quoted"))).json()["name"]
    web.get(at(1, p.path("takes")), params={"name": name})
    return "ok"


@scenario
def chain_redis(number):
    p = plan("chain_redis", number)
    web.get(at(1, p.path("takes", store.get(p.own("token")))))
    return "ok"


@scenario
def chain_body(number):
    p = plan("chain_body", number)
    order = web.get(at(0, p.path("gives", "number"))).json()["order"]
    web.post(at(1, p.path("takes")), json={"order": order})
    return "ok"


@scenario
def chain_to_redis(number):
    p = plan("chain_to_redis", number)
    order = web.get(at(0, p.path("gives", "number"))).json()["order"]
    store.get("chain_to_redis:%d" % order)
    return "ok"


# --- repeated ---


@scenario
def rep_same(number):
    store.get("rep_same:motd")  # @rep_same
    return "ok"


@scenario
def rep_changes(number):
    web.get(at(0, "/rep_changes/0/counter"))
    return "ok"


@scenario
def rep_written(number):
    store.get("rep_written:motd")
    store.set("rep_written:motd", str(number))
    return "ok"


@scenario
def rep_user(number):
    p = plan("rep_user", number)
    store.get(p.own("user"))
    return "ok"


# --- reconnect ---


@scenario
def connect_each(number):
    p = plan("connect_each", number)
    requests.get(at(0, p.path("part")))  # @connect_each
    return "ok"


@scenario
def connect_kept(number):
    p = plan("connect_kept", number)
    web.get(at(0, p.path("part")))
    return "ok"


# --- slow_start ---


@scenario
def start_tls(number):
    """A session of its own for each run: two requests a connection."""
    p = plan("start_tls", number)
    with make_session() as own:
        for name in ("stock", "price"):
            own.get("https://localhost:%d%s" % (PORTS[3], p.path(name)))  # @start_tls
    return "ok"


def make_tls():
    context = ssl.create_default_context(cafile=OPTIONS["certificate"])
    connection = http.client.HTTPSConnection("localhost", PORTS[3], context=context)
    connection.connect()
    return connection


tls_kept = queue.LifoQueue()
for _ in range(8):  # more than there are threads
    tls_kept.put(make_tls())


@scenario
def start_tls_kept(number):
    p = plan("start_tls_kept", number)
    connection = tls_kept.get()
    connection.request("GET", p.path("stock"))
    connection.getresponse().read()
    tls_kept.put(connection)
    return "ok"


# --- stalled ---


class Wire:
    """A client as one writes it in an hour: it sends what it has when it has it."""

    def __init__(self, no_delay):
        self.sock = socket.create_connection(("127.0.0.1", PORTS[0]))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)
        self.reader = self.sock.makefile("rb")

    def ask(self, pieces):
        for piece in pieces:
            self.sock.sendall(piece)  # @wire
        size = 0
        for line in iter(self.reader.readline, b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return self.reader.read(size)


class Wires:
    """Connections that are kept, and used enough for the peer to delay its acknowledgements."""

    def __init__(self, no_delay):
        self.free = queue.LifoQueue()
        for _ in range(8):
            self.free.put(Wire(no_delay))
        for _ in range(8 * 20):
            self.post("/stall/0/warm", b"{}", together=True)

    def post(self, path, body, together):
        wire = self.free.get()
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body))
        answer = wire.ask([head + body] if together else [head, body])
        self.free.put(wire)
        return answer


delaying, undelaying = Wires(0), Wires(1)


@scenario
def stall_nagle(number):
    p = plan("stall_nagle", number)
    for one in p.ids[:4]:
        delaying.post(p.path("order"), b'{"of":%d}' % one, together=False)
    return "ok"


@scenario
def stall_no_delay(number):
    p = plan("stall_no_delay", number)
    for one in p.ids[:4]:
        undelaying.post(p.path("order"), b'{"of":%d}' % one, together=False)
    return "ok"


@scenario
def stall_one_send(number):
    p = plan("stall_one_send", number)
    for one in p.ids[:4]:
        delaying.post(p.path("order"), b'{"of":%d}' % one, together=True)
    return "ok"


@scenario
def stall_slow_backend(number):
    p = plan("stall_slow_backend", number)
    undelaying.post(p.path("slow"), b'{"of":%d}' % p.ids[0], together=True)
    return "ok"


def post_alone(path):
    """Three on a connection of their own."""
    wire = Wire(1)
    for _ in range(3):
        wire.ask([b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}" % path.encode()])
    wire.reader.close()
    wire.sock.close()


@scenario
def stall_lost(number):
    """The last one does not get through at first."""
    post_alone(plan("stall_lost", number).path("deaf"))
    return "ok"


@scenario
def stall_late(number):
    """The last one takes as long as if it had not."""
    post_alone(plan("stall_late", number).path("late"))
    return "ok"


# --- other shapes ---


@scenario
def stream_read(number):
    """The answer is read piece by piece."""
    p = plan("stream_read", number)
    with web.get(at(0, p.path("stream")), stream=True) as answer:
        for _ in answer.iter_content(4096):
            pass
    return "ok"


@scenario
def stream_between(number):
    """A call while an answer still comes in: they overlap."""
    p = plan("stream_between", number)
    with web.get(at(0, p.path("stream")), stream=True) as answer:
        pieces = answer.iter_content(4096)
        next(pieces)
        store.get(p.key(0))
        for _ in pieces:
            pass
    return "ok"


@scenario
def stream_sent(number):
    """The response is a generator: the calls come when the view has returned."""
    p = plan("stream_sent", number)

    def pieces():
        for _ in range(p.times):
            yield store.get(p.key(0))  # @stream_sent

    return flask.Response(pieces())

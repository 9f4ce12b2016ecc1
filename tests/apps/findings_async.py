"""Target: findings_sync.py's scenarios on an event loop: a FastAPI application for uvicorn, with httpx and aiohttp.

Memcached has no such client in Debian; TLS and clients that stall are the same there as in threads.
"""

import asyncio
import json
import os

import aiohttp
import fastapi
import httpx
import redis.asyncio
from fastapi.responses import StreamingResponse

import findings_plan

OPTIONS = json.loads(os.environ["FINDINGS"])
PORTS = OPTIONS["http"]

app = fastapi.FastAPI()
store = redis.asyncio.Redis(host="127.0.0.1", port=OPTIONS["redis"], decode_responses=True)
limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=None)
web = httpx.AsyncClient(trust_env=False, limits=limits, follow_redirects=True)
kept = {}


@app.on_event("startup")
async def start():
    kept["aiohttp"] = aiohttp.ClientSession()


@app.on_event("shutdown")
async def stop():
    await kept["aiohttp"].close()
    await web.aclose()


def scenario(function):
    app.add_api_route("/%s/{number}" % function.__name__, function)
    return function


def plan(name, number):
    return findings_plan.Plan(OPTIONS["seed"], name, int(number))


def at(which, path):
    return "http://127.0.0.1:%d%s" % (PORTS[which], path)


# --- duplicate ---


@scenario
async def dup_redis(number: int):
    p = plan("dup_redis", number)
    for _ in range(p.times):
        await store.get(p.key(0))  # @dup_redis
    return "ok"


async def helper(key):
    return await store.get(key)  # @dup_helper


@scenario
async def dup_helper(number: int):
    """Two callers of a helper, and other calls between."""
    p = plan("dup_helper", number)
    await helper(p.key(0))
    await web.get(at(0, p.path("part")))
    await helper(p.key(0))
    return "ok"


@scenario
async def dup_changed(number: int):
    p = plan("dup_changed", number)
    for _ in range(p.times):
        await web.get(at(0, p.path("counter")))
    return "ok"


@scenario
async def dup_written(number: int):
    p = plan("dup_written", number)
    value = await store.get(p.key(0))
    await store.set(p.key(0), value)
    await store.get(p.key(0))
    return "ok"


@scenario
async def dup_written_other(number: int):
    """What is written is another key, so it is needless."""
    p = plan("dup_written_other", number)
    value = await store.get(p.key(0))
    await store.set(p.key(1), value)
    await store.get(p.key(0))  # @dup_written_other
    return "ok"


@scenario
async def dup_http(number: int):
    p = plan("dup_http", number)
    for _ in range(p.times):
        async with kept["aiohttp"].get(at(0, p.path("part"))) as answer:  # @dup_http
            await answer.read()
    return "ok"


@scenario
async def dup_http_put(number: int):
    p = plan("dup_http_put", number)
    await web.get(at(0, p.path("part")))
    await web.put(at(0, p.path("part")), json={"name": p.words[0]})
    await web.get(at(0, p.path("part")))
    return "ok"


@scenario
async def dup_http_post(number: int):
    p = plan("dup_http_post", number)
    for _ in range(p.times):
        await web.post(at(0, p.path("order")), json={"of": p.ids[0]})
    return "ok"


@scenario
async def dup_http_traced(number: int):
    """Trace headers differ, the request is the same."""
    p = plan("dup_http_traced", number)
    for position in range(p.times):
        parent = {"traceparent": "00-%032x-%016x-01" % (p.ids[position], p.ids[position])}
        await web.get(at(0, p.path("part")), headers=parent)  # @dup_http_traced
    return "ok"


@scenario
async def dup_other_key(number: int):
    p = plan("dup_other_key", number)
    await store.get(p.key(0))
    await store.get(p.key(1))
    return "ok"


@scenario
async def dup_transaction(number: int):
    p = plan("dup_transaction", number)
    async with store.pipeline(transaction=True) as pipeline:
        pipeline.get(p.key(0))
        pipeline.get(p.key(0))
        await pipeline.execute()
    return "ok"


@scenario
async def dup_pipeline(number: int):
    p = plan("dup_pipeline", number)
    async with store.pipeline(transaction=False) as pipeline:
        for position in (0, 1, 0):
            pipeline.get(p.key(position))
        await pipeline.execute()  # @dup_pipeline
    return "ok"


@scenario
async def dup_retry(number: int):
    """The first one is refused."""
    p = plan("dup_retry", number)
    if (await web.get(at(0, p.path("fails")))).status_code != 200:
        await web.get(at(0, p.path("fails")))
    return "ok"


@scenario
async def dup_broken(number: int):
    """The first one is never answered."""
    p = plan("dup_broken", number)
    try:
        await web.get(at(0, p.path("drops")))
    except httpx.TransportError:
        await web.get(at(0, p.path("drops")))
    return "ok"


@scenario
async def dup_across(number: int):
    """Once a run, but every run."""
    plan("dup_across", number)
    await store.get("rep_same:motd")
    return "ok"


@scenario
async def dup_multiget(number: int):
    p = plan("dup_multiget", number)
    await store.mget(p.keys(4))
    await store.mget([p.key(position) for position in (2, 3, 4, 5)])  # @dup_multiget
    return "ok"


@scenario
async def dup_multiget_apart(number: int):
    p = plan("dup_multiget_apart", number)
    await store.mget(p.keys(4))
    await store.mget([p.key(position) for position in (4, 5, 6, 7)])
    return "ok"


# --- n_plus_one ---


@scenario
async def nplus_redis(number: int):
    p = plan("nplus_redis", number)
    for one in await store.lrange(p.own("list"), 0, -1):
        await store.get("nplus_redis:" + one)  # @nplus_redis
    return "ok"


@scenario
async def nplus_mget(number: int):
    p = plan("nplus_mget", number)
    await store.mget(["nplus_mget:" + one for one in await store.lrange(p.own("list"), 0, -1)])
    return "ok"


@scenario
async def nplus_walk(number: int):
    """Each key is the previous one's value."""
    p = plan("nplus_walk", number)
    one = str(p.ids[0])
    for _ in range(p.many):
        one = await store.get("nplus_walk:next:" + one)
    return "ok"


@scenario
async def nplus_templates(number: int):
    p = plan("nplus_templates", number)
    for position in range(p.many):
        await store.get(p.other("abcdefghij"[position]))
    return "ok"


@scenario
async def nplus_few(number: int):
    p = plan("nplus_few", number)
    for one in await store.lrange(p.own("list"), 0, p.few - 1):
        await store.get("nplus_few:" + one)
    return "ok"


@scenario
async def nplus_http(number: int):
    p = plan("nplus_http", number)
    for one in findings_plan.ids_of((await web.get(at(0, p.path("list")))).json()):
        await web.get(at(0, p.path("item", one)))  # @nplus_http
    return "ok"


@scenario
async def nplus_pipeline(number: int):
    """One round trip already."""
    p = plan("nplus_pipeline", number)
    async with store.pipeline(transaction=False) as pipeline:
        for one in await store.lrange(p.own("list"), 0, -1):
            pipeline.get("nplus_pipeline:" + one)
        await pipeline.execute()
    return "ok"


@scenario
async def nplus_at_once(number: int):
    p = plan("nplus_at_once", number)
    ids = findings_plan.ids_of((await web.get(at(0, p.path("list")))).json())
    await asyncio.gather(*(web.get(at(0, p.path("item", one))) for one in ids))
    return "ok"


# --- serial ---


@scenario
async def serial_hosts(number: int):
    p = plan("serial_hosts", number)
    await web.get(at(0, p.path("stock")))  # @serial_hosts
    await web.get(at(1, p.path("price")))  # @serial_hosts
    await web.get(at(2, p.path("review")))  # @serial_hosts
    return "ok"


@scenario
async def serial_session(number: int):
    p = plan("serial_session", number)
    for name in ("stock", "price"):
        async with kept["aiohttp"].get(at(0, p.path(name))) as answer:  # @serial_session
            await answer.read()
    return "ok"


@scenario
async def serial_mixed(number: int):
    """Across protocols."""
    p = plan("serial_mixed", number)
    await store.get(p.key(0))  # @serial_mixed
    await web.get(at(0, p.path("stock")))  # @serial_mixed
    await web.get(at(1, p.path("price")))  # @serial_mixed
    await web.get(at(2, p.path("review")))  # @serial_mixed
    return "ok"


@scenario
async def serial_prefix(number: int):
    """What comes back is only the beginning of what is asked next."""
    p = plan("serial_prefix", number)
    key = (await web.get(at(0, p.path("user")))).json()["key"]  # @serial_prefix
    assert ("user:%d" % p.ids[0]).startswith(key)
    await web.get(at(1, p.path("of", "user:%d" % p.ids[0])))  # @serial_prefix
    return "ok"


@scenario
async def serial_chance(number: int):
    """A count that happens to be the next page's number."""
    p = plan("serial_chance", number)
    await web.get(at(0, p.path("count")))  # @serial_chance
    await web.get(at(1, p.path("page", p.small)))  # @serial_chance
    return "ok"


@scenario
async def serial_echo(number: int):
    """What comes back was known before."""
    p = plan("serial_echo", number)
    await web.get(at(0, p.path("echo", p.words[0])))  # @serial_echo
    await web.get(at(1, p.path("of", p.words[0])))  # @serial_echo
    return "ok"


@scenario
async def serial_written(number: int):
    p = plan("serial_written", number)
    await web.get(at(0, p.path("stock")))
    await web.post(at(0, p.path("order")), json={"of": p.ids[0]})
    await web.get(at(0, p.path("price")))
    return "ok"


@scenario
async def serial_polling(number: int):
    p = plan("serial_polling", number)
    while not (await web.get(at(0, p.path("job")))).json()["done"]:
        pass
    return "ok"


@scenario
async def serial_big(number: int):
    """Who knows what was in the rest of the answer."""
    p = plan("serial_big", number)
    await web.get(at(0, p.path("big")))  # @serial_big
    await web.get(at(1, p.path("price")))  # @serial_big
    return "ok"


@scenario
async def serial_zipped(number: int):
    p = plan("serial_zipped", number)
    await web.get(at(0, p.path("zipped")))  # @serial_zipped
    await web.get(at(1, p.path("price")))  # @serial_zipped
    return "ok"


@scenario
async def serial_threads(number: int):
    """At once already."""
    p = plan("serial_threads", number)
    await asyncio.gather(*(web.get(at(which, p.path("stock"))) for which in range(3)))
    return "ok"


# --- chains: each call needs the one before ---


@scenario
async def chain_number(number: int):
    p = plan("chain_number", number)
    order = (await web.get(at(0, p.path("gives", "number")))).json()["order"]
    await web.get(at(1, p.path("takes", order)))
    return "ok"


@scenario
async def chain_string(number: int):
    p = plan("chain_string", number)
    async with kept["aiohttp"].get(at(0, p.path("gives", "string"))) as answer:
        order = (await answer.json(content_type=None))["order"]
    async with kept["aiohttp"].get(at(1, p.path("takes")), params={"order": order}) as answer:
        await answer.read()
    return "ok"


@scenario
async def chain_short(number: int):
    p = plan("chain_short", number)
    short = (await web.get(at(0, p.path("gives", "short")))).json()["id"]
    await web.get(at(1, p.path("takes", short)))
    return "ok"


@scenario
async def chain_link(number: int):
    p = plan("chain_link", number)
    await web.get(at(1, (await web.get(at(0, p.path("gives", "link")))).json()["link"]))
    return "ok"


@scenario
async def chain_place(number: int):
    p = plan("chain_place", number)
    await web.get(at(0, p.path("gives", "place")))
    return "ok"


@scenario
async def chain_header(number: int):
    p = plan("chain_header", number)
    token = (await web.get(at(0, p.path("gives", "header")))).headers["X-Continue"]
    await web.get(at(1, p.path("takes")), headers={"Authorization": "Bearer " + token})
    return "ok"


@scenario
async def chain_quoted(number: int):
    p = plan("chain_quoted", number)
    name = (await web.get(at(0, p.path("gives", "quoted")))).json()["name"]
    await web.get(at(1, p.path("takes")), params={"name": name})
    return "ok"


@scenario
async def chain_redis(number: int):
    p = plan("chain_redis", number)
    await web.get(at(1, p.path("takes", await store.get(p.own("token")))))
    return "ok"


@scenario
async def chain_body(number: int):
    p = plan("chain_body", number)
    order = (await web.get(at(0, p.path("gives", "number")))).json()["order"]
    await web.post(at(1, p.path("takes")), json={"order": order})
    return "ok"


@scenario
async def chain_to_redis(number: int):
    p = plan("chain_to_redis", number)
    order = (await web.get(at(0, p.path("gives", "number")))).json()["order"]
    await store.get("chain_to_redis:%d" % order)
    return "ok"


# --- repeated ---


@scenario
async def rep_same(number: int):
    await store.get("rep_same:motd")  # @rep_same
    return "ok"


@scenario
async def rep_changes(number: int):
    await web.get(at(0, "/rep_changes/0/counter"))
    return "ok"


@scenario
async def rep_written(number: int):
    await store.get("rep_written:motd")
    await store.set("rep_written:motd", str(number))
    return "ok"


@scenario
async def rep_user(number: int):
    p = plan("rep_user", number)
    await store.get(p.own("user"))
    return "ok"


# --- reconnect ---


@scenario
async def connect_each(number: int):
    p = plan("connect_each", number)
    async with httpx.AsyncClient(trust_env=False) as own:
        await own.get(at(0, p.path("part")))  # @connect_each
    return "ok"


@scenario
async def connect_kept(number: int):
    p = plan("connect_kept", number)
    await web.get(at(0, p.path("part")))
    return "ok"


# --- other shapes ---


@scenario
async def stream_read(number: int):
    """The answer is read piece by piece."""
    p = plan("stream_read", number)
    async with web.stream("GET", at(0, p.path("stream"))) as answer:
        async for _ in answer.aiter_bytes():
            pass
    return "ok"


@scenario
async def stream_between(number: int):
    """A call while an answer still comes in: they overlap."""
    p = plan("stream_between", number)
    async with web.stream("GET", at(0, p.path("stream"))) as answer:
        pieces = answer.aiter_bytes()
        await pieces.__anext__()
        await store.get(p.key(0))
        async for _ in pieces:
            pass
    return "ok"


@scenario
async def stream_sent(number: int):
    """The response is a generator: the calls come when the view has returned."""
    p = plan("stream_sent", number)

    async def pieces():
        for _ in range(p.times):
            yield await store.get(p.key(0))  # @stream_sent

    return StreamingResponse(pieces())

"""Connections to the backends: one pool of each, filled as it is used."""

import os

import aiohttp
import redis.asyncio

HOST = "127.0.0.1"
STOCK = "http://%s:%s" % (HOST, os.environ["SHOP_STOCK_PORT"])

store = redis.asyncio.Redis(host=HOST, port=int(os.environ["SHOP_REDIS_PORT"]), decode_responses=True)
_kept = {}


def _session():
    """The one client; it can be made in a running event loop only."""
    if "session" not in _kept:
        _kept["session"] = aiohttp.ClientSession(STOCK)
    return _kept["session"]


async def ask_stock(path):
    async with _session().get(path) as answer:
        return await answer.json()


async def tell_stock(path, message):
    async with _session().post(path, json=message) as answer:
        return await answer.json()


async def close():
    if _kept:
        await _kept.pop("session").close()
    await store.close()

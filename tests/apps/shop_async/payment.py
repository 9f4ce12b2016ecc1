"""Paying: three requests that need each other's answers, and a connection for each of them."""

import aiohttp

from shop_async.backends import STOCK, store


async def _tell(path, message):
    async with aiohttp.ClientSession(STOCK) as session:
        async with session.post(path, json=message) as answer:
            return await answer.json()


async def pay(user):
    """3 HTTP POSTs, then 1 redis INCRBY with what came out."""
    order = (await _tell("/orders", {"user": user["number"]}))["order"]
    payment = (await _tell("/payments", {"order": order}))["payment"]
    total = (await _tell("/receipts", {"payment": payment}))["total"]
    return await store.incrby("points:" + user["number"], total)

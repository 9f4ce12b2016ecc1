"""What a user wants to buy."""

import asyncio

from shop_async import stock
from shop_async.backends import store


async def size(user):
    """1 redis HLEN."""
    return await store.hlen("cart:" + user["number"])


async def lines(user):
    """2 redis calls and 1 HTTP: the cart's five products, then all prices and how many are left at once."""
    amounts = await store.hgetall("cart:" + user["number"])
    prices, left = await asyncio.gather(
        store.mget("price:" + number for number in amounts), stock.all_left(amounts)
    )
    return [
        {"product": number, "amount": int(amounts[number]), "price": int(price), "left": count}
        for number, price, count in zip(amounts, prices, left)
    ]


async def remember(number, user):
    """3 redis calls; the question is asked again because the answer has changed."""
    wishes = "wishes:" + user["number"]
    before = await store.scard(wishes)
    await store.sadd(wishes, number)
    return await store.scard(wishes) - before

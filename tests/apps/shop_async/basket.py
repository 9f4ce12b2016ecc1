"""What a user wants to buy."""

from shop_async import stock
from shop_async.backends import store


async def size(user):
    """1 redis HLEN."""
    return await store.hlen("cart:" + user["number"])


async def lines(user):
    """6 redis calls and 5 HTTP: the cart's five products, then each one's price, then how many of each are left."""
    amounts = await store.hgetall("cart:" + user["number"])
    prices = [await store.get("price:" + number) for number in amounts]
    left = [await stock.left(number) for number in amounts]
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

"""Paying: three requests that need each other's answers."""

from shop_async.backends import store, tell_stock


async def pay(user):
    """3 HTTP POSTs, then 1 redis INCRBY with what came out."""
    order = (await tell_stock("/orders", {"user": user["number"]}))["order"]
    payment = (await tell_stock("/payments", {"order": order}))["payment"]
    total = (await tell_stock("/receipts", {"payment": payment}))["total"]
    return await store.incrby("points:" + user["number"], total)

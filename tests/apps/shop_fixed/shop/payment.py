"""Paying: three requests that need each other's answers."""

from shop.backends import store, tell_stock


def pay(user):
    """3 HTTP POSTs, then 1 redis INCRBY with what came out."""
    order = tell_stock("/orders", {"user": user["number"]})["order"]
    payment = tell_stock("/payments", {"order": order})["payment"]
    total = tell_stock("/receipts", {"payment": payment})["total"]
    return store.incrby("points:" + user["number"], total)

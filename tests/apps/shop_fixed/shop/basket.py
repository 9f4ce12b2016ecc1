"""What a user wants to buy."""

from shop import stock
from shop.at_once import start
from shop.backends import store


def size(user):
    """1 redis HLEN."""
    return store.hlen("cart:" + user["number"])


def lines(user):
    """2 redis calls and 1 HTTP: the cart's five products, then all prices and how many are left at once."""
    amounts = store.hgetall("cart:" + user["number"])
    left = start(stock.all_left, amounts)
    prices = store.mget("price:" + number for number in amounts)
    return [
        {"product": number, "amount": int(amounts[number]), "price": int(price), "left": count}
        for number, price, count in zip(amounts, prices, left.result())
    ]


def remember(number, user):
    """3 redis calls; the question is asked again because the answer has changed."""
    wishes = "wishes:" + user["number"]
    before = store.scard(wishes)
    store.sadd(wishes, number)
    return store.scard(wishes) - before

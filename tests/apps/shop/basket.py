"""What a user wants to buy."""

from shop import stock
from shop.backends import store


def size(user):
    """1 redis HLEN."""
    return store.hlen("cart:" + user["number"])


def lines(user):
    """6 redis calls and 5 HTTP: the cart's five products, then each one's price, then how many of each are left."""
    amounts = store.hgetall("cart:" + user["number"])
    prices = [store.get("price:" + number) for number in amounts]
    left = [stock.left(number) for number in amounts]
    return [
        {"product": number, "amount": int(amounts[number]), "price": int(price), "left": count}
        for number, price, count in zip(amounts, prices, left)
    ]


def remember(number, user):
    """3 redis calls; the question is asked again because the answer has changed."""
    wishes = "wishes:" + user["number"]
    before = store.scard(wishes)
    store.sadd(wishes, number)
    return store.scard(wishes) - before

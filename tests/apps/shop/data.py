"""Who the users are and what there is to buy: drawn from SHOP_SEED, so that all who need to know draw the same."""

import os
import random

NAMES = ("Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "John", "Karen", "Ken", "Radia", "Tony")
TOWNS = ("aarhus", "bremen", "coimbra", "debrecen", "eindhoven", "freiburg", "granada", "helsinki")
SHADES = ("amber", "black", "green", "indigo", "ochre", "purple", "silver", "white")
THINGS = ("basket", "blanket", "candle", "kettle", "ladder", "lantern", "mirror", "teapot")
REVIEWS = ("as described", "better than the last one", "broke after a week", "good value", "so so", "would buy again")

USERS, PRODUCTS = 1000, 2000
CART, RECOMMENDED = 5, 10  # products in a user's cart, and recommended to a user

_draw = random.Random(int(os.environ.get("SHOP_SEED", 1)))
_numbers = _draw.sample(range(100000, 1000000), USERS + PRODUCTS)


def _user(number):
    return {"number": str(number), "name": _draw.choice(NAMES), "town": _draw.choice(TOWNS)}


products = [str(number) for number in _numbers[USERS:]]
names = {number: "%s %s" % (_draw.choice(SHADES), _draw.choice(THINGS)) for number in products}
prices = {number: _draw.randrange(10000, 100000) for number in products}  # cents
reviews = {number: _draw.sample(REVIEWS, _draw.randrange(1, 4)) for number in products}
sessions = {"%032x" % _draw.getrandbits(128): _user(number) for number in _numbers[:USERS]}
carts = {user["number"]: _draw.sample(products, CART) for user in sessions.values()}
recommended = {user["number"]: _draw.sample(products, RECOMMENDED) for user in sessions.values()}
amounts = (1, 1, 1, 2, 3)  # of a cart's products

_tokens = list(sessions)
_PAGES = {
    "homepage": lambda draw: "/",
    "product": lambda draw: "/product/" + draw.choice(products),
    "search": lambda draw: "/search?q=" + draw.choice(THINGS),
    "cart": lambda draw: "/cart",
    "remember": lambda draw: "/remember/" + draw.choice(products),
    "checkout": lambda draw: "/checkout",
    "track": lambda draw: "/track/%d" % draw.randrange(10**8, 10**9),
    "health": lambda draw: "/health",
    "about": lambda draw: "/about",
}
PAGES = tuple(_PAGES)


def path(draw, page):
    """Where to ask for the page, or for one of them."""
    return _PAGES[page](draw)


def cookie(draw):
    """The header by which somebody asks."""
    return {"Cookie": "session=" + draw.choice(_tokens)}

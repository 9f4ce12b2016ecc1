"""How many of a product there are, from the stock service."""

from shop.backends import ask_stock


def availability(numbers):
    """1 HTTP GET a product, one after the other."""
    return [ask_stock("/stock/%d" % number)["left"] for number in numbers]


def delivery(number):
    """1 HTTP GET."""
    return ask_stock("/delivery/%d" % number)["days"]


def alive():
    """1 HTTP GET."""
    return ask_stock("/health")["ok"]

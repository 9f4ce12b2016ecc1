"""What the stock service knows."""

from shop.backends import ask_stock, tell_stock

PARTS = ("offers", "news", "events", "coupons", "messages", "trends")


def left(number):
    """1 HTTP GET."""
    return ask_stock("/stock/%s" % number)["left"]


def delivery(number, user):
    """1 HTTP GET."""
    return ask_stock("/delivery/%s?town=%s" % (number, user["town"]))["days"]


def part(name, user):
    """1 HTTP GET: a part of the homepage."""
    return ask_stock("/%s/%s" % (name, user["number"]))["text"]


def quote(lines):
    """1 HTTP POST."""
    return tell_stock("/quote", lines)["total"]


def whereabouts(order):
    """3 HTTP GETs, each of what the answer before has named."""
    parcel = ask_stock("/orders/%d" % order)["parcel"]
    depot = ask_stock("/parcels/%d" % parcel)["depot"]
    return ask_stock("/depots/%d" % depot)["town"]


def alive():
    """1 HTTP GET."""
    return ask_stock("/health")["ok"]

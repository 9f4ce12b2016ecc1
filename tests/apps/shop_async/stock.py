"""What the stock service knows."""

from shop_async.backends import ask_stock, tell_stock

PARTS = ("offers", "news", "events", "coupons", "messages", "trends")


async def left(number):
    """1 HTTP GET."""
    return (await ask_stock("/stock/%s" % number))["left"]


async def delivery(number, user):
    """1 HTTP GET."""
    return (await ask_stock("/delivery/%s?town=%s" % (number, user["town"])))["days"]


async def part(name, user):
    """1 HTTP GET: a part of the homepage."""
    return (await ask_stock("/%s/%s" % (name, user["number"])))["text"]


async def quote(lines):
    """1 HTTP POST."""
    return (await tell_stock("/quote", lines))["total"]


async def whereabouts(order):
    """3 HTTP GETs, each of what the answer before has named."""
    parcel = (await ask_stock("/orders/%d" % order))["parcel"]
    depot = (await ask_stock("/parcels/%d" % parcel))["depot"]
    return (await ask_stock("/depots/%d" % depot))["town"]


async def alive():
    """1 HTTP GET."""
    return (await ask_stock("/health"))["ok"]

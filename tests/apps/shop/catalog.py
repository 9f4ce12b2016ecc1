"""Products, and what people say of them."""

from shop.backends import cache, store


def recommended(user):
    """11 redis calls: the list of the user's ten products, then a GET for each."""
    return [store.get("product:" + number) for number in store.lrange("recommended:" + user["number"], 0, 9)]


def product(number):
    """1 redis GET."""
    return store.get("product:%d" % number)


def reviews(number):
    """1 redis LRANGE."""
    return store.lrange("reviews:%d" % number, 0, 4)


def may_review(number, user):
    """1 redis SISMEMBER."""
    return bool(store.sismember("bought:" + user["number"], number))


def matching(word):
    """1 redis SRANDMEMBER, then one pipeline of 8 GETs."""
    with store.pipeline(transaction=False) as pipeline:
        for number in store.srandmember("word:" + word, 8):
            pipeline.get("product:" + number)
        return pipeline.execute()


def frame():
    """1 memcache get of two keys: what stands above and below every page."""
    found = cache.get_many(["fragment:menu", "fragment:footer"])
    return [part.decode() for part in found.values()]

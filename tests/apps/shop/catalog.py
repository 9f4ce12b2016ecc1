"""Products, their prices and what people say of them."""

from shop.backends import cache, store


def featured():
    """11 redis calls: the list of ten products, then a GET for each."""
    return [store.get("product:" + number) for number in store.lrange("featured", 0, 9)]


def product(number):
    """1 redis GET."""
    return store.get("product:%d" % number)


def reviews(number):
    """1 redis LRANGE."""
    return store.lrange("reviews:%d" % number, 0, 4)


def matching(word):
    """1 redis SRANDMEMBER, then one pipeline of 8 GETs."""
    with store.pipeline(transaction=False) as pipeline:
        for number in store.srandmember("word:item", 8):
            pipeline.get("product:" + number)
        return [name for name in pipeline.execute() if word in name]


def fragment(name):
    """1 memcache get."""
    return (cache.get("fragment:" + name) or b"").decode()


def frame():
    """1 memcache get of two keys: what stands above and below every page."""
    found = cache.get_many(["fragment:menu", "fragment:footer"])
    return [part.decode() for part in found.values()]

"""Fills the backends with what the pages need: `python3 -m shop.seed`."""

from shop.backends import cache, store

PRODUCTS = range(1, 41)


def main():
    with store.pipeline() as pipeline:
        pipeline.set("session:s1", "1")
        pipeline.set("user:1", "Ada")
        pipeline.delete("featured", "word:item", "cart:1")
        for number in PRODUCTS:
            pipeline.set("product:%d" % number, "item %d" % number)
            pipeline.set("price:%d" % number, number * 100)
            pipeline.sadd("word:item", number)
            pipeline.delete("reviews:%d" % number)
            pipeline.rpush("reviews:%d" % number, "good", "so so")
        pipeline.rpush("featured", *range(1, 11))
        pipeline.hset("cart:1", mapping={str(number): 1 for number in range(1, 6)})
        pipeline.execute()
    for name in ("banner", "menu", "footer"):
        cache.set("fragment:" + name, "<p>%s</p>" % name)
    cache.set("health", "ok")


if __name__ == "__main__":
    main()

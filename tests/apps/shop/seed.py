"""Fills the backends with what the pages need: `python3 -m shop.seed`."""

import json
import os

import pymemcache
import redis

from shop import data

FRAGMENTS = ("menu", "footer")
HOST = "127.0.0.1"


def fill_redis(store):
    """Sessions, products and what users have to do with products; fragments as well, for those who look here."""
    words = {thing: [] for thing in data.THINGS}
    with store.pipeline(transaction=False) as pipeline:
        pipeline.flushall()
        for number, name in data.names.items():
            words[name.split()[1]].append(number)
            pipeline.set("product:" + number, name)
            pipeline.set("price:" + number, data.prices[number])
            pipeline.rpush("reviews:" + number, *data.reviews[number])
        for thing, numbers in words.items():
            pipeline.sadd("word:" + thing, *numbers)
        for token, user in data.sessions.items():
            number = user["number"]
            pipeline.set("session:" + token, json.dumps(user))
            pipeline.hset("cart:" + number, mapping=dict(zip(data.carts[number], data.amounts)))
            pipeline.rpush("recommended:" + number, *data.recommended[number])
            pipeline.sadd("bought:" + number, *data.recommended[number][::3])
        for name in FRAGMENTS:
            pipeline.set("fragment:" + name, "<p>%s</p>" % name)
        pipeline.execute()


def fill_memcache(cache):
    for name in FRAGMENTS:
        cache.set("fragment:" + name, "<p>%s</p>" % name)
    cache.set("health", "ok")


if __name__ == "__main__":
    fill_redis(redis.Redis(HOST, int(os.environ["SHOP_REDIS_PORT"])))
    fill_memcache(pymemcache.Client((HOST, int(os.environ["SHOP_MEMCACHE_PORT"]))))

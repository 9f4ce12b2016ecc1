"""Products, and what people say of them."""

from shop_async.backends import store


async def recommended(user):
    """2 redis calls: the list of the user's ten products, then all of them."""
    numbers = await store.lrange("recommended:" + user["number"], 0, 9)
    return await store.mget("product:" + number for number in numbers)


async def product(number):
    """1 redis GET."""
    return await store.get("product:%d" % number)


async def reviews(number):
    """1 redis LRANGE."""
    return await store.lrange("reviews:%d" % number, 0, 4)


async def may_review(number, user):
    """1 redis SISMEMBER."""
    return bool(await store.sismember("bought:" + user["number"], number))


async def matching(word):
    """1 redis SRANDMEMBER, then one pipeline of 8 GETs."""
    async with store.pipeline(transaction=False) as pipeline:
        for number in await store.srandmember("word:" + word, 8):
            pipeline.get("product:" + number)
        return await pipeline.execute()


async def frame():
    """1 redis MGET of two keys: what stands above and below every page."""
    return await store.mget("fragment:menu", "fragment:footer")

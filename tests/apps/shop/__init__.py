"""A small shop, as services grow: sessions and products in redis, page fragments in memcached, stock by HTTP.

Run it with `gunicorn -w 2 shop.wsgi:app`; SHOP_REDIS_PORT, SHOP_MEMCACHE_PORT and SHOP_STOCK_PORT say where the
backends listen on loopback, and `python3 -m shop.seed` fills them. It is what `make demo` traces, and it has the sins
of real code: a helper that looks the session up again and again, a query for each product, and six requests in a row.
"""

"""A small shop, as services grow: sessions and products in redis, page fragments in memcached, stock by HTTP.

Run it with `gunicorn -w 2 shop.wsgi:app`; SHOP_REDIS_PORT, SHOP_MEMCACHE_PORT and SHOP_STOCK_PORT say where the
backends listen on loopback, and `python3 -m shop.seed` fills them. It is what `make demo` traces, and it has the sins
of real code: a helper that looks the session up again and again, a request for each of a list's lines to redis and
to an HTTP service, six requests in a row that could be at once, a client that connects for every request. It also has
what only looks like that: a chain of requests that need each other's answers, a request that is repeated since
something was written meanwhile, a multi-get, a pipeline.

The package shop_async is the same shop under FastAPI. Both exist once more in the directory shop_fixed, as they are
after one has followed nettraced's findings: with that before this directory in PYTHONPATH, modules that are there
take the place of those that are here, and `diff -u shop shop_fixed/shop` shows what it took.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)

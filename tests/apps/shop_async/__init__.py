"""The shop under FastAPI: the same pages, sins and backends as those of the package shop, but for memcached, of which
Debian has no client for event loops: here, redis has the fragments too.

Run it with `uvicorn shop_async.app:app`; SHOP_REDIS_PORT and SHOP_STOCK_PORT say where the backends listen on loopback.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)

"""Who is asking."""

import json

from shop_async.backends import store


async def current_user(request):
    """1 redis GET: everybody who wants the user calls this, and nobody keeps the answer."""
    return json.loads(await store.get("session:" + request.cookies["session"]))

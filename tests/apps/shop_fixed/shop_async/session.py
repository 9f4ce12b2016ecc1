"""Who is asking."""

import json

from shop_async.backends import store


async def current_user(request):
    """1 redis GET a request, however many ask."""
    if not hasattr(request.state, "user"):
        request.state.user = json.loads(await store.get("session:" + request.cookies["session"]))
    return request.state.user

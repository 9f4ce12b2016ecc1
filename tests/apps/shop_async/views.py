"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

from fastapi import Request

from shop_async import basket, catalog, payment, session, stock
from shop_async.backends import store


async def _header(request):
    """1 redis call."""
    return "Hello " + (await session.current_user(request))["name"]


async def homepage(request: Request):
    """Calls a run: redis 22, http 6."""
    return {
        "header": await _header(request),
        "recommended": await catalog.recommended(await session.current_user(request)),
        "cart": await basket.size(await session.current_user(request)),
        "parts": [await stock.part(name, await session.current_user(request)) for name in stock.PARTS],
        "frame": await catalog.frame(),
    }


async def product(number: int, request: Request):
    """Calls a run: redis 7, http 2."""
    return {
        "header": await _header(request),
        "product": await catalog.product(number),
        "reviews": await catalog.reviews(number),
        "may_review": await catalog.may_review(number, await session.current_user(request)),
        "left": await stock.left(number),
        "days": await stock.delivery(number, await session.current_user(request)),
        "frame": await catalog.frame(),
    }


async def search(q: str):
    """Calls a run: redis 10."""
    return {"found": await catalog.matching(q), "frame": await catalog.frame()}


async def cart(request: Request):
    """Calls a run: redis 8, http 6."""
    lines = await basket.lines(await session.current_user(request))
    return {"lines": lines, "total": await stock.quote(lines), "frame": await catalog.frame()}


async def remember(number: int, request: Request):
    """Calls a run: redis 4."""
    return {"new": await basket.remember(number, await session.current_user(request))}


async def checkout(request: Request):
    """Calls a run: redis 2, http 3."""
    return {"points": await payment.pay(await session.current_user(request))}


async def track(order: int):
    """Calls a run: http 3."""
    return {"town": await stock.whereabouts(order)}


async def health():
    """Calls a run: redis 1, http 1."""
    return {"redis": await store.ping(), "stock": await stock.alive()}


async def about():
    """No calls."""
    return "A small shop.\n"

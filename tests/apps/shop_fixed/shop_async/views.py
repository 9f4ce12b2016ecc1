"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import asyncio

from fastapi import Request

from shop_async import basket, catalog, payment, session, stock
from shop_async.backends import store


async def _header(request):
    """1 redis call."""
    return "Hello " + (await session.current_user(request))["name"]


async def homepage(request: Request):
    """Calls a run: redis 5, http 6."""
    user = await session.current_user(request)
    parts = asyncio.gather(*(stock.part(name, user) for name in stock.PARTS))
    return {
        "header": await _header(request),
        "recommended": await catalog.recommended(user),
        "cart": await basket.size(user),
        "frame": await catalog.frame(),
        "parts": await parts,
    }


async def product(number: int, request: Request):
    """Calls a run: redis 5, http 2."""
    left = asyncio.create_task(stock.left(number))
    user = await session.current_user(request)
    days = asyncio.create_task(stock.delivery(number, user))
    return {
        "header": await _header(request),
        "product": await catalog.product(number),
        "reviews": await catalog.reviews(number),
        "may_review": await catalog.may_review(number, user),
        "frame": await catalog.frame(),
        "left": await left,
        "days": await days,
    }


async def search(q: str):
    """Calls a run: redis 10."""
    return {"found": await catalog.matching(q), "frame": await catalog.frame()}


async def cart(request: Request):
    """Calls a run: redis 4, http 2."""
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

"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import asyncio

from fastapi import Request

from shop_async import basket, catalog, payment, session, stock
from shop_async.backends import store


async def homepage(request: Request):
    """Calls a run: redis 5, http 6."""
    user = await session.current_user(request)
    recommended, cart, frame, *parts = await asyncio.gather(
        catalog.recommended(user), basket.size(user), catalog.frame(), *(stock.part(name, user) for name in stock.PARTS)
    )
    return {
        "header": "Hello " + user["name"],
        "recommended": recommended,
        "cart": cart,
        "parts": parts,
        "frame": frame,
    }


async def product(number: int, request: Request):
    """Calls a run: redis 5, http 2."""
    user = await session.current_user(request)
    name, reviews, may_review, left, days, frame = await asyncio.gather(
        catalog.product(number), catalog.reviews(number), catalog.may_review(number, user),
        stock.left(number), stock.delivery(number, user), catalog.frame()
    )
    return {
        "header": "Hello " + user["name"],
        "product": name,
        "reviews": reviews,
        "may_review": may_review,
        "left": left,
        "days": days,
        "frame": frame,
    }


async def search(q: str):
    """Calls a run: redis 10."""
    found, frame = await asyncio.gather(catalog.matching(q), catalog.frame())
    return {"found": found, "frame": frame}


async def cart(request: Request):
    """Calls a run: redis 4, http 2."""
    frame = asyncio.create_task(catalog.frame())
    lines = await basket.lines(await session.current_user(request))
    return {"lines": lines, "total": await stock.quote(lines), "frame": await frame}


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
    redis, alive = await asyncio.gather(store.ping(), stock.alive())
    return {"redis": redis, "stock": alive}


async def about():
    """No calls."""
    return "A small shop.\n"

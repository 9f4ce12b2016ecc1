"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import flask

from shop import basket, catalog, payment, session, stock
from shop.at_once import start
from shop.backends import cache, store


def _header():
    """1 redis call."""
    return "Hello " + session.current_user()["name"]


def homepage():
    """Calls a run: redis 4, memcache 1, http 6."""
    frame = start(catalog.frame)
    user = session.current_user()
    parts = [start(stock.part, name, user) for name in stock.PARTS]
    return flask.jsonify(
        header=_header(),
        recommended=catalog.recommended(user),
        cart=basket.size(user),
        parts=[part.result() for part in parts],
        frame=frame.result(),
    )


def product(number):
    """Calls a run: redis 4, memcache 1, http 2."""
    left, frame = start(stock.left, number), start(catalog.frame)
    user = session.current_user()
    days = start(stock.delivery, number, user)
    return flask.jsonify(
        header=_header(),
        product=catalog.product(number),
        reviews=catalog.reviews(number),
        may_review=catalog.may_review(number, user),
        left=left.result(),
        days=days.result(),
        frame=frame.result(),
    )


def search():
    """Calls a run: redis 9, memcache 1."""
    return flask.jsonify(found=catalog.matching(flask.request.args["q"]), frame=catalog.frame())


def cart():
    """Calls a run: redis 3, memcache 1, http 2."""
    frame = start(catalog.frame)
    lines = basket.lines(session.current_user())
    return flask.jsonify(lines=lines, total=stock.quote(lines), frame=frame.result())


def remember(number):
    """Calls a run: redis 4."""
    return flask.jsonify(new=basket.remember(number, session.current_user()))


def checkout():
    """Calls a run: redis 2, http 3."""
    return flask.jsonify(points=payment.pay(session.current_user()))


def track(order):
    """Calls a run: http 3."""
    return flask.jsonify(town=stock.whereabouts(order))


def health():
    """Calls a run: redis 1, memcache 1, http 1."""
    redis, alive = store.ping(), start(stock.alive)
    return flask.jsonify(redis=redis, memcache=cache.get("health") is not None, stock=alive.result())


def about():
    """No calls."""
    return "A small shop.\n"

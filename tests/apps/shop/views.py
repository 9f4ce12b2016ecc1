"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import flask

from shop import basket, catalog, payment, session, stock
from shop.backends import cache, store


def _header():
    """1 redis call."""
    return "Hello " + session.current_user()["name"]


def homepage():
    """Calls a run: redis 21, memcache 1, http 6."""
    return flask.jsonify(
        header=_header(),
        recommended=catalog.recommended(session.current_user()),
        cart=basket.size(session.current_user()),
        parts=[stock.part(name, session.current_user()) for name in stock.PARTS],
        frame=catalog.frame(),
    )


def product(number):
    """Calls a run: redis 6, memcache 1, http 2."""
    return flask.jsonify(
        header=_header(),
        product=catalog.product(number),
        reviews=catalog.reviews(number),
        may_review=catalog.may_review(number, session.current_user()),
        left=stock.left(number),
        days=stock.delivery(number, session.current_user()),
        frame=catalog.frame(),
    )


def search():
    """Calls a run: redis 9, memcache 1."""
    return flask.jsonify(found=catalog.matching(flask.request.args["q"]), frame=catalog.frame())


def cart():
    """Calls a run: redis 7, memcache 1, http 6."""
    lines = basket.lines(session.current_user())
    return flask.jsonify(lines=lines, total=stock.quote(lines), frame=catalog.frame())


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
    return flask.jsonify(redis=store.ping(), memcache=cache.get("health") is not None, stock=stock.alive())


def about():
    """No calls."""
    return "A small shop.\n"

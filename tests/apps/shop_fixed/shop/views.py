"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import flask

from shop import basket, catalog, payment, session, stock
from shop.at_once import start
from shop.backends import cache, store


def homepage():
    """Calls a run: redis 4, memcache 1, http 6."""
    user = session.current_user()
    parts = [start(stock.part, name, user) for name in stock.PARTS]
    recommended, cart, frame = start(catalog.recommended, user), start(basket.size, user), start(catalog.frame)
    return flask.jsonify(
        header="Hello " + user["name"],
        recommended=recommended.result(),
        cart=cart.result(),
        parts=[part.result() for part in parts],
        frame=frame.result(),
    )


def product(number):
    """Calls a run: redis 4, memcache 1, http 2."""
    user = session.current_user()
    left, days = start(stock.left, number), start(stock.delivery, number, user)
    name, reviews, frame = start(catalog.product, number), start(catalog.reviews, number), start(catalog.frame)
    may_review = start(catalog.may_review, number, user)
    return flask.jsonify(
        header="Hello " + user["name"],
        product=name.result(),
        reviews=reviews.result(),
        may_review=may_review.result(),
        left=left.result(),
        days=days.result(),
        frame=frame.result(),
    )


def search():
    """Calls a run: redis 9, memcache 1."""
    frame = start(catalog.frame)
    return flask.jsonify(found=catalog.matching(flask.request.args["q"]), frame=frame.result())


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
    redis, found = start(store.ping), start(cache.get, "health")
    return flask.jsonify(stock=stock.alive(), redis=redis.result(), memcache=found.result() is not None)


def about():
    """No calls."""
    return "A small shop.\n"

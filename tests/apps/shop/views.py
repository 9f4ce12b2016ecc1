"""The pages. Each says how many calls a run of it makes; the tests hold nettraced's summary against that."""

import flask

from shop import basket, catalog, session, stock
from shop.backends import cache, store


def _header():
    """2 redis calls."""
    return "Hello " + session.current_user()["name"]


def _recommendations():
    """13 redis calls."""
    user = session.current_user()
    return [name for name in catalog.featured() if user["name"] not in name]


def _cart_size():
    """3 redis calls."""
    return basket.size(session.current_user())


def homepage():
    """Calls a run: redis 18, memcache 3, http 6."""
    return flask.jsonify(
        header=_header(),
        recommendations=_recommendations(),
        cart=_cart_size(),
        left=stock.availability(range(1, 7)),
        fragments=[catalog.fragment(name) for name in ("banner", "menu", "footer")],
    )


def product(number):
    """Calls a run: redis 6, memcache 2, http 2."""
    return flask.jsonify(
        header=_header(),
        product=catalog.product(number),
        reviews=catalog.reviews(number),
        may_review=session.current_user()["number"] is not None,
        left=stock.availability([number]),
        days=stock.delivery(number),
        frame=catalog.frame(),
        banner=catalog.fragment("banner"),
    )


def search():
    """Calls a run: redis 11, memcache 1."""
    word = flask.request.args.get("q", "").split(" ")[0]
    return flask.jsonify(header=_header(), found=catalog.matching(word), frame=catalog.frame())


def cart():
    """Calls a run: redis 8, memcache 1, http 1."""
    lines = basket.lines(session.current_user())
    return flask.jsonify(lines=lines, total=basket.quote(lines), frame=catalog.frame())


def health():
    """Calls a run: redis 1, memcache 1, http 1."""
    return flask.jsonify(redis=store.ping(), memcache=cache.get("health") is not None, stock=stock.alive())


def about():
    """No calls."""
    return "A small shop.\n"

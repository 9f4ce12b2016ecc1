"""Who is asking."""

import json

import flask

from shop.backends import store


def current_user():
    """1 redis GET: everybody who wants the user calls this, and nobody keeps the answer."""
    return json.loads(store.get("session:" + flask.request.cookies["session"]))

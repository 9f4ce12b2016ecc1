"""Who is asking."""

import json

import flask

from shop.backends import store


def current_user():
    """1 redis GET a request, however many ask."""
    if "user" not in flask.g:
        flask.g.user = json.loads(store.get("session:" + flask.request.cookies["session"]))
    return flask.g.user

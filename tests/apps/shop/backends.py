"""Connections to the backends: one pool of each per process, made after the fork at first use."""

import os
import threading

import pymemcache
import redis
import requests

HOST = "127.0.0.1"
STOCK = "http://%s:%s" % (HOST, os.environ["SHOP_STOCK_PORT"])

store = redis.Redis(HOST, int(os.environ["SHOP_REDIS_PORT"]), decode_responses=True)
cache = pymemcache.PooledClient((HOST, int(os.environ["SHOP_MEMCACHE_PORT"])), no_delay=True)
_local = threading.local()


def _session():
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False  # no proxy stands between the shop and its stock
    return _local.session


def ask_stock(path):
    return _session().get(STOCK + path, timeout=30).json()


def tell_stock(path, message):
    return _session().post(STOCK + path, json=message, timeout=30).json()

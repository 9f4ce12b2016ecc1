"""kit.py for event loops: an endpoint's calls, over streams, transports and loop.sock_*, whatever loop runs.

Connections are in pools that all tasks take from, one for each kind and loop. An application whose every request
has a loop of its own says `SHARED = False`, and gets a connection for each call.
"""

import asyncio
import os
import signal

import aclients
import clients
import kit
import witness

SHARED = True
LINKS = {"redis": "streams", "http": "protocol", "raw": "sockets"}

_pools = {}  # (loop, kind) -> Pool

witness.watch_asyncio()


class once:
    """Context manager: a client with a connection of its own."""

    def __init__(self, pool):
        self.pool = pool

    async def __aenter__(self):
        self.client = self.pool.kind(await self.pool.link(self.pool.address).open())
        return self.client

    async def __aexit__(self, *_):
        self.client.close()


def borrowed(kind):
    if not SHARED:
        return once(aclients.Pool(kind, LINKS[kind], kit.ADDRESSES[kind]))
    key = asyncio.get_running_loop(), kind
    if key not in _pools:
        _pools[key] = aclients.Pool(kind, LINKS[kind], kit.ADDRESSES[kind])
    return _pools[key].use()


async def redis(*command):
    async with borrowed("redis") as client:
        return await client.command(*command)


async def http(path, template=None):
    async with borrowed("http") as client:
        return await client.request("GET", path, template=template)


async def raw(size=10, answer=100, pause=kit.PAUSE):
    async with borrowed("raw") as client:
        return await client.ask(size, answer, pause, clients.ECHO)


def _raise_signal(number):
    """Newer uvicorns end themselves so, where no atexit runs."""
    witness.dump()
    _real_raise_signal(number)


if hasattr(signal, "raise_signal"):
    _real_raise_signal = signal.raise_signal
    signal.raise_signal = _raise_signal

os.register_at_fork(after_in_child=_pools.clear)

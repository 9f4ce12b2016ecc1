"""Fills redis and memcached with what the runs of findings_sync.py and findings_async.py read.

    findings_seed.py '{"seed": N, "redis": PORT, "memcache": PORT, "runs": {SCENARIO: [NUMBER, ...]}}'
"""

import json
import sys

import pymemcache
import redis

import findings_plan


def main(options):
    store = redis.Redis("127.0.0.1", options["redis"])
    cache = pymemcache.Client(("127.0.0.1", options["memcache"]), no_delay=True)
    with store.pipeline(transaction=False) as pipeline:
        pipeline.mset(findings_plan.STORED_ONCE)
        for scenario, numbers in options["runs"].items():
            for number in numbers:
                there, cached = findings_plan.stored(options["seed"], scenario, number)
                for key, value in there.items():
                    if isinstance(value, list):
                        pipeline.delete(key).rpush(key, *value)
                    else:
                        pipeline.set(key, value)
                cache.set_many(cached)
        pipeline.execute()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

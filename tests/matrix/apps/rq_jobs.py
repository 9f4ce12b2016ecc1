"""RQ: jobs, each in a child of its own that lives for this job; a method, a decorated one."""

import functools
import sys

import kit
import witness

FRAMEWORK = "RQ"
PACKAGES = "python3-rq python3-redis"
MODULE = "rq"
SERVERS = ["rq"]
ASKED = {
    "function": "function",
    "decorated": "decorated",
    "method": "Class.method",
    "quiet": None,
}


def logged(job):
    @functools.wraps(job)
    def wrapper(*arguments, **keywords):
        return job(*arguments, **keywords)

    return wrapper


@witness.endpoint
def function():
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")


@logged
@witness.endpoint
def decorated():
    with witness.run():
        kit.raw()
        kit.redis("PING")


class Class:
    @witness.endpoint
    def method(self):
        with witness.run():
            for turn in range(5):
                kit.redis("GET", "method %d" % turn)
            kit.raw()


def quiet():
    pass


def ask(seed, count):
    import time

    import redis
    import rq
    import rq_jobs  # not as the program that it is here: workers import what jobs name

    jobs = dict(vars(rq_jobs), method=rq_jobs.Class().method)
    host, port = kit.ADDRESSES["redis"]
    queue = rq.Queue(connection=redis.Redis(host, port, db=1))

    def run(name):
        job = queue.enqueue(jobs[name])
        while not job.is_finished:
            if job.is_failed:
                raise RuntimeError("%s failed" % name)
            time.sleep(0.01)

    # Children take their time.
    kit.ask(ASKED, run, seed, 1 + count // 4)


if __name__ == "__main__":
    ask(int(sys.argv[3]), int(sys.argv[4]))

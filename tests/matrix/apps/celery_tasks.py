"""Celery: plain tasks, a bound one, a class, a decorated one, one that runs another in place; results are kept."""

import functools
import sys

import celery
import kit
import witness

FRAMEWORK = "Celery"
PACKAGES = "python3-celery python3-redis"
MODULE = "celery"
SERVERS = ["celery-prefork", "celery-threads", "celery-gevent"]
ASKED = {
    "function": "function",
    "bound": "bound",
    "class": "Class.run",
    "decorated": "decorated",
    "outer": "outer",
    "quiet": None,
}

BROKER = "redis://%s:%d/1" % tuple(kit.ADDRESSES["redis"])
app = celery.Celery("celery_tasks", broker=BROKER, backend=BROKER)
app.conf.update(broker_connection_retry_on_startup=False, worker_prefetch_multiplier=1)


def logged(task):
    @functools.wraps(task)
    def wrapper(*arguments, **keywords):
        return task(*arguments, **keywords)

    return wrapper


@app.task(name="function")
@witness.endpoint
def function():
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")


@app.task(name="bound", bind=True)
@witness.endpoint
def bound(self):
    with witness.run():
        for turn in range(5):
            kit.redis("GET", "%s %d" % (self.name, turn))
        kit.raw()


class Class(celery.Task):
    name = "class"

    @witness.endpoint
    def run(self):
        with witness.run():
            kit.raw(size=300)
            kit.redis("SET", "class", 1)


app.register_task(Class())


@app.task(name="decorated")
@logged
@witness.endpoint
def decorated():
    with witness.run():
        kit.raw()
        kit.redis("PING")


@app.task(name="outer")
@witness.endpoint
def outer():
    with witness.run():
        kit.redis("GET", "outer")
        function()


@app.task(name="quiet")
def quiet():
    pass


def ask(seed, count):
    """By one thread: with several, Celery 5.0's client reads others' answers. The tasks run at the same time anyway."""
    results = []
    kit.ask(ASKED, lambda name: results.append(app.send_task(name)), seed, count, threads=1)
    for result in results:
        result.get(timeout=60)


if __name__ == "__main__":
    ask(int(sys.argv[3]), int(sys.argv[4]))

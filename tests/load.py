"""Load for the demo: threads that ask the shop for its pages, one after the other with a pause, until told to end.

    load.py PORT [THREADS]

Each page is asked for by another user. Prints "serving" when the first page came, and ends with its standard input; the
pages that failed are counted on standard error.
"""

import http.client
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps"))

from shop import data  # noqa: E402

PAGES = ["homepage", "product", "search", "homepage", "cart", "product", "remember", "homepage", "checkout", "track",
         "health", "about"]
PAUSE = 0.02  # seconds between two pages of a thread: a bounded load
FIRST = 60  # seconds until the first page must have come

stopping = threading.Event()
failures = []


def ask(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def work(port, number):
    draw = random.Random(number)
    turn = number
    while not stopping.wait(PAUSE):
        path = data.path(draw, PAGES[turn % len(PAGES)])
        turn += 1
        try:
            status = ask(port, path, data.cookie(draw))
            if status != 200:
                failures.append("%s: %d" % (path, status))
        except OSError as problem:
            failures.append("%s: %s" % (path, problem))
            stopping.wait(0.1)


def wait_for_shop(port):
    deadline = time.monotonic() + FIRST
    while True:
        try:
            if ask(port, "/health", {}) == 200:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit("load: the shop does not answer on port %d" % port)
        time.sleep(0.05)


def main():
    port, threads = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    wait_for_shop(port)
    print("serving", flush=True)
    workers = [threading.Thread(target=work, args=(port, number), daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    while os.read(0, 4096):
        pass
    stopping.set()
    for worker in workers:
        worker.join(30)
    if failures:
        sys.exit("load: %d pages failed, the first: %s" % (len(failures), failures[0]))


if __name__ == "__main__":
    main()

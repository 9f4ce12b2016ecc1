"""A service that the bench measures: an endpoint of FastAPI under uvicorn, whose helpers make it 32 Python frames deep.

    deep.py PORT

Serves on a port of its own and prints it. GET /run?count=N makes N round trips of 32 bytes with PORT and answers with CPU
and wall time like client.py, and with the number of Python frames that the endpoint's round trips had.
"""

import gc
import socket
import sys

import uvicorn
from client import connect, descend, measure
from fastapi import FastAPI

DEPTH = 32

app = FastAPI()
backend = connect()


def depth():
    frame, found = sys._getframe(1), 0
    while frame is not None:
        frame, found = frame.f_back, found + 1
    return found


@app.get("/run")
async def run(count: int):
    # measure(), the lambda, descend() and exchange() come on top of the frames that are here.
    more = max(DEPTH - depth() - 3, 0)
    result = measure(lambda: descend(more, backend, count))
    return dict(result, notes=0, depth=depth() + 3 + more)


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    gc.disable()
    print("port %d" % listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


if __name__ == "__main__":
    main()

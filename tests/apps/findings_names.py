"""Target: looks a name up in each run, or once for all of them."""

import socket

import clients
import scenario

NAME = "backend.test"


def look_up():
    """Both kinds of addresses are asked for at once."""
    socket.getaddrinfo(NAME, 80, socket.AF_UNSPEC, socket.SOCK_STREAM)  # @looks_up


def looks_up(raw):
    look_up()
    exchange(raw)


def looked_up(raw):
    exchange(raw)


def exchange(raw):
    raw.sock.sendall(clients.raw_request(clients.ECHO, 10, 10))
    clients.read_exactly(raw.sock, 10)


def run(options, go):
    raw = clients.Client(options["raw"]).connect()
    look_up()
    go()
    for _ in range(options["runs"]):
        looks_up(raw)
        looked_up(raw)
    return raw


if __name__ == "__main__":
    scenario.main({"run": run})

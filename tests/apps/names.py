"""Target: looks names up in the ways in which resolvers do it. Says at its end how often each endpoint asked."""

import collections
import json
import os
import random
import socket
import threading

import name_server
import scenario

SERVER, SERVER6 = ("127.0.0.1", 53), ("::1", 53)
truth = {}


def told(function):
    """Notes of each call what the function returns: look-ups, bytes out, bytes in, look-ups without an answer."""
    counts = truth.setdefault(function.__name__, collections.Counter())

    def wrapper(*arguments):
        counts.update(dict(zip(("calls", "bytes_out", "bytes_in", "unanswered"), function(*arguments))))

    return wrapper


def ask(server, names, receive=lambda sock: sock.recv(512), send=socket.socket.send):
    """One after the other from one socket."""
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    out = into = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(server)
        for number, name in enumerate(names):
            asked = name_server.question(name, number=number)
            send(sock, asked)
            into += len(receive(sock))
            out += len(asked)
    return len(names), out, into


@told
def by_library(draw):
    """Both kinds of addresses at once, by sendmmsg: what else there is on the wire is the library's affair."""
    socket.getaddrinfo("backend%d.test" % draw.randrange(1000), 80, socket.AF_UNSPEC, socket.SOCK_STREAM)
    return (1,)


@told
def by_socket(draw):
    return ask(SERVER, ["name%d.test" % number for number in range(draw.randrange(1, 4))])


@told
def by_version_6(draw):
    return ask(SERVER6, ["six%d.test" % number for number in range(draw.randrange(1, 3))])


@told
def by_message(draw):
    def send(sock, asked):
        sock.sendmsg([asked[:12], asked[12:]])

    def receive(sock):
        parts = [bytearray(12), bytearray(500)]
        size = sock.recvmsg_into(parts)[0]
        return b"".join(parts)[:size]

    return ask(SERVER, ["parts.test"], receive, send)


@told
def unknown(draw):
    return ask(SERVER, ["%d.unknown.test" % draw.randrange(10)])


@told
def unanswered(draw):
    """Asked twice, in vain."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(SERVER)
        sock.settimeout(0.02)
        asked = name_server.question("silent.test")
        for _ in range(2):
            sock.send(asked)
            try:
                sock.recv(512)
            except socket.timeout:
                pass
    return 1, 2 * len(asked), 0, 1


@told
def in_threads(draw):
    """Sockets of several threads at once."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask(SERVER, ["thread.test"] * 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(map(sum, zip(*found)))


@told
def elsewhere(draw):
    """Other datagrams are no look-ups."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        here.connect(there.getsockname())
        here.send(name_server.question("elsewhere.test"))
        there.recv(512)
    return (0,)


WAYS = (by_library, by_socket, by_version_6, by_message, unknown, unanswered, in_threads, elsewhere)


def run(options, go):
    draw = random.Random(options["seed"])
    go()
    for _ in range(options["runs"]):
        for way in draw.sample(WAYS, len(WAYS)):
            way(draw)
    os.write(1, json.dumps(truth).encode() + b"\n")


if __name__ == "__main__":
    scenario.main({"run": run})

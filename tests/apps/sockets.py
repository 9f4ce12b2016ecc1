"""Target: every way in which bytes get into and out of a TCP socket."""

import os
import random
import select
import socket
import tempfile
import time

import clients
import scenario
import witness


@witness.endpoint
def by_sendfile(sock, path, size, answer):
    """os.sendfile after a head sent by send(), in one request."""
    with witness.run():
        sock.sendall(clients.raw_head(clients.ECHO, size, answer))
        with open(path, "rb") as source:
            sent = 0
            while sent < size:
                sent += os.sendfile(sock.fileno(), source.fileno(), sent, size - sent)
        clients.read_exactly(sock, answer)


def sendfile(options, go):
    draw = random.Random(options["seed"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"f" * 400000)
        file.flush()
        raw = clients.Client(options["raw"]).connect()
        go()
        for _ in range(options["runs"]):
            by_sendfile(raw.sock, file.name, draw.randrange(1, 400000), draw.randrange(1, 5000))
    return raw


@witness.endpoint
def by_splice(sock, size):
    """The answer leaves the socket through a pipe and never enters user space."""
    with witness.run():
        sock.sendall(clients.raw_request(clients.ECHO, 7, size))
        into, out = os.pipe()
        left = size
        while left:
            moved = os.splice(sock.fileno(), out, min(left, 65536))
            left -= moved
            while moved:
                moved -= len(os.read(into, moved))
        os.close(into)
        os.close(out)


@witness.endpoint
def splice_out(sock, size, answer):
    """The request's body goes from a pipe into the socket."""
    with witness.run():
        sock.sendall(clients.raw_head(clients.ECHO, size, answer))
        into, out = os.pipe()
        left = size
        while left:
            filled = os.write(out, b"s" * min(left, 32768))
            left -= filled
            while filled:
                filled -= os.splice(into, sock.fileno(), filled)
        os.close(into)
        os.close(out)
        clients.read_exactly(sock, answer)


def splice(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        if draw.randrange(2):
            by_splice(raw.sock, draw.randrange(1, 200000))
        else:
            splice_out(raw.sock, draw.randrange(1, 200000), draw.randrange(1, 100))
    return raw


@witness.endpoint
def by_vectors(sock, pieces, answer):
    """sendmsg of many buffers, recvmsg_into of many."""
    with witness.run():
        request = clients.raw_request(clients.ECHO, sum(pieces), answer)
        buffers, at = [request[: clients.RAW.size]], clients.RAW.size
        for piece in pieces:
            buffers.append(request[at : at + piece])
            at += piece
        sent = sock.sendmsg(buffers)
        assert sent == len(request)
        left = answer
        while left:
            space = [bytearray(min(left, 10)), bytearray(0), bytearray(max(min(left, 1000) - 10, 0))]
            left -= sock.recvmsg_into(space)[0]


@witness.endpoint
def by_addressed(sock, size, answer):
    """sendto and recvfrom, which a connected TCP socket takes as well; recv_into a buffer."""
    with witness.run():
        sock.sendto(clients.raw_request(clients.ECHO, size, answer), sock.getpeername())
        left = answer - len(sock.recvfrom(answer // 2 + 1)[0])
        buffer = bytearray(answer)
        while left:
            left -= sock.recv_into(buffer, left)


def vectored(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        if draw.randrange(2):
            by_vectors(raw.sock, [draw.randrange(300) for _ in range(draw.randrange(1, 20))], draw.randrange(1, 4000))
        else:
            by_addressed(raw.sock, draw.randrange(2000), draw.randrange(1, 4000))
    return raw


@witness.endpoint
def by_peeking(sock, answer):
    """Looks at the answer before it takes it: nothing may count twice."""
    with witness.run():
        sock.sendall(clients.raw_request(clients.ECHO, 4, answer))
        left = answer
        while left:
            seen = sock.recv(left, socket.MSG_PEEK)
            left -= len(sock.recv(len(seen)))


@witness.endpoint
def by_waiting(sock, answer, micros):
    """One receive for an answer that comes in four pieces."""
    with witness.run():
        sock.sendall(clients.raw_request(clients.DRIP, 4, answer, micros))
        assert len(sock.recv(answer, socket.MSG_WAITALL)) == answer


def flags(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        if draw.randrange(2):
            by_peeking(raw.sock, draw.randrange(1, 20000))
        else:
            by_waiting(raw.sock, draw.randrange(4, 20000), 500)
    return raw


@witness.endpoint
def by_selecting(sock, size, answer):
    """Non-blocking both ways; reads once too often, so that EAGAIN comes."""
    with witness.run():
        data = memoryview(clients.raw_request(clients.ECHO, size, answer, 1000))
        while data:
            try:
                data = data[sock.send(data) :]
            except BlockingIOError:
                select.select([], [sock], [])
        left = answer
        while left:
            try:
                left -= len(sock.recv(65536))
            except BlockingIOError:
                select.select([sock], [], [])


def nonblocking(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    raw.sock.setblocking(False)
    go()
    for _ in range(options["runs"]):
        by_selecting(raw.sock, draw.randrange(100000), draw.randrange(1, 100000))
    return raw


@witness.endpoint
def upload(sock, size):
    """More than the socket takes at once, to a reader that takes its time: every send is a short send."""
    with witness.run():
        data = memoryview(clients.raw_request(clients.SLOW, size, 1, 200))
        short = 0
        while data:
            try:
                sent = sock.send(data)
                short += sent < len(data)
                data = data[sent:]
            except BlockingIOError:
                select.select([], [sock], [])
        clients.read_exactly(sock, 1)
        assert short


def partial(options, go):
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
    raw.sock.setblocking(False)
    go()
    for _ in range(options["runs"]):
        upload(raw.sock, draw.randrange(300000, 900000))
    return raw


@witness.endpoint
def over_ipv6(sock):
    with witness.run():
        sock.sendall(clients.raw_request(clients.ECHO, 40, 80))
        clients.read_exactly(sock, 80)


def ipv6(options, go):
    go()
    raw = clients.Client(options["raw6"]).connect()
    for _ in range(options["runs"]):
        over_ipv6(raw.sock)
    return raw


@witness.endpoint
def over_mapped(address):
    """An IPv6 socket to an IPv4 address."""
    with witness.run():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.connect(("::ffff:" + address[0], address[1]))
        sock.sendall(clients.raw_request(clients.ECHO, 40, 80))
        clients.read_exactly(sock, 80)
        sock.close()


def mapped(options, go):
    go()
    for _ in range(options["runs"]):
        over_mapped(options["raw"])


@witness.endpoint
def by_half_closing(address, size, answer):
    """Says that no more will come, and reads the answer when the server has closed its side, too."""
    with witness.run():
        sock = socket.create_connection(address)
        sock.sendall(clients.raw_request(clients.ECHO, size, answer))
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.02)
        clients.read_exactly(sock, answer)
        sock.close()


def half_closed(options, go):
    draw = random.Random(options["seed"])
    go()
    for _ in range(options["runs"]):
        by_half_closing(options["raw"], draw.randrange(1, 3000), draw.randrange(1, 150000))


if __name__ == "__main__":
    scenario.main(
        {
            "half_closed": half_closed,
            "sendfile": sendfile,
            "splice": splice,
            "vectored": vectored,
            "flags": flags,
            "nonblocking": nonblocking,
            "partial": partial,
            "ipv6": ipv6,
            "mapped": mapped,
        }
    )

"""Target: connections that are refused, reset, left without an answer or never come about."""

import errno
import random
import select
import socket

import clients
import scenario
import witness


@witness.endpoint
def refused(address):
    with witness.run():
        try:
            socket.create_connection(address)
        except ConnectionRefusedError:
            return
        raise AssertionError("somebody listens on %r" % (address,))


@witness.endpoint
def refused_nonblocking(address):
    with witness.run():
        assert _connect_nonblocking(address)[1] == errno.ECONNREFUSED


@witness.endpoint
def connected_nonblocking(address):
    """EINPROGRESS first, then the socket says that it is writable."""
    with witness.run():
        sock, error = _connect_nonblocking(address)
        assert error == 0
        sock.sendall(clients.raw_request(clients.ECHO, 10, 10))
        clients.read_exactly(sock, 10)
        sock.close()


def _connect_nonblocking(address):
    sock = socket.socket()
    sock.setblocking(False)
    error = sock.connect_ex(address)
    if error == errno.EINPROGRESS:
        select.select([], [sock], [])
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        sock.close()
    return sock, error


@witness.endpoint
def answered(sock):
    """What works, among what does not."""
    with witness.run():
        sock.sendall(clients.raw_request(clients.ECHO, 10, 10))
        clients.read_exactly(sock, 10)


def connects(options, go):
    """Connects of all kinds; `nobody` is a port where nobody listens."""
    draw = random.Random(options["seed"])
    nobody = tuple(options["nobody"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        kind = draw.randrange(4)
        if kind == 0:
            refused(nobody)
        elif kind == 1:
            refused_nonblocking(nobody)
        elif kind == 2:
            connected_nonblocking(options["raw"])
        else:
            answered(raw.sock)
    return raw


@witness.endpoint
def never_accepted(address, seconds):
    """The other side's queue is full: its SYN is dropped, and the program gives up."""
    with witness.run():
        sock = socket.socket()
        sock.settimeout(seconds)
        try:
            sock.connect(address)
        except socket.timeout:
            return
        finally:
            sock.close()
        raise AssertionError("the queue was not full")


def connect_timeouts(options, go):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [_fill(listener.getsockname()) for _ in range(4)]
    go()
    for _ in range(options["runs"]):
        never_accepted(listener.getsockname(), 0.1)
    return listener, fillers


def _fill(address):
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    select.select([], [sock], [], 0.2)
    return sock


@witness.endpoint
def reset(address):
    """The server answers with a reset."""
    with witness.run():
        raw = clients.Client(address).connect()
        raw.sock.sendall(clients.raw_request(clients.RESET, 10))
        try:
            raw.sock.recv(1)
        except ConnectionResetError:
            raw.close()
            return
        raise AssertionError("no reset came")


@witness.endpoint
def timed_out(address, seconds):
    """No answer comes in time, and the program closes the connection. Nobody knows that one was to come."""
    with witness.run():
        raw = clients.Client(address).connect()
        raw.sock.settimeout(seconds)
        raw.sock.sendall(clients.raw_request(clients.MUTE, 10))
        try:
            raw.sock.recv(1)
        except socket.timeout:
            raw.close()
            return
        raise AssertionError("an answer came")


@witness.endpoint
def hung_up(address):
    """The server closes in good order, without an answer."""
    with witness.run():
        raw = clients.Client(address).connect()
        raw.sock.sendall(clients.raw_request(clients.CLOSE, 10))
        assert raw.sock.recv(1) == b""
        raw.close()


@witness.endpoint
def http_fails(address, how, seconds):
    """A protocol that nettraced knows: here an answer that does not come is an error however the connection ends."""
    with witness.run():
        _ask_in_vain(clients.Http(address), seconds, "request", "GET", "/" + how)


@witness.endpoint
def redis_fails(address, how, seconds):
    with witness.run():
        _ask_in_vain(clients.Redis(address), seconds, "command", "GET", how)


def _ask_in_vain(client, seconds, method, *arguments):
    client.connect()
    client.sock.settimeout(seconds)
    try:
        getattr(client, method)(*arguments)
    except (OSError, IndexError):  # IndexError: an empty status line
        client.close()
        return
    raise AssertionError("an answer came")


def answers(options, go):
    """Answers that do not come, among some that do."""
    draw = random.Random(options["seed"])
    raw = clients.Client(options["raw"]).connect()
    go()
    for _ in range(options["runs"]):
        kind = draw.randrange(6)
        if kind == 4:
            http_fails(options["raw"], draw.choice(("reset", "mute", "hangup")), 0.02)
        elif kind == 5:
            redis_fails(options["raw"], draw.choice(("reset", "mute", "hangup")), 0.02)
        elif kind == 0:
            reset(options["raw"])
        elif kind == 1:
            timed_out(options["raw"], 0.02)
        elif kind == 2:
            hung_up(options["raw"])
        else:
            answered(raw.sock)
    return raw


if __name__ == "__main__":
    scenario.main({"connects": connects, "connect_timeouts": connect_timeouts, "answers": answers})

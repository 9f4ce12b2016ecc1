"""The witness: what a program does on its sockets, written down from inside it.

Tests import it first in a target; it patches socket.socket the way a team without a tracer would and so
knows the truth that nettraced has to find from outside. It shares no code with nettraced and knows nothing of
its rules: e2e/truth.py makes calls of what is noted here. Standard library only, Python 3.8 and newer.

    WITNESS=PATH    write to PATH.<pid> at exit, or when dump() is called; unset: nothing is patched

A program marks its endpoints with @witness.endpoint (the function stays as it is, only its code object
is remembered), counts their runs by `with witness.run():` in their bodies, and its clients say with ask() which command
they send and with failed() that the answer was an error. Clients whose bytes no Python socket carries (uvloop's) say
with connecting(), connected(), sent(), received() and closing() what they do; where a Python socket does, these
change nothing.

Whose a call is: of the run that asked for it. The run is in a context variable, so that asyncio's tasks and callbacks
have that of who made them. What a thread pool or a new thread does is of the run that handed it over; for these,
which take no context along, the piece of work and the thread are marked. An endpoint that runs inside
another one's run is part of it.

A dump has one JSON array a line, told apart by the first element:
    ["process", pid, python version]
    ["endpoint", name, line of its definition]
    ["connection", id, fd, peer]
    ["mark", name, time]
    ["run", time of entry, time of exit, thread, endpoint, run]
    ["ask", time, connection, protocol, operation, keys, endpoint, run]
    ["failed", time, connection, "error" or "client", position]
    [kind, start, end, connection, bytes, errno, thread, endpoint, run]    kind: connect send recv close
Times are CLOCK_MONOTONIC nanoseconds; `run` is a number unique in the process; endpoint and run are null outside.
"""

import atexit
import collections
import concurrent.futures.thread
import contextvars
import errno
import functools
import itertools
import json
import os
import socket
import sys
import threading
import time

_clock = time.monotonic_ns
_thread = threading.get_ident
_path = os.environ.get("WITNESS")
_events = []
_connections = {}  # fd -> id, of sockets that this process connected
_connecting = {}  # fd -> (start, peer), of connects that returned EINPROGRESS
_codes = {}  # code object of an endpoint -> its name
_told = set()  # descriptors of the connections that the program tells of itself
_inside = set()  # (kind, fd, thread) of transfers that are under way
_unsent = {}  # fd -> deque of [bytes, who]: what transports were asked to write and will later
_numbers = itertools.count(1)
_nobody = (None, None)
_current = contextvars.ContextVar("witness", default=_nobody)  # endpoint and run
_work_code = concurrent.futures.thread._WorkItem.run.__code__
_dumped = False
_number = ""


def enabled():
    return _path is not None


def endpoint(function):
    """Decorator: remembers the function as an endpoint, and leaves it as it is."""
    _codes[function.__code__] = function.__module__ + ":" + function.__qualname__
    return function


class run:
    """Context manager in an endpoint's body: one execution of it, or a part of the run that it is in already."""

    def __init__(self, name=None):
        self.name = name or _codes.get(sys._getframe(1).f_code)

    def __enter__(self):
        self.outer = _current.get()
        outermost = _who()
        self.inner = outermost[1] is not None
        self.who = outermost if self.inner else (self.name, next(_numbers))
        _current.set(self.who)
        self.start = _clock()
        return self

    def __exit__(self, *_):
        if _path and not self.inner:
            _events.append(("run", self.start, _clock(), _thread()) + self.who)
        _current.set(self.outer)  # not by a token: an asynchronous generator may be closed in another context
        return False


def mark(name):
    """Writes down that a phase of the program begins: what came before is not compared."""
    if _path:
        _events.append(("mark", name, _clock()))


def ask(sock, protocol, operation, keys=1):
    """A client is about to send this command."""
    if _path:
        _events.append(("ask", _clock(), _connections.get(sock.fileno()), protocol, operation, keys) + _who())


def failed(sock, kind="error", position=0):
    """The answer to the command at `position` of those last sent was an error ("client": the request's fault)."""
    if _path:
        _events.append(("failed", _clock(), _connections.get(sock.fileno()), kind, position))


def connecting():
    """A connect begins; connected() gets what this returns."""
    return _clock(), _who()


def connected(sock, began, address):
    """It succeeded."""
    fd, peer = sock.fileno(), _peer(sock, address)
    if _path and fd not in _connections:
        _told.add(fd)
        _connected(sock, began[0], peer, 0, began[1])


def sent(sock, size):
    """The program has asked for this to be sent; when it leaves is another's business."""
    if sock.fileno() in _told:
        _note("send", _clock(), sock.fileno(), size, 0)


def received(sock, size):
    if sock.fileno() in _told:
        _note("recv", _clock(), sock.fileno(), size, 0)


def closing(sock):
    fd = sock.fileno()
    if fd in _told:
        _note("close", _clock(), fd, 0, 0)
        _forget(fd)


def number(number):
    """Process ids come again: this one's file gets a number as well."""
    global _number
    _number = ".%d" % number


def dump():
    """Writes everything to PATH.<pid>, once."""
    global _dumped
    if not _path or _dumped:
        return
    _dumped = True
    name = "%s.%d%s" % (_path, os.getpid(), _number)
    with open(name + ".part", "w") as out:
        out.write(json.dumps(["process", os.getpid(), sys.version.split()[0]]) + "\n")
        for code, endpoint_name in list(_codes.items()):
            out.write(json.dumps(["endpoint", endpoint_name, code.co_firstlineno]) + "\n")
        for event in list(_events):
            out.write(json.dumps(event) + "\n")
    os.rename(name + ".part", name)


def _who():
    """(endpoint, run) of what is going on here."""
    who = _current.get()
    return who if who is not _nobody else _who_by_stack()


def _who_by_stack():
    """The outermost endpoint, or who handed over the work that this thread does, or who started it."""
    frame, endpoint = sys._getframe(2), None
    while frame is not None:
        if frame.f_code is _work_code:
            who = getattr(frame.f_locals.get("self"), "witness", _nobody)
            return who if who != _nobody else (endpoint, None)
        endpoint = _codes.get(frame.f_code) or endpoint
        frame = frame.f_back
    who = getattr(threading._active.get(_thread()), "witness", _nobody)
    return who if who != _nobody else (endpoint, None)


def _note(kind, start, fd, size, error, who=None):
    connection = _connections.get(fd)
    if connection is not None:
        who = who or (_writer(fd, size) if kind == "send" else None) or _who()
        _events.append((kind, start, _clock(), connection, size, error, _thread()) + who)


def _writer(fd, size):
    """Who asked for the first of these bytes; None: who sends them."""
    unsent, who = _unsent.get(fd), None
    while unsent:
        first = unsent[0]
        who = who or first[1]
        taken = min(size, first[0])
        first[0] -= taken
        size -= taken
        if first[0]:
            break
        unsent.popleft()
    return who


def _peer(sock, address):
    """The other end as nettraced writes it: host:port, [v6]:port, and v4-mapped addresses as v4."""
    host, port = address[0], address[1]
    if sock.family == socket.AF_INET6:
        host = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host))
        if host.startswith("::ffff:") and "." in host:
            return "%s:%d" % (host[7:], port)
        return "[%s]:%d" % (host, port)
    return "%s:%d" % (socket.gethostbyname(host), port)


def _connected(sock, start, peer, error, who=None):
    fd = sock.fileno()
    connection = next(_numbers)
    _connections[fd] = connection
    _events.append(("connection", connection, fd, peer))
    _note("connect", start, fd, 0, error, who)
    if error:
        del _connections[fd]


def _patch_connect(name):
    real = getattr(socket.socket, name)

    @functools.wraps(real)
    def wrapper(self, address):
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return real(self, address)
        start, fd, peer = _clock(), self.fileno(), _peer(self, address)
        _forget(fd)
        error = 0
        try:
            result = real(self, address)
            error = result or 0  # connect_ex returns an errno, connect None
            return result
        except OSError as problem:
            # A timeout set on the socket has no errno of its own.
            error = problem.errno or errno.ETIMEDOUT
            raise
        finally:
            if error == errno.EINPROGRESS:
                _connecting[fd] = (start, peer)
            else:
                _connected(self, start, peer, error)

    return wrapper


def _patch_getsockopt():
    real = getattr(socket.socket, "getsockopt", None) or (lambda self, *rest: self._sock.getsockopt(*rest))  # gevent's

    @functools.wraps(real)
    def wrapper(self, level, name, *rest):
        result = real(self, level, name, *rest)
        if (level, name) == (socket.SOL_SOCKET, socket.SO_ERROR) and self.fileno() in _connecting:
            start, peer = _connecting.pop(self.fileno())
            _connected(self, start, peer, result)
        return result

    return wrapper


def _patch_transfer(kind, name, size_of):
    """
    size_of(arguments, result) says how many bytes a successful call moved. Of calls that are made of each other, like
    gevent's sendall() of its send(), the outer one counts.
    """
    real = getattr(socket.socket, name)

    @functools.wraps(real)
    def wrapper(self, *arguments, **keywords):
        start, fd = _clock(), self.fileno()
        inside = kind, fd, _thread()
        if inside in _inside:
            return real(self, *arguments, **keywords)
        _inside.add(inside)
        try:
            result = real(self, *arguments, **keywords)
        except OSError as problem:
            _note(kind, start, fd, 0, problem.errno or errno.ETIMEDOUT)
            raise
        finally:
            _inside.discard(inside)
        size = size_of(arguments, result)
        if size is not None:
            _note(kind, start, fd, size, 0)
        return result

    return wrapper


def _patch_descriptor_transfer(kind, module, name, which):
    """os.sendfile and os.splice: the socket is the argument at `which`."""
    real = getattr(module, name, None)
    if real is None:
        return

    @functools.wraps(real)
    def wrapper(*arguments, **keywords):
        start, fd = _clock(), arguments[which]
        fd = fd if isinstance(fd, int) else fd.fileno()
        try:
            result = real(*arguments, **keywords)
        except OSError as problem:
            _note(kind, start, fd, 0, problem.errno)
            raise
        _note(kind, start, fd, result, 0)
        return result

    setattr(module, name, wrapper)


def _splice(real):
    """Wraps os.splice, whose socket can be on either side."""

    @functools.wraps(real)
    def wrapper(source, target, *arguments, **keywords):
        start = _clock()
        size = real(source, target, *arguments, **keywords)
        _note("recv", start, source, size, 0)
        _note("send", start, target, size, 0)
        return size

    return wrapper


def _size(data):
    return memoryview(data).nbytes


def _flags(position):
    """Bytes of a receive, unless it only peeked: MSG_PEEK consumes nothing."""

    def peeked(arguments):
        return len(arguments) > position and arguments[position] & socket.MSG_PEEK

    return peeked


def _received(position, size):
    peeked = _flags(position)
    return lambda arguments, result: None if peeked(arguments) else size(result)


def _forget(fd):
    _connections.pop(fd, None)
    _connecting.pop(fd, None)
    _unsent.pop(fd, None)
    _told.discard(fd)


def _patch_close():
    real = socket.socket._real_close

    @functools.wraps(real)
    def wrapper(self, *arguments):
        fd = self.fileno()
        if fd in _connecting:  # given up before it was known how it ends
            start, peer = _connecting.pop(fd)
            _connected(self, start, peer, errno.ETIMEDOUT)
        else:
            _note("close", _clock(), fd, 0, 0)
        _forget(fd)
        return real(self, *arguments)

    return wrapper


def _patch_accept():
    real = socket.socket.accept

    @functools.wraps(real)
    def wrapper(self):
        result = real(self)
        _forget(result[0].fileno())  # the number may have been a connected socket's before
        return result

    return wrapper


def _patch_write(cls, name, size_of):
    """asyncio's own transports send at once what they can, and the rest from a callback of whoever came first."""
    real = getattr(cls, name)

    @functools.wraps(real)
    def wrapper(self, data):
        size = size_of(data)
        if size:
            _unsent.setdefault(self._sock_fd, collections.deque()).append([size, _who()])
        return real(self, data)

    setattr(cls, name, wrapper)


def _patch_handing_over():
    """Executors and threads: the piece of work remembers who handed it over; nothing is called differently."""
    work, thread = concurrent.futures.thread._WorkItem, threading.Thread
    make, start = work.__init__, thread.start

    @functools.wraps(make)
    def made(self, *arguments, **keywords):
        self.witness = _who()
        make(self, *arguments, **keywords)

    @functools.wraps(start)
    def started(self):
        self.witness = _who()
        start(self)

    work.__init__, thread.start = made, started


def _patch_redis(module):
    """redis-py says itself which commands it sends: the second source of truth beside the bytes."""
    connection = module.Connection
    send, pack_many, read = connection.send_command, connection.pack_commands, connection.read_response

    def asks(self, *commands):
        state = self.__dict__.setdefault("witness", {"sent": 0, "read": 0})
        if state["sent"] == state["read"]:
            state.update(sent=0, read=0)
        state["sent"] += len(commands)
        for command in commands:
            ask(self._sock, "redis", redis_operation(command), redis_keys(command))

    def send_command(self, *arguments, **more):
        if self._sock is None:
            self.connect()
        asks(self, arguments)
        return send(self, *arguments, **more)

    def pack_commands(self, commands):
        commands = list(commands)
        asks(self, *commands)
        return pack_many(self, commands)

    def read_response(self, *arguments, **more):
        position = self.witness["read"]
        self.witness["read"] += 1
        try:
            return read(self, *arguments, **more)
        except module.ResponseError:
            failed(self._sock, "error", position)
            raise

    connection.send_command, connection.pack_commands = send_command, pack_commands
    connection.read_response = read_response


def _patch_pymemcache(client):
    fetch = client._fetch_cmd

    def fetch_cmd(self, name, keys, *rest, **more):
        if self.sock is None:
            self._connect()
        ask(self.sock, "memcache", name.decode(), len(keys))
        return fetch(self, name, keys, *rest, **more)

    client._fetch_cmd = fetch_cmd


def _patch_http(connection):
    """requests and urllib3 end up in http.client."""
    put, send = connection.putrequest, connection._send_output

    def putrequest(self, method, url, *rest, **more):
        self.witness_operation = "%s %s" % (method, http_template(url))
        return put(self, method, url, *rest, **more)

    def send_output(self, *rest, **more):
        if self.sock is None:
            self.connect()
        ask(self.sock, "http", self.witness_operation)
        return send(self, *rest, **more)

    connection.putrequest, connection._send_output = putrequest, send_output


def redis_operation(command):
    """CLIENT's second word is part of its name."""
    return " ".join(str(word).upper() for word in command[: 2 if command[0] == "CLIENT" else 1])


def redis_keys(command):
    """How many keys a command of those that the tests use names."""
    name, count = str(command[0]).upper(), len(command) - 1
    if name in ("PING", "MULTI", "EXEC", "CLIENT", "HELLO"):
        return 0
    if name in ("MGET", "DEL", "EXISTS", "UNLINK"):
        return count
    if name == "MSET":
        return count // 2
    return 1


def http_template(path):
    """A path without its data: the query, and what consists of digits."""
    words = path.partition("?")[0].split("/")
    return "/".join("?" if word.isdigit() else word for word in words)


def _after_fork():
    global _dumped
    _events.clear()
    _dumped = False


def install():
    """Patches socket and os; the first import does it when WITNESS is set."""
    cls = socket.socket
    for name in ("connect", "connect_ex"):
        setattr(cls, name, _patch_connect(name))
    for name, size in (
        ("send", lambda arguments, result: result),
        ("sendto", lambda arguments, result: result),
        ("sendmsg", lambda arguments, result: result),
        ("sendall", lambda arguments, result: _size(arguments[0])),
    ):
        setattr(cls, name, _patch_transfer("send", name, size))
    for name, position, size in (
        ("recv", 1, len),
        ("recv_into", 2, int),
        ("recvfrom", 1, lambda result: len(result[0])),
        ("recvfrom_into", 2, lambda result: result[0]),
        ("recvmsg", 2, lambda result: len(result[0])),
        ("recvmsg_into", 2, lambda result: result[0]),
    ):
        setattr(cls, name, _patch_transfer("recv", name, _received(position, size)))
    cls.getsockopt = _patch_getsockopt()
    cls.accept = _patch_accept()
    cls._real_close = _patch_close()
    _patch_descriptor_transfer("send", os, "sendfile", 0)
    if hasattr(os, "splice"):
        os.splice = _splice(os.splice)
    _patch_handing_over()
    os.register_at_fork(after_in_child=_after_fork)
    atexit.register(dump)


def watch_asyncio():
    """To be called before an event loop is made; a target that never makes one need not load asyncio."""
    if _path:
        import asyncio.selector_events

        transport = asyncio.selector_events._SelectorSocketTransport
        _patch_write(transport, "write", _size)
        if "writelines" in vars(transport):  # else it joins them and calls write()
            _patch_write(transport, "writelines", lambda parts: sum(map(_size, parts)))


def watch_libraries():
    """Patches the client libraries of the shop; to be called before they are used."""
    if _path:
        import http.client

        import pymemcache.client.base
        import redis.connection

        _patch_redis(redis.connection)
        _patch_pymemcache(pymemcache.client.base.Client)
        _patch_http(http.client.HTTPConnection)


if _path:
    install()

"""Tiny redis, memcache, HTTP and raw clients over blocking sockets, for targets that have only the standard library.

They behave as the real ones do on the wire (one send a command, answers read through a buffer) and tell the
witness what they ask. backends.py has servers that speak the same.
"""

import select
import socket
import struct

import witness

# A request to the raw server, see backends.py: magic, verb, bytes of request behind it, bytes of answer, microseconds.
RAW = struct.Struct("!4sBxxxIII")
RAW_MAGIC = b"\xf1\x90\x00\x01"
ECHO, DRIP, RESET, MUTE, CLOSE, SLOW, GATE = range(1, 8)


class Client:
    """A connection, made at first use, and a reader with a buffer."""

    def __init__(self, address):
        self.address = address
        self.sock = None
        self.reader = None

    def connect(self):
        if self.sock is None:
            self.sock = socket.create_connection(self.address)
            self.reader = self.sock.makefile("rb")
        return self

    def close(self):
        if self.sock is not None:
            self.reader.close()
            self.sock.close()
            self.sock = self.reader = None


class Redis(Client):
    def command(self, *arguments):
        return self.pipeline([arguments])[0]

    def pipeline(self, commands):
        """Sends all commands at once and returns all answers; an error answer comes as an Exception object."""
        self.connect()
        for command in commands:
            witness.ask(self.sock, "redis", str(command[0]).upper(), witness.redis_keys(command))
        self.sock.sendall(b"".join(self._pack(command) for command in commands))
        answers = [self._answer() for _ in commands]
        for position, answer in enumerate(answers):
            if isinstance(answer, Exception):
                witness.failed(self.sock, "error", position)
        return answers

    @staticmethod
    def _pack(command):
        parts = [b"*%d\r\n" % len(command)]
        for word in command:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(parts)

    def _answer(self):
        line = self.reader.readline()
        if not line:
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Exception(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.reader.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self._answer() for _ in range(int(rest))]
        raise ValueError(line)


class Memcache(Client):
    def set(self, key, value):
        self._send("set", 1, b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
        return self.reader.readline() == b"STORED\r\n"

    def get(self, *keys):
        self._send("get", len(keys), b"get %s\r\n" % b" ".join(keys))
        found = {}
        while True:
            words = self.reader.readline().split()
            if words[0] == b"END":
                return found
            found[words[1]] = self.reader.read(int(words[3]) + 2)[:-2]

    def delete(self, key):
        self._send("delete", 1, b"delete %s\r\n" % key)
        return self.reader.readline() == b"DELETED\r\n"

    def incr(self, key, by=1):
        self._send("incr", 1, b"incr %s %d\r\n" % (key, by))
        line = self.reader.readline()
        return int(line) if line[:1].isdigit() else None

    def _send(self, operation, keys, data):
        self.connect()
        witness.ask(self.sock, "memcache", operation, keys)
        self.sock.sendall(data)


class Http(Client):
    """Keep-alive; a body is sent in one piece with the head."""

    def request(self, method, path, body=b"", template=None):
        """`template` is the path without its data, as an operation names it. Returns status and body."""
        self.connect()
        witness.ask(self.sock, "http", "%s %s" % (method, template or path))
        head = "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (method, path, self.address[0], len(body))
        self.sock.sendall(head.encode() + body)
        return self._answer(method)

    def _answer(self, method):
        status = int(self.reader.readline().split()[1])
        headers = {}
        while True:
            line = self.reader.readline().strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip().lower()
        if status >= 400:
            witness.failed(self.sock, "error" if status >= 500 else "client")
        if status in (204, 304) or method == "HEAD":
            body = b""
        elif headers.get(b"transfer-encoding") == b"chunked":
            body = b"".join(self._chunks())
        else:
            body = self.reader.read(int(headers.get(b"content-length", 0)))
        if headers.get(b"connection") == b"close":
            self.close()
        return status, body

    def _chunks(self):
        while True:
            size = int(self.reader.readline(), 16)
            chunk = self.reader.read(size + 2)[:-2]
            if size == 0:
                return
            yield chunk


def raw_head(verb, size=0, answer=0, micros=0):
    """The head of a request to the raw server that announces `size` bytes behind it."""
    return RAW.pack(RAW_MAGIC, verb, size, answer, micros)


def raw_request(verb, size=0, answer=0, micros=0):
    return raw_head(verb, size, answer, micros) + b"\xee" * size


def read_exactly(sock, size):
    """Reads with plain recv() calls until there are `size` bytes, waiting where the socket does not."""
    left = size
    while left:
        try:
            piece = sock.recv(min(left, 65536))
        except BlockingIOError:
            select.select([sock], [], [])
            continue
        if not piece:
            raise ConnectionError("%d of %d bytes missing" % (left, size))
        left -= len(piece)
    return size

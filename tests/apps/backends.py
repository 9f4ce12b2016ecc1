"""Servers for the tests: a raw one that answers, delays, drips, resets or stays mute as it is told, an HTTP one,
and small stand-ins for redis and memcached where the real ones are not installed (virtual machines, foreign roots).

    backends.py raw|http|redis|memcache [--host ADDRESS]

prints "port N" and serves until its standard input ends, so it never outlives who started it.
"""

import argparse
import http.server
import os
import socket
import socketserver
import struct
import sys
import threading
import time

# clients.py imports the witness, which is one directory up.
sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from clients import CLOSE, DRIP, ECHO, GATE, MUTE, RAW, RAW_MAGIC, RESET, SLOW  # noqa: E402

GATE_SECONDS = 60  # the longest that a request waits at the gate


class Gate:
    """Holds requests until as many wait as each of them says, then lets all go at once."""

    def __init__(self):
        self.condition = threading.Condition()
        self.waiting = 0
        self.opened = 0

    def wait(self, wanted):
        with self.condition:
            self.waiting += 1
            turn = self.opened
            if self.waiting >= wanted:
                self.waiting = 0
                self.opened += 1
                self.condition.notify_all()
            self.condition.wait_for(lambda: self.opened != turn, GATE_SECONDS)


GATES = Gate()


class Raw(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            head = self._read(RAW.size)
            if head is None:
                return
            magic, verb, size, answer, micros = RAW.unpack(head)
            if magic != RAW_MAGIC:
                return self._fail(head)
            if not self._read_body(size, micros / 1e6 if verb == SLOW else 0):
                return
            if not self._answer(verb, answer, micros):
                return

    def _answer(self, verb, answer, micros):
        """False: this connection is over."""
        if verb == RESET:
            return self._reset()
        if verb == CLOSE:
            return False
        if verb == MUTE:
            return True
        if verb == GATE:
            GATES.wait(micros)
        elif verb == DRIP:
            return self._drip(answer, micros)
        elif verb == ECHO and micros:
            time.sleep(micros / 1e6)
        self.request.sendall(b"\xaa" * answer)
        return True

    def _reset(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()
        return False

    def _fail(self, head):
        """A request of another protocol: its path or key says how the answer does not come."""
        data = head + self.request.recv(65536)
        if b"reset" in data:
            self._reset()
        elif b"mute" in data:
            self.request.recv(1)  # until the other side gives up

    def _drip(self, answer, micros):
        pieces = 4
        for number in range(pieces):
            last = answer - answer // pieces * (pieces - 1)
            self.request.sendall(b"\xaa" * (last if number == pieces - 1 else answer // pieces))
            time.sleep(micros / 1e6)
        return True

    def _read(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.request.recv(size - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def _read_body(self, size, pause):
        """Throws `size` bytes away, slowly if told so."""
        while size:
            if pause:
                time.sleep(pause)
            piece = self.request.recv(min(size, 65536))
            if not piece:
                return False
            size -= len(piece)
        return True


class Http(http.server.BaseHTTPRequestHandler):
    """/size/N: a body of N bytes; /chunked/N: in chunks; /close/N: and then closes; /status/N; else a short body."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body leave in one piece, as from a real server

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        while length:
            length -= len(self.rfile.read(min(length, 65536)))
        words = self.path.split("?")[0].strip("/").split("/")
        number = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        kind = words[0]
        if kind == "chunked":
            return self._chunked(number)
        if kind == "close":
            self.close_connection = True
        status = number if kind == "status" else 200
        body = b"b" * number if kind in ("size", "close") else b'{"ok": true}'
        self._plain(status, b"" if status in (204, 304) else body)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def _plain(self, status, body):
        self.send_response(status)
        if self.close_connection:
            self.send_header("Connection", "close")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _chunked(self, size):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while size:
            piece = min(size, 1000)
            self.wfile.write(b"%x\r\n%s\r\n" % (piece, b"c" * piece))
            size -= piece
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Store:
    """What the stand-ins keep; one for the whole process."""

    data = {}
    lock = threading.Lock()


class Redis(socketserver.StreamRequestHandler):
    """Enough of RESP2 for the tests; what is missing answers -ERR as the real one does."""

    def handle(self):
        self.queue = None
        while True:
            line = self.rfile.readline()
            if not line.startswith(b"*"):
                return
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            with Store.lock:
                self.wfile.write(self._run(words))

    def _run(self, words):
        name = words[0].upper()
        if name == b"MULTI":
            self.queue = []
            return b"+OK\r\n"
        if name == b"EXEC":
            queue, self.queue = self.queue or [], None
            return b"*%d\r\n" % len(queue) + b"".join(self._command(words) for words in queue)
        if self.queue is not None:
            self.queue.append(words)
            return b"+QUEUED\r\n"
        return self._command(words)

    def _command(self, words):
        name, arguments = words[0].upper(), words[1:]
        handler = getattr(self, "do_" + name.decode("ascii", "replace").lower(), None)
        if handler is None:
            return b"-ERR unknown command\r\n"
        return handler(*arguments)

    @staticmethod
    def _bulk(value):
        return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)

    def do_ping(self):
        return b"+PONG\r\n"

    def do_get(self, key):
        return self._bulk(Store.data.get(key))

    def do_set(self, key, value):
        Store.data[key] = value
        return b"+OK\r\n"

    def do_mget(self, *keys):
        return b"*%d\r\n" % len(keys) + b"".join(self._bulk(Store.data.get(key)) for key in keys)

    def do_mset(self, *pairs):
        Store.data.update(zip(pairs[::2], pairs[1::2]))
        return b"+OK\r\n"

    def do_del(self, *keys):
        return b":%d\r\n" % sum(Store.data.pop(key, None) is not None for key in keys)

    def do_incr(self, key):
        try:
            Store.data[key] = b"%d" % (int(Store.data.get(key, b"0")) + 1)
        except ValueError:
            return b"-ERR value is not an integer or out of range\r\n"
        return b":" + Store.data[key] + b"\r\n"


class Memcache(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            words = self.rfile.readline().split()
            if not words:
                return
            with Store.lock:
                self.wfile.write(self._run(words[0], words[1:]))

    def _run(self, name, words):
        if name == b"get":
            found = b""
            for key in words:
                value = Store.data.get(key)
                if value is not None:
                    found += b"VALUE %s 0 %d\r\n%s\r\n" % (key, len(value), value)
            return found + b"END\r\n"
        if name == b"set":
            Store.data[words[0]] = self.rfile.read(int(words[3]) + 2)[:-2]
            return b"STORED\r\n"
        if name == b"delete":
            return b"NOT_FOUND\r\n" if Store.data.pop(words[0], None) is None else b"DELETED\r\n"
        if name == b"incr":
            if words[0] not in Store.data:
                return b"NOT_FOUND\r\n"
            Store.data[words[0]] = b"%d" % (int(Store.data[words[0]]) + int(words[1]))
            return Store.data[words[0]] + b"\r\n"
        return b"ERROR\r\n"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A client that goes away is no news here."""


HANDLERS = {"raw": Raw, "http": Http, "redis": Redis, "memcache": Memcache}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=sorted(HANDLERS))
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    Server.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    server = Server((options.host, 0), HANDLERS[options.kind])
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print("port %d" % server.server_address[1], flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()

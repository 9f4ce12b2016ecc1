"""The HTTP backend of findings_sync.py and findings_async.py: what a path answers says findings_plan.py's seed.

    findings_backend.py SEED CERTIFICATE KEY

prints "ports A B C TLS" and serves them until its standard input ends. A path is /SCENARIO/NUMBER/WHAT...; every answer
takes a few milliseconds, so that it is a call worth looking at.
"""

import collections
import ctypes
import gzip
import json
import os
import random
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

import findings_plan

SEED = int(sys.argv[1])


class State:
    """How often each path was asked for, and what was put there."""

    def __init__(self):
        self.lock = threading.Condition()
        self.visits = collections.Counter()

    def visit(self, path):
        with self.lock:
            self.visits[path] += 1
            return self.visits[path]


    def meet(self, run, count):
        """Waits until so many requests of the run are here: however busy the machine is, they are there at once."""
        with self.lock:
            self.visits[run] += 1
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.visits[run] >= count, 10)


STATE = State()


class Answer:
    def __init__(self, value, status=200, delay=None, headers=(), zipped=False, pieces=0):
        self.body = json.dumps(value).encode()
        self.status, self.delay, self.headers, self.pieces = status, delay, dict(headers), pieces
        self.deaf = False  # from before the answer on, for a while
        if zipped:
            self.body = gzip.compress(self.body)
            self.headers["Content-Encoding"] = "gzip"


def unrelated(plan, path, size=0):
    """Asked again, it is the same."""
    return Answer(findings_plan.filler(random.Random("%d %s" % (plan.filler, path)), size))


def gives(plan, path, form):
    """The first id, in a form that the next request will have it in."""
    one = plan.ids[0]
    rest = findings_plan.filler(random.Random(plan.filler))
    if form == "number":
        return Answer(dict(rest, order=one))
    if form == "string":
        return Answer(dict(rest, order=plan.words[0]))
    if form == "short":
        return Answer(dict(rest, id=plan.small))
    if form == "link":
        return Answer(dict(rest, link="%s/takes/%d?view=full" % (path.rpartition("/gives/")[0], one)))
    if form == "header":
        return Answer(rest, headers={"X-Continue": plan.words[0]})
    if form == "quoted":
        return Answer(dict(rest, name="%s & %s" % (plan.words[0], plan.words[1])))
    assert form == "place"
    return Answer(rest, 302, headers={"Location": "%s/takes/%d" % (path.rpartition("/gives/")[0], one)})


def answer(scenario, number, words, path):
    plan = findings_plan.Plan(SEED, scenario, number)
    visit = STATE.visit(path)
    what = words[0]
    if (scenario, what) == ("nplus_at_once", "item"):
        STATE.meet((scenario, number), plan.many)
    if scenario == "serial_threads":
        STATE.meet((scenario, number), 3)
    if what == "list":
        return Answer(findings_plan.SHAPES[plan.shape](plan.ids[:plan.many]))
    if what == "gives":
        return gives(plan, path, words[1])
    if what == "counter":
        return Answer(dict(findings_plan.filler(random.Random(visit)), visits=visit * 1000003))
    if what == "fails" and visit == 1:
        return Answer({"error": "later"}, 503)
    if what == "drops" and visit == 1:
        return None
    if what == "job":
        return Answer({"done": visit % plan.times == 0, "progress": visit * 1000003})
    if what == "count":
        return Answer({"count": plan.small, "price": plan.small + 1})
    if what == "echo":
        return Answer({"user": number, "asked": words[1:], "name": findings_plan.word(random.Random(path))})
    if what == "user":
        return Answer({"key": "user:%d" % (plan.ids[0] // 1000)})
    if what == "big":
        return unrelated(plan, path, 4 * findings_plan.CAPTURE)
    if what == "zipped":
        return Answer(findings_plan.filler(random.Random(path)), zipped=True)
    reply = unrelated(plan, path)
    if what == "stream":  # more than any client takes before it is asked for
        reply.body = b"x" * (1 << 20)
        reply.pieces = 4
    if what == "slow":
        reply.delay = 0.045
    if what == "late" and visit == 3:
        reply.delay = 0.25
    reply.deaf = what == "deaf" and visit == 2
    return reply


def deafen(sock):
    """Drops what comes on the connection, until its sender's kernel is about to send it again, after 200 ms."""
    attach, detach, drop = 26, 27, ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # socket(7)
    sock.setsockopt(socket.SOL_SOCKET, attach, struct.pack("HP", 1, ctypes.addressof(drop)))
    threading.Timer(0.15, sock.setsockopt, (socket.SOL_SOCKET, detach, 0)).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def respond(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        _, scenario, number, *words = path.split("/")
        reply = answer(scenario, int(number), words, path)
        plan = findings_plan.Plan(SEED, scenario, int(number))
        if reply is None:
            self.close_connection = True
            return
        time.sleep(plan.delay if reply.delay is None else reply.delay)
        if reply.deaf:
            deafen(self.connection)
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.pieces:
            self.send_pieces(reply)
            return
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def send_pieces(self, reply):
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        size = len(reply.body) // reply.pieces + 1
        for at in range(0, len(reply.body), size):
            piece = reply.body[at:at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(0.002)
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_PUT = do_POST = respond

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100
    context = None

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that is gone: the test ends like that."""


def main():
    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(4)]
    servers[3].context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    servers[3].context.load_cert_chain(sys.argv[2], sys.argv[3])
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ports", *(server.server_address[1] for server in servers), flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()

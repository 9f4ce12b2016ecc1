"""Target: looks a name up in each run, or once for all of them. And the name server that it asks.

    findings_names.py serve       answers every question for an address with 127.0.0.1, on port 53 of loopback

By TCP, with the resolver told so, since nothing else is traced yet.
"""

import os
import socket
import socketserver
import struct
import sys
import threading

import clients
import scenario

NAME = "backend.test"


def answer(question):
    """A response with what was asked, and an address if that was it."""
    end = question.index(b"\0", 12) + 5
    number, kind = question[:2], question[end - 4:end - 2]
    head = struct.pack("!HHHHH", 0x8180, 1, kind == b"\0\1", 0, 0)
    address = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 0, 4) + socket.inet_aton("127.0.0.1")
    return number + head + question[12:end] + (address if kind == b"\0\1" else b"")


class Resolver(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            size = self.rfile.read(2)
            if not size:
                break
            reply = answer(self.rfile.read(struct.unpack("!H", size)[0]))
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


def serve():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 53), Resolver)
    threading.Thread(target=lambda: os.read(0, 1) or os._exit(0), daemon=True).start()
    print("ready", flush=True)
    server.serve_forever()


def look_up():
    socket.getaddrinfo(NAME, 80, socket.AF_INET, socket.SOCK_STREAM)  # @looks_up


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
    if sys.argv[1:] == ["serve"]:
        serve()
    scenario.main({"run": run})

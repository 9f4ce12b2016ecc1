"""A name server: answers every question for an address with one of loopback's, on port 53 of 127.0.0.1 and ::1.

    name_server.py          prints "ready" and serves by UDP and TCP until its standard input ends

It never answers what is asked of `silent.test`, and says of a name in `unknown.test` that there is none.
"""

import os
import socket
import socketserver
import struct
import threading

A, AAAA = b"\0\1", b"\0\x1c"
ADDRESSES = {A: socket.inet_aton("127.0.0.1"), AAAA: socket.inet_pton(socket.AF_INET6, "::1")}
WELL, NO_SUCH_NAME = 0x8180, 0x8183


def question(name, kind=A, number=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + kind + b"\0\1"


def answer(asked):
    """A response with what was asked, and an address if that was it; None: there is none."""
    end = asked.index(b"\0", 12) + 5
    number, name, kind = asked[:2], asked[12:end - 4], asked[end - 4:end - 2]
    if b"\6silent\4test" in name:
        return None
    address = ADDRESSES.get(kind) if b"\7unknown\4test" not in name else None
    head = struct.pack("!HHHHH", WELL if address else NO_SUCH_NAME, 1, bool(address), 0, 0)
    record = b"\xc0\x0c" + kind + b"\0\1" + struct.pack("!IH", 0, len(address)) + address if address else b""
    return number + head + asked[12:end] + record


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            size = self.rfile.read(2)
            if not size:
                break
            reply = answer(self.rfile.read(struct.unpack("!H", size)[0]))
            if reply:
                self.wfile.write(struct.pack("!H", len(reply)) + reply)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        asked, sock = self.request
        reply = answer(asked)
        if reply:
            sock.sendto(reply, self.client_address)


def main():
    for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        for base, handler in ((socketserver.ThreadingTCPServer, Stream), (socketserver.UDPServer, Datagram)):
            server = type("Server", (base,), {"address_family": family})((address, 53), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()

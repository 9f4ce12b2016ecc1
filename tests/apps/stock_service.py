"""The stock service of the shop: a small HTTP service that needs a moment for each answer.

    stock_service.py PORT    0: any; prints "port N", and serves until its standard input ends
"""

import http.server
import json
import os
import sys
import threading
import time

MOMENT = 0.002  # seconds: what its own database would take


class Stock(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body leave in one piece
    disable_nagle_algorithm = True

    def do_GET(self):
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "stock":
            self._answer({"left": int(number) % 7})
        elif kind == "delivery":
            self._answer({"days": int(number) % 3 + 1})
        elif kind == "health":
            self._answer({"ok": True})
        else:
            self._answer({}, 404)

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"total": sum(line["amount"] * line["price"] for line in order)})

    def _answer(self, message, status=200):
        time.sleep(MOMENT)
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("port %d" % server.server_address[1], flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()

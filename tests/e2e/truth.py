"""From what the witness wrote to what a summary must say: exchanges, calls and runs per endpoint and backend.

The rules are those of INTERFACE's words, applied to what a program did on its sockets: a request is
what is sent up to the first byte that comes back, its answer what comes back up to the next send. Where a
client said which commands a request held, each is a call; otherwise the exchange is one call of protocol "tcp".
"""

import collections
import errno
import glob
import json

NUMBERS = ("calls", "round_trips", "keys", "bytes_out", "bytes_in", "errors", "client_errors")


class Exchange:
    """A request on one connection, and its answer."""

    def __init__(self, event):
        _, self.start, _, self.connection, _, _, self.thread, self.endpoint, self.run = event
        self.end = None
        self.asks = []
        self.failed = {}  # position of the ask -> "error" or "client"
        self.bytes_out = self.bytes_in = 0
        self.closed = self.reset = False  # how the connection ended before an answer came

    def failure(self, position):
        """
        How the request that was asked at this position failed: None, "error" or "client". Where nobody knows the
        protocol, nobody knows that an answer was due: then only a connection that broke is an error.
        """
        if self.reset or (self.closed and self.asks):
            return "error"
        return self.failed.get(position)


class Process:
    """What one process wrote down, from its last mark on, or else from `since` (monotonic ns)."""

    def __init__(self, lines, since):
        self.pid = lines[0][1]
        self.lines = {line[1]: line[2] for line in lines if line[0] == "endpoint"}
        self.peers = {line[1]: line[3] for line in lines if line[0] == "connection"}
        began = max([line[2] for line in lines if line[0] == "mark"], default=since)
        self.runs = [line for line in lines if line[0] == "run" and line[1] >= began]
        self.connects = [line for line in lines if line[0] == "connect" and line[1] >= began]
        by_connection = collections.defaultdict(list)
        for line in lines:
            if line[0] in ("ask", "failed"):
                by_connection[line[2]].append((line[1], line))
            elif line[0] in ("send", "recv", "close"):
                # Bytes count from when they leave, and when they have arrived.
                by_connection[line[3]].append((line[2] if line[0] == "recv" else line[1], line))
        self.exchanges = []
        for connection, events in by_connection.items():
            if connection is not None:
                events.sort(key=lambda pair: pair[0])
                found = _exchanges([event for _, event in events])
                self.exchanges += [exchange for exchange in found if exchange.start >= began]


def _exchanges(events):
    """The exchanges of one connection, whose events are in order."""
    found, pending, current = [], [], None
    for event in events:
        kind = event[0]
        if kind == "ask":
            pending.append(event)
        elif kind == "failed":
            current.failed[event[4]] = event[3]
        elif kind == "send" and event[4] > 0:
            if current is None or current.bytes_in:
                current = Exchange(event)
                found.append(current)
            current.bytes_out += event[4]
            current.asks += pending
            pending = []
        elif kind == "recv" and event[4] > 0:
            if current is not None:
                current.bytes_in += event[4]
                current.end = event[2]
        elif current is not None and not current.bytes_in:
            current.reset = current.reset or event[5] not in (0, errno.EAGAIN, errno.ETIMEDOUT)
            current.closed = current.closed or event[5] == 0
    return found


def read(prefix, since=0):
    """The processes whose witness wrote PREFIX.<pid>."""
    processes = []
    for name in sorted(glob.glob(glob.escape(prefix) + ".*")):
        if name.endswith(".part"):
            raise AssertionError("the witness was interrupted: " + name)
        with open(name) as lines:
            processes.append(Process([json.loads(line) for line in lines], since))
    return processes


def _number_dict():
    return dict.fromkeys(NUMBERS, 0)


class Backend:
    def __init__(self):
        self.numbers = _number_dict()
        self.operations = collections.defaultdict(lambda: {"calls": 0, "keys": 0, "errors": 0})
        self.latencies = []  # ns, one an exchange
        self.answered = 0  # calls

    def add_call(self, operation, keys, failed, answered=False):
        numbers = self.numbers
        self.answered += answered
        numbers["calls"] += 1
        numbers["keys"] += keys
        numbers["errors"] += failed == "error"
        numbers["client_errors"] += failed == "client"
        if operation is not None:
            entry = self.operations[operation]
            entry["calls"] += 1
            entry["keys"] += keys
            entry["errors"] += failed == "error"


class Endpoint:
    def __init__(self):
        self.line = 0  # of its definition
        self.runs = 0  # all of them
        self.walls = []  # ns
        self.calling_runs = set()  # (process, run) of those that called or connected
        self.backends = collections.defaultdict(Backend)  # (protocol, address) -> Backend
        self.connects = collections.Counter()  # address -> connects that were made


def summarise(processes):
    """endpoint -> Endpoint; what was done outside endpoints is under None."""
    endpoints = collections.defaultdict(Endpoint)
    for process in processes:
        for _, start, end, _, name, _ in process.runs:
            endpoints[name].runs += 1
            endpoints[name].walls.append(end - start)
        for event in process.connects:
            _add_connect(endpoints[event[7]], process, event)
        for exchange in process.exchanges:
            _add_exchange(endpoints[exchange.endpoint], process, exchange)
        for name in process.lines.keys() & endpoints.keys():
            endpoints[name].line = process.lines[name]
    return endpoints


def _add_connect(endpoint, process, event):
    address = process.peers[event[3]]
    endpoint.calling_runs.add((process, event[8]))
    if event[5]:
        backend = endpoint.backends["tcp", address]
        backend.add_call("connect", 0, "error")
    else:
        endpoint.connects[address] += 1


def _add_exchange(endpoint, process, exchange):
    address = process.peers[exchange.connection]
    protocol = exchange.asks[0][3] if exchange.asks else "tcp"
    backend = endpoint.backends[protocol, address]
    endpoint.calling_runs.add((process, exchange.run))
    backend.numbers["bytes_out"] += exchange.bytes_out
    backend.numbers["bytes_in"] += exchange.bytes_in
    backend.numbers["round_trips"] += 1
    answered = exchange.end is not None
    if answered:
        backend.latencies.append(exchange.end - exchange.start)
    for position, ask in enumerate(exchange.asks):
        backend.add_call(ask[4], ask[5], exchange.failure(position), answered)
    if not exchange.asks:
        backend.add_call(None, 1, exchange.failure(0), answered)

"""What the workers of a multiprocessing pool do: a module of its own, because they import it under its own name."""

import multiprocessing.util
import time

import clients
import witness


@witness.endpoint
def in_pool(address, count):
    """A connection, and `count` exchanges on it."""
    with witness.run():
        raw = clients.Client(address).connect()
        for _ in range(count):
            raw.sock.sendall(clients.raw_request(clients.ECHO, 7, 70))
            clients.read_exactly(raw.sock, 70)
        raw.close()


def begin(pause):
    """A worker begins. It ends without the exit handlers of other programs, so the witness needs one of its own."""
    multiprocessing.util.Finalize(None, witness.dump, exitpriority=1)
    time.sleep(pause)

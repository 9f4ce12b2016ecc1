"""Starts the shop with its backends, in both flavours, as it was and as it is after its findings were followed: for the
demo and for bench/predict.py. All listens on free ports of loopback, and ends with the ExitStack that it was given.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, "apps")
sys.path[:0] = [os.path.join(HERE, "e2e"), APPS]

from lab import Child, Failure, free_port  # noqa: E402

PYTHON = "/usr/bin/python3"
PATIENCE = 60  # seconds for any step
TRIES = 3  # between the moment that a port was found free and a server's start another program can take it

# PORT and DIRECTORY are replaced.
REDIS = "redis-server --bind 127.0.0.1 --port PORT --save '' --appendonly no --dir DIRECTORY"
MEMCACHE = "memcached -l 127.0.0.1 -p PORT -U 0 -u nobody"
FLAVOURS = {
    "flask": "gunicorn -w WORKERS -b 127.0.0.1:PORT --log-level warning shop.wsgi:app",
    "fastapi": PYTHON + " -m uvicorn --port PORT --log-level warning shop_async.app:app",
}
VERSIONS = {"before": APPS, "after": os.path.join(APPS, "shop_fixed") + ":" + APPS}  # PYTHONPATH


class Shops:
    """The backends. `delay` says how many ms each of redis, memcache and stock takes to answer."""

    def __init__(self, stack, directory, **delay):
        self.stack, self.directory = stack, directory
        self.environment = dict(os.environ, PYTHONPATH=APPS, PYTHONDONTWRITEBYTECODE="1")
        ports = {"redis": self._serve(REDIS)[1], "memcache": self._serve(MEMCACHE)[1],
                 "stock": self._own("stock_service.py", 0, "--delay", delay.pop("stock"))}
        self._name(ports)
        subprocess.run([PYTHON, "-m", "shop.seed"], env=self.environment, check=True, timeout=PATIENCE)
        ports.update({name: self._own("delay.py", ports[name], late) for name, late in delay.items()})
        self._name(ports)

    def start(self, flavour, version, workers=2, stack=None):
        """Returns the server's process and port."""
        environment = dict(self.environment, PYTHONPATH=VERSIONS[version])
        return self._serve(FLAVOURS[flavour].replace("WORKERS", str(workers)), environment, stack)

    def _name(self, ports):
        self.environment.update({"SHOP_%s_PORT" % name.upper(): str(port) for name, port in ports.items()})

    def _own(self, name, *options):
        """The port of a server of apps/, which finds a free one and says it."""
        command = [PYTHON, os.path.join(APPS, name)] + [str(option) for option in options]
        server = self._start(command, self.environment, self.stack, stderr=subprocess.DEVNULL)
        return int(server.expect(r"^port (\d+)").group(1))

    def _start(self, command, environment, stack, **options):
        child = Child(command, PATIENCE, env=environment, cwd=self.directory, **options)
        stack.callback(child.close)
        return child

    def _serve(self, command, environment=None, stack=None):
        said = os.path.join(self.directory, "said")
        for _ in range(TRIES):
            port = free_port()
            words = command.replace("PORT", str(port)).replace("DIRECTORY", self.directory).replace("''", "")
            with open(said, "w") as out:
                child = self._start(words.split(" "), environment or self.environment, stack or self.stack,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            if listens(child, port):
                return child, port
            child.close()
        with open(said) as words:
            raise Failure("%s does not start: %s" % (command.split()[0], words.read()[-500:]))


def listens(child, port):
    """Waits until somebody listens on the port. False: the child has ended."""
    deadline = time.monotonic() + PATIENCE
    while child.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return child.process.poll() is None
        time.sleep(0.02)
    return False

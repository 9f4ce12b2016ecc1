#!/usr/bin/python3
"""A job that needs no tracer: that a guest has what the end-to-end cases take for granted.

    tests/vm/run.py --job tests/vm/selftest.py
"""

import os
import socket
import subprocess
import threading


def loopback(family, address):
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        server.listen(1)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            echo = threading.Thread(target=lambda: accepted.sendall(accepted.recv(100)))
            echo.start()
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            echo.join()


def case_ipv4():
    loopback(socket.AF_INET, "127.0.0.1")


def case_ipv6():
    loopback(socket.AF_INET6, "::1")


def case_btf():
    assert os.path.getsize("/sys/kernel/btf/vmlinux") > 1 << 20


def case_kprobes():
    assert os.path.exists("/sys/kernel/tracing/kprobe_events")
    assert os.path.exists("/sys/bus/event_source/devices/kprobe/type")


def case_bpffs():
    os.mkdir("/sys/fs/bpf/selftest")
    os.rmdir("/sys/fs/bpf/selftest")


def case_semaphores():
    import multiprocessing

    assert multiprocessing.Semaphore(1).acquire(timeout=5)


def case_packages():
    import flask, gunicorn, pymemcache, redis, requests  # noqa: F401, E401


def case_servers():
    for server in ("redis-server", "memcached"):
        subprocess.run([server, "--version"], check=True, stdout=subprocess.DEVNULL)


def main():
    for name, case in sorted(globals().items()):
        if name.startswith("case_"):
            try:
                case()
                print(f"ok {name[5:]}", flush=True)
            except Exception as error:
                print(f"not ok {name[5:]} {error!r}", flush=True)


if __name__ == "__main__":
    main()

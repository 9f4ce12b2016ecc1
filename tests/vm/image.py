"""The guests' initramfs: the root of a Debian suite with its Python, and over it the programs and tests of this checkout.

An initramfs is a chain of cpio archives, each unpacked over the former: the first is the same for all guests of a suite,
the second for all guests of a run.
"""

import os
import shutil
import subprocess
import tempfile

BUSYBOX = "/bin/busybox"

# Of a root, what no test needs: the guest copies all of it at boot, and holds it in memory.
UNNEEDED = ("usr/share/zoneinfo", "usr/share/ca-certificates", "usr/lib/python3/dist-packages/setuptools", "proc", "sys")

# From the build directory, those that are there: a job needs few of them.
PROGRAMS = {
    "nettraced.static": "nettraced",
    "nettrace.static": "nettrace",
    "verify.static": "verify",
    "nettraced.bpf.o": "nettraced.bpf.o",
}


def pack(tree, target, unneeded=()):
    """Appends the directory as a cpio archive to the open file."""
    prune = [word for path in unneeded for word in ("-path", f"./{path}/*", "-prune", "-o")]
    find = subprocess.Popen(["find", ".", *prune, "-print0"], cwd=tree, stdout=subprocess.PIPE)
    subprocess.run(
        ["cpio", "--null", "--create", "--format=newc", "--quiet", "--owner=+0:+0"],
        cwd=tree,
        stdin=find.stdout,
        stdout=target,
        check=True,
    )
    find.stdout.close()
    if find.wait():
        raise OSError(f"cannot list {tree}")


def pack_suite(root, path):
    with open(path, "wb") as target:
        pack(root, target, UNNEEDED)


def pack_work(checkout, build, job, path):
    """The second layer: busybox, init, the job, the tests and the programs under test."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as tree, open(path, "wb") as target:
        shutil.copy(BUSYBOX, f"{tree}/busybox")
        shutil.copy(f"{here}/init", f"{tree}/init")
        os.makedirs(f"{tree}/src/build")
        shutil.copytree(f"{checkout}/tests", f"{tree}/src/tests", ignore=shutil.ignore_patterns("__pycache__", "*.o"))
        shutil.copy(job, f"{tree}/src/job")
        for name, in_guest in PROGRAMS.items():
            if os.path.exists(f"{build}/{name}"):
                shutil.copy(f"{build}/{name}", f"{tree}/src/build/{in_guest}")
        for name in ("init", "src/job"):
            os.chmod(f"{tree}/{name}", 0o755)
        pack(tree, target)


def chain(layers, path):
    with open(path, "wb") as target:
        for layer in layers:
            with open(layer, "rb") as source:
                shutil.copyfileobj(source, target)

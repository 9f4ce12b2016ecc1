"""Thrift: a service as the suite's own compiler makes it, its handler on the threads of TThreadedServer."""

import functools
import os
import subprocess
import sys
import tempfile

import kit
import witness

FRAMEWORK = "Thrift"
PACKAGES = "python3-thrift thrift-compiler"
MODULE = "thrift"
SERVERS = ["service-threads"]
ASKED = {
    "item": "Handler.item",
    "decorated": "Handler.decorated",
    "outer": "Handler.outer",
    "tell": "Handler.tell",
    "quiet": None,
}
IDL = """
service Catalog {
    string item(1: i32 number),
    string decorated(),
    string outer(),
    void tell(),
    void quiet(),
}
"""


def generate():
    """The package `catalog`, beside this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(dir=here) as directory:
        with open(os.path.join(directory, "catalog.thrift"), "w") as idl:
            idl.write(IDL)
        subprocess.check_call(["thrift", "--gen", "py", "-out", directory, idl.name])
        if not os.path.exists(os.path.join(here, "catalog")):
            os.rename(os.path.join(directory, "catalog"), os.path.join(here, "catalog"))


def logged(method):
    @functools.wraps(method)
    def wrapper(*arguments, **keywords):
        return method(*arguments, **keywords)

    return wrapper


class Handler:
    @witness.endpoint
    def item(self, number):
        with witness.run():
            for turn in range(number):
                kit.redis("GET", "item %d" % turn)
            kit.raw()
            kit.http("/size/10", "/size/?")
        return "item"

    @logged
    @witness.endpoint
    def decorated(self):
        with witness.run():
            kit.raw()
            kit.redis("PING")
        return "decorated"

    @witness.endpoint
    def outer(self):
        with witness.run():
            kit.redis("GET", "outer")
            return self.item(2)

    @witness.endpoint
    def tell(self):
        with witness.run():
            kit.raw(size=300)
            kit.redis("SET", "tell", 1)

    def quiet(self):
        pass


def serve(port):
    from catalog import Catalog
    from thrift.protocol import TBinaryProtocol
    from thrift.server import TServer
    from thrift.transport import TSocket, TTransport

    server = TServer.TThreadedServer(
        Catalog.Processor(Handler()),
        TSocket.TServerSocket("127.0.0.1", port),
        TTransport.TBufferedTransportFactory(),
        TBinaryProtocol.TBinaryProtocolFactory(),
        daemon=True,
    )
    server.serve()


def ask(port, seed, count):
    from catalog import Catalog
    from thrift.protocol import TBinaryProtocol
    from thrift.transport import TSocket, TTransport

    def call(name):
        transport = TTransport.TBufferedTransport(TSocket.TSocket("127.0.0.1", port))
        transport.open()
        client = Catalog.Client(TBinaryProtocol.TBinaryProtocol(transport))
        getattr(client, name)(*([3] if name == "item" else []))
        transport.close()

    kit.ask(ASKED, call, seed, count)


if __name__ == "__main__":
    generate()
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        ask(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

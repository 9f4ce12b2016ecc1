"""gRPC with threads: a service as its compiler makes it, but with plain bytes for messages; calls and streams."""

import concurrent.futures
import functools
import sys

import grpc
import kit
import witness

FRAMEWORK = "gRPC"
PACKAGES = "python3-grpcio"
MODULE = "grpc=grpcio"
SERVERS = ["service-threads"]
ASKED = {
    "Unary": "Service.Unary",
    "Decorated": "Service.Decorated",
    "ServerStream": "Service.ServerStream",
    "ClientStream": "Service.ClientStream",
    "Outer": "Service.Outer",
    "Quiet": None,
}


def logged(method):
    @functools.wraps(method)
    def wrapper(*arguments, **keywords):
        return method(*arguments, **keywords)

    return wrapper


class Service:
    @witness.endpoint
    def Unary(self, request, context):
        with witness.run():
            kit.redis("GET", "unary")
            kit.raw()
            kit.http("/size/10", "/size/?")
        return request

    @logged
    @witness.endpoint
    def Decorated(self, request, context):
        with witness.run():
            kit.raw()
            kit.redis("PING")
        return request

    @witness.endpoint
    def ServerStream(self, request, context):
        with witness.run():
            for turn in range(3):
                kit.redis("GET", "stream %d" % turn)
                kit.raw()
                yield request

    @witness.endpoint
    def ClientStream(self, requests, context):
        with witness.run():
            for turn, request in enumerate(requests):
                kit.redis("GET", "stream %d" % turn)
            kit.raw()
        return request

    @witness.endpoint
    def Outer(self, request, context):
        with witness.run():
            kit.redis("GET", "outer")
            return self.Unary(request, context)

    def Quiet(self, request, context):
        return request


def serve(port):
    service = Service()
    handlers = {name: grpc.unary_unary_rpc_method_handler(getattr(service, name))
                for name in ("Unary", "Decorated", "Outer", "Quiet")}
    handlers["ServerStream"] = grpc.unary_stream_rpc_method_handler(service.ServerStream)
    handlers["ClientStream"] = grpc.stream_unary_rpc_method_handler(service.ClientStream)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("matrix.Service", handlers),))
    if not server.add_insecure_port("127.0.0.1:%d" % port):
        sys.exit("the port is taken")
    server.start()
    server.wait_for_termination()


def ask(port, seed, count):
    with grpc.insecure_channel("127.0.0.1:%d" % port) as channel:
        methods = {name: channel.unary_unary("/matrix.Service/" + name)
                   for name in ("Unary", "Decorated", "Outer", "Quiet")}
        stream = channel.unary_stream("/matrix.Service/ServerStream")
        methods["ServerStream"] = lambda request, **options: list(stream(request, **options))
        upload = channel.stream_unary("/matrix.Service/ClientStream")
        methods["ClientStream"] = lambda request, **options: upload(iter([request] * 3), **options)
        kit.ask(ASKED, lambda name: methods[name](b"request", timeout=60, wait_for_ready=True), seed, count)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        ask(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

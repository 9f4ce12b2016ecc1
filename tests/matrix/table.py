"""What there is to run: the servers, and the applications of apps/, which are read here without running them.

An application says about itself, in constants at its top (literals, so that the frameworks need not be there):
    FRAMEWORK     the name that people know
    PACKAGES      its Debian packages, on one line (../suites/fetch.sh and ../packages.sh read it, too)
    MODULE        the module to import; its distribution's version is the one that is shown
    SERVERS       names of the table below; each makes a row APPLICATION-SERVER
    ASKED         what is asked of it -> the qualified name of the endpoint that answers, or a list where there are
                  several; None: one that makes no call
and where it needs to:
    APPLICATION   what a WSGI or ASGI server is told to serve (default "app")
    SINCE         the oldest version of the framework, as (2, 0), that has what the file uses
    LAST          what is asked when all else was answered; answered when nothing goes on any more
    APART         last names of endpoints that run where nothing leads to the request: told apart by their calls.
                  "hypercorn/name": only under that server, where a task is known to answer a request when it does,
                  not before
"""

import ast
import collections
import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, "apps")

# How a server runs the application: one thing at a time, in processes forked beforehand, on threads, in greenlets, in
# an event loop: asyncio's or uvloop's.
MODES = ("sync", "prefork", "threads", "gevent", "async", "uvloop")

# Those of the servers below, on one line as in the applications.
PACKAGES = "gunicorn python3-gevent uwsgi-core uwsgi-plugin-python3 python3-waitress python3-uvicorn python3-uvloop python3-hypercorn python3-httptools"

# How a server is started and asked.
#   command   follows the interpreter, or `program` where it is one of its own. {app}, {application}, {port}, {directory},
#             {redis} (its URL) and {tag} (311 for Python 3.11) are filled in.
#   needs     a file that the server has for each Python
#   ask       "http": row.py asks for each of ASKED; "own": the application does, as `app.py ask PORT SEED COUNT`
#   clients   of row.py, at the same time
#   broker    the server itself talks to a backend, in no endpoint
#   answers   a module and its oldest version in which who runs the application sends the answer as well: before, nothing
#             says which request a run belongs to, and runs are told apart by their calls
Server = collections.namedtuple(
    "Server",
    "mode packages modules command program needs ask clients broker answers",
    defaults=("", "", "http", 4, False, None),
)

GUNICORN = "-m gunicorn --bind 127.0.0.1:{port} --log-level warning "
UVICORN = "-m uvicorn --host 127.0.0.1 --port {port} --log-level warning "
WHAT = "{app}:{application}"
UWSGI = (
    "--plugin python{tag} --http-socket 127.0.0.1:{port} --module {app}:{application} --pythonpath {directory} --lazy-apps "
    "--master --need-app --die-on-term --disable-logging --add-header Connection:close "
)
UWSGI_PACKAGES = "uwsgi-core uwsgi-plugin-python3"
UWSGI_PROGRAM = "/usr/bin/uwsgi-core"
UWSGI_PLUGIN = "/usr/lib/uwsgi/plugins/python{tag}_plugin.so"
CELERY = "-m celery -A {app} worker --loglevel WARNING --concurrency 4 --without-gossip --without-mingle "
OWN = "{directory}/{app}.py serve {port}"

SERVERS = {
    "gunicorn-sync": Server(
        "prefork", "gunicorn", ("gunicorn",),
        GUNICORN + "--workers 2 {app}:{application}"),
    "gunicorn-gthread": Server(
        "threads", "gunicorn", ("gunicorn",),
        GUNICORN + "--workers 1 --worker-class gthread --threads 4 {app}:{application}"),
    "gunicorn-gevent": Server(
        "gevent", "gunicorn python3-gevent", ("gunicorn", "gevent"),
        GUNICORN + "--workers 1 --worker-class gevent {app}:{application}", clients=8),
    "uwsgi": Server(
        "prefork", UWSGI_PACKAGES, (), UWSGI + "--processes 2", UWSGI_PROGRAM, UWSGI_PLUGIN),
    "uwsgi-threads": Server(
        "threads", UWSGI_PACKAGES, (), UWSGI + "--enable-threads --threads 4", UWSGI_PROGRAM, UWSGI_PLUGIN),
    "waitress": Server(
        "threads", "python3-waitress", ("waitress",),
        "-m waitress --threads 4 --host 127.0.0.1 --port {port} {app}:{application}", answers=("waitress", (2,))),
    "uvicorn": Server("async", "python3-uvicorn", ("uvicorn",), UVICORN + "--loop asyncio --http h11 " + WHAT, clients=16),
    "uvicorn-uvloop": Server(
        "uvloop", "python3-uvicorn python3-uvloop python3-httptools", ("uvicorn", "uvloop", "httptools"),
        UVICORN + "--loop uvloop --http httptools " + WHAT, clients=16),
    "gunicorn-uvicorn": Server(
        "prefork", "gunicorn python3-uvicorn python3-uvloop", ("gunicorn", "uvicorn", "uvloop"),
        GUNICORN + "--workers 2 --worker-class uvicorn.workers.UvicornWorker " + WHAT, clients=16),
    "hypercorn": Server(
        "async", "python3-hypercorn", ("hypercorn",),
        "-m hypercorn --bind 127.0.0.1:{port} --workers 1 --log-level warning " + WHAT, clients=16),
    "celery-prefork": Server(
        "prefork", "python3-celery", ("celery",), CELERY + "--pool prefork", ask="own", broker=True),
    "celery-threads": Server(
        "threads", "python3-celery", ("celery",), CELERY + "--pool threads", ask="own", broker=True),
    "celery-gevent": Server(
        "gevent", "python3-celery python3-gevent", ("celery", "gevent"),
        CELERY + "--pool gevent", ask="own", broker=True),
    "rq": Server(
        "prefork", "python3-rq", ("rq",), "-m rq.cli worker --url {redis}/1 --logging_level WARNING",
        ask="own", broker=True),
    # The application is a program that serves by itself; a service is asked by a client of its own as well.
    "service-threads": Server("threads", "", (), OWN, ask="own"),
    "own": Server("sync", "", (), OWN, clients=2),
    "own-threads": Server("threads", "", (), OWN),
    "own-async": Server("async", "", (), OWN, clients=16),
    "own-uvloop": Server("uvloop", "python3-uvloop", ("uvloop",), OWN + " uvloop", clients=16),
}

Row = collections.namedtuple("Row", "name application server")


class Application:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-3]
        with open(path) as source:
            found = dict(_constants(ast.parse(source.read())))
        self.framework = found["FRAMEWORK"]
        self.packages = found["PACKAGES"].split()
        self.module = found["MODULE"]
        self.servers = found["SERVERS"]
        self.asked = {word: as_list(names) for word, names in found["ASKED"].items()}
        self.application = found.get("APPLICATION", "app")
        self.since = found.get("SINCE", ())
        self.apart_by_server = [word.rpartition("/")[::2] for word in found.get("APART", [])]
        self.last = found.get("LAST")


def apart(row):
    """The names of APART that hold for the row."""
    return [name for server, name in row.application.apart_by_server if not server or row.name.endswith("-" + server)]


def as_list(names):
    return [] if names is None else [names] if isinstance(names, str) else names


def _constants(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                yield node.targets[0].id, ast.literal_eval(node.value)
            except ValueError:
                pass


def applications():
    return [Application(path) for path in sorted(glob.glob(os.path.join(APPS, "*.py")))]


def rows():
    return [
        Row("%s-%s" % (application.name, name), application, SERVERS[name])
        for application in applications()
        for name in application.servers
    ]


def modules():
    """All that some row needs to be importable."""
    found = {application.module for application in applications()}
    return sorted(found.union(*[server.modules for server in SERVERS.values()]))

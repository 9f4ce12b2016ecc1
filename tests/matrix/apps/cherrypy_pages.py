"""CherryPy: exposed methods of a tree of classes, a default method, a method dispatcher; its own server, too."""

import sys

import cherrypy
import kit
import witness

FRAMEWORK = "CherryPy"
PACKAGES = "python3-cherrypy3"
MODULE = "cherrypy"
SERVERS = ["own-threads", "gunicorn-sync", "gunicorn-gevent"]
ASKED = {
    "GET /": "Root.index",
    "GET /page": "Root.page",
    "GET /item/7": "Root.default",
    "GET /below/leaf": "Below.leaf",
    "GET /rest/thing": "Thing.GET",
    "POST /rest/thing": "Thing.POST",
    "GET /quiet": None,
}


class Below:
    @cherrypy.expose
    @witness.endpoint
    def leaf(self):
        with witness.run():
            kit.redis("GET", "leaf")
            kit.raw()
        return "leaf"


class Root:
    below = Below()

    @cherrypy.expose
    @witness.endpoint
    def index(self):
        with witness.run():
            kit.redis("GET", "index")
            kit.raw()
            kit.http("/size/10", "/size/?")
        return "index"

    @cherrypy.expose
    @witness.endpoint
    def page(self):
        with witness.run():
            kit.raw()
            kit.raw(answer=20)
        return "page"

    @cherrypy.expose
    @witness.endpoint
    def default(self, word, number):
        with witness.run():
            for turn in range(int(number)):
                kit.redis("GET", "%s %d" % (word, turn))
            kit.raw()
        return "item"

    @cherrypy.expose
    def quiet(self):
        return "quiet"


class Thing:
    exposed = True

    @witness.endpoint
    def GET(self):
        with witness.run():
            kit.http("/size/20", "/size/?")
            kit.raw()
        return "thing"

    @witness.endpoint
    def POST(self):
        with witness.run():
            kit.raw(size=300)
            kit.redis("SET", "thing", 1)
        return "made"


class Rest:
    thing = Thing()


cherrypy.config.update({"environment": "embedded", "log.screen": False, "engine.autoreload.on": False})
cherrypy.tree.mount(Root(), "/")
cherrypy.tree.mount(Rest(), "/rest", {"/": {"request.dispatch": cherrypy.dispatch.MethodDispatcher()}})
app = cherrypy.tree


def serve(port):
    cherrypy.config.update({"environment": "production", "server.socket_port": port, "server.thread_pool": 4})
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    cherrypy.engine.block()


if __name__ == "__main__":
    serve(int(sys.argv[2]))

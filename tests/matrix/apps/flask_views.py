"""Flask: function views, class views, a blueprint, decorators around views, a view that calls another one."""

import functools

import flask
import flask.views
import kit
import witness

FRAMEWORK = "Flask"
PACKAGES = "python3-flask"
MODULE = "flask"
SERVERS = ["gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "uwsgi"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /decorated": "decorated",
    "GET /partial": "partial",
    "GET /outer": "outer",
    "GET /quiet": None,
    "GET /method": "Method.get",
    "POST /method": "Method.post",
    "GET /plain": "Plain.dispatch_request",
    "GET /blueprint/page": "page",
}

app = flask.Flask(__name__)
blueprint = flask.Blueprint("blueprint", __name__, url_prefix="/blueprint")


def logged(view):
    @functools.wraps(view)
    def wrapper(*arguments, **keywords):
        return view(*arguments, **keywords)

    return wrapper


@app.route("/function")
@witness.endpoint
def function():
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")
    return "function"


@app.route("/item/<int:number>")
@witness.endpoint
def item(number):
    with witness.run():
        for turn in range(number):
            kit.redis("GET", "item %d" % turn)
        kit.raw()
    return "item"


@app.route("/decorated")
@logged
@witness.endpoint
def decorated():
    with witness.run():
        kit.raw()
        kit.redis("SET", "decorated", 1)
    return "decorated"


@witness.endpoint
def partial(word):
    with witness.run():
        kit.raw(answer=50)
        kit.redis("PING")
    return word


app.add_url_rule("/partial", "partial", functools.partial(partial, "partial"))


@app.route("/outer")
@witness.endpoint
def outer():
    with witness.run():
        kit.redis("GET", "outer")
        inner()
    return "outer"


def inner():
    kit.raw()
    kit.redis("GET", "inner")


@app.route("/quiet")
def quiet():
    return "quiet"


class Method(flask.views.MethodView):
    @witness.endpoint
    def get(self):
        with witness.run():
            kit.raw()
            kit.redis("GET", "method")
        return "get"

    @witness.endpoint
    def post(self):
        with witness.run():
            kit.redis("SET", "method", 2)
            kit.raw(size=300)
        return "post"


class Plain(flask.views.View):
    @witness.endpoint
    def dispatch_request(self):
        with witness.run():
            kit.raw()
            kit.raw(answer=20)
        return "plain"


@blueprint.route("/page")
@witness.endpoint
def page():
    with witness.run():
        kit.http("/size/20", "/size/?")
        kit.raw()
    return "page"


app.add_url_rule("/method", view_func=Method.as_view("method"))
app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
app.register_blueprint(blueprint)

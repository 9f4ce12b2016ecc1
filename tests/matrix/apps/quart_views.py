"""Quart: `async def` and plain views, class views, blueprints."""

import akit
import kit
import quart
import quart.views
import witness

FRAMEWORK = "Quart"
PACKAGES = "python3-quart"
MODULE = "quart"
SERVERS = ["hypercorn", "uvicorn", "uvicorn-uvloop"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /plain": "plain",
    "GET /method": "Method.get",
    "POST /method": "Method.post",
    "GET /blueprint/page": "page",
    "GET /quiet": None,
}

APART = ["hypercorn/plain"]

app = quart.Quart(__name__)
blueprint = quart.Blueprint("blueprint", __name__, url_prefix="/blueprint")


@app.route("/function")
@witness.endpoint
async def function():
    with witness.run():
        await akit.redis("GET", "function")
        await akit.raw()
        await akit.http("/size/10", "/size/?")
    return "function"


@app.route("/item/<int:number>")
@witness.endpoint
async def item(number):
    with witness.run():
        for turn in range(number):
            await akit.redis("GET", "item %d" % turn)
        await akit.raw()
    return "item"


@app.route("/plain")
@witness.endpoint
def plain():
    """In a thread."""
    with witness.run():
        kit.redis("GET", "plain")
        kit.raw()
    return "plain"


class Method(quart.views.MethodView):
    @witness.endpoint
    async def get(self):
        with witness.run():
            await akit.raw()
            await akit.redis("GET", "method")
        return "get"

    @witness.endpoint
    async def post(self):
        with witness.run():
            await akit.raw(size=300)
        return "post"


@blueprint.route("/page")
@witness.endpoint
async def page():
    with witness.run():
        await akit.raw(answer=40)
    return "page"


@app.route("/quiet")
async def quiet():
    return "quiet"


app.add_url_rule("/method", view_func=Method.as_view("method"))
app.register_blueprint(blueprint)

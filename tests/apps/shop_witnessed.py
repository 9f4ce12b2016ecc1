"""The shop with the witness in it. The hooks run before and after the dispatcher calls a view, so none of their frames
stand between the two: nettraced finds what it finds in the shop itself."""

import flask
import witness

witness.watch_libraries()

from shop.wsgi import app  # noqa: E402

for view in app.view_functions.values():
    witness.endpoint(view)


@app.before_request
def begin():
    view = app.view_functions[flask.request.endpoint]
    flask.g.run = witness.run(view.__module__ + ":" + view.__qualname__)
    flask.g.run.__enter__()


@app.teardown_request
def end(_):
    flask.g.run.__exit__()

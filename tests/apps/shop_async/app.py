"""The ASGI application that uvicorn loads."""

import fastapi

from shop_async import backends, views

app = fastapi.FastAPI(on_shutdown=[backends.close])
app.add_api_route("/", views.homepage)
app.add_api_route("/product/{number}", views.product)
app.add_api_route("/search", views.search)
app.add_api_route("/cart", views.cart)
app.add_api_route("/remember/{number}", views.remember)
app.add_api_route("/checkout", views.checkout)
app.add_api_route("/track/{order}", views.track)
app.add_api_route("/health", views.health)
app.add_api_route("/about", views.about)

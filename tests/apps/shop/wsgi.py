"""The WSGI application that gunicorn loads."""

import flask

from shop import views

app = flask.Flask("shop")
app.add_url_rule("/", view_func=views.homepage)
app.add_url_rule("/product/<int:number>", view_func=views.product)
app.add_url_rule("/search", view_func=views.search)
app.add_url_rule("/cart", view_func=views.cart)
app.add_url_rule("/remember/<int:number>", view_func=views.remember)
app.add_url_rule("/checkout", view_func=views.checkout)
app.add_url_rule("/track/<int:order>", view_func=views.track)
app.add_url_rule("/health", view_func=views.health)
app.add_url_rule("/about", view_func=views.about)

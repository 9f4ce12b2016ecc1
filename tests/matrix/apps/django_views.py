"""Django: function views, class-based views, csrf_exempt, decorators, a generic view, one view in another."""

import functools

import django
import kit
import witness
from django.conf import settings

FRAMEWORK = "Django"
PACKAGES = "python3-django"
MODULE = "django"
SERVERS = ["gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "uwsgi"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /decorated": "decorated",
    "GET /partial": "partial",
    "POST /exempt": "exempt",
    "GET /outer": "outer",
    "GET /quiet": None,
    "GET /class": "Class.get",
    "POST /class": "Class.post",
    "GET /template": "Listing.get_context_data",
}

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="matrix",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"listing": "{{ word }}"})]}}],
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from django.views.decorators.http import require_http_methods  # noqa: E402
from django.views.generic import TemplateView, View  # noqa: E402


def logged(view):
    @functools.wraps(view)
    def wrapper(request, *arguments, **keywords):
        return view(request, *arguments, **keywords)

    return wrapper


@witness.endpoint
def function(request):
    with witness.run():
        kit.redis("GET", "function")
        kit.raw()
        kit.http("/size/10", "/size/?")
    return HttpResponse("function")


@require_http_methods(["GET"])
@witness.endpoint
def item(request, number):
    with witness.run():
        for turn in range(number):
            kit.redis("GET", "item %d" % turn)
        kit.raw()
    return HttpResponse("item")


@logged
@witness.endpoint
def decorated(request):
    with witness.run():
        kit.raw()
        kit.redis("SET", "decorated", 1)
    return HttpResponse("decorated")


@witness.endpoint
def partial(word, request):
    with witness.run():
        kit.raw(answer=50)
        kit.redis("PING")
    return HttpResponse(word)


@csrf_exempt
@witness.endpoint
def exempt(request):
    with witness.run():
        kit.redis("SET", "exempt", 1)
        kit.raw()
    return HttpResponse("exempt")


@witness.endpoint
def outer(request):
    with witness.run():
        kit.redis("GET", "outer")
        function(request)
    return HttpResponse("outer")


def quiet(request):
    return HttpResponse("quiet")


class Class(View):
    @witness.endpoint
    def get(self, request):
        with witness.run():
            kit.raw()
            kit.redis("GET", "class")
        return HttpResponse("get")

    @witness.endpoint
    def post(self, request):
        with witness.run():
            kit.redis("SET", "class", 2)
            kit.raw(size=300)
        return HttpResponse("post")


class Listing(TemplateView):
    """A generic view: of the application's own there is only what it asks for its data."""

    template_name = "listing"

    @witness.endpoint
    def get_context_data(self, **keywords):
        with witness.run():
            kit.raw()
            kit.http("/size/30", "/size/?")
        return {"word": "listing"}


urlpatterns = [
    path("function", function),
    path("item/<int:number>", item),
    path("decorated", decorated),
    path("partial", functools.partial(partial, "partial")),
    path("exempt", exempt),
    path("outer", outer),
    path("quiet", quiet),
    path("class", csrf_exempt(Class.as_view())),
    path("template", Listing.as_view()),
]
app = get_wsgi_application()

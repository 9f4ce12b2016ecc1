"""Django under ASGI: `async def` views, plain views (in a thread), class views."""

import asyncio

import akit
import django
import django.conf
import kit
import witness

FRAMEWORK = "Django ASGI"
PACKAGES = "python3-django"
MODULE = "django"
SINCE = (3, 1)
SERVERS = ["uvicorn", "uvicorn-uvloop", "hypercorn"]
ASKED = {
    "GET /function": "function",
    "GET /item/7": "item",
    "GET /plain": "plain",
    "GET /class": "Class.get",
    "GET /exempt": "exempt",
    "GET /quiet": None,
}

APART = ["hypercorn/plain", "hypercorn/get", "hypercorn/exempt"]

django.conf.settings.configure(
    SECRET_KEY="of no use", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, USE_TZ=True
)
django.setup()

import django.core.asgi  # noqa: E402
import django.http  # noqa: E402
import django.urls  # noqa: E402
import django.views  # noqa: E402
import django.views.decorators.csrf  # noqa: E402


@witness.endpoint
async def function(request):
    with witness.run():
        await akit.redis("GET", "function")
        await asyncio.gather(akit.raw(), akit.http("/size/10", "/size/?"))
    return django.http.HttpResponse("function")


@witness.endpoint
async def item(request, number):
    with witness.run():
        for turn in range(number):
            await akit.redis("GET", "item %d" % turn)
        await akit.raw()
    return django.http.HttpResponse("item")


@witness.endpoint
def plain(request):
    with witness.run():
        kit.redis("GET", "plain")
        kit.raw()
    return django.http.HttpResponse("plain")


class Class(django.views.View):
    @witness.endpoint
    def get(self, request):
        with witness.run():
            kit.raw(answer=40)
            kit.redis("GET", "class")
        return django.http.HttpResponse("class")


@django.views.decorators.csrf.csrf_exempt
@witness.endpoint
def exempt(request):
    with witness.run():
        kit.raw(answer=30)
    return django.http.HttpResponse("exempt")


async def quiet(request):
    return django.http.HttpResponse("quiet")


urlpatterns = [
    django.urls.path("function", function),
    django.urls.path("item/<int:number>", item),
    django.urls.path("plain", plain),
    django.urls.path("class", Class.as_view()),
    django.urls.path("exempt", exempt),
    django.urls.path("quiet", quiet),
]
app = django.core.asgi.get_asgi_application()

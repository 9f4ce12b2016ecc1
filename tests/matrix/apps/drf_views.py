"""Django REST framework: APIView, @api_view, a ViewSet with a router, an extra action."""

import django
import kit
import witness
from django.conf import settings

FRAMEWORK = "Django REST framework"
PACKAGES = "python3-djangorestframework"
MODULE = "rest_framework=djangorestframework"
SERVERS = ["gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent"]
ASKED = {
    "GET /class": "Class.get",
    "POST /class": "Class.post",
    "GET /function": "function",
    "GET /quiet": None,
    "GET /things/": "Things.list",
    "GET /things/7/": "Things.retrieve",
    "PUT /things/7/": "Things.update",
    "GET /things/counted/": "Things.counted",
}

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="matrix",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework.decorators import action, api_view  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402


class Class(APIView):
    @witness.endpoint
    def get(self, request):
        with witness.run():
            kit.redis("GET", "class")
            kit.raw()
        return Response("get")

    @witness.endpoint
    def post(self, request):
        with witness.run():
            kit.raw(size=300)
            kit.redis("SET", "class", 1)
        return Response("post")


@api_view(["GET"])
@witness.endpoint
def function(request):
    with witness.run():
        kit.raw()
        kit.http("/size/10", "/size/?")
    return Response("function")


@api_view(["GET"])
def quiet(request):
    return Response("quiet")


class Things(ViewSet):
    @witness.endpoint
    def list(self, request):
        with witness.run():
            kit.redis("GET", "things")
            kit.raw()
        return Response(["thing"])

    @witness.endpoint
    def retrieve(self, request, pk):
        with witness.run():
            for turn in range(int(pk)):
                kit.redis("GET", "thing %d" % turn)
            kit.raw()
        return Response("thing")

    @witness.endpoint
    def update(self, request, pk):
        with witness.run():
            kit.raw()
            kit.redis("SET", "thing", pk)
        return Response("updated")

    @action(detail=False)
    @witness.endpoint
    def counted(self, request):
        with witness.run():
            kit.http("/size/20", "/size/?")
            kit.raw()
        return Response(1)


router = SimpleRouter()
router.register("things", Things, basename="things")
urlpatterns = [
    path("class", Class.as_view()),
    path("function", function),
    path("quiet", quiet),
    path("", include(router.urls)),
]
app = get_wsgi_application()

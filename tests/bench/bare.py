"""The yardstick of ingest: a Django view without middleware that reads the body and answers 200."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

ANSWER = b'{"status":"accepted"}'

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not a secret: this view has no session",
)


def read_body(request: HttpRequest) -> HttpResponse:
    """Read what was sent, keep nothing."""
    if request.method == "POST" and not request.body:
        return HttpResponse(status=400)
    return HttpResponse(ANSWER, content_type="application/json", headers={"Content-Length": len(ANSWER)})


urlpatterns = [path("v1/ingest", read_body), path("v1/ingest/batch", read_body), path("health", read_body)]
application = get_wsgi_application()

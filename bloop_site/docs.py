"""The OpenAPI file and its page, open to all: they tell what Bloop is, nothing of what is in it."""

from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """`/v1/schema`. Written once by each process: that takes half a second, and anybody may ask for it."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen: Any = type(request.accepted_renderer)
        headers = {"Content-Disposition": f'inline; filename="Bloop.{chosen.format}"'}
        return HttpResponse(written_schema(chosen), content_type=chosen.media_type, headers=headers)


@lru_cache(maxsize=8)
def written_schema(renderer: Any) -> bytes:
    """The whole schema in the renderer's form."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return bytes(renderer().render(schema, renderer_context={}))


class DocsView(SpectacularSwaggerSplitView):
    """`/v1/docs`: Swagger UI from the sidecar in a page of ours, its script apart from it as the CSP wants."""

    template_name = "docs.html"
    authentication_classes = ()
    permission_classes = ()

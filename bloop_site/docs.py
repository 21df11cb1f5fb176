"""The OpenAPI file and its page, open to all: they tell what Bloop is, nothing of what is in it."""

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

# The page's template has three lines of CSS of its own (box sizing, background). Their hash lets in these and nothing
# else; the sidecar's scripts and style sheet are files of ours.
PAGE_STYLE = "'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """`/v1/schema`."""

    authentication_classes = ()
    permission_classes = ()


@method_decorator(csp_update({"style-src": ["'self'", PAGE_STYLE]}), name="dispatch")
class DocsView(SpectacularSwaggerSplitView):
    """`/v1/docs`: Swagger UI from the sidecar, its script apart from the page as the CSP wants."""

    authentication_classes = ()
    permission_classes = ()

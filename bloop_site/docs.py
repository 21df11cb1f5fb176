"""The OpenAPI file and its page, open to all: they tell what Bloop is, nothing of what is in it."""

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """`/v1/schema`."""

    authentication_classes = ()
    permission_classes = ()


class DocsView(SpectacularSwaggerSplitView):
    """`/v1/docs`: Swagger UI from the sidecar, its script apart from the page as the CSP wants."""

    authentication_classes = ()
    permission_classes = ()

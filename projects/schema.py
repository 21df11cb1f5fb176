"""What the OpenAPI file says of authentication: a bearer token or the session cookie, either alone (contract 0.4)."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class TokenOrSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """drf-spectacular finds this class by its target; `ProjectsConfig.ready` imports the module."""

    target_class = "projects.authentication.TokenOrSessionAuthentication"
    name = ["bearer", "session"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token of one project, `bloop_tk_…`."},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "A signed-in person's session; `?project_id=` narrows it to one project.",
            },
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """One entry for each: entries of the list are alternatives, names within an entry would be needed together."""
        return [{name: []} for name in self.name]

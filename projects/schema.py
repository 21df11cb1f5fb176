"""What the OpenAPI file says of authentication: a bearer token or the session cookie, either alone (contract 0.4).

drf-spectacular finds these classes by their targets; `ProjectsConfig.ready` imports the module.
"""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


def session_cookie(description: str) -> dict[str, Any]:
    """The cookie as OpenAPI describes it."""
    return {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": description,
    }


class SessionOnlyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tokens do not open the endpoint. The name is its own, for spectacular ties each to one class."""

    target_class = "accounts.authentication.SessionOnlyAuthentication"
    name = "session_only"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return session_cookie("A signed-in person's session; a token does not count.")


class TokenOrSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Either opens the endpoint."""

    target_class = "projects.authentication.TokenOrSessionAuthentication"
    name = ["bearer", "session"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token of one project, `bloop_tk_…`."},
            session_cookie("A signed-in person's session; `?project_id=` narrows it to one project."),
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """One entry for each: entries of the list are alternatives, names within an entry would be needed together."""
        return [{name: []} for name in self.name]

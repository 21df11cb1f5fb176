"""The base of every API view behind a token or a session."""

from typing import Any, ClassVar, cast

from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.audit import Actor
from accounts.models import User
from bloop_site.lib.network import client_address
from projects.access import Reach, reach_of, reach_of_token
from projects.models import ApiToken


class ScopedView(APIView):
    """An API view behind a token or a session: `scopes` opens it, `reach` says which projects it may touch.

    write_scopes: what opens its unsafe methods, if not the same.
    """

    scopes: ClassVar[tuple[str, ...]] = ()
    write_scopes: ClassVar[tuple[str, ...]] = ()

    def reach(self, request: Request) -> Reach:
        """The caller's projects; for sessions narrowed by `?project_id=`."""
        if isinstance(request.auth, ApiToken):
            return reach_of_token(request.auth)
        return reach_of(cast("User", request.user), project_id=request.query_params.get("project_id") or None)

    def actor_id(self, request: Request) -> Any:
        """Who is acting: the session's user or the token's creator, as contract 3.3 wants; None if nobody is known."""
        return request.auth.created_by_id if isinstance(request.auth, ApiToken) else request.user.pk


class AuditedActs:
    """What a view with audited acts asks of its caller."""

    def user(self, request: Request) -> User:
        """The session's user."""
        return cast("User", request.user)

    def actor(self, request: Request) -> Actor:
        """Who acts: the person, or who made the token."""
        user = request.auth.created_by if isinstance(request.auth, ApiToken) else self.user(request)
        return Actor(user, client_address(request._request))  # noqa: SLF001

    def token_name(self, request: Request) -> str:
        """The token's name for the audit log, empty for a person."""
        return request.auth.name if isinstance(request.auth, ApiToken) else ""

"""The bases of API views for signed-in people: tokens do not open them (contract 0.4)."""

from typing import cast

from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.audit import Actor
from accounts.authentication import IsAdmin, IsSignedIn, SessionOnlyAuthentication
from accounts.models import User
from bloop_site.lib.network import client_address
from bloop_site.lib.parsers import JsonBody


class SessionView(APIView):
    """Open to everybody with a session; what they may touch is decided where it is looked up."""

    authentication_classes = (SessionOnlyAuthentication,)
    permission_classes: tuple[type[IsSignedIn] | type[IsAdmin], ...] = (IsSignedIn,)
    parser_classes: tuple[type[JsonBody], ...] = (JsonBody,)

    def user(self, request: Request) -> User:
        """Whose session it is."""
        return cast("User", request.user)

    def actor(self, request: Request) -> Actor:
        """Who acts, and from where, for the audit log."""
        return Actor(self.user(request), client_address(request._request))  # noqa: SLF001


class AdminView(SessionView):
    """Open to admins."""

    permission_classes = (IsAdmin,)

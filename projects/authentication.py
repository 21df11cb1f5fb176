"""DRF's view of the door: a bearer token or a session, then a scope; deny by default (contract 0.4)."""

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.authentication import session_user
from accounts.models import User
from projects import queries
from projects.models import ApiToken
from projects.services import tokens

if TYPE_CHECKING:  # DRF's settings import this module while rest_framework.views is still loading
    from rest_framework.views import APIView

BEARER = "bearer "


class TokenOrSessionAuthentication(BaseAuthentication):
    """A non-empty bearer decides alone; otherwise the cookie is tried. Sets `request.auth` to the token, if any."""

    def authenticate(self, request: Request) -> tuple[User | None, ApiToken | None]:
        secret = bearer_secret(request)
        if secret:
            token = queries.valid_token(secret, now=timezone.now())
            if token is None:
                raise AuthenticationFailed("invalid or expired token")
            tokens.note_token_use(token, now=timezone.now())
            return None, token
        return session_user(request), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def bearer_secret(request: Request) -> str:
    """What follows `Bearer` in the Authorization header, in any letter case; empty when there is none."""
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    return header[len(BEARER) :].strip() if header[: len(BEARER)].lower() == BEARER else ""


class HasScope(BasePermission):
    """A token needs one of the view's `scopes`; sessions bypass scopes; a view that names none is closed.

    A view that also names `write_scopes` wants one of those for whatever is no read.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scopes: tuple[str, ...] = getattr(view, "scopes", ())
        if request.method not in SAFE_METHODS:
            scopes = getattr(view, "write_scopes", ()) or scopes
        if not scopes:
            return False
        if isinstance(request.auth, ApiToken) and not set(scopes) & set(request.auth.scopes):
            raise PermissionDenied(f"token lacks required scope: {scopes[0]}")
        return True

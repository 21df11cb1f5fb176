"""DRF's view of a signed-in person: the session cookie alone, and who may administer (contract 0.4)."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User

if TYPE_CHECKING:  # DRF's settings import modules like this one while rest_framework.views is still loading
    from rest_framework.views import APIView


class SessionOnlyAuthentication(BaseAuthentication):
    """The session's user; a bearer token does not count (contract 0.4, rule 5)."""

    def authenticate(self, request: Request) -> tuple[User, None]:
        return session_user(request), None

    def authenticate_header(self, request: Request) -> str:
        return "Session"


def session_user(request: Request) -> User:
    """The user of the session cookie. Raises AuthenticationFailed with contract 0.4's texts."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        raise AuthenticationFailed("authentication required")
    user = request._request.user  # noqa: SLF001  as DRF's own SessionAuthentication does: request.user asks us
    if not isinstance(user, User):
        raise AuthenticationFailed("invalid or expired session")
    return user


class IsSignedIn(BasePermission):
    """Open to every signed-in person; what they may touch is decided where it is looked up."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, User)


class IsAdmin(BasePermission):
    """Open to admins (contract 0.4)."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not (isinstance(request.user, User) and request.user.is_admin):
            raise PermissionDenied("admin access required")
        return True

"""People and their roles, for admins (contract 5.3). Invites are in `projects.api.invites`: they open projects too."""

from uuid import UUID

from django.contrib import auth
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries
from accounts.api import admin_schema as schema
from accounts.api.admin_serializers import (
    ResetBody,
    RoleBody,
    RoleChangedSerializer,
    StatusSerializer,
    UserSerializer,
)
from accounts.middleware import ORIGINAL_COOKIE
from accounts.models import Role, User
from accounts.services.members import LastAdmin, OwnAccount, change_role, remove_user, reset_accounts
from accounts.views import AdminView
from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import SmallJsonBody, checked_body
from bloop_site.lib.ids import uuid_of

NOBODY = UUID(int=0)


def role_named(name: str) -> str:
    """The role that a body names: `user` is the documents' word for a member."""
    return Role.ADMIN if name == "admin" else Role.MEMBER


class UsersView(AdminView):
    @extend_schema(**schema.admin("list_users", UserSerializer(many=True)))
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(queries.users(), many=True).data)


class UserView(AdminView):
    @extend_schema(**schema.admin("delete_user", StatusSerializer))
    def delete(self, request: Request, user_id: str) -> Response:
        """Answers alike for an id that nobody has."""
        found = uuid_of(user_id)
        try:
            if found is not None:
                remove_user(user_id=found, actor=self.actor(request), now=timezone.now())
        except OwnAccount as error:
            raise ApiError(str(error)) from None
        except LastAdmin as error:
            raise ApiError(str(error), status=409) from None
        return Response({"status": "ok"})


class RoleView(AdminView):
    parser_classes = (SmallJsonBody,)

    @extend_schema(**schema.admin("change_role", RoleChangedSerializer, request=RoleBody, found=True))
    def put(self, request: Request, user_id: str) -> Response:
        role = role_of(checked_body(RoleBody, request))
        try:
            user = change_role(
                user_id=uuid_of(user_id) or NOBODY, role=role, actor=self.actor(request), now=timezone.now()
            )
        except OwnAccount as error:
            raise ApiError(str(error)) from None
        except LastAdmin as error:
            raise ApiError(str(error), status=409) from None
        except User.DoesNotExist:
            raise ApiError("user not found", status=404) from None
        return Response({"status": "ok", "user_id": str(user.pk), "is_admin": user.is_admin})


def role_of(body: dict[str, object]) -> str:
    """The role of a RoleBody. Raises ApiError 400 when it names none, or two."""
    named = {
        *([Role.ADMIN if body["is_admin"] else Role.MEMBER] if "is_admin" in body else []),
        *([role_named(str(body["role"]))] if "role" in body else []),
    }
    if len(named) != 1:
        raise ApiError("is_admin and role contradict each other" if named else "is_admin or role is required")
    return named.pop()


class ResetView(AdminView):
    parser_classes = (SmallJsonBody,)

    @extend_schema(**schema.admin("reset_accounts", StatusSerializer, request=ResetBody))
    def post(self, request: Request) -> Response:
        if not checked_body(ResetBody, request)["confirm"]:
            raise ApiError("confirm must be true to reset all auth data")
        reset_accounts(actor=self.actor(request), now=timezone.now())
        auth.logout(request._request)  # noqa: SLF001  its row is gone; now the cookie
        response = Response({"status": "ok"})
        response.delete_cookie(ORIGINAL_COOKIE, samesite="Lax")
        return response

"""Invites, for admins (contract 5.3). Here because they may open projects."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import admin_schema
from accounts.api.admin import role_named
from accounts.queries import InviteRow, invites
from accounts.secret import hashed
from accounts.services.invites import revoke_invite
from accounts.views import AdminView
from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import checked_body
from projects import queries
from projects.api import serializers
from projects.models import Project
from projects.services.locking import ProjectGone
from projects.services.members import invite_to


class InvitesView(AdminView):
    @extend_schema(**admin_schema.admin("list_invites", serializers.InviteSerializer(many=True)))
    def get(self, request: Request) -> Response:
        rows = invites(timezone.now())
        opened = queries.invited_projects([row.token_hash for row in rows])
        return Response([invite_json(row, opened[row.token_hash]) for row in rows])

    @extend_schema(
        **admin_schema.admin("create_invite", serializers.NewInviteSerializer, request=serializers.InviteBody)
    )
    def post(self, request: Request) -> Response:
        body = checked_body(serializers.InviteBody, request)
        projects = [project_named(name) for name in body["projects"]]
        role, user, actor = role_named(body["role"]), self.user(request), self.actor(request)
        try:
            issued = invite_to(role=role, projects=projects, created_by=user, actor=actor, now=timezone.now())
        except ProjectGone:
            raise ApiError("project not found") from None
        return Response(
            {
                "token": issued.token,
                "expires_at": int(issued.expires_at.timestamp()),
                "id": hashed(issued.token),
                "role": role,
                "projects": sorted({project.pk for project in projects}),
            }
        )


def project_named(name: str) -> Project:
    """The project of this id or slug. Raises ApiError 400."""
    project = queries.find_project(name)
    if project is None:
        raise ApiError("project not found")
    return project


def invite_json(row: InviteRow, projects: list[Project]) -> dict[str, object]:
    """An invite as the list has it: contract 5.3's keys, then ours."""
    return {
        "token": row.token,
        "created_at": int(row.created_at.timestamp()),
        "expires_at": int(row.expires_at.timestamp()),
        "used": row.used_at is not None,
        "id": row.token_hash,
        "role": row.role,
        "revoked": row.revoked_at is not None,
        "projects": [project.pk for project in projects],
    }


class InviteView(AdminView):
    @extend_schema(**admin_schema.admin("revoke_invite", serializers.RevokedSerializer, found=True))
    def delete(self, request: Request, invite_id: str) -> Response:
        known = "\x00" not in invite_id
        if not known or not revoke_invite(token_hash=invite_id, actor=self.actor(request), now=timezone.now()):
            raise ApiError("invite not found, used or already revoked", status=404)
        return Response({"revoked": invite_id})

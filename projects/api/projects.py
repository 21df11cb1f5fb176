"""Projects, their keys and members (contract 5.1; members are ours)."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.admin_serializers import StatusSerializer
from accounts.models import User
from accounts.queries import user_named
from accounts.views import SessionView
from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import checked_body
from projects import queries, tasks
from projects.access import may_manage, project_by_slug, visible_projects
from projects.api import schema, serializers
from projects.models import Project
from projects.services.keys import rotate_key
from projects.services.locking import ProjectGone
from projects.services.members import add_member, remove_member
from projects.services.projects import ProjectInvalid, create_project, rename_project
from projects.services.removal import DefaultProject, request_removal

NOT_YOURS = "only an admin or the project's creator may do this"


class ProjectBaseView(SessionView):
    """What is about one project; one that goes in the middle of a request was not there."""

    def managed(self, request: Request, slug: str) -> Project:
        """The project, if the user may manage it. Raises Http404 for one out of sight, ApiError 403 otherwise."""
        project = project_by_slug(self.user(request), slug)
        if not may_manage(self.user(request), project):
            raise ApiError(NOT_YOURS, status=403)
        return project

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ProjectGone):
            exc = Http404("project not found")
        elif isinstance(exc, ProjectInvalid | DefaultProject):
            exc = ApiError(str(exc))
        return super().handle_exception(exc)


def with_key(project: Project, api_key: str) -> Response:
    """The project with its key: of all answers only those to create and rotate have it."""
    return Response({**serializers.ProjectSerializer(project).data, "api_key": api_key})


class ProjectsView(ProjectBaseView):
    @extend_schema(**schema.described("list_projects", serializers.ProjectSerializer(many=True), found=False))
    def get(self, request: Request) -> Response:
        projects = visible_projects(self.user(request)).order_by("created_at", "id")
        return Response(serializers.ProjectSerializer(projects, many=True).data)

    @extend_schema(
        **schema.described(
            "create_project", serializers.KeyedProjectSerializer, request=serializers.NewProjectBody, found=False
        )
    )
    def post(self, request: Request) -> Response:
        body = checked_body(serializers.NewProjectBody, request)
        new = create_project(
            name=body["name"],
            slug=body["slug"],
            created_by=self.user(request),
            now=timezone.now(),
            actor=self.actor(request),
        )
        return with_key(new.project, new.api_key)


class ProjectView(ProjectBaseView):
    @extend_schema(**schema.described("get_project", serializers.ProjectSerializer))
    def get(self, request: Request, slug: str) -> Response:
        return Response(serializers.ProjectSerializer(project_by_slug(self.user(request), slug)).data)

    @extend_schema(**schema.described("update_project", serializers.ProjectSerializer, request=serializers.ProjectBody))
    def put(self, request: Request, slug: str) -> Response:
        project = self.managed(request, slug)
        body = checked_body(serializers.ProjectBody, request)
        if "name" in body:
            actor = self.actor(request)
            project = rename_project(project=project, name=body["name"], actor=actor, now=timezone.now())
        return Response(serializers.ProjectSerializer(project).data)

    @extend_schema(**schema.described("delete_project", serializers.DeletedSerializer))
    def delete(self, request: Request, slug: str) -> Response:
        project = self.managed(request, slug)
        request_removal(project=project, actor=self.actor(request), now=timezone.now())
        tasks.start_removals()
        return Response({"deleted": True})


class RotateKeyView(ProjectBaseView):
    @extend_schema(
        **schema.described("rotate_project_key", serializers.KeyedProjectSerializer, serializers.RotateQuery)
    )
    def post(self, request: Request, slug: str) -> Response:
        project = self.managed(request, slug)
        query = serializers.RotateQuery(data=dict(request.query_params.items()))  # as a form, "" would mean 0
        query.is_valid(raise_exception=True)
        grace: int = query.validated_data["grace_secs"]
        key = rotate_key(project=project, grace_seconds=grace, actor=self.actor(request), now=timezone.now())
        return with_key(project, key)


class MembersView(ProjectBaseView):
    @extend_schema(**schema.described("list_members", serializers.MemberSerializer(many=True)))
    def get(self, request: Request, slug: str) -> Response:
        members = queries.members_of(self.managed(request, slug))
        return Response(serializers.MemberSerializer(members, many=True).data)


class MemberView(ProjectBaseView):
    @extend_schema(**schema.described("add_member", StatusSerializer))
    def put(self, request: Request, slug: str, user_id: str) -> Response:
        return self.change(request, slug, user_id, joins=True)

    @extend_schema(**schema.described("remove_member", StatusSerializer))
    def delete(self, request: Request, slug: str, user_id: str) -> Response:
        return self.change(request, slug, user_id, joins=False)

    def change(self, request: Request, slug: str, user_id: str, *, joins: bool) -> Response:
        """Let somebody in or take them out; who is in or out already stays so."""
        project = self.managed(request, slug)
        user: User | None = user_named(user_id)
        if user is None:
            raise ApiError("user not found", status=404)
        act: dict[str, Any] = {"project": project, "actor": self.actor(request), "now": timezone.now()}
        if joins:
            add_member(user=user, **act)
        else:
            remove_member(user_id=user.pk, **act)
        return Response({"status": "ok"})

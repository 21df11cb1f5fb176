"""The base of endpoints about one project: a token's own, or the one a session names, or `default` (contract 8.4)."""

from typing import ClassVar

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.api import ApiError
from llmtraces.api.base import LlmView
from llmtraces.services.prices import PriceInvalid
from llmtraces.services.settings import SettingsInvalid
from projects.access import may_manage, visible_projects
from projects.models import DEFAULT_ID, ApiToken, Project
from projects.services.locking import ProjectGone
from projects.views import AuditedActs

NOT_YOURS = "only an admin or the project's creator may do this"
NOT_FOUND = "project not found"


class ProjectView(AuditedActs, LlmView):
    """What is about one project; changed with `llm:write`, or by who manages it."""

    write_scopes: ClassVar[tuple[str, ...]] = ("llm:write", "errors:write")

    def seen(self, request: Request, project_id: str | None = None) -> Project:
        """The project: in the path if it stands there, else `?project_id=`. Raises Http404 for one out of reach."""
        if isinstance(request.auth, ApiToken):
            if project_id is not None and project_id != request.auth.project_id:
                raise Http404(NOT_FOUND)
            return request.auth.project
        wanted = project_id or request.query_params.get("project_id") or DEFAULT_ID
        return self.visible(request, wanted)

    def visible(self, request: Request, project_id: str) -> Project:
        """The project with this id that the session's user sees. Raises Http404."""
        found = None if "\x00" in project_id else visible_projects(self.user(request)).filter(pk=project_id).first()
        if found is None:
            raise Http404(NOT_FOUND)
        return found

    def managed(self, request: Request, project_id: str | None = None) -> Project:
        """The project, to change what holds for it. Raises Http404, or ApiError 403 for a member who may only look."""
        project = self.seen(request, project_id)
        self.refuse_member(request, project)
        return project

    def refuse_member(self, request: Request, project: Project) -> None:
        """Raise ApiError 403 for a session whose user may only look."""
        if request.auth is None and not may_manage(self.user(request), project):
            raise ApiError(NOT_YOURS, status=403)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ProjectGone):
            exc = Http404(NOT_FOUND)
        elif isinstance(exc, SettingsInvalid | PriceInvalid):
            exc = ApiError(str(exc))
        return super().handle_exception(exc)

"""The base of the alert endpoints: which rules a caller sees, which they may change (contract 6.1, 5.2)."""

from typing import ClassVar

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.access import may_change, may_change_of, token_may_change
from alerts.channels.base import ChannelInvalid
from alerts.limits import TooManyTests
from alerts.models import AlertRule
from alerts.queries.rules import find_rule
from alerts.services.channels import ChannelGone, TooManyChannels
from alerts.services.rules import RuleGone, RuleInvalid
from bloop_site.lib.api import ApiError
from projects.access import reach_of, reach_of_token, visible_projects
from projects.models import ApiToken, Project
from projects.services.locking import ProjectGone
from projects.views import AuditedActs, ScopedView

NOT_YOURS = "only an admin or the project's creator may do this"
GLOBAL_IS_ADMINS = "only an admin may do this to a rule of all projects"
OWN_ONLY = "a token may change rules of its own project only"


class AlertView(AuditedActs, ScopedView):
    """Opened by `alerts:read` and `alerts:write`, or a session."""

    scopes: ClassVar[tuple[str, ...]] = ("alerts:read",)
    write_scopes: ClassVar[tuple[str, ...]] = ("alerts:write",)

    def seen(self, request: Request, rule_id: int) -> AlertRule:
        """The rule. Raises RuleGone for one out of reach; a query's project does not matter here."""
        token = request.auth
        reach = reach_of_token(token) if isinstance(token, ApiToken) else reach_of(self.user(request))
        rule = find_rule(reach, rule_id)
        if rule is None:
            raise RuleGone(rule_id)
        return rule

    def changeable(self, request: Request, rule_id: int) -> AlertRule:
        """The rule, to change it. Raises RuleGone, or ApiError 403 for who may only look."""
        rule = self.seen(request, rule_id)
        if isinstance(request.auth, ApiToken):
            if not token_may_change(request.auth, rule):
                raise ApiError(OWN_ONLY, status=403)
        elif not may_change(self.user(request), rule):
            raise ApiError(NOT_YOURS if rule.project_id else GLOBAL_IS_ADMINS, status=403)
        return rule

    def tells_secrets(self, request: Request, rule: AlertRule) -> bool:
        """Whether the caller may see where channels lead: who may change the rule."""
        if isinstance(request.auth, ApiToken):
            return token_may_change(request.auth, rule) and "alerts:write" in request.auth.scopes
        return may_change(self.user(request), rule)

    def project(self, request: Request, project_id: str | None) -> Project | None:
        """The project to make a rule for; a token's own, whatever is named. None: all. Raises Http404, ApiError 403."""
        if isinstance(request.auth, ApiToken):
            return request.auth.project
        project = self.visible(request, project_id) if project_id else None
        if not may_change_of(self.user(request), project):
            raise ApiError(NOT_YOURS if project else GLOBAL_IS_ADMINS, status=403)
        return project

    def visible(self, request: Request, project_id: str) -> Project:
        """The project with this id that the session's user sees. Raises Http404."""
        found = None if "\x00" in project_id else visible_projects(self.user(request)).filter(pk=project_id).first()
        if found is None:
            msg = "project not found"
            raise Http404(msg)
        return found

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ProjectGone):
            exc = Http404("project not found")
        elif isinstance(exc, RuleGone | ChannelGone):
            exc = ApiError(str(exc), status=404)
        elif isinstance(exc, TooManyTests):
            exc = ApiError(str(exc), status=429, headers={"Retry-After": str(exc.wait)})
        elif isinstance(exc, RuleInvalid | ChannelInvalid | TooManyChannels):
            exc = ApiError(str(exc))
        return super().handle_exception(exc)

"""Which rules a person sees and may change on the pages of alerts; what they do not see does not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from accounts.http import PageRequest
from accounts.models import User
from alerts.access import may_change
from alerts.models import AlertRule
from alerts.queries.rules import find_rule
from alerts.services.channels import ChannelGone
from alerts.services.rules import RuleGone
from projects.access import manageable_projects, reach_of
from projects.models import Project
from projects.services.locking import ProjectGone

Act = Callable[..., HttpResponse]
ALL_PROJECTS = ("", "All projects")


def seen_rule(request: PageRequest, rule_id: int) -> AlertRule:
    """The rule, if the person may see it. Raises Http404."""
    rule = find_rule(reach_of(request.user), rule_id)
    if rule is None:
        msg = "alert rule not found"
        raise Http404(msg)
    return rule


def changeable_rule(request: PageRequest, rule_id: int) -> AlertRule:
    """The rule, to change it. Raises Http404, or PermissionDenied for who may only look."""
    rule = seen_rule(request, rule_id)
    if not may_change(request.user, rule):
        raise PermissionDenied
    return rule


def rule_act(act: Act) -> Act:
    """An act on a rule, for who may change it; one that goes in the middle of a request was not there."""

    @require_POST
    @wraps(act)
    def guarded(request: PageRequest, rule_id: int, **more: Any) -> HttpResponse:
        rule = changeable_rule(request, rule_id)
        try:
            return act(request, rule, **more)
        except (RuleGone, ChannelGone, ProjectGone):
            raise Http404 from None

    return guarded


def managed_projects(user: User) -> list[Project]:
    """The projects whose rules the person may make and change, by name (`projects.access.may_manage`, for many)."""
    return list(manageable_projects(user))


def manages(user: User, projects: list[Project]) -> Callable[[Project | None], bool]:
    """As `alerts.access.may_change_of`, for many rules: projects are those of `managed_projects`."""
    ids = {project.pk for project in projects}
    return lambda project: user.is_admin if project is None else project.pk in ids


def rule_choices(user: User, projects: list[Project]) -> list[tuple[str, str]]:
    """What a rule may hold for: slugs and names; for admins all projects too."""
    named = [(project.slug, project.name) for project in projects]
    return [*named, ALL_PROJECTS] if user.is_admin else named

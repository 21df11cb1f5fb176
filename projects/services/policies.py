"""Sets for how many days data is kept: everywhere, and in single projects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Action, Actor, record
from projects.access import live_projects
from projects.models import Project, RetentionPolicy
from projects.retention import MAX_DAYS, MIN_DAYS


class PolicyInvalid(Exception):
    """The text says what is wrong; project_id: with whose days, if with one project's."""

    def __init__(self, text: str, *, project_id: str | None = None) -> None:
        super().__init__(text)
        self.project_id = project_id


def update_policies(
    *,
    actor: Actor,
    now: datetime,
    raw_events_days: int | None = None,
    hourly_counts_days: int | None = None,
    own_raw_days: Mapping[str, int] | None = None,
) -> int:
    """Set what is given, all of it or nothing; 0 days take away what a project has of its own (contract 5.5).

    own_raw_days: days by project id. Returns how many settings differ from before; each has an audit entry, in the
    same transaction. Raises PolicyInvalid, having written nothing.
    """
    given = {"raw_events_days": raw_events_days, "hourly_counts_days": hourly_counts_days}
    for name, days in given.items():
        if days is not None:
            check_days(name, days)
    own = own_raw_days or {}
    for project_id, days in own.items():
        if days:
            check_days("raw_events_days", days, project_id=project_id)
    with transaction.atomic():
        projects = locked_projects(own)
        changed = sum(change_global(name, days, actor=actor, now=now) for name, days in given.items() if days)
        return changed + sum(
            change_own(projects[project_id], days, actor=actor, now=now) for project_id, days in own.items()
        )


def check_days(name: str, days: int, *, project_id: str | None = None) -> None:
    """Raise PolicyInvalid for days out of bounds."""
    if not MIN_DAYS <= days <= MAX_DAYS:
        text = f"{name} must be between {MIN_DAYS} and {MAX_DAYS}"
        of_project = f"per_project: {text}, or 0 to remove the override"
        raise PolicyInvalid(of_project if project_id else text, project_id=project_id)


def locked_projects(ids: Mapping[str, Any]) -> dict[str, Project]:
    """The projects by id, held until the transaction ends. Raises PolicyInvalid when one is not there."""
    rows = live_projects().filter(pk__in=list(ids)).order_by("pk").select_for_update(no_key=True)
    found = {project.pk: project for project in rows}
    for project_id in ids:
        if project_id not in found:
            text = f"per_project: project not found: {project_id}"
            raise PolicyInvalid(text, project_id=project_id)
    return found


def change_global(name: str, days: int, *, actor: Actor, now: datetime) -> bool:
    """Set one column of what holds everywhere. Returns whether it was different."""
    policy, _ = RetentionPolicy.objects.get_or_create(project=None)
    before: int | None = getattr(policy, name)
    if before == days:
        return False
    RetentionPolicy.objects.filter(pk=policy.pk).update(**{name: days})
    note(actor, "all projects", {name: [before, days]}, now=now)
    return True


def change_own(project: Project, days: int, *, actor: Actor, now: datetime) -> bool:
    """Give a project days of its own, or with 0 take them away. Returns whether that was different."""
    policies = RetentionPolicy.objects.filter(project=project)
    before = policies.values_list("raw_events_days", flat=True).first()
    if before == (days or None):
        return False
    if days:
        RetentionPolicy.objects.update_or_create(project=project, defaults={"raw_events_days": days})
    else:
        policies.delete()
    note(actor, project.name, {"raw_events_days": [before, days or None]}, now=now, project_id=project.pk)
    return True


def note(actor: Actor, target: str, detail: dict[str, Any], *, now: datetime, project_id: str | None = None) -> None:
    """Write the audit entry of one change."""
    record(actor=actor, action=Action.RETENTION_CHANGED, target=target, now=now, project_id=project_id, detail=detail)

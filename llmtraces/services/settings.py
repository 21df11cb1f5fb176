"""Changes what a project decides about its traces: policy, masking, budget. Each is in the audit log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Action, Actor, record
from llmtraces.contract import MAX_MICROS
from llmtraces.masking import KINDS, ExpressionInvalid, check_expressions
from llmtraces.models import LlmSettings
from llmtraces.models.settings import Policy
from projects.models import Project
from projects.services.locking import locked_project


class SettingsInvalid(Exception):
    """The setting cannot be taken; the text says why."""


def set_policy(*, project: Project, policy: str, actor: Actor, now: datetime, token: str = "") -> None:
    """What is kept of traces that come from now on (contract 8.2); what is stored stays as it is.

    token: the name of the API token that asks. Raises SettingsInvalid, or ProjectGone, having written nothing.
    """
    if policy not in Policy.values:
        raise SettingsInvalid(f"content_storage must be one of {', '.join(Policy.values)}")
    change(project, Action.LLM_POLICY_CHANGED, {"content_storage": policy}, actor=actor, now=now, token=token)


def set_masking(
    *, project: Project, kinds: Sequence[str], expressions: Sequence[str], actor: Actor, now: datetime
) -> None:
    """What is replaced in texts that come from now on: names of `masking.KINDS`, and expressions of the project's own.

    Raises SettingsInvalid, or ProjectGone, having written nothing.
    """
    if unknown := set(kinds) - set(KINDS):
        raise SettingsInvalid(f"unknown kind of text: {min(unknown)}")
    try:
        check_expressions(expressions)
    except ExpressionInvalid as error:
        raise SettingsInvalid(str(error)) from None
    values = {"mask_patterns": [kind for kind in KINDS if kind in kinds], "mask_expressions": list(expressions)}
    change(project, Action.LLM_MASKING_CHANGED, values, actor=actor, now=now)


def set_budget(
    *,
    project: Project,
    monthly_budget_micros: int,
    alert_threshold_pct: int,
    actor: Actor,
    now: datetime,
    token: str = "",
) -> None:
    """What a month may cost; 0: as much as it does. The threshold is held within 1 to 100 percent (contract 8.7).

    Raises SettingsInvalid, or ProjectGone, having written nothing.
    """
    if monthly_budget_micros < 0:
        raise SettingsInvalid("monthly_budget_micros must be >= 0")
    if monthly_budget_micros > MAX_MICROS:
        raise SettingsInvalid(f"monthly_budget_micros must be at most {MAX_MICROS}")
    values = {
        "monthly_budget_micros": monthly_budget_micros,
        "alert_threshold_pct": min(max(alert_threshold_pct, 1), 100),
    }
    change(project, Action.LLM_BUDGET_CHANGED, values, actor=actor, now=now, token=token)


def change(
    project: Project, action: Action, values: dict[str, Any], *, actor: Actor, now: datetime, token: str = ""
) -> None:
    """Write the values, and an audit entry with what they were, unless nothing changes."""
    with transaction.atomic():
        locked_project(project.pk)
        row = LlmSettings.objects.filter(project=project).first() or LlmSettings(project=project)
        before = {name: getattr(row, name) for name in values}
        if before == values:
            return
        LlmSettings.objects.update_or_create(project=project, defaults=values)
        detail = {"before": before, "after": values, **({"token": token} if token else {})}
        record(actor=actor, action=action, target=project.name, now=now, project_id=project.pk, detail=detail)

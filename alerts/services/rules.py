"""Makes, changes and deletes alert rules. Each act is in the audit log; who may act is `alerts.access`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from django.db import transaction
from django.db.models import QuerySet

from accounts.audit import Action, Actor, record
from alerts.configs import Config, is_plain, stored
from alerts.models import AlertRule, Delivery, Firing
from bloop_site.lib.clock import from_ms
from bloop_site.lib.pace import Pace
from projects.models import Project
from projects.services.locking import locked_project

MAX_NAME, MAX_DESCRIPTION, MAX_FILTER = 200, 2_000, 512
MAX_COOLDOWN_SECS = 30 * 86_400
MAX_RULES = 200  # of a project, and of all: each may fire for every new issue
AUDITED = ("name", "config", "is_enabled", "description", "environment_filter", "source_filter", "cooldown_secs")


class RuleInvalid(Exception):
    """The rule cannot be taken; the text says why."""


class RuleGone(Exception):
    """There is no such rule."""

    def __init__(self, rule_id: int) -> None:
        super().__init__(f"alert rule {rule_id} not found")


@dataclass(frozen=True, kw_only=True)
class NewRule:
    """What a rule is made of. cooldown_secs: None for the server's own (`alerting.cooldown_secs`)."""

    name: str
    config: Config
    description: str | None = None
    environment_filter: str | None = None
    source_filter: str | None = None
    cooldown_secs: int | None = None


class RuleChange(TypedDict, total=False):
    """What is to be different; what is left out stays."""

    name: str
    config: Config
    is_enabled: bool
    description: str | None
    environment_filter: str | None
    source_filter: str | None
    cooldown_secs: int | None


def create_rule(*, project: Project | None, new: NewRule, actor: Actor, now_ms: int, token: str = "") -> AlertRule:
    """Make a rule of a project, or (None) of all; it is on.

    token: the name of the API token that asks. Raises RuleInvalid or ProjectGone, having written nothing.
    """
    rule = AlertRule(
        name=clean_name(new.name),
        project=project,
        rule_type=new.config.type,
        config=stored(new.config),
        description=clean_text("description", new.description, most=MAX_DESCRIPTION),
        environment_filter=clean_text("environment_filter", new.environment_filter, most=MAX_FILTER),
        source_filter=clean_text("source_filter", new.source_filter, most=MAX_FILTER),
        cooldown_secs=clean_cooldown(new.cooldown_secs),
        created_by=actor.user,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    with transaction.atomic():
        if project is not None:
            locked_project(project.pk)
        if AlertRule.objects.filter(project=project).count() >= MAX_RULES:
            raise RuleInvalid(f"there are at most {MAX_RULES} rules of a project, and as many of all projects")
        rule.save(force_insert=True)
        detail = {"config": rule.config, **with_token(token)}
        audit(rule, Action.ALERT_RULE_CREATED, detail, actor=actor, now_ms=now_ms)
    return rule


def update_rule(
    *,
    rule_id: int,
    change: RuleChange | Callable[[AlertRule], RuleChange],
    actor: Actor,
    now_ms: int,
    token: str = "",
) -> AlertRule:
    """Change what is given; its project stays. An audit entry tells what was before, unless nothing changes.

    change: or what says it of the rule as it is, which is held until it is written: of two changes at once, the second
    builds on the first. Raises RuleInvalid or RuleGone, or what `change` raises, having written nothing.
    """
    with transaction.atomic():
        rule = locked_rule(rule_id)
        values = cleaned(change(rule) if callable(change) else change)
        before = {name: getattr(rule, name) for name in values}
        differing = [name for name, value in values.items() if before[name] != value]
        if not differing:
            return rule
        for name in differing:
            setattr(rule, name, values[name])
        rule.updated_ms = now_ms
        rule.save(update_fields=[*differing, "updated_ms"])
        told = [name for name in AUDITED if name in differing]
        detail = {"before": {name: before[name] for name in told}, "after": {name: values[name] for name in told}}
        audit(rule, Action.ALERT_RULE_CHANGED, {**detail, **with_token(token)}, actor=actor, now_ms=now_ms)
    return rule


def delete_rule(*, rule_id: int, actor: Actor, now_ms: int, token: str = "") -> None:
    """Delete a rule with its channels and history. Raises RuleGone.

    It is switched off first and its history goes in short turns, for there may be months of it and ingest would wait.
    """
    if not AlertRule.objects.filter(pk=rule_id).update(is_enabled=False):
        raise RuleGone(rule_id)
    forget_history(rule_id)
    with transaction.atomic():
        rule = locked_rule(rule_id)
        detail = {"config": rule.config, **with_token(token)}
        audit(rule, Action.ALERT_RULE_DELETED, detail, actor=actor, now_ms=now_ms)
        rule.delete()


def forget_history(rule_id: int) -> None:
    """Delete what the rule fired, and what was sent of it, chunk by chunk."""
    pace = Pace()
    history: tuple[QuerySet[Delivery] | QuerySet[Firing], ...] = (
        Delivery.objects.filter(firing__rule=rule_id),
        Firing.objects.filter(rule=rule_id),
    )
    for rows in history:
        while ids := list(rows.values_list("pk", flat=True)[: pace.rows]):
            started = time.perf_counter()
            rows.model._default_manager.filter(pk__in=ids).delete()  # noqa: SLF001  Django's public name
            pace.rest(time.perf_counter() - started)


def locked_rule(rule_id: int) -> AlertRule:
    """The rule, held until the caller's transaction ends. Raises RuleGone."""
    rule = AlertRule.objects.select_for_update(no_key=True, of=("self",)).filter(pk=rule_id).first()
    if rule is None:
        raise RuleGone(rule_id)
    return rule


def audit(rule: AlertRule, action: Action, detail: dict[str, Any], *, actor: Actor, now_ms: int) -> None:
    """Write the audit entry of an act on a rule."""
    record(actor=actor, action=action, target=rule.name, now=from_ms(now_ms), project_id=rule.project_id, detail=detail)


def with_token(token: str) -> dict[str, str]:
    """The part of an audit entry that names the token, if one asked."""
    return {"token": token} if token else {}


# --- What a rule may hold ---------------------------------------------------------------------------------------------


def cleaned(change: RuleChange) -> dict[str, Any]:
    """The columns a change writes. Raises RuleInvalid."""
    values: dict[str, Any] = dict(change)
    if "name" in change:
        values["name"] = clean_name(change["name"])
    if "config" in change:
        values |= {"config": stored(change["config"]), "rule_type": change["config"].type}
    for name, most in (
        ("description", MAX_DESCRIPTION),
        ("environment_filter", MAX_FILTER),
        ("source_filter", MAX_FILTER),
    ):
        if name in values:
            values[name] = clean_text(name, values[name], most=most)
    if "cooldown_secs" in change:
        values["cooldown_secs"] = clean_cooldown(change["cooldown_secs"])
    return values


def clean_name(name: str) -> str:
    """The name as it is kept. Raises RuleInvalid."""
    kept = clean_text("name", name, most=MAX_NAME)
    if kept is None:
        raise RuleInvalid("name is required")
    return kept


def clean_text(name: str, text: str | None, *, most: int) -> str | None:
    """The text trimmed; blank is None. Raises RuleInvalid for what is too long or no database keeps."""
    kept = (text or "").strip()
    if len(kept) > most:
        raise RuleInvalid(f"{name} must be at most {most} characters")
    if not is_plain(kept):
        raise RuleInvalid(f"{name} must be text without NUL")
    return kept or None


def clean_cooldown(seconds: int | None) -> int | None:
    """Seconds of silence after a firing; None for the server's own. Raises RuleInvalid."""
    if seconds is not None and not 0 <= seconds <= MAX_COOLDOWN_SECS:
        raise RuleInvalid(f"cooldown_secs must be from 0 to {MAX_COOLDOWN_SECS}")
    return seconds

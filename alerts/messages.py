"""What a message about a firing says: facts for every channel, and the words they have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from alerts.models import AlertRule, Firing
from bloop_site.lib.clock import from_ms

TEST_NAME = "test"  # contract 6.2


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What fired, as every channel needs it. Texts may come from anybody who sends events.

    url: a path on this site. threshold, measured: in the rule's own unit. lines: pairs of label and value, of a digest
    its top five. key: what firings of a rule are the same by. delivery_id: the same each time a message is tried again;
    sent_ms: when it is tried now; is_over: whether the issue was resolved since, which those are told that can close.
    """

    rule_name: str
    rule_id: int
    rule_type: str
    project_id: str
    project_name: str
    project_slug: str
    title: str
    message: str
    url: str
    fingerprint: str | None = None
    environment: str | None = None
    release: str | None = None
    measured: float | None = None
    threshold: float | None = None
    fired_ms: int
    lines: tuple[tuple[str, str], ...] = ()
    is_digest: bool = False
    key: str = ""
    delivery_id: str = ""
    sent_ms: int = 0
    is_over: bool = False


def facts_of(firing: Firing) -> Facts:
    """The facts of a firing, whose rule and project are read with it."""
    details: Mapping[str, Any] = firing.details
    return Facts(
        rule_name=firing.rule.name,
        rule_id=firing.rule_id,
        rule_type=firing.rule.rule_type,
        project_id=firing.project_id,
        project_name=firing.project.name,
        project_slug=firing.project.slug,
        title=firing.title,
        message=firing.message,
        url=str(details.get("url") or ""),
        fingerprint=firing.fingerprint,
        environment=details.get("environment"),
        release=details.get("release"),
        measured=firing.measured,
        threshold=details.get("threshold"),
        fired_ms=firing.fired_ms,
        lines=tuple((str(label), str(value)) for label, value in details.get("lines") or ()),
        is_digest=firing.is_digest,
        key=firing.key,
    )


def facts_of_test(rule: AlertRule, *, now_ms: int) -> Facts:
    """What a test sends (contract 6.2): named `test`, naming the rule's number and the time."""
    at = from_ms(now_ms)
    return Facts(
        rule_name=TEST_NAME,
        rule_id=rule.pk,
        rule_type=rule.rule_type,
        project_id=rule.project_id or "",
        project_name=rule.project.name if rule.project else "",
        project_slug=rule.project.slug if rule.project else "",
        title="This is a test",
        message=f"Test of alert rule {rule.pk}, sent at {at:%Y-%m-%d %H:%M:%S} UTC",
        url="",
        fired_ms=now_ms,
        key=TEST_NAME,
        delivery_id=f"test-{rule.pk}-{now_ms}",
        sent_ms=now_ms,
    )


def heading(facts: Facts) -> str:
    """The first line of every message, and the subject of a mail."""
    return f"[bloop alert: {facts.rule_name}]"


def link_of(facts: Facts) -> str:
    """Where to read on: an address on this site, from `auth.rp_origin`."""
    path = facts.url if facts.url.startswith("/") and not facts.url.startswith("//") else "/"
    return f"{settings.BLOOP.auth.rp_origin}{path}"


def details_of(facts: Facts) -> tuple[tuple[str, str], ...]:
    """What stands below a message: pairs of label and value, known ones only."""
    known = (("Project", facts.project_name), ("Environment", facts.environment), ("Release", facts.release))
    return (*((label, value) for label, value in known if value), *facts.lines)

"""Rules for tests of their evaluation, and a clock that tests set."""

from typing import Any

from alerts.models import AlertRule, Firing
from alerts.services.evaluate import evaluate_some
from bloop_site.lib.clock import HOUR_MS, MINUTE_MS
from errors.models import Issue, Status
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import event_json, record

T = 1_760_000_000_000 - 1_760_000_000_000 % (24 * HOUR_MS) + 10 * HOUR_MS  # ten o'clock


def make_rule(kind: str, project: Project | None = None, **config: Any) -> AlertRule:
    """An enabled rule of a project, or of all; keys of its config by name, others of the rule with `rule_` before."""
    columns = {name.removeprefix("rule_"): config.pop(name) for name in list(config) if name.startswith("rule_")}
    given = {"name": f"{kind} rule", "rule_type": kind, "created_ms": 0, "updated_ms": 0, **columns}
    return AlertRule.objects.create(project=project, config={"type": kind, **config}, **given)


def send_at(shop: NewProject, at: int, *fingerprints: str, **fields: Any) -> None:
    """Fold one event of each fingerprint, received at that time."""
    record(shop.project, *(event_json(fingerprint=each, **fields) for each in fingerprints), received_ms=at)


def put(fingerprint: str, status: Status, *, at: int) -> None:
    """Give an issue a status."""
    Issue.objects.filter(fingerprint=fingerprint).update(status=status, status_changed_ms=at)


def fired(now_ms: int) -> list[str]:
    """Evaluate; the messages of what fired, in order. Times of the clock never go back within a test."""
    before = Firing.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    done = evaluate_some(now_ms=now_ms, seconds=60)
    assert (done.next_job, done.failed) == (None, 0)
    return list(Firing.objects.filter(pk__gt=before).order_by("pk").values_list("message", flat=True))


__all__ = ["HOUR_MS", "MINUTE_MS", "T", "fired", "make_rule", "put", "send_at"]

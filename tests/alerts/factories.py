"""Valid rules, channels and firings: plain keyword functions with defaults."""

from typing import Any

from alerts.messages import Facts
from alerts.models import AlertRule, Channel, Firing
from projects.models import Project

NOW_MS = 1_780_000_000_000


def facts(**changes: Any) -> Facts:
    """Facts of a new issue."""
    given: dict[str, Any] = {
        "rule_name": "Checkout fails",
        "rule_id": 7,
        "rule_type": "new_issue",
        "project_id": "p1",
        "project_name": "Shop",
        "project_slug": "shop",
        "title": "TypeError in /cart",
        "message": "New error in 1.4.0 (production): [TypeError] no such key - abc123",
        "url": "/issues/17",
        "fingerprint": "abc123",
        "environment": "production",
        "release": "1.4.0",
        "fired_ms": NOW_MS,
        "lines": (("Events", "12"),),
        "key": "abc123",
        "delivery_id": "5-1780000000000",
        "sent_ms": NOW_MS + 1_500,
        **changes,
    }
    return Facts(**given)


def make_rule(project: Project | None = None, **fields: Any) -> AlertRule:
    """A rule about new issues."""
    given = {
        "name": "New issues",
        "rule_type": "new_issue",
        "config": {"type": "new_issue", "environment": None},
        "created_ms": NOW_MS,
        "updated_ms": NOW_MS,
        **fields,
    }
    return AlertRule.objects.create(project=project, **given)


def make_channel(rule: AlertRule, url: str, *, channel_type: str = "webhook", **fields: Any) -> Channel:
    """A webhook, or Slack, that leads to `url`."""
    key = "webhook_url" if channel_type == "slack" else "url"
    given = {"config": {"type": channel_type, key: url}, "secret": "s" * 64, "created_ms": NOW_MS, **fields}
    return Channel.objects.create(rule=rule, channel_type=channel_type, **given)


def make_firing(rule: AlertRule, project: Project, *, cause: str = "new:1", **fields: Any) -> Firing:
    """A rule that fired for a new issue."""
    given = {
        "key": "fp1",
        "title": "TypeError in /cart",
        "message": "New error in 1.4.0 (production): [TypeError] no such key - fp1",
        "fingerprint": "fp1",
        "details": {
            "environment": "production",
            "release": "1.4.0",
            "url": "/issues/17",
            "threshold": 5,
            "lines": [["Events", "12"]],
        },
        "fired_ms": NOW_MS,
        **fields,
    }
    return Firing.objects.create(rule=rule, project=project, cause=cause, **given)

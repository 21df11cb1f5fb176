"""Rules, channels and firings for tests: plain keyword functions with defaults."""

from typing import Any

from accounts.audit import COMMAND_LINE
from alerts.configs import parse_config
from alerts.models import AlertRule, Channel, Delivery, Firing
from alerts.services.channels import NewChannel, add_channel
from alerts.services.rules import NewRule, create_rule
from bloop_site.lib.clock import now_ms
from projects.models import Project

THRESHOLD: dict[str, Any] = {"type": "threshold", "threshold": 100, "window_secs": 300}
SLACK = {"type": "slack", "webhook_url": "https://hooks.example.com/services/T0/B0/secretpart"}
WEBHOOK = {"type": "webhook", "url": "https://pager.example.com/hooks/secretpart"}
MAIL = {"type": "email", "to": "ann@example.com"}


def make_rule(
    project: Project | None, *, name: str = "Many errors", config: dict[str, Any] | None = None, **more: Any
) -> AlertRule:
    """A rule of a project, or of all."""
    new = NewRule(name=name, config=parse_config(config or THRESHOLD), **more)
    return create_rule(project=project, new=new, actor=COMMAND_LINE, now_ms=now_ms())


def make_channel(rule: AlertRule, raw: dict[str, str] | None = None) -> NewChannel:
    """A channel of a rule."""
    return add_channel(rule_id=rule.pk, raw=raw or MAIL, actor=COMMAND_LINE, now_ms=now_ms())


def break_channel(channel: Channel, *, failures: int = 3, words: str = "404 no_service") -> None:
    """Let so many deliveries in a row have been given up."""
    values = {"failed_in_row": failures, "last_failed_ms": now_ms(), "last_failure": words}
    Channel.objects.filter(pk=channel.pk).update(**values)


def make_firing(
    rule: AlertRule, project: Project, *, state: str = "sent", at_ms: int | None = None, **fields: Any
) -> Firing:
    """A firing with a delivery in `state` for each of the rule's channels."""
    at = now_ms() if at_ms is None else at_ms
    number = Firing.objects.count()
    values = {"cause": f"c{number}", "key": "k", "title": f"Fired {number}", "message": "m", **fields}
    firing = Firing.objects.create(rule=rule, project=project, fired_ms=at, **values)
    for channel in rule.channels.all():
        done = {} if state == "pending" else {"finished_ms": at, "reply_status": 200 if state == "sent" else 502}
        Delivery.objects.create(
            firing=firing, channel=channel, channel_type=channel.channel_type, state=state, due_ms=at, **done
        )
    return firing

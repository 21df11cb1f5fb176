"""What the demo's team wants to be told: rules, their channels, and what has fired in the last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.audit import Actor
from accounts.models import User
from alerts.configs import parse_config
from alerts.models import AlertRule, Channel, Delivery, Firing
from alerts.services.channels import add_channel
from alerts.services.evaluate import evaluate_some
from alerts.services.rules import NewRule, create_rule, update_rule
from bloop_site.demo.model import API, WEB
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from errors.links import issue_url
from errors.queries.issues import issues_in
from projects.access import Reach
from projects.models import Project

DAYS = 7
PATIENCE = 60.0  # seconds; it takes far less
# Nothing leaves: example.com answers nobody, and no mail server is set up.
SLACK = {"type": "slack", "webhook_url": "https://hooks.example.com/services/T024/B031/demo"}
MAIL = {"type": "email", "to": "oncall@example.com"}
WEBHOOK = {"type": "webhook", "url": "https://pager.example.com/hooks/bloop"}
STORMS = ((2.1, 148), (26.4, 131), (80.2, 267))  # hours ago, events in five minutes
REFUSAL = "502 Bad Gateway: upstream is not available"


@dataclass(frozen=True)
class Fired:
    """Something that fired, `hours` before now."""

    hours: float
    cause: str
    title: str
    message: str
    details: dict[str, Any]
    fingerprint: str | None = None
    measured: float | None = None


def make_alerts(projects: dict[str, Project], users: Sequence[User], now_ms: int) -> None:
    """Three rules: new errors of the shop, storms anywhere, whose webhook is down, and one that is switched off."""
    # What was played happened before there were rules: judged now, it alerts nobody, and not all of it at once later.
    evaluate_some(now_ms=now_ms, seconds=PATIENCE)
    actor, made_ms = Actor(users[0]), now_ms - DAYS * DAY_MS

    def rule(
        name: str, project: Project | None, config: dict[str, Any], *channels: dict[str, str], **more: Any
    ) -> AlertRule:
        new = NewRule(name=name, config=parse_config(config), **more)
        made = create_rule(project=project, new=new, actor=actor, now_ms=made_ms)
        for raw in channels:
            add_channel(rule_id=made.pk, raw=raw, actor=actor, now_ms=made_ms)
        return made

    fresh = rule(
        "New errors in production", projects[WEB], {"type": "new_issue", "environment": "production"}, SLACK, MAIL
    )
    for fired in new_errors(projects[WEB], now_ms):
        fire(fresh, projects[WEB], fired, now_ms=now_ms)
    limit = {"type": "threshold", "threshold": 100, "window_secs": 300}
    note = "Look at the newest release first; roll back before you look for the cause."
    storm = rule("Error storm", None, limit, WEBHOOK, description=note, environment_filter="production")
    for hours, count in STORMS:
        fire(storm, projects[API], storm_of(projects[API], hours, count), now_ms=now_ms, fails=True)
    cost = {"type": "llm_cost_spike", "threshold_dollars": 5, "window_secs": 3_600}
    spend = rule("LLM spend", projects[API], cost, MAIL)
    update_rule(rule_id=spend.pk, change={"is_enabled": False}, actor=actor, now_ms=now_ms - 2 * DAY_MS)


def new_errors(project: Project, now_ms: int) -> list[Fired]:
    """An alert for each issue of the project first seen since the rule is there, and for those that came back."""
    found = issues_in(Reach((project.pk,))).filter(last_seen_ms__gte=now_ms - DAYS * DAY_MS).order_by("first_seen_ms")
    fired = []
    for issue in found:
        at = issue.regressed_ms or issue.first_seen_ms
        if at < now_ms - DAYS * DAY_MS:
            continue
        what = "Regression" if issue.regressed_ms else "New error"
        fired.append(
            Fired(
                hours=(now_ms - at) / HOUR_MS,
                cause=f"{'regression' if issue.regressed_ms else 'new'}:{issue.pk}",
                title=f"{what}: {issue.error_type}: {issue.message}"[:300],
                message=f"{what} (production): [{issue.error_type}] {issue.message} - {issue.fingerprint}",
                details={"environment": "production", "url": issue_url(project.slug, issue.fingerprint)},
                fingerprint=issue.fingerprint,
            )
        )
    return fired


def storm_of(project: Project, hours: float, count: int) -> Fired:
    """Too many events at once."""
    return Fired(
        hours=hours,
        cause=f"demo:{hours}",
        title=f"{count} errors in 5 minutes in {project.name}",
        message=f"{count} errors in the last 5 minutes in {project.name} (production), more than 100",
        details={"environment": "production", "threshold": 100},
        measured=count,
    )


def fire(rule: AlertRule, project: Project, fired: Fired, *, now_ms: int, fails: bool = False) -> None:
    """Write the firing and what became of its messages. fails: whether every channel refused them."""
    at_ms = int(now_ms - fired.hours * HOUR_MS)
    firing = Firing.objects.create(
        rule=rule,
        project=project,
        cause=fired.cause,
        key=fired.fingerprint or "all",
        title=fired.title,
        message=fired.message,
        fingerprint=fired.fingerprint,
        measured=fired.measured,
        details=fired.details,
        fired_ms=at_ms,
    )
    for channel in rule.channels.order_by("pk"):
        done_ms = at_ms + (37 * MINUTE_MS if fails else 2 * SECOND_MS)
        Delivery.objects.create(
            firing=firing,
            channel=channel,
            channel_type=channel.channel_type,
            state=Delivery.State.FAILED if fails else Delivery.State.SENT,
            attempts=6 if fails else 1,
            due_ms=at_ms,
            finished_ms=done_ms,
            reply_status=502 if fails else 200 if channel.channel_type == "slack" else None,
            reply=REFUSAL if fails else "ok",
        )
        settle(channel, done_ms, fails=fails)


def settle(channel: Channel, done_ms: int, *, fails: bool) -> None:
    """How the channel is since then, whatever order firings are made in."""
    if fails:
        channel.failed_in_row += 1
        channel.last_failed_ms = max(done_ms, channel.last_failed_ms or 0)
        channel.last_failure = REFUSAL
    else:
        channel.last_sent_ms = max(done_ms, channel.last_sent_ms or 0)
    channel.save(update_fields=["failed_in_row", "last_failed_ms", "last_failure", "last_sent_ms"])

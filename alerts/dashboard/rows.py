"""What the pages of alerts show: rules as sentences, channels with their health, firings with what became of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.http import urlencode

from alerts.channels.registry import shown
from alerts.models import AlertRule, Channel, ChannelType, Delivery, Firing
from alerts.queries.history import FiredRow
from alerts.queries.rules import BROKEN_AFTER, ListedRule, rule_sentence
from alerts.sentences import number_words, span_words, tell_words
from alerts.services.outbox import hooks
from bloop_site.lib.figures import NO_BREAK_SPACE, duration
from errors.links import issue_url
from projects.models import Project

KIND_LABELS = dict(ChannelType.choices)
STATE_WORDS = {
    "arrived": "Arrived",
    "failed": "Failed",
    "waiting": "On its way",
    "held": "Held for a digest",
    "unsent": "Nobody told",
}
Manages = Callable[[Project | None], bool]  # may the person change rules of the project, or (None) of all?
DELIVERY_WORDS = {Delivery.State.SENT: "arrived", Delivery.State.FAILED: "failed", Delivery.State.PENDING: "waiting"}


@dataclass(frozen=True)
class ChannelRow:
    """A channel. target: masked where it would let anybody post. health: good, new, shaky or broken."""

    id: int
    type: str
    label: str
    target: str
    health: str
    failed_in_row: int
    last_failed_ms: int | None
    last_failure: str
    last_sent_ms: int | None
    has_secret: bool

    @property
    def name(self) -> str:
        return f"{self.label} {self.target}".strip()

    @property
    def name_in_sentence(self) -> str:
        """As words of a sentence: an address speaks for itself."""
        if self.type == ChannelType.EMAIL:
            return self.target
        return self.name[:1].lower() + self.name[1:] if self.type == ChannelType.WEBHOOK else self.name


def channel_row(channel: Channel, *, tells_answer: bool = False) -> ChannelRow:
    """A channel as lists show it. tells_answer: whether its last failure may be told (`alerts.access`)."""
    health = "good" if channel.last_sent_ms else "new"
    if channel.failed_in_row:
        health = "broken" if channel.failed_in_row >= BROKEN_AFTER else "shaky"
    return ChannelRow(
        id=channel.pk,
        type=channel.channel_type,
        label=KIND_LABELS.get(channel.channel_type, channel.channel_type),
        target=shown(channel.channel_type, channel.config),
        health=health,
        failed_in_row=channel.failed_in_row,
        last_failed_ms=channel.last_failed_ms,
        last_failure=channel.last_failure if tells_answer else "",
        last_sent_ms=channel.last_sent_ms,
        has_secret=bool(channel.secret),
    )


def hook_names() -> list[str]:
    """The server's own hooks that are set, which rules without channels use."""
    return [KIND_LABELS[name] for name in hooks()]


# --- Rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RuleRow:
    """A rule of the list. sentence: "" when its config cannot be read; tells: whom."""

    rule: AlertRule
    url: str
    sentence: str
    tells: str
    state: str
    channels: list[ChannelRow]
    last_fired_ms: int | None
    firings_7d: int
    may_change: bool


@dataclass(frozen=True)
class RuleGroup:
    """The rules of a project, or (None) those of all."""

    project: Project | None
    rows: list[RuleRow]


def rule_row(listed: ListedRule, *, changes: bool) -> RuleRow:
    """A rule as the list shows it. changes: whether the person may."""
    rule = listed.rule
    channels = [channel_row(channel) for channel in listed.channels]
    return RuleRow(
        rule=rule,
        url=reverse("alerts:rule", args=[rule.pk]),
        sentence=rule_sentence(rule),
        tells=tell_words([channel.name_in_sentence for channel in channels], hooks=hook_names()),
        state=listed.state,
        channels=channels,
        last_fired_ms=listed.last_fired_ms,
        firings_7d=listed.firings_7d,
        may_change=changes,
    )


def rule_groups(listed: Sequence[ListedRule], *, manages: Manages) -> list[RuleGroup]:
    """The rules by project, in their order."""
    return [
        RuleGroup(project, [rule_row(each, changes=manages(project)) for each in rules])
        for project, rules in groupby(listed, key=lambda each: each.rule.project)
    ]


def cooldown_words(rule: AlertRule) -> str:
    """How long the rule stays quiet about the same thing."""
    seconds = settings.BLOOP.alerting.cooldown_secs if rule.cooldown_secs is None else rule.cooldown_secs
    own = "" if rule.cooldown_secs is not None else ", as the server has it"
    return f"{span_words(seconds)}{own}" if seconds else f"not at all{own}"


# --- Firings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeliveryRow:
    """A message. reply: the first bytes of the answer, or what went wrong; may_resend: for the person who looks."""

    id: int
    name: str
    state: str
    attempts: int
    status: int | None
    reply: str
    at_ms: int | None
    due_ms: int
    may_resend: bool


@dataclass(frozen=True)
class FiringRow:
    """A firing. url: what it is about, "" for nothing that has a page; digest_id: of the message that told it."""

    firing: Firing
    rule_url: str
    url: str
    state: str
    state_words: str
    facts: list[tuple[str, str]]
    deliveries: list[DeliveryRow]


def firing_rows(rows: Sequence[FiredRow], *, manages: Manages) -> list[FiringRow]:
    """Firings as pages show them."""
    return [firing_row(row, changes=manages(row.firing.rule.project)) for row in rows]


def firing_row(row: FiredRow, *, changes: bool) -> FiringRow:
    """One of them."""
    firing = row.firing
    return FiringRow(
        firing=firing,
        rule_url=reverse("alerts:rule", args=[firing.rule_id]),
        url=about_url(firing),
        state=row.state,
        state_words=STATE_WORDS[row.state],
        facts=facts_of(firing),
        deliveries=[
            delivery_row(delivery, changes=changes, tells_answer=changes or firing.rule.project_id is not None)
            for delivery in row.deliveries
        ],
    )


def delivery_row(delivery: Delivery, *, changes: bool, tells_answer: bool) -> DeliveryRow:
    """A message as it is shown."""
    label = KIND_LABELS.get(delivery.channel_type, delivery.channel_type)
    if delivery.channel is not None:
        name = f"{label} {shown(delivery.channel.channel_type, delivery.channel.config)}".strip()
    else:
        name = f"the server’s {label}" if delivery.hook else f"{label}, removed since"
    is_done = delivery.state != Delivery.State.PENDING
    return DeliveryRow(
        id=delivery.pk,
        name=name,
        state=DELIVERY_WORDS[Delivery.State(delivery.state)],
        attempts=delivery.attempts,
        status=delivery.reply_status,
        reply=delivery.reply if tells_answer else "",
        at_ms=delivery.finished_ms,
        due_ms=delivery.due_ms,
        may_resend=changes and is_done and (delivery.channel is not None or bool(delivery.hook)),
    )


def about_url(firing: Firing) -> str:
    """The issue or LLM page a firing is about: as its details say it, if that stays on this site."""
    url = firing.details.get("url")
    if isinstance(url, str) and url.startswith("/") and not url.startswith(("//", "/\\")):
        return url
    if firing.fingerprint:
        return issue_url(firing.project.slug, firing.fingerprint)
    name = "llm:overview" if firing.rule.rule_type.startswith("llm_") else "errors:list"
    return f"{reverse(name)}?{urlencode({'project': firing.project.slug})}"


def facts_of(firing: Firing) -> list[tuple[str, str]]:
    """What is known of a firing beside its message: label and value."""
    details: dict[str, Any] = firing.details
    named = [(label, details.get(name)) for name, label in (("environment", "Environment"), ("release", "Release"))]
    facts = [(label, str(value)) for label, value in named if value]
    if firing.measured is not None and not firing.is_digest:  # that one counts alerts
        facts.append(("Measured", measured_words(firing.rule.rule_type, firing.measured)))
    threshold = details.get("threshold")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool):
        facts.append(("Limit", measured_words(firing.rule.rule_type, threshold)))
    return facts


def measured_words(rule_type: str, value: float) -> str:
    """A figure in the unit of its kind of rule."""
    if rule_type == "llm_cost_spike":
        return f"${value:,.4f}"
    if rule_type in ("llm_error_rate", "llm_budget"):
        return f"{value:.1f}{NO_BREAK_SPACE}%"
    if rule_type == "llm_latency":
        return duration(value)
    return number_words(round(value, 2))

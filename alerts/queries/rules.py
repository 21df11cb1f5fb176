"""Finds rules and their channels within what a caller may reach, and what pages tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet

from alerts.configs import Config, ConfigInvalid, parse_config
from alerts.models import AlertRule, Channel, Firing
from alerts.sentences import sentence_of
from bloop_site.lib.clock import DAY_MS
from projects.access import Reach
from projects.models import Project

BROKEN_AFTER = 3  # attempts that failed in a row
SHOWN_BROKEN = 5


def rules_within(reach: Reach) -> QuerySet[AlertRule]:
    """The rules of these projects and those that hold for all, their projects loaded, by id."""
    rules = AlertRule.objects.select_related("project").order_by("pk")
    if reach.project_ids is None:
        return rules
    return rules.filter(Q(project=None) | Q(project__in=reach.project_ids))


def find_rule(reach: Reach, rule_id: int) -> AlertRule | None:
    """The rule with this id, if it is within reach or holds for all projects."""
    return rules_within(reach).filter(pk=rule_id).first()


def channels_of(rule: AlertRule) -> list[Channel]:
    """The rule's channels, in the order they were made."""
    return list(rule.channels.order_by("pk"))


def config_of(rule: AlertRule) -> Config | None:
    """The rule's config, or None for one that no evaluation can read: such a rule never fires."""
    try:
        return parse_config(rule.config)
    except ConfigInvalid:
        return None


def rule_sentence(rule: AlertRule) -> str:
    """What the rule says, "" for one nobody can read."""
    config = config_of(rule)
    if config is None:
        return ""
    return sentence_of(config, environment=rule.environment_filter, source=rule.source_filter)


@dataclass(frozen=True)
class ListedRule:
    """A rule with what its row tells. config: None when it cannot be read; firings_7d: of what the reach covers."""

    rule: AlertRule
    config: Config | None
    channels: tuple[Channel, ...]
    last_fired_ms: int | None
    firings_7d: int

    @property
    def state(self) -> str:
        """on, off or broken."""
        if self.config is None:
            return "broken"
        return "on" if self.rule.is_enabled else "off"


def listed_rules(reach: Reach, rules: Sequence[AlertRule], *, now_ms: int) -> list[ListedRule]:
    """These rules with their channels and firings: three queries, however many there are."""
    ids = [rule.pk for rule in rules]
    channels: dict[int, list[Channel]] = {}
    for channel in Channel.objects.filter(rule__in=ids).order_by("pk"):
        channels.setdefault(channel.rule_id, []).append(channel)
    firings = firings_within(reach).filter(rule__in=ids).order_by()
    last = dict(firings.values_list("rule_id").annotate(Max("fired_ms")))
    recent = dict(firings.filter(fired_ms__gte=now_ms - 7 * DAY_MS).values_list("rule_id").annotate(Count("pk")))
    return [
        ListedRule(rule, config_of(rule), tuple(channels.get(rule.pk, ())), last.get(rule.pk), recent.get(rule.pk, 0))
        for rule in rules
    ]


def firings_within(reach: Reach) -> QuerySet[Firing]:
    """The firings about projects within reach; a digest is told of the project it was made for."""
    firings = Firing.objects.all()
    return firings if reach.project_ids is None else firings.filter(project__in=reach.project_ids)


@dataclass(frozen=True)
class BrokenChannels:
    """Channels whose last deliveries were all given up: at most five, the newest failure first. total: of all."""

    channels: tuple[Channel, ...]
    total: int


def broken_channels(projects: QuerySet[Project]) -> BrokenChannels:
    """Broken channels of rules that are on, of these projects or of all; their rules are loaded. Mostly one query."""
    broken = Channel.objects.filter(
        Q(rule__project=None) | Q(rule__project__in=projects), failed_in_row__gte=BROKEN_AFTER, rule__is_enabled=True
    )
    rows = list(broken.select_related("rule").order_by("-last_failed_ms", "pk")[: SHOWN_BROKEN + 1])
    total = len(rows) if len(rows) <= SHOWN_BROKEN else broken.count()
    return BrokenChannels(tuple(rows[:SHOWN_BROKEN]), total)

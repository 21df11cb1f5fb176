"""What fired and what became of its messages: pages of history, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from alerts.models import AlertRule, Delivery, Firing
from alerts.queries.rules import firings_within
from bloop_site.lib.pagination import Page, page_of
from projects.access import Reach

COUNTED = 10_000
STATES = ("arrived", "failed", "waiting", "held", "unsent")


@dataclass(frozen=True)
class HistoryFilter:
    """What a history is narrowed to. since_ms: epoch ms; state: one of STATES, "" for all."""

    since_ms: int = 0
    rule_id: int | None = None
    state: str = ""


@dataclass(frozen=True)
class FiredRow:
    """A firing, its rule and project loaded, with its deliveries in the order of their channels."""

    firing: Firing
    deliveries: tuple[Delivery, ...]

    @property
    def state(self) -> str:
        """Failed as soon as one message was given up; held until a digest tells it; unsent when nobody is told."""
        states = {delivery.state for delivery in self.deliveries}
        if self.firing.is_held:
            return "held"
        if Delivery.State.FAILED in states:
            return "failed"
        if Delivery.State.PENDING in states:
            return "waiting"
        return "arrived" if states else "unsent"


def history_page(reach: Reach, shown: HistoryFilter, *, wanted: str | None, size: int) -> tuple[list[FiredRow], Page]:
    """The page `wanted` of the firings within reach; counted to ten thousand. Three queries."""
    found = filtered(firings_within(reach), shown)
    total = found.order_by()[: COUNTED + 1].count()
    page = page_of(wanted=wanted, size=size, total=min(total, COUNTED), more=total > COUNTED)
    rows = found.select_related("rule__project", "project").order_by("-fired_ms", "-pk")[
        page.offset : page.offset + size
    ]
    return with_deliveries(list(rows)), page


def filtered(firings: QuerySet[Firing], shown: HistoryFilter) -> QuerySet[Firing]:
    """The firings a filter leaves."""
    if shown.since_ms:
        firings = firings.filter(fired_ms__gte=shown.since_ms)
    if shown.rule_id is not None:
        firings = firings.filter(rule=shown.rule_id)
    if shown.state in STATES:
        firings = firings.filter(in_state(shown.state))
    return firings


def in_state(state: str) -> Q:
    """The condition of FiredRow.state."""

    def some(**having: str) -> Exists:
        return Exists(Delivery.objects.filter(firing=OuterRef("pk"), **having))

    failed, waiting = some(state=Delivery.State.FAILED), some(state=Delivery.State.PENDING)
    return {
        "held": Q(is_held=True),
        "failed": Q(failed, is_held=False),
        "waiting": Q(waiting, ~failed, is_held=False),
        "arrived": Q(some(state=Delivery.State.SENT), ~failed, ~waiting, is_held=False),
        "unsent": Q(~some(), is_held=False),
    }[state]


def with_deliveries(firings: Sequence[Firing]) -> list[FiredRow]:
    """The same with their deliveries, whose channels are loaded."""
    found: dict[int, list[Delivery]] = {}
    rows = Delivery.objects.filter(firing__in=[firing.pk for firing in firings]).select_related("channel")
    for delivery in rows.order_by("channel_id", "pk"):
        found.setdefault(delivery.firing_id, []).append(delivery)
    return [FiredRow(firing, tuple(found.get(firing.pk, ()))) for firing in firings]


def find_delivery(reach: Reach, delivery_id: int) -> Delivery | None:
    """The delivery of a firing within reach, its firing, rule and project loaded."""
    deliveries = Delivery.objects.select_related("firing__rule__project").filter(pk=delivery_id)
    return deliveries.filter(firing__in=firings_within(reach)).first()


def names_of_rules(rules: QuerySet[AlertRule], *, limit: int) -> list[tuple[int, str]]:
    """Ids and names to choose from, by name."""
    return list(rules.order_by("name", "pk").values_list("pk", "name")[:limit])

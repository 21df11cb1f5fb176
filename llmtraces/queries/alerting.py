"""What LLM rules measure: a window that begins at any millisecond, from rollups and the spans of its first hour.

Rollups hold whole hours. Of the hour a window begins within, the shorter side is read from spans by an index, and only
for who asks (`edge_usage`, `edge_latencies`): mostly the rollups alone tell that a rule does not fire (W29, W31).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of
from llmtraces.models import Durations, LlmSettings, Span, Trace, UsageHour
from llmtraces.packing import unpacked
from llmtraces.percentiles import bucket_of
from llmtraces.queries.budget import Budget, month_of, month_start
from llmtraces.queries.durations import parts_of
from llmtraces.queries.window import Window
from projects.access import Reach


@dataclass(frozen=True)
class Used:
    """What spans that began in some time cost, and how many they were."""

    cost_micros: int = 0
    spans: int = 0
    errors: int = 0

    def plus(self, other: "Used") -> "Used":
        return Used(self.cost_micros + other.cost_micros, self.spans + other.spans, self.errors + other.errors)

    def minus(self, other: "Used") -> "Used":
        return Used(self.cost_micros - other.cost_micros, self.spans - other.spans, self.errors - other.errors)


@dataclass(frozen=True)
class Usage:
    """Of a window: its whole hours, the running one too; and all of the hour it begins within."""

    whole: Used = field(default_factory=Used)
    edge: Used = field(default_factory=Used)

    def plus(self, other: "Usage") -> "Usage":
        return Usage(self.whole.plus(other.whole), self.edge.plus(other.edge))


def next_hour(since_ms: int) -> int:
    """The start of the first whole hour of a window."""
    return -(-since_ms // HOUR_MS) * HOUR_MS


# --- What was used --------------------------------------------------------------------------------------------------


def usage_since(project_ids: Collection[str] | None, *, since_ms: int, now_ms: int) -> dict[str, dict[str, Usage]]:
    """By project and model ("" for none), of a window up to now. project_ids: None for all. One query."""
    rows = UsageHour.objects.filter(hour_ms__gte=hour_of(since_ms), hour_ms__lte=hour_of(now_ms))
    if project_ids is not None:
        rows = rows.filter(project_id__in=project_ids)
    whole, edge = Q(hour_ms__gte=next_hour(since_ms)), Q(hour_ms__lt=next_hour(since_ms))
    parts: dict[str, Any] = {f"whole_{name}": Sum(name, filter=whole, default=0) for name in COLUMNS}
    parts |= {f"edge_{name}": Sum(name, filter=edge, default=0) for name in COLUMNS}
    found: defaultdict[str, dict[str, Usage]] = defaultdict(dict)
    for project_id, model, *amounts in rows.values_list("project_id", "model").annotate(**parts).order_by():
        found[project_id][model] = Usage(Used(*amounts[:3]), Used(*amounts[3:]))
    return found


COLUMNS = ("cost_micros", "span_count", "error_count")


def edge_usage(project_id: str, *, since_ms: int, models: Mapping[str, Usage]) -> Used:
    """What was used from `since_ms` to the end of its hour, exact.

    models: what these models used in all of that hour, as `usage_since` says; others are not counted.
    """
    begin, end = hour_of(since_ms), next_hour(since_ms)
    there = [model for model, usage in models.items() if usage.edge != Used()]
    if not there:
        return Used()
    if end - since_ms <= since_ms - begin:
        return used_between(project_id, since_ms, end, models=there)
    total = Used()
    for usage in models.values():
        total = total.plus(usage.edge)
    return total.minus(used_between(project_id, begin, since_ms, models=there))


def used_between(project_id: str, begin_ms: int, end_ms: int, *, models: Collection[str]) -> Used:
    """What spans of these models that began within used, and what PUTs said of traces beyond their spans' cost."""
    spans = Span.objects.filter(
        project_id=project_id, model__in=models, started_ms__gte=begin_ms, started_ms__lt=end_ms
    ).aggregate(cost=Sum("cost_micros", default=0), spans=Count("pk"), errors=Count("pk", filter=Q(status="error")))
    used = Used(spans["cost"], spans["spans"], spans["errors"])
    return used.plus(Used(corrected_between(project_id, begin_ms, end_ms, models=models)))


def corrected_between(project_id: str, begin_ms: int, end_ms: int, *, models: Collection[str]) -> int:
    """Microdollars that PUTs said of traces begun within, less their spans' cost: as rollups count them.

    They stand under the trace's model if it has just one, else under none.
    """
    put = Trace.objects.filter(
        project_id=project_id, started_ms__gte=begin_ms, started_ms__lt=end_ms, put_cost_micros__isnull=False
    )
    named = ~Q(spans__model="")
    rows = put.values_list("pk", "put_cost_micros").annotate(
        cost=Sum("spans__cost_micros", default=0),
        models=Count("spans__model", filter=named, distinct=True),
        model=Max("spans__model", filter=named),
    )
    return sum(
        said - cost for _, said, cost, count, model in rows.order_by() if (model if count == 1 else "") in models
    )


# --- How long it took -----------------------------------------------------------------------------------------------


@dataclass
class Latencies:
    """Latencies of generation spans in a window, by bucket: its whole hours, and all of the one it begins within."""

    whole: Counter[int] = field(default_factory=Counter)
    edge: Counter[int] = field(default_factory=Counter)


def latencies_since(
    project_ids: Collection[str] | None, *, since_ms: int, now_ms: int
) -> dict[str, dict[str, Latencies]]:
    """By project and model, of a window up to now: whole days as one row each. project_ids: None for all. One query."""
    edge_hour, first = hour_of(since_ms), next_hour(since_ms)
    parts = Q(pk__in=())
    if first <= hour_of(now_ms):
        parts = parts_of(Window(Reach(None), (hour_of(now_ms) - first) // HOUR_MS, now_ms), DAY_MS)
    if edge_hour < first:
        parts |= Q(is_day=False, hour_ms=edge_hour)
    rows = Durations.objects.filter(parts, kind="latency")
    if project_ids is not None:
        rows = rows.filter(project_id__in=project_ids)
    found: defaultdict[str, defaultdict[str, Latencies]] = defaultdict(lambda: defaultdict(Latencies))
    for project_id, model, is_day, hour_ms, stored in rows.values_list(
        "project_id", "of", "is_day", "hour_ms", "counts"
    ):
        latencies = found[project_id][model]
        is_edge = not is_day and hour_ms == edge_hour < first
        (latencies.edge if is_edge else latencies.whole).update(unpacked(stored))
    return {project_id: dict(models) for project_id, models in found.items()}


def edge_latencies(project_id: str, *, since_ms: int, models: Mapping[str, Latencies]) -> Counter[int]:
    """Latencies from `since_ms` to the end of its hour, by bucket; counted by the database, not loaded one by one.

    models: all of that hour's, as `latencies_since` says; other models are not counted.
    """
    begin, end = hour_of(since_ms), next_hour(since_ms)
    if not any(latencies.edge for latencies in models.values()):
        return Counter()
    if end - since_ms <= since_ms - begin:
        return latencies_between(project_id, since_ms, end, models=models)
    total: Counter[int] = Counter()
    for latencies in models.values():
        total.update(latencies.edge)
    total.subtract(latencies_between(project_id, begin, since_ms, models=models))
    return +total


def latencies_between(project_id: str, begin_ms: int, end_ms: int, *, models: Collection[str]) -> Counter[int]:
    """Latencies of generation spans of these models that began within, by bucket."""
    rows: QuerySet[Span] = Span.objects.filter(
        project_id=project_id,
        span_type="generation",
        started_ms__gte=begin_ms,
        started_ms__lt=end_ms,
        model__in=list(models),
    )
    found: Counter[int] = Counter()
    for latency_ms, count in rows.values_list("latency_ms").annotate(count=Count("pk")).order_by():
        found[bucket_of(latency_ms)] += count
    return found


# --- Budgets --------------------------------------------------------------------------------------------------------


def budgets(project_ids: Collection[str] | None, *, now_ms: int) -> dict[str, Budget]:
    """The projects that have a budget, and what their month has cost. project_ids: None for all. Two queries."""
    own = LlmSettings.objects.filter(monthly_budget_micros__gt=0)
    if project_ids is not None:
        own = own.filter(project_id__in=project_ids)
    rows = list(own.values_list("project_id", "monthly_budget_micros", "alert_threshold_pct"))
    hours = UsageHour.objects.filter(
        project_id__in=[row[0] for row in rows], hour_ms__gte=month_start(now_ms), hour_ms__lte=hour_of(now_ms)
    )
    spent = dict(hours.values_list("project_id").annotate(total=Sum("cost_micros")).order_by())
    return {
        project_id: month_of(budget, threshold, spent.get(project_id, 0), now_ms=now_ms)
        for project_id, budget, threshold in rows
    }

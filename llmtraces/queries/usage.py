"""What was used and what it cost: the Overview, Usage and Models tabs (contract 8.5.1, 8.5.2, 8.5.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from llmtraces.models import TraceHour, UsageHour
from llmtraces.queries.window import Window

COUNTS = (
    "span_count",
    "error_count",
    "unpriced_count",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_micros",
    "latency_ms",
)

# Of a row that says nothing. One without spans may: what a PUT said of a trace that has none (contract 8.1.3).
NOTHING = {"span_count": 0, "input_tokens": 0, "output_tokens": 0, "cost_micros": 0}


def percent(part: int, whole: int) -> float:
    """Part of whole in percent, two decimals; 0 of nothing."""
    return round(part * 100 / whole, 2) if whole else 0.0


@dataclass(frozen=True)
class Usage:
    """Sums over spans. latency_ms is their sum, too."""

    span_count: int = 0
    error_count: int = 0
    unpriced_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micros: int = 0
    latency_ms: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def error_rate(self) -> float:
        """Error spans of all spans, in percent."""
        return percent(self.error_count, self.span_count)

    @property
    def avg_latency_ms(self) -> float:
        return round(self.latency_ms / self.span_count, 2) if self.span_count else 0.0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in COUNTS})


@dataclass(frozen=True)
class Overview:
    """The cards of the first tab."""

    total_traces: int
    usage: Usage


@dataclass(frozen=True)
class ModelHour:
    """A row of the usage table."""

    hour_ms: int
    model: str
    provider: str
    usage: Usage


@dataclass(frozen=True)
class ModelUsage:
    """A row of the models table."""

    model: str
    provider: str
    usage: Usage


SUMS: dict[str, Any] = {name: Sum(name) for name in COUNTS}


def overview(window: Window) -> Overview:
    """Totals of the window, in two queries. Traces have no model: a named one narrows the spans' figures only."""
    row = window.of_model(UsageHour.objects.all()).aggregate(**SUMS)
    traces = window.hourly(TraceHour.objects.all()).aggregate(total=Sum("trace_count"))["total"] or 0
    return Overview(traces, usage_of(row))


def usage_by_hour(window: Window, *, limit: int, offset: int = 0) -> list[ModelHour]:
    """Per hour, model and provider, the newest hour first, over all projects of the window."""
    rows = window.of_model(UsageHour.objects.all()).values("hour_ms", "model", "provider").annotate(**SUMS)
    ordered = rows.exclude(**NOTHING).order_by("-hour_ms", "model", "provider")
    return [
        ModelHour(row["hour_ms"], row["model"], row["provider"], usage_of(row))
        for row in ordered[offset : offset + limit]
    ]


def usage_hours(window: Window) -> int:
    """How many rows `usage_by_hour` has."""
    rows = window.of_model(UsageHour.objects.all()).values("hour_ms", "model", "provider").annotate(**SUMS)
    return rows.exclude(**NOTHING).count()


def usage_by_model(window: Window, *, limit: int) -> list[ModelUsage]:
    """Per model and provider, the dearest first."""
    rows = window.of_model(UsageHour.objects.all()).values("model", "provider").annotate(**SUMS)
    ordered = rows.exclude(**NOTHING).order_by("-cost_micros", "-span_count", "model", "provider")
    return [ModelUsage(row["model"], row["provider"], usage_of(row)) for row in ordered[:limit]]


def usage_of(row: Mapping[str, Any]) -> Usage:
    """Sums of a row; none of no rows."""
    return Usage(**{name: row[name] or 0 for name in COUNTS})

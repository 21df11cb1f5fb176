"""Tools and retrievals by name (contract 8.5.9)."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from llmtraces.models import ToolHour
from llmtraces.percentiles import percentile
from llmtraces.queries.durations import durations, summed
from llmtraces.queries.usage import percent
from llmtraces.queries.window import Window


@dataclass(frozen=True)
class Tool:
    """Calls of one tool. error_rate in percent, durations in milliseconds."""

    name: str
    call_count: int
    error_count: int
    error_rate: float
    avg_latency_ms: float
    p50_latency_ms: float
    p99_latency_ms: float
    total_cost_micros: int


def tools(window: Window, *, limit: int) -> list[Tool]:
    """The tools of the window, the most called first, in two queries."""
    sums: dict[str, Any] = {name: Sum(name) for name in ("call_count", "error_count", "latency_ms", "cost_micros")}
    rows = window.hourly(ToolHour.objects.all()).values("name").annotate(**sums)
    ordered = rows.exclude(call_count=0).order_by("-call_count", "name")
    listed: list[Any] = list(ordered[:limit])
    buckets = tool_buckets(window, [row["name"] for row in listed])
    return [
        Tool(
            name=row["name"],
            call_count=row["call_count"],
            error_count=row["error_count"],
            error_rate=percent(row["error_count"], row["call_count"]),
            avg_latency_ms=round(row["latency_ms"] / row["call_count"], 2),
            p50_latency_ms=round(percentile(buckets[row["name"]], 0.5), 2),
            p99_latency_ms=round(percentile(buckets[row["name"]], 0.99), 2),
            total_cost_micros=row["cost_micros"],
        )
        for row in listed
    ]


def tool_buckets(window: Window, names: list[str]) -> defaultdict[str, Counter[int]]:
    """How many calls each bucket of durations holds, by tool."""
    return summed((each.of, each.counts) for each in durations(window, "tool", of=names))

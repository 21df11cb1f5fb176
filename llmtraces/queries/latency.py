"""How long models take: percentiles from hourly buckets (contract 8.5.3, design.md 5)."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Sum

from llmtraces.models import DurationHour, UsageHour
from llmtraces.percentiles import percentile
from llmtraces.queries.window import Window


@dataclass(frozen=True)
class Latency:
    """Generation spans of a model, over all its providers. Milliseconds."""

    model: str
    span_count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    avg_ttft_ms: float


def latency_by_model(window: Window) -> list[Latency]:
    """Percentiles of each model, the busiest first, in two queries."""
    buckets = latency_buckets(window)
    ttft = ttft_by_model(window)
    found = [
        Latency(
            model=model,
            span_count=counts.total(),
            p50_ms=round(percentile(counts, 0.5), 2),
            p90_ms=round(percentile(counts, 0.9), 2),
            p99_ms=round(percentile(counts, 0.99), 2),
            avg_ttft_ms=ttft.get(model, 0.0),
        )
        for model, counts in buckets.items()
    ]
    return sorted(found, key=lambda row: (-row.span_count, row.model))


def latency_buckets(window: Window, *, kind: str = "latency") -> defaultdict[str, Counter[int]]:
    """How many durations each bucket holds, by model."""
    rows = window.of_model(DurationHour.objects.filter(kind=kind), model="of", provider="by")
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    grouped = rows.values_list("of", "bucket").annotate(total=Sum("count")).exclude(total=0)
    for model, bucket, total in grouped:
        found[model][bucket] += total
    return found


def ttft_by_model(window: Window) -> dict[str, float]:
    """The mean time to the first token over the spans that have one, exact."""
    rows = window.of_model(UsageHour.objects.all()).values_list("model")
    grouped = rows.annotate(total=Sum("ttft_ms"), count=Sum("ttft_count")).exclude(count=0)
    return {model: round(total / count, 2) for model, total, count in grouped}

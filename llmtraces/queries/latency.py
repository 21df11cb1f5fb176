"""How long models take: percentiles from hourly buckets (contract 8.5.3, design.md 5)."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Sum

from llmtraces.models import UsageHour
from llmtraces.percentiles import GROWTH, ZERO, percentile
from llmtraces.queries.durations import durations, is_read_once, summed
from llmtraces.queries.series import slots_of
from llmtraces.queries.window import Window

BUCKETS_A_BAR = 12  # of the distribution: each ends 1.02 ^ 12 = 27 % above its start


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
    return summed((each.of, each.counts) for each in durations(window, kind))


def ttft_by_model(window: Window) -> dict[str, float]:
    """The mean time to the first token over the spans that have one, exact."""
    rows = window.of_model(UsageHour.objects.all()).values_list("model")
    grouped = rows.annotate(total=Sum("ttft_ms"), count=Sum("ttft_count")).exclude(count=0)
    return {model: round(total / count, 2) for model, total, count in grouped}


@dataclass(frozen=True)
class ModelTimes:
    """A row of the Latency page: a model's durations, and the time to its first token (None: no span told one)."""

    latency: Latency
    p90_ttft_ms: float | None
    ttft_count: int


@dataclass(frozen=True)
class Percentiles:
    """Of the spans of a slot, in milliseconds; zero of none."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Times:
    """Models, the busiest first; the buckets of all of them together; and percentiles of all for each slot."""

    by_model: list[ModelTimes]
    everything: Counter[int]
    over_time: list[Percentiles]


@dataclass(frozen=True)
class Bar:
    """How many generation spans took from one duration up to, not with, another. Milliseconds."""

    from_ms: float
    to_ms: float
    count: int


def times_of(window: Window) -> Times:
    """All that the Latency page shows, in three queries; of windows whose slots are hours beside days, in four."""
    slots = slots_of(window)
    counted = list(durations(window, "latency"))
    finer = counted if is_read_once(window, slots.step_ms) else durations(window, "latency", step_ms=slots.step_ms)
    over_time = summed((each.start_ms - each.start_ms % slots.step_ms, each.counts) for each in finer)
    buckets = summed((each.of, each.counts) for each in counted)
    waits, ttft = latency_buckets(window, kind="ttft"), ttft_by_model(window)
    rows = [
        ModelTimes(
            Latency(model, own.count, own.p50_ms, own.p90_ms, own.p99_ms, ttft.get(model, 0.0)),
            p90_ttft_ms=round(percentile(waits[model], 0.9), 2) if model in waits else None,
            ttft_count=waits[model].total() if model in waits else 0,
        )
        for model, counts in buckets.items()
        for own in [percentiles_of(counts)]
    ]
    everything: Counter[int] = Counter()
    for counts in buckets.values():
        everything.update(counts)
    return Times(
        sorted(rows, key=lambda row: (-row.latency.span_count, row.latency.model)),
        everything,
        [percentiles_of(over_time[at]) for at in slots.starts_ms],
    )


def percentiles_of(counts: Counter[int]) -> Percentiles:
    """The three percentiles of what buckets count."""
    p50, p90, p99 = (round(percentile(counts, p), 2) for p in (0.5, 0.9, 0.99))
    return Percentiles(counts.total(), p50, p90, p99)


def distribution(counts: Counter[int]) -> list[Bar]:
    """The buckets as bars on a logarithmic axis, without a gap from the fastest to the slowest span."""
    if not counts:
        return []
    bars: Counter[int] = Counter()
    for bucket, count in counts.items():
        # What took no time has a bar of its own, left of one millisecond.
        bars[ZERO if bucket == ZERO else bucket // BUCKETS_A_BAR] += count
    return [Bar(edge(bar), edge(bar + 1), bars[bar]) for bar in range(min(bars), max(bars) + 1)]


def edge(bar: int) -> float:
    """Where a bar of the distribution begins, in milliseconds."""
    return 0.0 if bar < 0 else GROWTH ** (bar * BUCKETS_A_BAR)

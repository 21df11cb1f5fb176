"""What LLM rules measure, held against sums over all spans, wherever the window begins."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS
from llmtraces.models import LlmSettings, Span, UsageHour
from llmtraces.percentiles import bucket_of, element_at
from llmtraces.queries import alerting
from llmtraces.queries.alerting import Latencies, Usage, Used
from projects.services.projects import NewProject
from tests.llmtraces.made import make_traces, span_of, trace_of, update_trace

T = 1_760_000_000_000 - 1_760_000_000_000 % DAY_MS + 10 * HOUR_MS + 41 * MINUTE_MS + 1_234
WINDOWS = [
    1,
    20 * MINUTE_MS,
    HOUR_MS,
    100 * MINUTE_MS,
    3 * HOUR_MS + 7,
    30 * HOUR_MS,
    3 * DAY_MS,
    3 * DAY_MS + 5 * HOUR_MS,
]


def scattered(new: NewProject, *, spans: int, spread_ms: int) -> None:
    """Traces of one span of two models and none, at random moments before T; some failed."""
    chance = random.Random(11)
    for number in range(spans):
        at = T - chance.randrange(spread_ms)
        fields: dict[str, Any] = {
            "model": chance.choice(("big", "small", "")),
            "cost": chance.randrange(1_000_000) / 1_000_000,
            "latency_ms": chance.randrange(1, 5_000),
            "status": chance.choice(("ok", "ok", "error")),
            "span_type": chance.choice(("generation", "generation", "tool")),
        }
        span = span_of(id=f"s{number}", started_at=at, **fields)
        make_traces(new.project, trace_of(f"t{number}", started_at=at, spans=[span]))


def measured(new: NewProject, since_ms: int, *models: str) -> Used:
    found = alerting.usage_since([new.project.pk], since_ms=since_ms, now_ms=T).get(new.project.pk, {})
    chosen = {model: usage for model, usage in found.items() if not models or model in models}
    total = Usage()
    for usage in chosen.values():
        total = total.plus(usage)
    return total.whole.plus(alerting.edge_usage(new.project.pk, since_ms=since_ms, models=chosen))


def true_usage(new: NewProject, since_ms: int, *models: str) -> Used:
    rows = Span.objects.filter(project=new.project, started_ms__gte=since_ms)
    rows = rows.filter(model__in=models) if models else rows
    found = list(rows.values_list("cost_micros", "status"))
    return Used(sum(cost for cost, _ in found), len(found), sum(status == "error" for _, status in found))


@pytest.mark.django_db
def test_usage_is_exact_wherever_the_window_begins(shop: NewProject, other: NewProject):
    for new in (shop, other):
        scattered(new, spans=60, spread_ms=5 * HOUR_MS)
    chance = random.Random(2)
    for window_ms in [*WINDOWS, *(chance.randrange(5 * HOUR_MS) for _ in range(20))]:
        for models in ((), ("big",), ("small",), ("none",)):
            assert measured(shop, T - window_ms, *models) == true_usage(shop, T - window_ms, *models)


@pytest.mark.django_db
@pytest.mark.parametrize("since_ms", [T - T % HOUR_MS + 5 * MINUTE_MS, T - T % HOUR_MS + 35 * MINUTE_MS])
def test_what_a_put_said_a_trace_cost_counts_from_when_it_began(since_ms: int, shop: NewProject):
    for name, at, model in (("early", since_ms - 1, "big"), ("late", since_ms, "big"), ("mixed", since_ms, "")):
        make_traces(shop.project, trace_of(name, started_at=at, spans=[span_of(started_at=at, cost=1.0, model=model)]))
        update_trace(shop.project, name, cost=5.0)

    assert measured(shop, since_ms).cost_micros == 10_000_000
    assert measured(shop, since_ms, "big").cost_micros == 5_000_000


@pytest.mark.django_db
def test_spans_of_a_clock_that_runs_ahead_do_not_count(shop: NewProject):
    at = T + 2 * HOUR_MS
    make_traces(shop.project, trace_of("t", started_at=at, spans=[span_of(started_at=at)]))
    assert UsageHour.objects.exists()

    assert measured(shop, T - HOUR_MS) == Used()
    assert alerting.latencies_since(None, since_ms=T - HOUR_MS, now_ms=T) == {}


@pytest.mark.django_db
def test_latencies_are_those_of_the_window_by_bucket(shop: NewProject):
    scattered(shop, spans=80, spread_ms=4 * DAY_MS)
    scattered_since = random.Random(4)
    for window_ms in [*WINDOWS, *(scattered_since.randrange(4 * DAY_MS) for _ in range(20))]:
        since = T - window_ms
        models: dict[str, Latencies] = alerting.latencies_since(None, since_ms=since, now_ms=T).get(shop.project.pk, {})
        for chosen in (models, {name: each for name, each in models.items() if name == "big"}):
            found = alerting.edge_latencies(shop.project.pk, since_ms=since, models=chosen)
            for each in chosen.values():
                found.update(each.whole)
            rows = Span.objects.filter(project=shop.project, span_type="generation", started_ms__gte=since)
            if chosen is not models:
                rows = rows.filter(model="big")
            true = sorted(bucket_of(ms) for ms in rows.values_list("latency_ms", flat=True))
            assert sorted(found.elements()) == true


@given(
    latencies=st.lists(st.integers(0, 200_000), min_size=1, max_size=60),
    percent=st.one_of(st.integers(0, 100).map(float), st.floats(0, 100)),
)
def test_the_element_asked_for_is_found_within_a_percent(latencies: list[int], percent: float):
    counts: dict[int, int] = {}
    for ms in latencies:
        counts[bucket_of(ms)] = counts.get(bucket_of(ms), 0) + 1

    true = sorted(latencies)[math.ceil(percent * (len(latencies) - 1) / 100)]

    assert element_at(counts, percent) == pytest.approx(true, rel=0.01)


def test_of_nothing_no_element_is_found():
    assert element_at({}, 99) == 0.0


@pytest.mark.django_db
def test_budgets_of_all_projects_are_read_together(shop: NewProject, other: NewProject):
    for new, micros in ((shop, 10_000_000), (other, 0)):
        LlmSettings.objects.create(project=new.project, monthly_budget_micros=micros, alert_threshold_pct=50)
        make_traces(new.project, trace_of("t", started_at=T, spans=[span_of(started_at=T, cost=6.0)]))
        before = T - 40 * DAY_MS
        make_traces(new.project, trace_of("old", started_at=before, spans=[span_of(started_at=before, cost=9.0)]))

    found = alerting.budgets(None, now_ms=T)

    assert found.keys() == {shop.project.pk}
    budget = found[shop.project.pk]
    assert (budget.current_month_spend_micros, budget.budget_used_pct, budget.alert_threshold_pct) == (
        6_000_000,
        60.0,
        50,
    )
    assert alerting.budgets([other.project.pk], now_ms=T) == {}

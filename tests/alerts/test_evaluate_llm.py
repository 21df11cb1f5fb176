"""Every line of contract 6.4, with a clock that the tests set: which rules of LLM calls fire, and when."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.models import Cooldown, Firing
from alerts.services.evaluate import evaluate
from bloop_site.lib.clock import DAY_MS
from llmtraces.models import LlmSettings
from projects.services.projects import NewProject
from tests.alerts.rules_of import HOUR_MS, MINUTE_MS, T, fired, make_rule
from tests.llmtraces.made import make_traces, span_of, trace_of

pytestmark = pytest.mark.django_db
HALF_PAST = T + 30 * MINUTE_MS


def spans_at(new: NewProject, at: int, *spans: dict[str, Any], trace: str = "") -> None:
    """A trace of these spans, all begun at that time."""
    given = [span_of(id=f"s{number}", started_at=at, **span) for number, span in enumerate(spans)]
    make_traces(new.project, trace_of(trace or f"trace-{at}", started_at=at, spans=given))


# --- Cost ---------------------------------------------------------------------------------------------------------


def test_cost_of_the_window_above_the_threshold_fires_with_four_decimals(shop: NewProject):
    make_rule("llm_cost_spike", shop.project, threshold_dollars=1.0, window_secs=3600)
    spans_at(shop, T, {"cost": 1.0})
    assert fired(T + 1) == []

    spans_at(shop, T + 1, {"cost": 0.2345})

    assert fired(T + 2) == ["LLM cost in Shop: $1.2345 in the last 1 hour (threshold $1.0000)"]
    firing = Firing.objects.get()
    assert (firing.key, firing.measured, firing.details) == (
        "cost_hourly",
        1.2345,
        {"threshold": 1.0, "url": "/llm?project=shop"},
    )


@pytest.mark.parametrize("window_secs", [60, 1800, 3600, 5400, 3 * 3600, 2 * 86_400])
def test_a_cost_window_is_exact_to_the_millisecond(window_secs: int, shop: NewProject):
    make_rule("llm_cost_spike", shop.project, threshold_dollars=1.0, window_secs=window_secs, rule_cooldown_secs=0)
    now = HALF_PAST + 12_345
    spans_at(shop, now - window_secs * 1000, {"cost": 0.75})
    spans_at(shop, now - window_secs * 1000 - 1, {"cost": 50.0})
    spans_at(shop, now - 1000, {"cost": 0.5})

    assert fired(now)[0].startswith("LLM cost in Shop: $1.2500 in the last")
    assert fired(now + MINUTE_MS) == []


def test_a_window_that_begins_early_in_an_hour_is_exact_too(shop: NewProject):
    make_rule("llm_cost_spike", shop.project, threshold_dollars=1.0, window_secs=7200)
    now = T + 5 * MINUTE_MS
    spans_at(shop, now - 2 * HOUR_MS - 1, {"cost": 9.0, "model": "a"}, {"cost": 3.0, "model": ""})
    spans_at(shop, now - 2 * HOUR_MS + 50 * MINUTE_MS, {"cost": 0.75, "model": "b"})
    spans_at(shop, now, {"cost": 0.5})

    assert fired(now)[0].startswith("LLM cost in Shop: $1.2500 in")


def test_cost_of_one_model_may_be_asked_about(shop: NewProject):
    make_rule("llm_cost_spike", shop.project, threshold_dollars=1.0, window_secs=1800, model_filter="big")
    spans_at(shop, HALF_PAST, {"cost": 9.0, "model": "small"}, {"cost": 0.9, "model": "big"})
    assert fired(HALF_PAST) == []

    spans_at(shop, HALF_PAST + 1, {"cost": 0.2, "model": "big"})

    assert fired(HALF_PAST + 1) == ["LLM cost in Shop: $1.1000 of big in the last 30 minutes (threshold $1.0000)"]


# --- Error rate ----------------------------------------------------------------------------------------------------


def test_failed_spans_of_all_that_began_in_the_window(shop: NewProject):
    make_rule("llm_error_rate", shop.project, threshold_percent=25.0, min_traces=4, window_secs=300)
    spans_at(shop, HALF_PAST, {"status": "error"}, {}, {}, {})
    assert fired(HALF_PAST) == []  # 25 % are not more than 25 %

    spans_at(shop, HALF_PAST + 1, {"status": "error"}, {})

    assert fired(HALF_PAST + 1) == ["LLM error rate in Shop: 33.3% of 6 spans in the last 5 minutes (threshold 25.0%)"]
    assert Firing.objects.get().key == "error_rate"


def test_too_few_spans_tell_no_error_rate(shop: NewProject):
    make_rule("llm_error_rate", shop.project, threshold_percent=10.0, min_traces=3, window_secs=300)
    spans_at(shop, HALF_PAST, {"status": "error"}, {"status": "error"})
    assert fired(HALF_PAST) == []

    spans_at(shop, HALF_PAST + 1, {})

    assert fired(HALF_PAST + 1)[0].startswith("LLM error rate in Shop: 66.7% of 3 spans")


def test_no_spans_are_no_error_and_fire_nothing(shop: NewProject):
    make_rule("llm_error_rate", shop.project, threshold_percent=0, min_traces=0, window_secs=300)
    make_rule("llm_error_rate", threshold_percent=0, min_traces=0, window_secs=300)

    assert fired(T) == []


def test_spans_before_the_window_do_not_count_however_close(shop: NewProject):
    make_rule("llm_error_rate", shop.project, threshold_percent=50.0, min_traces=1, window_secs=300)
    spans_at(shop, HALF_PAST - 300_001, {}, {}, {})
    spans_at(shop, HALF_PAST - 300_000, {"status": "error"})

    assert fired(HALF_PAST)[0].startswith("LLM error rate in Shop: 100.0% of 1 spans")


# --- Latency --------------------------------------------------------------------------------------------------------


def test_a_percentile_above_the_threshold_fires(shop: NewProject):
    make_rule("llm_latency", shop.project, percentile="p90", threshold_ms=1000, window_secs=600)
    spans_at(shop, HALF_PAST, *({"latency_ms": 500} for _ in range(9)), {"latency_ms": 400})
    assert fired(HALF_PAST) == []

    spans_at(shop, HALF_PAST + 1, {"latency_ms": 5000}, {"latency_ms": 5000})

    (message,) = fired(HALF_PAST + 1)  # of 12, index ceil(0.9 x 11) = 10
    firing = Firing.objects.get()
    assert firing.key == "latency_p90:all models"
    assert firing.measured == pytest.approx(5000, rel=0.01)
    assert message == (
        f"LLM latency in Shop: p90 of all models is {firing.measured:,.0f} ms over 12 spans in the last 10 minutes"
        " (threshold 1,000 ms)"
    )


def test_latency_of_one_model_and_windows_that_begin_anywhere(shop: NewProject):
    make_rule("llm_latency", shop.project, percentile="50", threshold_ms=1000, window_secs=3 * 3600, model_filter="big")
    now = HALF_PAST + 20 * MINUTE_MS
    begin = now - 3 * HOUR_MS
    spans_at(shop, begin - 1, *({"latency_ms": 9000, "model": "big"} for _ in range(9)))
    spans_at(shop, begin, {"latency_ms": 9000, "model": "big"})
    spans_at(shop, now, {"latency_ms": 100, "model": "big"}, {"latency_ms": 100, "model": "big"})
    spans_at(shop, now - 1, *({"latency_ms": 9000, "model": "small"} for _ in range(5)))
    assert fired(now) == []  # 9000, 100, 100: the median is 100

    spans_at(shop, begin + 2, {"latency_ms": 8000, "model": "big"}, {"latency_ms": 8000, "model": "big"})

    # 9000, 8000, 8000, 100, 100 by now, of which index ceil(0.5 x 4) = 2 is asked for.
    (message,) = fired(now)
    assert message.startswith("LLM latency in Shop: p50 of big is ")
    firing = Firing.objects.get()
    assert firing.key == "latency_50:big"
    assert firing.measured == pytest.approx(8000, rel=0.01)


@pytest.mark.parametrize("percentile", ["p99", "99", "nonsense"])
def test_what_is_no_percentile_is_the_99th(percentile: str, shop: NewProject):
    make_rule("llm_latency", shop.project, percentile=percentile, threshold_ms=1000, window_secs=2 * 86_400)
    spans_at(shop, T, *({"latency_ms": 10} for _ in range(60)), trace="quick")
    spans_at(shop, T - DAY_MS, {"latency_ms": 3000})

    assert fired(T + 1)[0].startswith("LLM latency in Shop: p99 of all models is ")
    assert Firing.objects.get().key == f"latency_{percentile}:all models"


def test_no_latency_is_loaded_by_itself(shop: NewProject):
    """W31: the database counts equal ones, and only where rollups say that the rule may fire."""
    make_rule("llm_latency", shop.project, percentile="p90", threshold_ms=1000, window_secs=600)
    spans_at(shop, HALF_PAST, *({"latency_ms": 500} for _ in range(50)))

    with CaptureQueriesContext(connection) as seen:
        evaluate(HALF_PAST + 1)

    assert not [query for query in seen.captured_queries if "llmtraces_span" in query["sql"]]


# --- Budget ---------------------------------------------------------------------------------------------------------


def test_a_budget_used_up_to_its_threshold_fires(shop: NewProject, other: NewProject):
    make_rule("llm_budget")
    LlmSettings.objects.create(project=shop.project, monthly_budget_micros=100_000_000, alert_threshold_pct=80)
    spans_at(shop, T, {"cost": 79.99})
    spans_at(other, T, {"cost": 500.0})
    assert fired(T + 1) == []

    spans_at(shop, T + 1, {"cost": 0.01})

    assert fired(T + 2) == ["LLM budget of Shop: 80.0% used, $80.0000 of $100.0000 this month (threshold 80%)"]
    assert Firing.objects.get().key == "budget_monthly"


# --- All of them ----------------------------------------------------------------------------------------------------


def test_global_rules_are_judged_project_by_project(shop: NewProject, other: NewProject):
    make_rule("llm_cost_spike", threshold_dollars=1.0, window_secs=3600)
    spans_at(shop, T, {"cost": 0.7})
    spans_at(other, T, {"cost": 1.5})

    assert fired(T) == ["LLM cost in Other: $1.5000 in the last 1 hour (threshold $1.0000)"]


def test_without_llm_tracing_no_llm_rule_is_judged(shop: NewProject, settings: LazySettings):
    off = settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = settings.BLOOP.model_copy(update={"llm_tracing": off})
    make_rule("llm_cost_spike", threshold_dollars=1.0, window_secs=3600)
    spans_at(shop, T, {"cost": 7.0})

    assert fired(T) == []


def test_cooldowns_are_by_rule_project_and_metric(shop: NewProject, other: NewProject):
    for seconds in (3600, 7200):
        make_rule("llm_cost_spike", threshold_dollars=1.0, window_secs=seconds)
    spans_at(shop, T, {"cost": 7.0})
    assert len(fired(T)) == 2
    spans_at(other, T, {"cost": 7.0})

    assert len(fired(T + 1)) == 2
    assert fired(T + 899_999) == []
    assert len(fired(T + 900_000)) == 2
    assert Cooldown.objects.count() == 4

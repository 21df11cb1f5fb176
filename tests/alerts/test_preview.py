"""What a rule would have fired in the last seven days: the same as the rule itself, had it been there."""

from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from alerts.configs import parse_config
from alerts.queries.preview import Draft, Preview, would_have_fired
from alerts.rules.sliding import spikes, told, window_sums
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS
from errors.models import Event, ProjectMinute, Status
from llmtraces.models import LlmSettings
from projects.services.projects import NewProject
from tests.alerts.rules_of import T, fired, make_rule, put, send_at
from tests.llmtraces.made import make_traces, span_of, trace_of


def foretold(new: NewProject | None, kind: str, *, now: int = T, **given: Any) -> Preview:
    columns = {
        name: given.pop(name) for name in ("environment_filter", "source_filter", "cooldown_secs") if name in given
    }
    config = parse_config({"type": kind, **given})
    return would_have_fired(Draft(config, new.project.pk if new else None, **columns), now_ms=now)


def messages(preview: Preview) -> list[str]:
    return [each.message for each in preview.firings]


def as_time_goes_by(new: NewProject, start: int, events: dict[int, int]) -> list[int]:
    """Events come by the minute, and rules are evaluated at the end of each of an hour's; when something fired."""
    found = []
    for minute in range(60):
        send_at(new, start + minute * MINUTE_MS, *["a"] * events.get(minute, 0))
        if fired(at := start + minute * MINUTE_MS + 59_999):
            found.append(at)
    return found


# --- Sliding windows (pure) -----------------------------------------------------------------------------------------

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=40)


@given(counts=COUNTS, length=st.integers(1, 50))
def test_window_sums_are_sums_of_the_last_steps(counts: list[int], length: int):
    found = window_sums(np.array(counts, dtype=np.int64), length)

    assert found.tolist() == [sum(counts[max(0, step - length + 1) : step + 1]) for step in range(len(counts))]


@given(truths=st.lists(st.booleans(), min_size=1, max_size=60), start=st.integers(0, 10), cooldown=st.integers(0, 9))
def test_a_rule_is_told_when_it_is_true_and_has_kept_still(truths: list[bool], start: int, cooldown: int):
    expected, last = [], -1_000
    for step, is_true in enumerate(truths):
        if step >= start and is_true and step - last >= max(1, cooldown):
            expected.append(step)
            last = step

    assert told(np.array(truths), from_step=start, cooldown_steps=cooldown) == expected


@given(counts=COUNTS, compared=st.integers(1, 5), baseline=st.integers(1, 20), multiplier=st.floats(0, 10))
def test_spikes_compare_rates(counts: list[int], compared: int, baseline: int, multiplier: float):
    found, _, _ = spikes(
        np.array(counts, dtype=np.int64), compared=compared, baseline=baseline, multiplier=multiplier, least=5
    )
    for step, is_spike in enumerate(found.tolist()):
        new = sum(counts[max(0, step - compared + 1) : step + 1])
        old = sum(counts[max(0, step - compared - baseline + 1) : max(0, step - compared + 1)])
        assert is_spike is (new >= 5 and old > 0 and new * baseline > multiplier * old * compared)


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_new_issues_and_comebacks_of_the_week_are_foretold(shop: NewProject, other: NewProject):
    send_at(shop, T - 8 * DAY_MS, "old")
    send_at(shop, T - DAY_MS, "new", release="2.0", environment="production", error_type="E", message="m")
    send_at(other, T - 2 * DAY_MS, "other", error_type="E", message="m")
    put("old", Status.RESOLVED, at=T - 3 * DAY_MS)
    send_at(shop, T - HOUR_MS, "old", release="3.0", error_type="E", message="m")

    found = foretold(shop, "new_issue")

    assert [message.rsplit(": ", 1)[0] for message in messages(found)] == [
        "Regression: resolved error came back in 3.0 (production)",
        "New error in 2.0 (production)",
    ]
    assert [each.at_ms for each in found.firings] == [T - HOUR_MS, T - DAY_MS]
    assert (found.total, found.is_capped, found.since_ms) == (2, False, T - 7 * DAY_MS)
    assert foretold(None, "new_issue").total == 3


@pytest.mark.django_db
def test_an_environment_is_the_first_time_there_and_filters_narrow(shop: NewProject):
    send_at(shop, T - 9 * DAY_MS, "a", environment="staging")
    send_at(shop, T - DAY_MS, "a", environment="production", source="ios")
    send_at(shop, T - HOUR_MS, "a", environment="production", release="later", source="ios")
    send_at(shop, T - HOUR_MS, "b", environment="production", source="web")

    assert foretold(shop, "new_issue", environment="production").total == 2
    assert foretold(shop, "new_issue", environment="production", source_filter="web").total == 1
    assert foretold(shop, "new_issue", environment_filter="production").total == 1
    assert foretold(shop, "new_issue", environment="staging").total == 0
    put("b", Status.MUTED, at=T)
    assert foretold(shop, "new_issue", environment="production").total == 1


@pytest.mark.django_db
@pytest.mark.parametrize("of", [{}, {"fingerprint": "a"}, {"route": "/users"}])
@pytest.mark.parametrize("cooldown_secs", [60, 900, 7200])
def test_a_threshold_is_foretold_as_it_would_have_fired(of: dict[str, str], cooldown_secs: int, shop: NewProject):
    start = T - DAY_MS
    config: dict[str, Any] = {"threshold": 5, "window_secs": 300, **of}
    make_rule("threshold", shop.project, rule_cooldown_secs=cooldown_secs, **config)
    really = as_time_goes_by(shop, start, dict.fromkeys((0, 3, 4, 5, 30, 31, 32, 33, 55, 56), 2))

    found = foretold(shop, "threshold", cooldown_secs=cooldown_secs, **config)

    assert [each.at_ms for each in reversed(found.firings)] == [at + 1 for at in really]
    assert found.note == "Reckoned by the minute."
    assert messages(found)[-1].startswith("6 events in 5 minutes in Shop")


@pytest.mark.django_db
def test_a_spike_is_foretold_as_it_would_have_fired(shop: NewProject):
    start = T - DAY_MS
    config: dict[str, Any] = {"multiplier": 5.0, "baseline_window_secs": 1800, "compare_window_secs": 300}
    make_rule("spike", shop.project, **config)
    really = as_time_goes_by(shop, start, {**dict.fromkeys(range(40), 1), 40: 40})

    found = foretold(shop, "spike", **config)

    assert [each.at_ms for each in reversed(found.firings)] == [at + 1 for at in really]
    assert len(really) == 2  # also when there were events at all for the first time


@pytest.mark.django_db
def test_seasons_are_foretold(shop: NewProject):
    for hour in range(-100, 0):
        send_at(shop, T + hour * HOUR_MS, *["a"] * (40 if hour == -10 else 1))

    found = foretold(shop, "spike", multiplier=1, baseline_window_secs=60, compare_window_secs=60, method="seasonal")

    (message,) = messages(found)
    assert message.startswith("Error spike in Shop: 40 events in the hour from 00:00 UTC where 1.")
    assert found.firings[0].at_ms == T - 9 * HOUR_MS


@pytest.mark.django_db
def test_in_the_first_half_day_of_a_project_no_season_is_foretold(shop: NewProject):
    for hour in (-30, -19, -18):
        send_at(shop, T + hour * HOUR_MS, *[f"fp{hour}"] * 30)

    found = foretold(shop, "spike", multiplier=1, baseline_window_secs=60, compare_window_secs=60, method="seasonal")

    assert [message[-len("fp-18") :] for message in messages(found)] == ["fp-18"]


@pytest.mark.django_db
def test_what_was_too_much_or_is_gone_is_spread_over_its_hour(shop: NewProject):
    send_at(shop, T - DAY_MS, *["a"] * 120)
    Event.objects.all().delete()

    found = foretold(shop, "threshold", threshold=9, window_secs=300, fingerprint="a", cooldown_secs=0)

    assert found.note.startswith("More events than are looked at")
    assert found.total == 56  # two a minute, ten in five minutes: from the fifth minute of the hour to its last


@pytest.mark.django_db
def test_only_fifty_are_shown_and_all_are_counted_in_few_queries(shop: NewProject):
    ProjectMinute.objects.bulk_create(
        ProjectMinute(project=shop.project, minute_ms=T - minute * MINUTE_MS, environment="p", source="s", count=9)
        for minute in range(1, 1001)
    )
    send_at(shop, T - HOUR_MS, "a")

    with CaptureQueriesContext(connection) as seen:
        found = foretold(shop, "threshold", threshold=8, window_secs=60, cooldown_secs=0)

    assert (len(found.firings), found.total) == (50, 1000)
    assert len(seen) <= 4


# --- LLM calls ----------------------------------------------------------------------------------------------------


def spans_at(new: NewProject, at: int, *spans: dict[str, Any]) -> None:
    given = [span_of(id=f"s{number}", started_at=at, **span) for number, span in enumerate(spans)]
    make_traces(new.project, trace_of(f"trace-{at}", started_at=at, spans=given))


@pytest.mark.django_db
def test_costs_error_rates_and_latencies_are_foretold_by_the_hour(shop: NewProject):
    spans_at(shop, T - 30 * HOUR_MS, {"cost": 5.0, "status": "error", "latency_ms": 9000})
    spans_at(shop, T - 10 * HOUR_MS, {"cost": 1.0, "latency_ms": 100}, {"cost": 0.5, "latency_ms": 100})

    cost = foretold(shop, "llm_cost_spike", threshold_dollars=2.0, window_secs=7200, cooldown_secs=3600)
    rate = foretold(shop, "llm_error_rate", threshold_percent=50.0, min_traces=1, window_secs=3600)
    late = foretold(shop, "llm_latency", percentile="p90", threshold_ms=1000, window_secs=10_800, cooldown_secs=86_400)

    assert messages(cost) == ["LLM cost in Shop: $5.0000 in the last 2 hours (threshold $2.0000)"] * 2
    assert [each.at_ms for each in cost.firings] == [T - 28 * HOUR_MS, T - 29 * HOUR_MS]
    assert cost.note.startswith("Exact to the hour")
    assert messages(rate) == ["LLM error rate in Shop: 100.0% of 1 spans in the last 1 hour (threshold 50.0%)"]
    assert (late.total, late.firings[0].at_ms) == (1, T - 29 * HOUR_MS)
    assert foretold(None, "llm_cost_spike", threshold_dollars=9.0, window_secs=7200).total == 0


@pytest.mark.django_db
def test_a_budget_is_foretold_from_when_it_was_used_up(shop: NewProject):
    LlmSettings.objects.create(project=shop.project, monthly_budget_micros=10_000_000, alert_threshold_pct=50)
    spans_at(shop, T - 30 * HOUR_MS, {"cost": 4.0})
    assert foretold(shop, "llm_budget").total == 0
    spans_at(shop, T - 5 * HOUR_MS, {"cost": 2.0})

    found = foretold(shop, "llm_budget", cooldown_secs=7 * 86_400)

    assert messages(found) == ["LLM budget of Shop: 60.0% used, $6.0000 of $10.0000 this month (threshold 50%)"]
    assert found.firings[0].at_ms == T - 4 * HOUR_MS


@pytest.mark.django_db
def test_with_llm_tracing_off_nothing_is_foretold_and_the_note_says_why(shop: NewProject, settings: LazySettings):
    off = settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = settings.BLOOP.model_copy(update={"llm_tracing": off})
    spans_at(shop, T - HOUR_MS, {"cost": 9.0})

    found = foretold(shop, "llm_cost_spike", threshold_dollars=1.0, window_secs=3600)

    assert (found.total, found.note[:24]) == (0, "LLM tracing is switched ")

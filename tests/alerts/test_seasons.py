"""Rules that go by the season judge each whole hour once, whenever there is somebody to; as the page on spikes says."""

import threading

import numpy as np
import pytest

from alerts.models import AlertRule, Cooldown, Firing
from alerts.services import seasons
from alerts.services.evaluate import evaluate
from analytics.answers import Ask
from analytics.queries.spikes import spikes
from bloop_site.lib.clock import DAY_MS
from errors.models import HourlyCount, Issue, PackedHours, ProjectHourlyCount, Status
from errors.models.alerting import span_of
from ingest.models import BufferedPayload
from projects.access import Reach
from projects.services.projects import NewProject
from tests.alerts.rules_of import HOUR_MS, MINUTE_MS, T, fired, make_rule, put, send_at
from tests.factories import make_project
from tests.ingest.conftest import at_once
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for these tests

LATER = T + 3 * DAY_MS


def season_rule(shop: NewProject | None, **fields: object) -> AlertRule:
    """One that speaks of each hour."""
    config = {"multiplier": 3.0, "baseline_window_secs": 3000, "compare_window_secs": 300, "method": "seasonal"}
    given = {"rule_cooldown_secs": 0, "rule_updated_ms": 0, **fields}
    return make_rule("spike", shop.project if shop else None, **config, **given)


def counted(shop: NewProject, fingerprint: str, counts: list[int]) -> None:
    """An issue with so many events an hour, up to the last whole hour before T."""
    at = [T - (len(counts) - number) * HOUR_MS for number in range(len(counts))]
    send_at(shop, at[0], fingerprint)
    HourlyCount.objects.filter(issue__fingerprint=fingerprint, issue__project=shop.project).delete()
    ProjectHourlyCount.objects.filter(project=shop.project, hour_ms=at[0]).delete()
    issue = Issue.objects.get(project=shop.project, fingerprint=fingerprint)
    place = {"environment": "production", "source": "api"}
    rows = [(hour_ms, count) for hour_ms, count in zip(at, counts, strict=True) if count]
    HourlyCount.objects.bulk_create(
        HourlyCount(issue=issue, hour_ms=hour_ms, count=count, **place) for hour_ms, count in rows
    )
    PackedHours.objects.bulk_create(
        [PackedHours(project=shop.project, start_ms=start_ms) for start_ms in sorted({span_of(each) for each in at})],
        ignore_conflicts=True,
    )
    ProjectHourlyCount.objects.bulk_create(
        ProjectHourlyCount(project=shop.project, hour_ms=hour_ms, count=count, **place) for hour_ms, count in rows
    )


def usual_until(shop: NewProject, *bursts: int) -> None:
    """One event an hour for two days before T, and thirty in the hours that lie so many before T."""
    counts = [1] * 48
    for ago in bursts:
        counts[-ago] = 30
    counted(shop, "a", counts)


def hours_told(messages: list[str]) -> list[str]:
    """Which hours messages are about."""
    return [message.split("the hour from ")[1][:5] for message in messages]


# --- Each hour once ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("minute", [1, 7, 40, 59])
def test_the_first_round_after_an_hour_judges_it_whenever_that_is(minute: int, shop: NewProject):
    season_rule(shop)
    usual_until(shop, 1)

    assert hours_told(fired(T + minute * MINUTE_MS + 1_000)) == ["09:00"]


@pytest.mark.django_db
def test_an_hour_is_judged_once_and_not_again_when_something_changes(shop: NewProject):
    rule = season_rule(shop)
    usual_until(shop, 1)
    put("a", Status.MUTED, at=T)
    assert fired(T + 2 * MINUTE_MS) == []

    put("a", Status.UNRESOLVED, at=T)

    assert fired(T + 3 * MINUTE_MS) == fired(T + 50 * MINUTE_MS) == []
    assert not Firing.objects.exists()
    assert Cooldown.objects.get(rule=rule).fired_ms == T  # until when it has judged


@pytest.mark.django_db
def test_a_second_look_at_an_hour_does_not_lengthen_the_cooldown_of_what_it_told(shop: NewProject):
    season_rule(shop, rule_cooldown_secs=50 * 60)
    usual_until(shop, 1)
    assert len(fired(T + 61_000)) == 1
    for minute in range(2, 60, 3):
        assert fired(T + minute * MINUTE_MS) == []
    send_at(shop, T + 30 * MINUTE_MS, *["a"] * 60)

    assert hours_told(fired(T + HOUR_MS + 61_000)) == ["10:00"]


@pytest.mark.django_db
def test_hours_in_which_nobody_worked_are_made_up_for_the_oldest_first(shop: NewProject):
    season_rule(shop)
    usual_until(shop, 6, 4, 2)
    assert fired(T - 6 * HOUR_MS - 10 * MINUTE_MS) == []

    assert hours_told(fired(T + 20 * MINUTE_MS)) == ["04:00", "06:00", "08:00"]
    assert fired(T + 21 * MINUTE_MS) == []


@pytest.mark.django_db
def test_what_is_older_than_six_hours_is_no_news(shop: NewProject):
    season_rule(shop)
    usual_until(shop, 7, 6)
    assert fired(T - 20 * HOUR_MS) == []

    assert hours_told(fired(T + 20 * MINUTE_MS)) == ["04:00"]


@pytest.mark.django_db
def test_a_rule_that_was_off_or_is_new_begins_with_the_last_hour(shop: NewProject):
    usual_until(shop, 3, 1)
    rule = season_rule(shop, rule_is_enabled=False)
    season_rule(shop)
    Cooldown.objects.create(rule=rule, project=shop.project, key=seasons.MARK, fired_ms=T - 5 * HOUR_MS)
    AlertRule.objects.filter(pk=rule.pk).update(is_enabled=True, updated_ms=T + 10 * MINUTE_MS)

    assert hours_told(fired(T + 20 * MINUTE_MS)) == ["09:00", "09:00"]


@pytest.mark.django_db
def test_an_hour_is_not_judged_while_something_that_came_in_it_waits_to_be_folded(shop: NewProject):
    season_rule(shop)
    usual_until(shop)
    waiting = BufferedPayload.objects.create(
        kind="error", project_id=shop.project.pk, body=b"{}", items=1, received_ms=T - 1
    )
    assert fired(T + 5 * MINUTE_MS) == []

    waiting.delete()
    send_at(shop, T - 1, *["a"] * 30)

    assert hours_told(fired(T + 6 * MINUTE_MS)) == ["09:00"]


@pytest.mark.django_db
def test_a_clock_that_ran_ahead_hides_no_hour(shop: NewProject):
    rule = season_rule(shop)
    usual_until(shop, 1)
    assert fired(T + 3 * DAY_MS) == []  # nothing happened there

    assert hours_told(fired(T + 2 * MINUTE_MS)) == ["09:00"]
    assert Cooldown.objects.get(rule=rule, key=seasons.MARK).fired_ms == T


@pytest.mark.django_db
def test_a_rule_of_all_projects_judges_each_with_one_row_that_says_how_far(shop: NewProject, other: NewProject):
    rule = season_rule(None)
    usual_until(shop, 1)
    usual_until(other, 2, 1)
    assert fired(T - HOUR_MS - 10 * MINUTE_MS) == []

    assert hours_told(fired(T + 2 * MINUTE_MS)) == ["08:00", "09:00", "09:00"]
    assert Cooldown.objects.filter(rule=rule, key=seasons.MARK).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_judge_an_hour_at_once_one_tells_it(shared_database: None, monkeypatch: pytest.MonkeyPatch):
    shop = make_project(name="Shop", slug="shop")
    season_rule(shop)
    usual_until(shop, 1)
    judge, all_have_judged = seasons.judge_hour, threading.Barrier(3)

    def slowly(*arguments: object, **more: object) -> object:
        found = list(judge(*arguments, **more))  # type: ignore[arg-type]
        all_have_judged.wait(timeout=20)
        return found

    monkeypatch.setattr(seasons, "judge_hour", slowly)
    at_once([lambda: evaluate(T + 2 * MINUTE_MS)] * 3)

    assert Firing.objects.count() == 1


# --- As the page on spikes --------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("age", [13, 30, 60, 100, 200, 400, 600, 700, 1_000])
def test_alerts_and_insights_score_an_hour_alike_whatever_a_projects_age(age: int, shop: NewProject, other: NewProject):
    rng = np.random.default_rng(age)
    levels = 6 + 4 * np.sin(np.arange(age) * 2 * np.pi / 24)
    counts = rng.poisson(levels)
    counts[rng.integers(0, age, age // 20)] += 15
    counts[-1] = 60
    counted(other, "older", rng.poisson(3, 1_100).tolist())
    counted(shop, "a", counts.tolist())
    season_rule(shop)
    season_rule(None, rule_environment_filter="production")

    messages = fired(T + 2 * MINUTE_MS)
    asked = [Ask(reach=Reach(None), hours=72, now_ms=T + later * HOUR_MS, limit=100) for later in (0, 30)]
    shown = [
        spike
        for ask in asked
        for spike in spikes(ask, threshold=4.0, method="seasonal")
        if spike.hour_ms == T - HOUR_MS and spike.issue.fingerprint == "a"
    ]

    assert len(shown) == len(messages) == 2
    (score,) = {round(spike.score, 9) for spike in shown}
    (expected,) = {f"{spike.expected:,.1f}" for spike in shown}
    assert all(f"where {expected} are usual (score {score:.1f}, " in message for message in messages)


@pytest.mark.django_db
def test_a_young_project_is_not_compared_with_the_time_before_it(shop: NewProject):
    season_rule(shop)
    counted(shop, "a", [20, 21, 19] * 8)

    assert fired(T + 2 * MINUTE_MS) == []

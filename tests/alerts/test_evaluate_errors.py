"""Every line of contract 6.3, with a clock that the tests set: which rules of errors fire, and when."""

from typing import Any

import pytest

from alerts.models import Firing
from bloop_site.lib.clock import DAY_MS
from errors.models import Event, Issue, Status
from errors.queries import alerting
from errors.services.merge import merge_issues
from errors.services.status import Actor
from projects.services.projects import NewProject
from tests.alerts.rules_of import HOUR_MS, MINUTE_MS, T, fired, make_rule, put, send_at

pytestmark = pytest.mark.django_db


# --- new_issue ----------------------------------------------------------------------------------------------------


def test_a_new_issue_is_told_once_in_the_contracts_words(shop: NewProject):
    make_rule("new_issue", shop.project)
    send_at(shop, T, "fp1", release="1.4.0", environment="production", error_type="TypeError", message="x is undefined")

    assert fired(T + 1) == ["New error in 1.4.0 (production): [TypeError] x is undefined - fp1"]
    assert fired(T + 2) == []
    firing = Firing.objects.get()
    assert (firing.fingerprint, firing.key, firing.fired_ms) == ("fp1", "fp1", T + 1)
    assert firing.details == {"environment": "production", "release": "1.4.0", "url": "/errors/shop/fp1"}


def test_neither_silence_nor_a_restart_makes_an_old_issue_new(shop: NewProject):
    make_rule("new_issue", shop.project)
    send_at(shop, T, "fp1")
    fired(T)

    send_at(shop, T + 3 * HOUR_MS, "fp1")

    assert fired(T + 3 * HOUR_MS) == []


def test_the_same_fingerprint_is_new_in_a_second_project(shop: NewProject, other: NewProject):
    make_rule("new_issue")
    send_at(shop, T, "fp1")
    send_at(other, T, "fp1")

    assert len(fired(T)) == 2


def test_a_rule_of_another_project_or_one_that_is_off_keeps_still(shop: NewProject, other: NewProject):
    make_rule("new_issue", other.project)
    make_rule("new_issue", shop.project, rule_is_enabled=False)
    send_at(shop, T, "fp1")

    assert fired(T) == []


@pytest.mark.parametrize("status", [Status.IGNORED, Status.MUTED])
@pytest.mark.parametrize("window_secs", [1_200, 86_400])
def test_once_an_issue_is_ignored_or_muted_what_came_before_counts_no_more(
    window_secs: int, status: Status, shop: NewProject
):
    make_rule("threshold", shop.project, threshold=5, window_secs=window_secs)
    for minute in range(-6, 6):
        send_at(shop, T + minute * MINUTE_MS, "noisy", "noisy", "rare")
    put("noisy", status, at=T + 6 * MINUTE_MS)
    send_at(shop, T + 7 * MINUTE_MS, "noisy", "noisy", "noisy")  # these are not counted at all

    (message,) = fired(T + 8 * MINUTE_MS)

    assert message.startswith("12 events ")
    put("rare", status, at=T + 8 * MINUTE_MS)
    assert fired(T + 8 * MINUTE_MS + 900_000) == []


def test_a_spike_of_an_issue_that_is_ignored_now_is_none(shop: NewProject):
    make_rule("spike", shop.project, multiplier=3.0, baseline_window_secs=3_000, compare_window_secs=300)
    for minute in range(0, 50, 5):
        send_at(shop, T + minute * MINUTE_MS, "a")
    send_at(shop, T + 51 * MINUTE_MS, *["b"] * 30)
    put("b", Status.IGNORED, at=T + 52 * MINUTE_MS)

    assert fired(T + 53 * MINUTE_MS) == []
    put("b", Status.UNRESOLVED, at=T + 53 * MINUTE_MS)
    assert len(fired(T + 53 * MINUTE_MS + 1)) == 1


def test_of_more_events_than_are_read_a_part_of_an_hour_is_reckoned(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerting, "MAX_READ", 10)
    make_rule("threshold", shop.project, threshold=10, window_secs=86_400)
    for minute in range(30):
        send_at(shop, T + minute * MINUTE_MS, "noisy")
    put("noisy", Status.IGNORED, at=T + 30 * MINUTE_MS)
    send_at(shop, T + 31 * MINUTE_MS, *["noisy"] * 30)
    send_at(shop, T + 32 * MINUTE_MS, *["a"] * 11)

    (message,) = fired(T + 33 * MINUTE_MS)

    assert message.startswith("11 events ")


@pytest.mark.parametrize(
    ("filters", "messages"),
    [
        ({"rule_environment_filter": "production"}, 1),
        ({"rule_environment_filter": "staging"}, 0),
        ({"rule_source_filter": "ios"}, 1),
        ({"rule_source_filter": "web"}, 0),
        ({"rule_environment_filter": "production", "rule_source_filter": "web"}, 0),
        ({"environment": "production"}, 1),
        ({"environment": "staging"}, 0),
    ],
)
def test_filters_and_the_configs_environment_must_match(filters: dict[str, Any], messages: int, shop: NewProject):
    make_rule("new_issue", shop.project, **filters)
    send_at(shop, T, "fp1", environment="production", source="ios")

    assert len(fired(T)) == messages


def test_with_an_environment_named_the_first_time_there_is_told(shop: NewProject):
    make_rule("new_issue", shop.project, environment="production")
    make_rule("new_issue", shop.project, rule_environment_filter="production")
    send_at(shop, T, "fp1", environment="staging")
    assert fired(T) == []

    send_at(shop, T + HOUR_MS, "fp1", environment="production", release="2")

    (message,) = fired(T + HOUR_MS)
    assert message.startswith("New error in 2 (production)")


def test_a_regression_is_told_and_says_so(shop: NewProject):
    make_rule("new_issue", shop.project)
    send_at(shop, T, "fp1", message="boom", error_type="E")
    fired(T)
    put("fp1", Status.RESOLVED, at=T + 1)

    send_at(shop, T + HOUR_MS, "fp1", release="2.0", message="boom", error_type="E")

    (message,) = fired(T + HOUR_MS)
    assert message == "Regression: resolved error came back in 2.0 (production): [E] boom - fp1"


@pytest.mark.parametrize("status", [Status.IGNORED, Status.MUTED])
def test_ignored_and_muted_issues_never_alert(status: Status, shop: NewProject):
    make_rule("new_issue", shop.project, environment="production")
    send_at(shop, T, "fp1", environment="staging")
    put("fp1", status, at=T)

    send_at(shop, T + 1, "fp1", environment="production")

    assert fired(T + 1) == []


def test_an_issue_muted_before_the_evaluation_is_not_told(shop: NewProject):
    make_rule("new_issue", shop.project)
    send_at(shop, T, "fp1")
    put("fp1", Status.MUTED, at=T)

    assert fired(T + 1) == []
    put("fp1", Status.UNRESOLVED, at=T)
    assert fired(T + 2) == []


def test_two_rules_tell_the_same_issue_each(shop: NewProject):
    make_rule("new_issue", shop.project)
    make_rule("new_issue")
    send_at(shop, T, "fp1")

    assert len(fired(T)) == 2


# --- threshold ----------------------------------------------------------------------------------------------------


def test_more_than_the_threshold_within_the_window_fires(shop: NewProject):
    make_rule("threshold", shop.project, threshold=3, window_secs=300)
    send_at(shop, T, "a", "b", "a")
    assert fired(T + 1) == []

    send_at(shop, T + MINUTE_MS, "c")

    assert fired(T + MINUTE_MS) == ["4 events in 5 minutes in Shop (threshold 3)"]
    firing = Firing.objects.get()
    assert (firing.measured, firing.key, firing.details["threshold"]) == (4, "", 3)
    assert firing.details["url"] == "/errors?project=shop"


def test_a_window_is_exact_to_the_millisecond(shop: NewProject):
    make_rule("threshold", shop.project, threshold=1, window_secs=300, rule_cooldown_secs=0)
    send_at(shop, T + 30_000, "a")
    send_at(shop, T + 2 * MINUTE_MS, "a")

    assert fired(T + 30_001 + 300_000) == []
    send_at(shop, T + 30_000 + 4 * MINUTE_MS, "b")  # now the first one no longer matters
    assert len(fired(T + 30_001 + 300_000)) == 1


def test_at_the_very_edge_an_event_still_counts(shop: NewProject):
    make_rule("threshold", shop.project, threshold=1, window_secs=300)
    send_at(shop, T + 30_000, "a")
    send_at(shop, T + 2 * MINUTE_MS, "a")

    assert len(fired(T + 30_000 + 300_000)) == 1


def test_windows_shorter_than_a_minute_count(shop: NewProject):
    make_rule("threshold", shop.project, threshold=1, window_secs=10)
    send_at(shop, T + 1_000, "a")
    send_at(shop, T + 12_000, "a")
    assert fired(T + 12_000) == []

    send_at(shop, T + 13_000, "a")

    assert fired(T + 13_000) == ["2 events in 10 seconds in Shop (threshold 1)"]


def test_long_windows_count_by_the_minute_too(shop: NewProject):
    make_rule("threshold", shop.project, threshold=2, window_secs=86_400)
    send_at(shop, T + 1, "a", "a", "a")
    put("a", Status.IGNORED, at=T)
    send_at(shop, T + 2, "a")

    assert fired(T + DAY_MS) == ["3 events in 1 day in Shop (threshold 2)"]


def test_events_of_ignored_issues_do_not_count(shop: NewProject):
    send_at(shop, T - HOUR_MS, "a")
    put("a", Status.IGNORED, at=T)
    make_rule("threshold", shop.project, threshold=1, window_secs=300)
    make_rule("threshold", shop.project, threshold=1, window_secs=86_000)

    send_at(shop, T + 1, "a", "a", "a")

    assert fired(T + 2) == []


@pytest.mark.parametrize(
    ("filters", "messages"),
    [
        ({"rule_environment_filter": "production"}, 1),
        ({"rule_environment_filter": "staging"}, 0),
        ({"rule_source_filter": "api"}, 1),
        ({"rule_source_filter": "ios"}, 0),
    ],
)
@pytest.mark.parametrize("window_secs", [301, 40_000])
@pytest.mark.parametrize("of", [{}, {"fingerprint": "a"}, {"route": "/users"}])
def test_filters_narrow_what_is_counted(
    filters: dict[str, Any], messages: int, window_secs: int, of: dict[str, str], shop: NewProject
):
    make_rule("threshold", shop.project, threshold=1, window_secs=window_secs, **of, **filters)
    send_at(shop, T, "a", "a", environment="production", source="api")
    send_at(shop, T, "a", environment="staging", source="ios")

    assert len(fired(T + 1_500)) == messages


def test_a_fingerprint_is_counted_by_itself(shop: NewProject, other: NewProject):
    make_rule("threshold", shop.project, threshold=2, window_secs=600, fingerprint="a")
    send_at(shop, T, "a", "a", "b", "b", "b")
    send_at(other, T, "a", "a", "a")
    assert fired(T + 1) == []

    send_at(shop, T + 1, "a")

    assert fired(T + 2) == ["3 events in 10 minutes in Shop of a (threshold 2)"]
    firing = Firing.objects.get()
    assert (firing.fingerprint, firing.key, firing.details["url"]) == ("a", "a", "/errors/shop/a")


def test_a_fingerprints_window_is_exact_too(shop: NewProject):
    make_rule("threshold", shop.project, threshold=2, window_secs=5400, fingerprint="a", rule_cooldown_secs=0)
    send_at(shop, T + 30 * MINUTE_MS, "a")
    send_at(shop, T + 70 * MINUTE_MS, "a", "a")

    assert fired(T + 30 * MINUTE_MS + 5_400_001) == []
    assert len(fired(T + 30 * MINUTE_MS + 5_400_000)) == 1


def test_a_merged_group_counts_as_one(shop: NewProject):
    send_at(shop, T, "a", "b", "b")
    head, part = (Issue.objects.get(fingerprint=each) for each in "ab")
    merge_issues(into_id=head.pk, issue_ids=[part.pk], actor=Actor(user_id=None), now_ms=T)
    make_rule("threshold", shop.project, threshold=2, window_secs=600, fingerprint="a")
    make_rule("threshold", shop.project, threshold=2, window_secs=600, fingerprint="b")

    assert len(fired(T + 1)) == 2
    Issue.objects.update(status=Status.MUTED)
    Firing.objects.all().delete()
    assert fired(T + HOUR_MS) == []


def test_a_route_is_counted_over_its_issues(shop: NewProject):
    make_rule("threshold", shop.project, threshold=2, window_secs=600, route="/pay")
    send_at(shop, T, "a", "b", route_or_procedure="/pay")
    send_at(shop, T, "c", "c", route_or_procedure="/other")
    assert fired(T + 1) == []

    send_at(shop, T + 1, "b", route_or_procedure="/pay")

    assert fired(T + 2) == ["3 events in 10 minutes in Shop on /pay (threshold 2)"]


def test_counts_stand_when_the_oldest_events_were_removed(shop: NewProject):
    make_rule("threshold", shop.project, threshold=2, window_secs=7 * 86_400, fingerprint="a")
    for hours in range(4):
        send_at(shop, T + hours * HOUR_MS, "a")
    Event.objects.filter(received_ms__lt=T + 3 * HOUR_MS).delete()

    assert fired(T + 5 * DAY_MS) == ["4 events in 7 days in Shop of a (threshold 2)"]


def test_a_global_rule_judges_each_project_by_itself(shop: NewProject, other: NewProject):
    make_rule("threshold", threshold=2, window_secs=300)
    send_at(shop, T, "a", "a")
    send_at(other, T, "a", "a", "a")

    assert fired(T + 1) == ["3 events in 5 minutes in Other (threshold 2)"]


# --- spike --------------------------------------------------------------------------------------------------------


def spike_rule(shop: NewProject, **config: Any) -> None:
    given = {"multiplier": 3.0, "baseline_window_secs": 3000, "compare_window_secs": 300, **config}
    make_rule("spike", shop.project, **given)


def test_a_rate_above_so_many_times_the_one_before_is_a_spike(shop: NewProject):
    spike_rule(shop)
    for minute in range(0, 50, 5):
        send_at(shop, T + minute * MINUTE_MS, "a", "a")  # 20 in 50 minutes, so 2 in 5
    start = T + 50 * MINUTE_MS
    send_at(shop, start, *"aaaaaa")
    assert fired(start + 300_000) == []  # exactly three times

    send_at(shop, start + 1, "a")

    (message,) = fired(start + 300_000)
    assert message == (
        "Error spike in Shop: 7 events in the last 5 minutes, 3.5 times the rate of the 50 minutes before"
        " (threshold 3 times)"
    )
    assert Firing.objects.get().measured == 3.5


def test_fewer_than_five_events_are_no_spike(shop: NewProject):
    spike_rule(shop)
    send_at(shop, T, "a")
    send_at(shop, T + 50 * MINUTE_MS, *"aaaa")

    assert fired(T + 50 * MINUTE_MS + 1) == []


def test_without_anything_before_there_is_no_spike(shop: NewProject):
    spike_rule(shop)
    send_at(shop, T + 50 * MINUTE_MS, *"aaaaaaaaaa")

    assert fired(T + 50 * MINUTE_MS + 1) == []


@pytest.mark.parametrize(("sixth_ms", "messages"), [(T + 70_000, 0), (T + 10_000, 1), (T + 10_001, 0)])
def test_both_windows_of_a_spike_are_exact(sixth_ms: int, messages: int, shop: NewProject):
    spike_rule(shop, multiplier=1.0, baseline_window_secs=60, compare_window_secs=60)
    send_at(shop, T + 10_001, *"aaaaa")
    send_at(shop, sixth_ms, "a")  # in the baseline, just before it, or its very first
    send_at(shop, T + 70_001, *"aaaaaa")

    assert len(fired(T + 130_001)) == messages


def test_a_spikes_filters_narrow_both_windows(shop: NewProject):
    spike_rule(shop, rule_environment_filter="staging")
    send_at(shop, T, "a", environment="staging")
    send_at(shop, T + 55 * MINUTE_MS, *"aaaaaaa", environment="production")
    assert fired(T + 55 * MINUTE_MS) == []

    send_at(shop, T + 55 * MINUTE_MS, *"aaaaaaa", environment="staging")

    assert len(fired(T + 56 * MINUTE_MS)) == 0  # the one before is out of the baseline by now
    assert len(fired(T + 55 * MINUTE_MS)) == 1


def test_an_hour_that_stands_out_from_its_season_is_told_of_once(shop: NewProject):
    spike_rule(shop, method="seasonal", rule_cooldown_secs=0)
    for hour in range(-72, -1):
        send_at(shop, T + hour * HOUR_MS, "a", "b")
    send_at(shop, T - HOUR_MS, "b", *["a"] * 30)

    assert fired(T + 30_000) == []  # the hour's last events may not be folded yet
    (message,) = fired(T + 61_000)
    assert message.startswith("Error spike in Shop: 30 events in the hour from 09:00 UTC where ")
    assert message.endswith(": [TypeError] Cannot read property 'id' of undefined - a")
    firing = Firing.objects.get()
    assert f"(score {firing.measured:.1f}, threshold 4)" in message
    assert firing.details["threshold"] == 4
    assert fired(T + 5 * MINUTE_MS) == []
    assert fired(T + HOUR_MS + 61_000) == []


def test_in_the_first_half_day_of_a_project_nothing_is_usual_yet(shop: NewProject):
    spike_rule(shop, method="seasonal")
    send_at(shop, T - 12 * HOUR_MS, "b")
    send_at(shop, T - HOUR_MS, *["a"] * 30)
    send_at(shop, T, *["c"] * 30)

    assert fired(T + 61_000) == []
    (message,) = fired(T + HOUR_MS + 61_000)
    assert message.endswith(" - c")


def test_an_hour_of_a_muted_issue_is_no_spike(shop: NewProject):
    spike_rule(shop, method="seasonal")
    for hour in range(-72, -1):
        send_at(shop, T + hour * HOUR_MS, "a")
    send_at(shop, T - HOUR_MS, *["a"] * 30)
    put("a", Status.MUTED, at=T)

    assert fired(T + 61_000) == []


# --- Cooldown (contract 6.5) ------------------------------------------------------------------------------------------


def test_a_rule_keeps_still_for_the_cooldown_and_speaks_again_when_it_is_over(shop: NewProject):
    make_rule("threshold", shop.project, threshold=0, window_secs=86_400)
    send_at(shop, T, "a")
    assert len(fired(T + 1)) == 1

    assert fired(T + 900_000) == []
    assert len(fired(T + 900_001)) == 1


def test_a_rules_own_cooldown_goes_before_the_servers(shop: NewProject):
    make_rule("threshold", shop.project, threshold=0, window_secs=86_400, rule_cooldown_secs=60)
    send_at(shop, T, "a")
    assert len(fired(T)) == 1

    assert fired(T + 59_999) == []
    assert len(fired(T + 60_000)) == 1


def test_cooldowns_are_by_project_rule_and_fingerprint(shop: NewProject, other: NewProject):
    make_rule("new_issue")
    send_at(shop, T, "a")
    send_at(other, T, "a")
    assert len(fired(T)) == 2
    put("a", Status.RESOLVED, at=T + 1)

    send_at(shop, T + 2, "a", "b")

    assert [message.split()[0] for message in fired(T + 2)] == ["New"]  # a came back, but was told of just now


def test_without_a_cooldown_a_rule_fires_once_a_minute_at_most(shop: NewProject):
    make_rule("threshold", shop.project, threshold=0, window_secs=86_400, rule_cooldown_secs=0)
    send_at(shop, T, "a")

    assert [len(fired(T + seconds * 1000)) for seconds in (0, 2, 59, 60)] == [1, 0, 0, 1]

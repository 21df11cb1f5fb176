"""What each tab of Insights answers (contract 7.1 to 7.5, W35): from counts of events that were folded, not made up."""

import statistics
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import COMMAND_LINE
from analytics.answers import Ask, Environments
from analytics.queries.correlations import correlations
from analytics.queries.environments import environments
from analytics.queries.movers import movers
from analytics.queries.releases import release_impacts
from analytics.queries.spikes import spikes
from bloop_site.lib.clock import HOUR_MS, from_ms
from errors.models import Issue
from errors.services.merge import merge_issues
from errors.services.status import Actor
from projects.access import Reach
from projects.services.projects import NewProject
from projects.services.removal import request_removal
from tests.analytics.conftest import HOURS, NOW, send
from tests.errors.hours import T

ALL = Reach(None)
Packed = Callable[[], Any]
pytestmark = pytest.mark.django_db


def ask(reach: Reach = ALL, **more: Any) -> Ask:
    return Ask(**{"reach": reach, "hours": HOURS, "now_ms": NOW, **more})


def only(new: NewProject) -> Reach:
    return Reach((new.project.pk,))


def merge(into: str, *others: str) -> None:
    ids = dict(Issue.objects.filter(project__slug="shop").values_list("fingerprint", "pk"))
    merge_issues(into_id=ids[into], issue_ids=[ids[each] for each in others], actor=Actor(None), now_ms=NOW)


# --- Spikes (7.1) ----------------------------------------------------------------------------------------------------


def test_a_spike_is_an_hour_far_above_the_mean_of_all_hours_of_the_window(spiky: NewProject, packed: Packed):
    packed()
    found = spikes(ask(), threshold=2.5)

    counts = [2] * HOURS
    counts[30], counts[31] = 40, 12
    mean, deviation = statistics.mean(counts), statistics.stdev(counts)
    top = next(each for each in found if each.issue.fingerprint == "a")
    assert (top.hour_ms, top.count, top.counts) == (T + 30 * HOUR_MS, 40, tuple(counts))
    assert (top.expected, top.stddev, top.score) == pytest.approx((mean, deviation, (40 - mean) / deviation))
    assert (top.issue.project_slug, top.issue.error_type, top.issue.message) == ("shop", "TypeError", "a")
    assert top.issue.status == "unresolved"


def test_a_single_event_is_a_spike_though_fewer_than_nine_hours_have_any(spiky: NewProject, packed: Packed):
    packed()
    found = spikes(ask(), threshold=2.5)

    counts = [1] + [0] * (HOURS - 1)
    once = next(each for each in found if each.issue.fingerprint == "once")
    assert once.score == pytest.approx((1 - statistics.mean(counts)) / statistics.stdev(counts))


def test_only_hours_at_the_threshold_or_above_the_highest_first(spiky: NewProject, packed: Packed):
    packed()
    every = spikes(ask(limit=100), threshold=0.5)

    assert [each.score for each in every] == sorted((each.score for each in every), reverse=True)
    assert {each.issue.fingerprint for each in every} == {"a", "b", "once"}
    at = every[1].score
    assert len(spikes(ask(), threshold=at)) == 2, "at the threshold is a spike"
    assert len(spikes(ask(), threshold=at + 1e-9)) == 1
    assert spikes(ask(limit=1), threshold=0.5) == every[:1]
    assert not spikes(ask(), threshold=99.0)


def test_two_releases_and_two_sources_of_an_issue_are_one_series(shop: NewProject, packed: Packed):
    for release in ("1.0", "1.1"):
        for source in ("api", "web"):
            send(shop.project, 4, "a", release=release, source=source)
    packed()

    found = spikes(ask(), threshold=2.5)

    assert [(each.issue.fingerprint, each.count) for each in found] == [("a", 4)]


def test_equal_scores_stand_by_fingerprint_and_the_later_hour_first(shop: NewProject, packed: Packed):
    for number in (3, 1, 2):
        send(shop.project, number, f"once-{number}")
    send(shop.project, 7, "twice")
    send(shop.project, 9, "twice")
    packed()

    found = [(each.issue.fingerprint, (each.hour_ms - T) // HOUR_MS) for each in spikes(ask(), threshold=2.5)]

    assert found == [("once-1", 1), ("once-2", 2), ("once-3", 3), ("twice", 9), ("twice", 7)]
    assert len(spikes(ask(limit=2), threshold=2.5)) == 2
    assert [each.issue.fingerprint for each in spikes(ask(limit=2), threshold=2.5)] == ["once-1", "once-2"]


def test_of_equal_scores_the_most_events_come_first(shop: NewProject, packed: Packed):
    for number in (1, 2, 3, 4):
        send(shop.project, number, f"once-{number}")
    send(shop.project, 5, "many", times=40)
    send(shop.project, 6, "more", times=41)
    packed()

    found = spikes(ask(), threshold=2.5)

    assert len({each.score for each in found}) == 1
    assert [each.issue.fingerprint for each in found[:3]] == ["more", "many", "once-1"]
    for limit in (1, 2, 3, 5):
        assert spikes(ask(limit=limit), threshold=2.5) == found[:limit]


def test_a_constant_series_has_no_spikes_and_a_window_of_one_hour_none(shop: NewProject, packed: Packed):
    for hour in range(HOURS):
        send(shop.project, hour, "steady", times=3)
    packed()

    assert spikes(ask(), threshold=0.0) == ()
    assert spikes(ask(hours=1), threshold=0.0) == ()


def test_merged_issues_are_one_series_of_the_issue_that_shows_them(spiky: NewProject, packed: Packed):
    merge("b", "a", "once")
    packed()

    top, *_ = spikes(ask(), threshold=2.5)

    assert (top.issue.fingerprint, top.count, sum(top.counts)) == ("b", 45, 70 * 2 + 40 + 12 + 24 * 5 + 1)


def test_a_merge_after_packing_counts_at_once(spiky: NewProject, packed: Packed):
    packed()
    merge("b", "a")

    assert spikes(ask(), threshold=2.5)[0].issue.fingerprint == "once"
    assert spikes(ask(), threshold=2.5)[1].count == 45


def test_the_window_is_the_last_hours_the_running_one_included(spiky: NewProject, packed: Packed):
    packed()
    send(spiky.project, HOURS - 1, "now", times=9)

    assert len(spikes(ask(), threshold=2.5)[0].counts) == HOURS
    now = next(each for each in spikes(ask(), threshold=2.5) if each.issue.fingerprint == "now")
    assert (now.hour_ms, now.counts[-1]) == (T + (HOURS - 1) * HOUR_MS, 9)
    assert "a" not in {each.issue.fingerprint for each in spikes(ask(hours=HOURS - 32), threshold=2.5)}
    assert "a" in {each.issue.fingerprint for each in spikes(ask(hours=HOURS - 31), threshold=2.5)}


def test_a_project_and_an_environment_narrow_it(spiky: NewProject, other: NewProject, packed: Packed):
    send(other.project, 3, "theirs", times=4)
    send(spiky.project, 9, "a", times=7, environment="staging")
    packed()

    assert [each.issue.fingerprint for each in spikes(ask(only(other)), threshold=2.5)] == ["theirs"]
    assert "theirs" not in {each.issue.fingerprint for each in spikes(ask(only(spiky)), threshold=2.5)}
    assert [(each.issue.fingerprint, each.count) for each in spikes(ask(environment="staging"), threshold=2.5)] == [
        ("a", 7)
    ]
    assert spikes(ask(environment="nowhere"), threshold=0.0) == ()
    assert spikes(ask(Reach(())), threshold=0.0) == ()


def test_one_fingerprint_in_two_projects_is_two_issues(shop: NewProject, other: NewProject, packed: Packed):
    send(shop.project, 3, "same", times=4)
    send(other.project, 5, "same", times=4)
    packed()

    assert {(each.issue.project_slug, each.count) for each in spikes(ask(), threshold=2.5)} == {
        ("shop", 4),
        ("other", 4),
    }


def test_a_project_that_is_being_removed_is_left_out(spiky: NewProject, other: NewProject, packed: Packed):
    send(other.project, 3, "kept", times=4)
    packed()
    request_removal(project=spiky.project, actor=COMMAND_LINE, now=from_ms(NOW))

    assert [each.issue.fingerprint for each in spikes(ask(), threshold=2.5)] == ["kept"]
    assert [each.issue.fingerprint for each in movers(ask())] == ["kept"]
    assert environments(ask()).total_count == 4
    assert {each.project_slug for each in release_impacts(ask())} == {"other"}


def test_the_seasonal_method_knows_what_an_hour_usually_holds(shop: NewProject, packed: Packed):
    for hour in range(-10 * 24, HOURS):
        if hour % 24 == 8:
            send(shop.project, hour, "nightly", times=12)  # each night, so it is usual
    send(shop.project, 40, "burst", times=12)
    packed()

    classic = {each.issue.fingerprint for each in spikes(ask(), threshold=2.5)}
    found = spikes(ask(), threshold=4.0, method="seasonal")

    assert classic == {"nightly", "burst"}
    assert [(each.issue.fingerprint, each.count) for each in found] == [("burst", 12)]
    assert (len(found[0].counts), found[0].counts[40]) == (HOURS, 12)
    assert found[0].expected < 1


def test_the_seasonal_method_takes_the_time_before_a_server_s_first_event_for_no_history(
    shop: NewProject, packed: Packed
):
    for hour in range(HOURS - 20, HOURS):
        send(shop.project, hour, "from-the-start", times=9)
    packed()

    assert spikes(ask(), threshold=4.0, method="seasonal") == ()


# --- Movers (7.2) ----------------------------------------------------------------------------------------------------


def moved(**more: Any) -> list[tuple[Any, ...]]:
    return [
        (each.issue.fingerprint, each.count_current, each.count_previous, each.delta, each.delta_pct)
        for each in movers(ask(**{"hours": 24, **more}))
    ]


@pytest.fixture
def moving(shop: NewProject) -> NewProject:
    """In the last 24 hours and the 24 before: `up` 9 and 3, `down` 1 and 11, `new` 5 and 0, `gone` 0 and 4, `same`."""
    for release in ("1.0", "1.1", "1.2"):
        send(shop.project, HOURS - 3, "up", times=3, release=release, message=release)
        send(shop.project, HOURS - 30, "up", release=release, message=release)
    send(shop.project, HOURS - 24, "down")
    send(shop.project, HOURS - 25, "down", times=11)
    send(shop.project, HOURS - 1, "new", times=5)
    send(shop.project, HOURS - 48, "gone", times=4)
    send(shop.project, HOURS - 2, "same", times=2)
    send(shop.project, HOURS - 40, "same", times=2)
    send(shop.project, HOURS - 49, "before", times=50)
    return shop


def test_movers_stand_by_how_far_they_moved_up_or_down(moving: NewProject, packed: Packed):
    packed()

    assert moved() == [
        ("down", 1, 11, -10, pytest.approx(-1000 / 11)),
        ("up", 9, 3, 6, 200.0),
        ("new", 5, 0, 5, 100.0),
        ("gone", 0, 4, -4, -100.0),
        ("same", 2, 2, 0, 0.0),
    ]
    assert [name for name, *_ in moved(limit=2)] == ["down", "up"]


def test_an_issue_whose_message_differs_between_releases_is_one_mover_named_as_the_issue(
    moving: NewProject, packed: Packed
):
    packed()
    found = {each.issue.fingerprint: each for each in movers(ask(hours=24))}

    assert found["up"].issue.message == "1.0"
    assert (found["gone"].issue.error_type, found["gone"].issue.message) == ("TypeError", "gone"), (
        "named though it left"
    )
    assert len(found["up"].counts) == 48
    assert (sum(found["up"].counts[:24]), sum(found["up"].counts[24:])) == (3, 9)


def test_movers_that_moved_as_far_stand_by_fingerprint(shop: NewProject, packed: Packed):
    for name in ("c", "a", "d", "b"):
        send(shop.project, HOURS - 1 if name < "c" else HOURS - 30, name, times=3)
    packed()

    assert [name for name, *_ in moved()] == ["a", "b", "c", "d"]
    assert [name for name, *_ in moved(limit=3)] == ["a", "b", "c"]


def test_movers_of_merged_issues_a_project_and_an_environment(moving: NewProject, other: NewProject, packed: Packed):
    send(other.project, HOURS - 1, "theirs", times=3, environment="staging")
    merge("down", "up")
    packed()

    assert moved(reach=only(other)) == [("theirs", 3, 0, 3, 100.0)]
    assert moved(environment="staging") == [("theirs", 3, 0, 3, 100.0)]
    assert [row for row in moved() if row[0] == "down"] == [("down", 10, 14, -4, pytest.approx(-400 / 14))]
    assert "up" not in {name for name, *_ in moved()}


# --- Correlations (7.3) ----------------------------------------------------------------------------------------------


WAVE = (1, 0, 4, 2, 0, 7, 3, 0, 5, 1)


def paired(**more: Any) -> list[tuple[str, str, float]]:
    return [(each.a.fingerprint, each.b.fingerprint, each.correlation) for each in correlations(ask(**more))]


@pytest.fixture
def waves(shop: NewProject) -> NewProject:
    """`b` and `a` go together, also in two releases; `z` nearly; `flat` never varies; `short` has five hours only."""
    for hour in range(HOURS):
        high = WAVE[hour % len(WAVE)]
        send(shop.project, hour, "b", times=high)
        send(shop.project, hour, "a", times=high, release="1.0")
        send(shop.project, hour, "a", times=high, release="1.1", environment="staging")
        send(shop.project, hour, "z", times=high + (hour % 2))
        send(shop.project, hour, "flat", times=2)
    for hour in range(5):
        send(shop.project, hour * 10 + 5, "short", times=7)
    return shop


def test_pairs_that_go_together_are_named_once_the_smaller_fingerprint_first(waves: NewProject, packed: Packed):
    packed()
    found = correlations(ask())

    a = [2 * WAVE[hour % len(WAVE)] for hour in range(HOURS)]
    z = [WAVE[hour % len(WAVE)] + hour % 2 for hour in range(HOURS)]
    assert [(each.a.fingerprint, each.b.fingerprint) for each in found] == [("a", "b"), ("a", "z"), ("b", "z")]
    assert [each.correlation for each in found] == pytest.approx([1.0, *[statistics.correlation(a, z)] * 2])
    assert found[0].correlation == 1.0
    assert (found[1].counts_a, found[1].counts_b) == (tuple(a), tuple(z))
    assert (found[1].a.message, found[1].b.message) == ("a", "z")


def test_a_series_that_does_not_vary_and_one_of_few_hours_are_in_no_pair(waves: NewProject, packed: Packed):
    packed()

    assert {name for pair in paired(limit=100) for name in pair[:2]} == {"a", "b", "z"}
    send(waves.project, 55, "short", times=7)
    assert "short" in {name for pair in paired(limit=100) for name in pair[:2]}, "six hours are enough"


def test_two_hours_that_two_issues_share_are_no_correlation(shop: NewProject, packed: Packed):
    for hour in range(0, 60, 2):
        send(shop.project, hour, "even", times=1 + hour % 3)
        send(shop.project, hour + 1, "odd", times=1 + hour % 3)
    for hour in (64, 66):
        send(shop.project, hour, "even", "odd", times=hour - 60)
    packed()

    assert paired() == []


def test_below_seven_tenths_is_no_pair(shop: NewProject, packed: Packed):
    for hour in range(HOURS):
        send(shop.project, hour, "a", times=1 + hour % 2)
        send(shop.project, hour, "b", times=1 + (hour % 2 if hour < 60 else 1 - hour % 2))
        send(shop.project, hour, "c", times=1 + (hour % 2 if hour < 62 else 1 - hour % 2))
    packed()

    found = {(a, b): r for a, b, r in paired()}
    assert ("a", "b") not in found
    assert found["a", "c"] == pytest.approx(1 - 2 * 10 / HOURS)
    assert found["a", "c"] >= 0.7


def test_only_the_two_hundred_loudest_are_compared(shop: NewProject, packed: Packed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("analytics.queries.correlations.MAX_CANDIDATES", 3)
    for hour in range(0, 24, 3):
        for number, name in enumerate("edcba"):
            send(shop.project, hour, name, times=1 + number)
    packed()

    assert {name for pair in paired() for name in pair[:2]} == {"a", "b", "c"}
    assert len(paired(limit=2)) == 2


def test_correlations_of_merged_issues_a_project_and_an_environment(
    waves: NewProject, other: NewProject, packed: Packed
):
    for hour in range(HOURS):
        send(other.project, hour, "b", times=WAVE[hour % len(WAVE)])
    merge("z", "b")
    packed()

    assert [pair[:2] for pair in paired(reach=only(waves))] == [("a", "z")]
    assert paired(reach=only(other)) == []
    assert paired(environment="staging") == []
    assert [pair[:2] for pair in paired()] == [("a", "b"), ("a", "z"), ("b", "z")], "of the other project"


def test_one_fingerprint_of_two_projects_is_no_pair(shop: NewProject, other: NewProject, packed: Packed):
    for hour in range(0, 40, 5):
        send(shop.project, hour, "same")
        send(other.project, hour, "same")
    packed()

    assert paired() == []


# --- Releases (7.4) --------------------------------------------------------------------------------------------------


def impacts(**more: Any) -> list[tuple[str, int, int, int, int, float]]:
    return [
        (
            each.release,
            each.error_count,
            each.unique_fingerprints,
            each.new_fingerprints,
            each.error_delta,
            each.impact_score,
        )
        for each in release_impacts(ask(**more))
    ]


@pytest.fixture
def released(shop: NewProject) -> NewProject:
    """1.0: a, b (4 events). 1.1: a again, c, d in two environments (10). 1.2: a (5)."""
    send(shop.project, 1, "a", "b", times=2, release="1.0")
    send(shop.project, 10, "a", times=6, release="1.1")
    send(shop.project, 11, "c", "d", release="1.1")
    send(shop.project, 12, "d", times=2, release="1.1", environment="staging")
    send(shop.project, 20, "a", times=5, release="1.2")
    send(shop.project, 21, "b", release="1.0")
    send(shop.project, 22, "nameless", release="")
    return shop


def test_a_release_is_compared_with_the_one_before_it_the_newest_first(released: NewProject, packed: Packed):
    packed()

    assert impacts() == [
        ("1.2", 5, 1, 0, -5, -50.0),
        ("1.1", 10, 3, 2, 5, 120.0),
        ("1.0", 5, 2, 2, 0, 20.0),
    ]
    assert impacts(limit=1) == impacts()[:1]
    assert [each.first_seen_ms for each in release_impacts(ask())] == [T + at * HOUR_MS + 5 for at in (20, 10, 1)]


def test_releases_go_by_all_events_whatever_window_and_environment(released: NewProject):
    assert impacts(hours=1, environment="staging") == impacts()


def test_the_release_before_is_of_the_same_project(released: NewProject, other: NewProject):
    send(other.project, 15, "a", times=2, release="1.1")
    send(other.project, 25, "a", "x", times=2, release="9.9")

    found = {(each.project_slug, each.release): each for each in release_impacts(ask())}

    assert [each.release for each in release_impacts(ask())] == ["9.9", "1.2", "1.1", "1.1", "1.0"]
    assert found["other", "1.1"].impact_score == 10.0
    assert (found["other", "9.9"].error_delta, found["other", "9.9"].impact_score) == (2, 110.0)
    assert found["shop", "1.2"].error_delta == -5
    assert impacts(reach=only(released)) == [
        ("1.2", 5, 1, 0, -5, -50.0),
        ("1.1", 10, 3, 2, 5, 120.0),
        ("1.0", 5, 2, 2, 0, 20.0),
    ]
    assert [row[0] for row in impacts(reach=only(other))] == ["9.9", "1.1"]


def test_merged_issues_count_once_and_are_new_where_the_first_of_them_came(released: NewProject):
    merge("c", "a", "d")

    assert [row[:4] for row in impacts()] == [("1.2", 5, 1, 0), ("1.1", 10, 1, 0), ("1.0", 5, 2, 2)]

    merge("b", "c")
    assert [row[2:4] for row in impacts()] == [(1, 0), (1, 0), (1, 1)]


def test_queries_about_releases_are_as_many_for_three_as_for_thirty(shop: NewProject):
    numbers = []
    for count in (3, 30):
        for number in range(count):
            send(shop.project, number, f"fp{number}", release=f"{count}.{number}")
        with CaptureQueriesContext(connection) as queries:
            assert len(release_impacts(ask(limit=100))) >= count
        numbers.append(len(queries))

    assert numbers[0] == numbers[1] <= 6


# --- Environments (7.5) ----------------------------------------------------------------------------------------------


def test_environments_with_their_share_their_issues_and_their_hours(shop: NewProject, packed: Packed):
    for hour, times in enumerate((2, 0, 8, 5)):
        send(shop.project, hour, "a", times=times)
    send(shop.project, 3, "b", times=1, source="web")
    send(shop.project, 6, "a", times=4, environment="staging")
    send(shop.project, -2, "old", times=9, environment="staging")
    packed()

    found = environments(ask())

    production, staging = found.environments
    assert found.total_count == 20
    assert (production.environment, production.total_count, production.unique_errors) == ("production", 16, 2)
    assert (production.pct_of_total, staging.pct_of_total) == (80.0, 20.0)
    assert (production.p50_hourly, production.p90_hourly, production.p99_hourly) == pytest.approx((6.0, 7.6, 7.96))
    assert production.counts == (2, 0, 8, 6) + (0,) * 68
    assert (staging.total_count, staging.unique_errors) == (4, 1), "issues of the window, not of all time"
    assert (staging.p50_hourly, staging.p90_hourly, staging.p99_hourly) == (4.0, 4.0, 4.0)


def test_an_environment_counts_only_issues_with_events_in_the_window_itself(shop: NewProject, packed: Packed):
    """The window begins in the middle of six packed hours: who has events before it only is not in it."""
    send(shop.project, 1, "before", "both")
    send(shop.project, 4, "both", "after")
    packed()

    assert environments(ask(hours=HOURS - 2)).environments[0].unique_errors == 2
    assert environments(ask(hours=HOURS)).environments[0].unique_errors == 3


def test_merged_issues_are_one_in_each_environment(shop: NewProject, packed: Packed):
    send(shop.project, 1, "a", "b", "c")
    send(shop.project, 2, "b", environment="staging")
    merge("a", "b")
    packed()

    assert {each.environment: each.unique_errors for each in environments(ask()).environments} == {
        "production": 2,
        "staging": 1,
    }


def test_environments_of_a_project_one_alone_and_none_at_all(shop: NewProject, other: NewProject, packed: Packed):
    send(shop.project, 1, "a", times=3)
    send(other.project, 1, "a", environment="qa")
    send(other.project, 2, "a", environment="ab")
    packed()

    assert [each.environment for each in environments(ask()).environments] == ["production", "ab", "qa"]
    assert [each.environment for each in environments(ask(only(shop))).environments] == ["production"]
    alone = environments(ask(environment="qa"))
    assert (alone.total_count, alone.environments[0].pct_of_total) == (1, 100.0)
    assert environments(ask(Reach(()))) == Environments((), 0)


# --- All -------------------------------------------------------------------------------------------------------------


def test_numbers_are_plain_and_finite_so_that_json_can_say_them(spiky: NewProject, packed: Packed):
    packed()
    answers: list[Any] = [
        *spikes(ask(), threshold=0.1),
        *spikes(ask(), threshold=0.1, method="seasonal"),
        *movers(ask()),
        *correlations(ask()),
        *release_impacts(ask()),
        environments(ask()),
    ]

    assert {type(each).__name__ for each in answers} >= {"Spike", "Mover", "ReleaseImpact", "Environments"}
    for answer in answers:
        check(asdict(answer))


def check(value: Any) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            check(each)
        return
    assert type(value) in {bool, int, float, str}, type(value)
    assert value == value, "not a number"  # noqa: PLR0124


def test_nothing_at_all_is_answered_by_nothing(db: None):
    assert spikes(ask(), threshold=2.5) == ()
    assert spikes(ask(), threshold=2.5, method="seasonal") == ()
    assert movers(ask()) == ()
    assert correlations(ask()) == ()
    assert release_impacts(ask()) == ()
    assert environments(ask()) == Environments((), 0)

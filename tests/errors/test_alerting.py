"""What alert rules count, held against a count of all events, on both sides of every edge."""

import random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of
from errors.models import Event, Issue, Status
from errors.queries import alerting
from errors.queries.alerting import Narrowed, Sums
from projects.services.projects import NewProject
from tests.factories import event_json, record

T = 1_760_000_000_000 - 1_760_000_000_000 % DAY_MS + 10 * HOUR_MS + 17 * MINUTE_MS + 29_123
ALL = Narrowed()
pytestmark = pytest.mark.django_db


def send_at(shop: NewProject, at: int, *fingerprints: str, **fields: Any) -> None:
    record(shop.project, *(event_json(fingerprint=each, **fields) for each in fingerprints), received_ms=at)


def scattered(shop: NewProject, *, events: int, spread_ms: int) -> None:
    """Events of a few issues, environments and sources at random moments before T, in the order they came in."""
    chance = random.Random(7)
    for at in sorted(T - chance.randrange(spread_ms) for _ in range(events)):
        place = {"environment": chance.choice(("production", "staging")), "source": chance.choice(("api", "ios"))}
        send_at(shop, at, chance.choice("abc"), **place)


def counted(since_ms: int, **conditions: Any) -> int:
    return Event.objects.filter(received_ms__gte=since_ms, **conditions).count()


NARROWED = [ALL, Narrowed("production"), Narrowed(None, "ios"), Narrowed("staging", "api"), Narrowed("nowhere")]


def test_whole_minutes_and_the_exact_edge_are_what_came(shop: NewProject):
    scattered(shop, events=60, spread_ms=20 * MINUTE_MS)
    chance = random.Random(3)
    for window_ms in [1, 999, MINUTE_MS, *(chance.randrange(20 * MINUTE_MS) for _ in range(30))]:
        since = T - window_ms
        places = alerting.minutes_since([shop.project.pk], since_ms=since)[shop.project.pk]
        for narrowed in NARROWED:
            sums = narrowed.of(places)
            edge = alerting.edge_of_minute(shop.project.pk, since_ms=since, narrowed=narrowed, minute_count=sums.edge)
            assert sums.whole + edge == counted(since, **narrowed.columns)


def test_hours_are_never_fewer_than_minutes(shop: NewProject, other: NewProject):
    scattered(shop, events=30, spread_ms=5 * HOUR_MS)
    send_at(other, T - 9 * HOUR_MS, "a")
    for hours in range(6):
        since = T - hours * HOUR_MS - 1
        most = alerting.hours_since(None, since_ms=since)
        exact = alerting.minutes_since(None, since_ms=since)
        assert exact.keys() <= most.keys()
        for project_id, places in exact.items():
            for narrowed in NARROWED:
                assert narrowed.of(most[project_id]).most >= narrowed.of(places).most


def test_a_minute_too_full_to_read_is_shared_out_by_its_length(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerting, "MAX_READ", 9)
    send_at(shop, T, *["a"] * 10)
    begin = T - T % MINUTE_MS

    with CaptureQueriesContext(connection) as seen:
        found = alerting.edge_of_minute(shop.project.pk, since_ms=begin + 30_000, narrowed=ALL, minute_count=10)

    assert found == 5
    assert not seen.captured_queries


def test_events_of_issues_that_are_quiet_by_now_are_left_out_of_the_edge(shop: NewProject):
    send_at(shop, T, "a", "b")
    Issue.objects.filter(fingerprint="a").update(status=Status.IGNORED)

    assert alerting.edge_of_minute(shop.project.pk, since_ms=T, narrowed=ALL, minute_count=2) == 1


def test_events_of_issues_are_exact_where_they_may_decide(shop: NewProject):
    scattered(shop, events=80, spread_ms=5 * HOUR_MS)
    ids = list(Issue.objects.exclude(fingerprint="c").values_list("pk", flat=True))
    chance = random.Random(5)
    for window_ms in [1, HOUR_MS, *(chance.randrange(5 * HOUR_MS) for _ in range(25))]:
        since = T - window_ms
        for narrowed in NARROWED:
            true = counted(since, issue__in=ids, **narrowed.columns)
            for more_than in (0, true - 1, true, true + 1):
                found = alerting.events_of(ids, since_ms=since, narrowed=narrowed, more_than=more_than)
                assert (found > more_than) is (true > more_than)
                if true > more_than:
                    assert found == true


def test_more_events_than_may_be_read_still_decide(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerting, "MAX_READ", 20)
    begin = hour_of(T)
    send_at(shop, begin, *["a"] * 30)
    send_at(shop, begin + 20 * MINUTE_MS, *["a"] * 30)
    ids = [Issue.objects.get().pk]
    since = begin + 15 * MINUTE_MS

    assert alerting.events_of(ids, since_ms=since, narrowed=ALL, more_than=10) == 20  # the newest alone are more
    assert alerting.events_of(ids, since_ms=since, narrowed=ALL, more_than=40) == 45  # three quarters of sixty


def test_counts_by_the_hour_alone_often_tell(shop: NewProject):
    send_at(shop, T - HOUR_MS, "a", "a")
    ids = [Issue.objects.get().pk]

    with CaptureQueriesContext(connection) as seen:
        assert alerting.events_of(ids, since_ms=T - HOUR_MS, narrowed=ALL, more_than=2) == 0
        assert alerting.events_of(ids, since_ms=hour_of(T) - HOUR_MS, narrowed=ALL, more_than=1) == 2

    assert not [query for query in seen.captured_queries if "errors_event" in query["sql"]]


def test_issues_are_found_by_fingerprint_route_or_both(shop: NewProject, other: NewProject):
    send_at(shop, T, "a", "b", route_or_procedure="/pay")
    send_at(shop, T, "c", route_or_procedure="/pay" + "x" * 100)
    send_at(other, T, "a", route_or_procedure="/other")

    def found(**by: str | None) -> dict[str, list[str]]:
        given: dict[str, str | None] = {"fingerprint": None, "route": None, **by}
        ids = alerting.issues_of(None, **given, since_ms=T)
        return {
            project_id: sorted(Issue.objects.filter(pk__in=pks).values_list("fingerprint", flat=True))
            for project_id, pks in ids.items()
        }

    assert found(fingerprint="a") == {shop.project.pk: ["a"], other.project.pk: ["a"]}
    assert found(route="/pay") == {shop.project.pk: ["a", "b"]}
    assert found(route="/pay" + "x" * 100) == {shop.project.pk: ["c"]}
    assert found(fingerprint="a", route="/other") == {other.project.pk: ["a"]}
    assert alerting.issues_of(None, fingerprint="a", route=None, since_ms=T + 1) == {}
    assert alerting.issues_of([shop.project.pk], fingerprint="a", route=None, since_ms=T).keys() == {shop.project.pk}


def test_the_busiest_issues_of_an_hour_come_with_their_history(shop: NewProject, other: NewProject):
    hour = hour_of(T)
    send_at(shop, hour - 2 * HOUR_MS, "a", "a")
    send_at(shop, hour + 1, *["a"] * 5, *["b"] * 7, *["c"] * 6, "d")
    send_at(other, hour + 1, *["a"] * 5)
    merged = Issue.objects.get(fingerprint="c")
    merged.merged_into = Issue.objects.get(fingerprint="a", project=shop.project)
    merged.save()

    found = alerting.busiest(None, hour_ms=hour, history=3, narrowed=ALL, least=5, limit=1)

    assert [(issue.project_id, issue.fingerprint, issue.counts) for issue in found] == [
        (shop.project.pk, "a", (0, 2, 0, 11)),
        (other.project.pk, "a", (0, 0, 0, 5)),
    ]


def test_totals_are_those_of_each_project_however_many_are_asked_about(
    shop: NewProject, other: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(alerting, "MAX_PARAMETERS", 2)
    send_at(shop, T, *"abbccc")
    send_at(other, T, "a", "a")

    found = alerting.total_counts([(shop.project.pk, name) for name in "abcd"])

    assert [found.get((shop.project.pk, name)) for name in "abcd"] == [1, 2, 3, None]
    assert found[other.project.pk, "a"] == 2


def test_sums_add_up():
    assert Sums(1, 2).plus(Sums(3, 4)) == Sums(4, 6)
    assert Sums(4, 6).most == 10

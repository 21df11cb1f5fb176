"""What the fold writes down for alert rules, and that it is handed over once (contract 6.3)."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from bloop_site.lib.clock import DAY_MS, MINUTE_MS
from errors.models import Issue, Occasion, ProjectMinute, Status, Transition
from errors.retention import OldRows
from errors.services.merge import merge_issues
from errors.services.occasions import any_occasion, take_occasions
from errors.services.status import Actor
from errors.signals import events_folded
from projects import retention
from projects.retention import Cutoffs
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, record
from tests.ingest.conftest import at_once

T = 1_760_000_000_000 - 1_760_000_000_000 % MINUTE_MS


def send_at(shop: NewProject, at: int, *fingerprints: str, **fields: Any) -> None:
    record(shop.project, *(event_json(fingerprint=each, **fields) for each in fingerprints), received_ms=at)


def told() -> list[tuple[str, str, str]]:
    rows = Occasion.objects.order_by("pk").values_list("kind", "issue__fingerprint", "environment")
    return [(kind, fingerprint, environment) for kind, fingerprint, environment in rows]


def forget() -> None:
    Occasion.objects.all().delete()


def put(status: Status, **columns: Any) -> None:
    Issue.objects.filter(fingerprint="a").update(status=status, status_changed_ms=T, **columns)


# --- What is new --------------------------------------------------------------------------------------------------


def test_a_new_issue_is_new_and_new_in_its_environment(shop: NewProject):
    send_at(shop, T, "a", "a", environment="production", release="1.0", source="web")

    assert told() == [("new", "a", "production"), ("new_env", "a", "production")]
    row = Occasion.objects.get(kind="new")
    assert (row.project_id, row.source, row.release, row.happened_ms) == (shop.project.pk, "web", "1.0", T)


def test_what_was_seen_before_is_not_told_again(shop: NewProject):
    send_at(shop, T, "a")
    forget()

    send_at(shop, T + DAY_MS, "a")

    assert told() == []


def test_the_same_fingerprint_is_new_in_each_project(shop: NewProject, other: NewProject):
    send_at(shop, T, "a")
    send_at(other, T, "a")

    assert Occasion.objects.filter(kind="new").values_list("project_id").distinct().count() == 2


def test_another_environment_is_told_once_whatever_the_release(shop: NewProject):
    send_at(shop, T, "a", environment="staging", release="1.0")
    forget()

    send_at(shop, T + 1, "a", environment="staging", release="1.1")
    assert told() == []
    send_at(shop, T + 2, "a", environment="production", release="1.1")
    assert told() == [("new_env", "a", "production")]
    forget()
    send_at(shop, T + 3, "a", environment="production", release="1.2")
    assert told() == []


def test_a_batch_tells_each_environment_of_a_new_issue_once(shop: NewProject):
    events = [
        event_json(fingerprint="a", environment=environment, release=release)
        for environment, release in (("staging", "1"), ("production", "1"), ("production", "2"))
    ]
    record(shop.project, *events, received_ms=T)

    assert sorted(told()) == [("new", "a", "staging"), ("new_env", "a", "production"), ("new_env", "a", "staging")]


def test_a_batch_without_new_aggregates_asks_nothing_more(shop: NewProject):
    send_at(shop, T, "a")

    with CaptureQueriesContext(
        connection,
    ) as seen:
        send_at(shop, T + 1, "a")

    assert not [query for query in seen.captured_queries if "WITH place" in query["sql"] or "occasion" in query["sql"]]


# --- Regressions, and what nobody wants to hear of ------------------------------------------------------------------


def test_a_regression_is_told_with_its_transition_and_the_event_that_made_it(shop: NewProject):
    send_at(shop, T - 1, "a", environment="production", release="1.0")
    put(Status.RESOLVED)
    forget()

    send_at(shop, T + 5, "a", environment="production", release="1.0", source="ios")

    row = Occasion.objects.get()
    assert (row.kind, row.transition_id, row.source) == ("regression", Transition.objects.get().pk, "ios")
    assert (row.release, row.happened_ms) == ("1.0", T + 5)


def test_a_mute_that_ends_is_no_regression(shop: NewProject):
    send_at(shop, T - 1, "a")
    put(Status.MUTED, muted_until_count=2)
    forget()

    send_at(shop, T + 5, "a")

    assert Issue.objects.get().status == Status.UNRESOLVED
    assert told() == []


@pytest.mark.parametrize("status", [Status.IGNORED, Status.MUTED])
def test_ignored_and_muted_issues_write_nothing_and_are_not_counted(shop: NewProject, status: Status):
    send_at(shop, T - MINUTE_MS, "a", environment="staging")
    put(status)
    forget()

    send_at(shop, T, "a", "a", environment="production")
    send_at(shop, T, "b", environment="staging")

    assert told() == [("new", "b", "staging"), ("new_env", "b", "staging")]
    counted = ProjectMinute.objects.filter(minute_ms=T).values_list("environment", "count")
    assert list(counted) == [("staging", 1)]


def test_the_event_that_ends_a_mute_is_counted(shop: NewProject):
    send_at(shop, T - MINUTE_MS, "a")
    put(Status.MUTED, muted_until_ms=T)

    send_at(shop, T, "a")

    assert ProjectMinute.objects.get(minute_ms=T).count == 1


# --- Merged issues --------------------------------------------------------------------------------------------------


def merged(shop: NewProject) -> None:
    """One issue is shown by the other; both were seen in staging."""
    send_at(shop, T - 2, "a", "b", environment="staging")
    head, other = (Issue.objects.get(fingerprint=each) for each in "ab")
    merge_issues(into_id=head.pk, issue_ids=[other.pk], actor=Actor(user_id=None), now_ms=T - 1)
    forget()


def test_an_event_of_a_merged_issue_is_not_new_and_its_head_is_told_of_new_environments(shop: NewProject):
    merged(shop)

    send_at(shop, T, "b", environment="staging", release="9")
    assert told() == []
    send_at(shop, T, "b", environment="production")
    assert told() == [("new_env", "a", "production")]
    forget()
    send_at(shop, T, "a", environment="production")
    assert told() == []


def test_events_of_what_an_ignored_issue_shows_are_not_counted(shop: NewProject):
    merged(shop)
    Issue.objects.update(status=Status.IGNORED)
    ProjectMinute.objects.all().delete()

    send_at(shop, T, "a", "b", environment="production")

    assert told() == []
    assert not ProjectMinute.objects.exists()


def test_an_event_of_a_merged_issue_reopens_its_head(shop: NewProject):
    merged(shop)
    Issue.objects.update(status=Status.RESOLVED, status_changed_ms=T - 1)

    send_at(shop, T, "b", environment="staging")

    assert told() == [("regression", "a", "staging")]


# --- Counting by the minute -------------------------------------------------------------------------------------------


def test_minutes_are_counted_by_place_and_add_up(shop: NewProject):
    send_at(shop, T + 1, "a", "b", environment="production")
    send_at(shop, T + MINUTE_MS - 1, "a", environment="production")
    send_at(shop, T + MINUTE_MS, "a", environment="production")
    send_at(shop, T + 1, "a", environment="staging", source="ios")

    rows = ProjectMinute.objects.order_by("minute_ms", "environment").values_list("minute_ms", "environment", "count")
    assert list(rows) == [(T, "production", 3), (T, "staging", 1), (T + MINUTE_MS, "production", 1)]


# --- Handing over -----------------------------------------------------------------------------------------------------


def test_taking_hands_over_what_a_message_needs_and_how_the_issue_stands_now(shop: NewProject):
    send_at(shop, T, "a", message="boom", error_type="E", release="1", environment="production")
    put(Status.MUTED)

    with transaction.atomic():
        first, second = take_occasions(10)

    assert (first.kind, first.fingerprint, first.error_type, first.message) == ("new", "a", "E", "boom")
    assert (first.release, first.environment, first.status, first.is_quiet) == ("1", "production", "muted", True)
    assert second.kind == "new_env"
    assert not any_occasion()


def test_taking_no_more_than_asked_for_takes_the_oldest(shop: NewProject):
    send_at(shop, T, "a")
    send_at(shop, T, "b")

    with transaction.atomic():
        assert [each.fingerprint for each in take_occasions(3)] == ["a", "a", "b"]
    assert Occasion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_and_not_committed_is_there_again(shop: NewProject):
    send_at(shop, T, "a")
    with transaction.atomic():
        assert len(take_occasions(10)) == 2
        transaction.set_rollback(True)
    assert Occasion.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_each_occasion_once(shop: NewProject, shared_database: None):
    for number in range(40):
        send_at(shop, T, f"fp-{number}")

    def take() -> list[tuple[str, str]]:
        taken = []
        for _ in range(20):
            with transaction.atomic():
                taken += [(each.fingerprint, each.kind) for each in take_occasions(7)]
        return taken

    one, other = at_once([take, take])

    assert len(one) + len(other) == len({*one, *other}) == 80


@pytest.mark.django_db(transaction=True)
def test_the_fold_says_after_commit_what_it_wrote(shop: NewProject):
    heard: list[int] = []

    def hear(sender: object, occasions: int, **_: Any) -> None:
        heard.append(occasions)

    events_folded.connect(hear)
    try:
        with transaction.atomic():
            send_at(shop, T, "a")
            assert heard == []
        send_at(shop, T, "a")
    finally:
        events_folded.disconnect(hear)
    assert heard == [2, 0]


# --- Retention --------------------------------------------------------------------------------------------------------


def test_occasions_go_after_a_day_and_minutes_after_eight(shop: NewProject, admin: User):
    make_issue(shop.project, received_ms=T)
    purgers = retention.purgers()
    for name, days in (("occasions", 1), ("project_minutes", 8)):
        purger = purgers[name]
        assert isinstance(purger, OldRows)
        last = Cutoffs(at_ms=T + days * DAY_MS, raw_ms=0, hourly_ms=0)
        assert (purger.count(last), purger.find(last, place=None, limit=10)) == (0, None)
        after = Cutoffs(at_ms=T + days * DAY_MS + 1, raw_ms=0, hourly_ms=0)
        found = purger.find(after, place=None, limit=10)
        assert found is not None
        assert purger.count(after) == len(found.rows) == purger.remove(found.rows)
    assert not Occasion.objects.exists()
    assert not ProjectMinute.objects.exists()

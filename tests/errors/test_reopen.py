"""What new events do to a status: regressions, mutes that run out, merged issues (contract 3.2)."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from bloop_site.lib.clock import HOUR_MS
from errors.models import Issue, Release, ReleaseHourlyCount, SearchWords, Status, Transition
from errors.statuses import mute_is_over
from projects.services.projects import NewProject
from tests.factories import event_json, record

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS


def send_at(shop: NewProject, at: int, *fingerprints: str, **fields: Any) -> None:
    record(shop.project, *(event_json(fingerprint=each, **fields) for each in fingerprints), received_ms=at)


def issue(fingerprint: str = "a") -> Issue:
    return Issue.objects.get(fingerprint=fingerprint)


def put(status: Status, *, at: int, **columns: Any) -> None:
    Issue.objects.filter(fingerprint="a").update(status=status, status_changed_ms=at, **columns)


def last_change() -> tuple[str, str, str, str | None]:
    change = Transition.objects.latest("pk")
    return change.old_status, change.new_status, change.cause, change.release


# --- Resolved in the next release -------------------------------------------------------------------------------


def test_in_the_next_release_an_event_of_a_known_release_reopens_nothing(shop: NewProject):
    send_at(shop, T, "a", release="1.0")
    put(Status.RESOLVED, at=T + 1, in_next_release=True)

    send_at(shop, T + 2, "a", release="1.0")
    send_at(shop, T + 3, "a", release="")

    assert issue().status == Status.RESOLVED
    assert not Transition.objects.exists()


def test_in_the_next_release_an_event_of_a_newer_release_is_a_regression(shop: NewProject):
    send_at(shop, T, "a", release="1.0")
    put(Status.RESOLVED, at=T + 1, in_next_release=True)

    send_at(shop, T + 2, "a", release="0.9")  # newer is what appeared later, whatever its name

    assert (issue().status, issue().regressed_ms, issue().in_next_release) == (Status.UNRESOLVED, T + 2, False)
    assert last_change() == ("resolved", "unresolved", "regression", "0.9")


def test_a_release_that_another_issue_had_before_is_not_newer(shop: NewProject):
    send_at(shop, T, "a", release="1.0")
    send_at(shop, T, "b", release="1.1")
    put(Status.RESOLVED, at=T + 1, in_next_release=True)

    send_at(shop, T + 2, "a", release="1.1")

    assert issue().status == Status.RESOLVED


def test_of_a_batch_the_newer_release_counts_wherever_it_stands(shop: NewProject):
    send_at(shop, T, "a", release="1.0")
    put(Status.RESOLVED, at=T + 1, in_next_release=True)
    events = [event_json(fingerprint="a", release=release) for release in ("1.0", "2.0", "1.0")]

    record(shop.project, *events, received_ms=T + 2)

    assert last_change() == ("resolved", "unresolved", "regression", "2.0")


# --- Mutes that run out -----------------------------------------------------------------------------------------


def test_a_mute_until_a_time_ends_with_the_first_event_after_it(shop: NewProject):
    send_at(shop, T, "a")
    put(Status.MUTED, at=T, muted_until_ms=T + 100)

    send_at(shop, T + 99, "a")
    before = issue().status
    send_at(shop, T + 100, "a")

    assert (before, issue().status, issue().muted_until_ms) == (Status.MUTED, Status.UNRESOLVED, None)
    assert last_change() == ("muted", "unresolved", "mute_ended", None)
    assert issue().regressed_ms is None


def test_a_mute_until_a_count_ends_with_the_event_that_reaches_it(shop: NewProject):
    send_at(shop, T, "a")
    put(Status.MUTED, at=T, muted_until_count=3)

    send_at(shop, T + 1, "a")
    before = issue().status
    send_at(shop, T + 2, "a")

    assert (before, issue().status, issue().muted_until_count) == (Status.MUTED, Status.UNRESOLVED, None)


def test_a_mute_without_an_end_stays(shop: NewProject):
    send_at(shop, T, "a")
    put(Status.MUTED, at=T)

    send_at(shop, T + 365 * 24 * HOUR_MS, *["a"] * 50)

    assert issue().status == Status.MUTED


@pytest.mark.parametrize(
    ("until_ms", "until_count", "over"),
    [(None, None, False), (10, None, True), (11, None, False), (None, 5, True), (None, 6, False), (11, 5, True)],
)
def test_a_mute_is_over_by_time_or_by_count(until_ms: int | None, until_count: int | None, *, over: bool):
    assert mute_is_over(until_ms=until_ms, until_count=until_count, now_ms=10, total_count=5) is over


@pytest.mark.parametrize("columns", [{"muted_until_ms": 5}, {"muted_until_count": 5}, {"in_next_release": True}])
def test_the_database_keeps_ends_and_releases_to_their_statuses(shop: NewProject, columns: dict[str, Any]):
    send_at(shop, T, "a")

    with pytest.raises(IntegrityError), transaction.atomic():
        Issue.objects.update(**columns)


# --- Merged issues ----------------------------------------------------------------------------------------------


def merge(shown: str, merged: str) -> None:
    into, other = issue(shown), issue(merged)
    Issue.objects.filter(pk=other.pk).update(merged_into=into, status=into.status)
    Issue.objects.filter(pk=into.pk).update(total_count=into.total_count + other.total_count)


def test_events_of_a_merged_issue_count_for_both(shop: NewProject):
    send_at(shop, T, "a", "b")
    merge("a", "b")

    send_at(shop, T + 5, "b", "b", "a")

    assert (issue("a").total_count, issue("a").last_seen_ms) == (5, T + 5)
    assert (issue("b").total_count, issue("b").last_seen_ms) == (3, T + 5)


def test_an_event_of_a_merged_issue_alone_moves_the_one_that_shows_it(shop: NewProject):
    send_at(shop, T, "a", "b")
    merge("a", "b")

    send_at(shop, T + 5, "b")

    assert (issue("a").total_count, issue("a").last_seen_ms) == (3, T + 5)


def test_an_event_of_a_merged_issue_reopens_both_once(shop: NewProject):
    send_at(shop, T, "a", "b")
    merge("a", "b")
    Issue.objects.update(status=Status.RESOLVED, status_changed_ms=T + 1)

    send_at(shop, T + 5, "b", "a", release="2.0")

    assert {each.status for each in Issue.objects.all()} == {Status.UNRESOLVED}
    change = Transition.objects.get()
    assert (change.issue_id, change.cause, change.release) == (issue("a").pk, "regression", "2.0")


def test_events_of_merged_issues_count_towards_a_mutes_end(shop: NewProject):
    send_at(shop, T, "a", "b")
    merge("a", "b")
    Issue.objects.update(status=Status.MUTED, status_changed_ms=T)
    Issue.objects.filter(fingerprint="a").update(muted_until_count=4)

    send_at(shop, T + 5, "b", "b")

    assert issue("a").status == issue("b").status == Status.UNRESOLVED


# --- Releases and words -----------------------------------------------------------------------------------------


def test_a_release_knows_its_first_and_last_event_and_its_hours(shop: NewProject):
    send_at(shop, T + 10, "a", "b", release="1.0")
    send_at(shop, T + HOUR_MS, "a", release="1.0")
    send_at(shop, T + 5, "a", release="1.0")

    release = Release.objects.get()
    assert (release.name, release.total_count) == ("1.0", 4)
    assert (release.first_seen_ms, release.last_seen_ms) == (T + 5, T + HOUR_MS)
    hours = ReleaseHourlyCount.objects.order_by("hour_ms").values_list("hour_ms", "count")
    assert list(hours) == [(T, 3), (T + HOUR_MS, 1)]
    assert issue("a").first_release == "1.0"


def test_an_issue_keeps_the_release_that_brought_it(shop: NewProject):
    send_at(shop, T, "a", release="1.0")
    send_at(shop, T + 1, "a", release="2.0")

    assert issue().first_release == "1.0"


def test_a_new_issue_gets_its_words_once(shop: NewProject):
    send_at(shop, T, "a", message="Cannot find loadUser", stack="at pay (checkout.js:3:1)", route="/users")
    send_at(shop, T + 1, "a", message="something else")

    words = SearchWords.objects.get().words.split()
    assert {"cannot", "loaduser", "load", "user", "pay", "checkout", "users", "typeerror"} <= set(words)
    assert "something" not in words


def matches(word: str) -> list[int]:
    query, parameter = (
        ("SELECT rowid FROM errors_searchwords_fts WHERE errors_searchwords_fts MATCH %s", f'"{word}"*')
        if connection.vendor == "sqlite"
        else ("SELECT issue_id FROM errors_searchwords WHERE vector @@ %s::tsquery", f"'{word}':*")
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [parameter])
        return [row[0] for row in cursor.fetchall()]


def test_the_full_text_index_follows_the_words(shop: NewProject):
    send_at(shop, T, "a", message="Ünïcode größe 数据 ключ")

    assert all(matches(word) == [issue().pk] for word in ("größe", "gr", "数", "ключ", "typeerr"))
    SearchWords.objects.update(words="other")
    assert (matches("größe"), matches("oth")) == ([], [issue().pk])
    Issue.objects.all().delete()
    assert matches("oth") == []

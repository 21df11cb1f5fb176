"""Many issues at once: by ids or by what a filter matches, in pieces, resumed and taken back."""

from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.pace import Pace
from errors.models import BulkChange, Issue, Transition
from errors.queries.issues import IssueFilter
from errors.queries.work import bulk_progress, running_bulks
from errors.services import bulk
from errors.services.merge import merge_issues
from errors.services.standing import change_locked
from errors.services.status import Actor, change_status
from errors.statuses import Change
from errors.tasks import work_off_bulks
from projects.access import Reach
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, record
from tests.ingest.conftest import at_once

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
ALL = IssueFilter(status="unresolved")


@pytest.fixture
def many(shop: NewProject) -> NewProject:
    events = [event_json(fingerprint=f"fp{number:03}", message=f"m{number % 3}") for number in range(120)]
    record(shop.project, *events, received_ms=T)
    return shop


def start(user: User, reach: Reach, change: Change = Change("resolved"), **what: Any) -> BulkChange:  # noqa: B008
    return bulk.start_bulk(user_id=user.pk, reach=reach, change=change, now_ms=T + 10, **what)


def finish(made: BulkChange) -> BulkChange:
    assert bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=30)
    made.refresh_from_db()
    return made


def reach_of(shop: NewProject) -> Reach:
    return Reach((shop.project.pk,))


def statuses() -> set[str]:
    return set(Issue.objects.values_list("status", flat=True))


def test_all_that_match_are_changed_each_with_its_history(many: NewProject, admin: User):
    made = finish(start(admin, reach_of(many), filters=ALL))

    assert statuses() == {"resolved"}
    assert (made.total, made.looked_at, made.changed, made.finished_ms) == (120, 120, 120, T + 20)
    rows = Transition.objects.all()
    assert {(row.bulk_id, row.changed_by_id, row.cause) for row in rows} == {(made.pk, admin.pk, "call")}


def test_what_a_filter_leaves_out_stays(many: NewProject, admin: User):
    finish(start(admin, reach_of(many), filters=IssueFilter(status="unresolved", q="m1")))

    assert Issue.objects.filter(status="resolved").count() == 40


def test_ids_of_other_projects_are_never_touched(many: NewProject, other: NewProject, admin: User):
    foreign = make_issue(other.project)
    ids = [foreign.pk, Issue.objects.filter(project=many.project)[0].pk, 10**12]

    made = finish(start(admin, reach_of(many), ids=ids))

    foreign.refresh_from_db()
    assert (made.total, made.changed, foreign.status) == (1, 1, "unresolved")


def test_what_stands_so_already_is_looked_at_and_not_changed(many: NewProject, admin: User):
    first = Issue.objects.order_by("pk")[0]
    change_status(issue_id=first.pk, change=Change("muted"), actor=Actor(None), now_ms=T)

    made = finish(start(admin, reach_of(many), Change("muted"), ids=[first.pk, first.pk + 1]))

    assert (made.looked_at, made.changed) == (2, 1)


@pytest.mark.parametrize("what", [{}, {"ids": list(range(1001))}])
def test_a_change_is_of_ids_or_of_filters_within_bounds(many: NewProject, admin: User, what: dict[str, Any]):
    with pytest.raises(ValueError, match="ids, or filters"):
        start(admin, reach_of(many), **what)


def test_it_goes_on_where_it_was_interrupted_and_tells_how_far_it_is(
    many: NewProject, admin: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk, "Pace", lambda: Pace(rows=25))
    made = start(admin, reach_of(many), filters=ALL)

    assert not bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=0)
    (running,) = running_bulks(admin.pk)
    finish(made)

    assert 0 < running.looked_at < 120
    assert 0 < running.percent < 100
    assert Transition.objects.count() == 120, "each once"
    done = bulk_progress(bulk_id=made.pk, user_id=admin.pk)
    assert done is not None
    assert (done.percent, done.is_finished, done.changed) == (100, True, 120)
    assert bulk_progress(bulk_id=made.pk, user_id=make_user().pk) is None


def test_the_task_finishes_what_somebody_began(many: NewProject, admin: User):
    start(admin, reach_of(many), filters=ALL)

    for _ in range(20):  # two seconds a time, on however slow a machine
        work_off_bulks()

    assert statuses() == {"resolved"}
    assert running_bulks(admin.pk) == []


def test_issues_that_come_later_are_not_part_of_it(many: NewProject, admin: User):
    made = start(admin, reach_of(many), filters=ALL)
    late = make_issue(many.project, fingerprint="late")

    finish(made)

    late.refresh_from_db()
    assert late.status == "unresolved"


def test_undo_takes_back_each_that_nothing_happened_to_since(many: NewProject, admin: User):
    made = finish(start(admin, reach_of(many), filters=ALL))
    first, second, *_ = Issue.objects.order_by("pk")
    change_status(issue_id=first.pk, change=Change("ignored"), actor=Actor(None), now_ms=T + 25)
    record(many.project, event_json(fingerprint=second.fingerprint), received_ms=T + 26)

    undone = bulk.undo_bulk(bulk_id=made.pk, user_id=admin.pk, reach=Reach(None), now_ms=T + 30)
    finish(undone)

    assert Issue.objects.filter(status="unresolved").count() == 119
    first.refresh_from_db()
    assert first.status == "ignored"
    undone.refresh_from_db()
    assert (undone.total, undone.changed, undone.is_undo) == (120, 118, True)


def test_nobody_undoes_what_another_did(many: NewProject, admin: User):
    made = finish(start(admin, reach_of(many), filters=ALL))

    with pytest.raises(BulkChange.DoesNotExist):
        bulk.undo_bulk(bulk_id=made.pk, user_id=make_user().pk, reach=Reach(None), now_ms=T + 30)


def test_two_workers_at_once_change_each_issue_once(shared_database: None, shop: NewProject, admin: User):
    record(shop.project, *(event_json(fingerprint=f"fp{number}") for number in range(60)), received_ms=T)
    made = start(admin, reach_of(shop), filters=ALL)

    def work() -> bool:
        return bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=20)

    results = at_once([work, work])

    assert True in results
    assert all(result is True or isinstance(result, bulk.Busy) for result in results), results
    assert Transition.objects.count() == 60


def test_a_killed_worker_leaves_nothing_half_done(many: NewProject, admin: User, monkeypatch: pytest.MonkeyPatch):
    made = start(admin, reach_of(many), filters=ALL)
    monkeypatch.setattr(bulk, "Pace", lambda: Pace(rows=10))
    bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=0)

    def killed(*_: Any, **__: Any) -> Any:
        change_locked(*_, **__)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bulk, "change_locked", killed)
        with pytest.raises(KeyboardInterrupt):
            bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=0)
    made.refresh_from_db()
    after = (made.looked_at, made.changed, Transition.objects.count(), Issue.objects.filter(status="resolved").count())

    assert after == (10, 10, 10, 10)
    assert finish(made).changed == 120
    assert Transition.objects.count() == 120


def test_the_filter_is_not_read_while_others_wait_to_write(shared_database: None, shop: NewProject, admin: User):
    record(shop.project, *(event_json(fingerprint=f"fp{number}") for number in range(30)), received_ms=T)
    made = start(admin, reach_of(shop), filters=IssueFilter(status="unresolved", q="Cannot"))
    within: list[bool] = []

    def watch(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if "LIKE" in sql.upper():
            within.append(connection.in_atomic_block)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(watch):
        finish(made)

    assert within
    assert not any(within)
    assert statuses() == {"resolved"}


def test_what_left_the_list_before_its_turn_came_is_not_changed(
    many: NewProject, admin: User, monkeypatch: pytest.MonkeyPatch
):
    made = start(admin, reach_of(many), filters=ALL)
    first = Issue.objects.order_by("pk")[0]
    read = bulk.next_ids

    def then_somebody_ignores_it(bulk_id: int) -> list[int]:
        ids = read(bulk_id)
        change_status(issue_id=first.pk, change=Change("ignored"), actor=Actor(None), now_ms=T + 15)
        return ids

    monkeypatch.setattr(bulk, "next_ids", then_somebody_ignores_it)

    finish(made)

    first.refresh_from_db()
    assert (first.status, made.looked_at, made.changed) == ("ignored", 120, 119)


def test_merged_issues_follow_and_stand_for_none_of_their_own(many: NewProject, admin: User):
    first, second, *_ = Issue.objects.order_by("pk")
    merge_issues(into_id=first.pk, issue_ids=[second.pk], actor=Actor(None), now_ms=T)

    made = finish(start(admin, reach_of(many), filters=ALL))

    assert (made.total, made.changed, statuses()) == (119, 119, {"resolved"})


def test_each_is_muted_for_as_many_more_events_as_it_has_not_had_yet(many: NewProject, admin: User):
    first, *_ = Issue.objects.order_by("pk")
    record(many.project, *[event_json(fingerprint=first.fingerprint)] * 4, received_ms=T + 1)

    made = finish(start(admin, reach_of(many), Change("muted", muted_for_count=10), filters=ALL))
    absolute = finish(start(admin, reach_of(many), Change("muted", muted_until_count=5), filters=IssueFilter()))

    assert made.changed == 120
    assert (absolute.looked_at, absolute.changed) == (120, 119), "the first has happened that often already"
    first.refresh_from_db()
    assert first.muted_until_count == 15
    assert Issue.objects.filter(muted_until_count=5).count() == 119


def test_a_mute_that_is_over_before_its_turn_came_is_not_begun(many: NewProject, admin: User):
    made = finish(start(admin, reach_of(many), Change("muted", muted_until_ms=T + 20), filters=ALL))

    assert (made.changed, statuses()) == (0, {"unresolved"})


def test_undo_ends_what_is_still_running_and_takes_back_what_it_did(
    many: NewProject, admin: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk, "Pace", lambda: Pace(rows=10))
    made = start(admin, reach_of(many), filters=ALL)
    bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=0)

    undone = finish(bulk.undo_bulk(bulk_id=made.pk, user_id=admin.pk, reach=Reach(None), now_ms=T + 30))

    assert finish(made).changed == 10, "it does not go on"
    assert (undone.changed, statuses()) == (10, {"unresolved"})


def test_the_undo_is_undone_like_anything_else(many: NewProject, admin: User):
    Issue.objects.filter(fingerprint="fp000").update(status="ignored")
    made = finish(start(admin, reach_of(many), filters=IssueFilter()))
    undone = finish(bulk.undo_bulk(bulk_id=made.pk, user_id=admin.pk, reach=Reach(None), now_ms=T + 30))
    between = statuses()

    again = finish(bulk.undo_bulk(bulk_id=undone.pk, user_id=admin.pk, reach=Reach(None), now_ms=T + 40))

    assert (between, statuses(), again.changed) == ({"ignored", "unresolved"}, {"resolved"}, 120)
    assert set(Issue.objects.values_list("status_changed_ms", flat=True)) == {T + 20}, "resolved since it was"

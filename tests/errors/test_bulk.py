"""Many issues at once: by ids or by what a filter matches, in pieces, resumed and taken back."""

from typing import Any

import pytest

from accounts.models import User
from bloop_site.lib.clock import HOUR_MS
from errors.models import BulkChange, Issue, Transition
from errors.queries.issues import IssueFilter
from errors.queries.work import bulk_progress, running_bulks
from errors.services import bulk
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


@pytest.mark.parametrize("what", [{}, {"ids": [1], "filters": ALL}, {"ids": list(range(1001))}])
def test_a_change_is_of_ids_or_of_filters_and_within_bounds(many: NewProject, admin: User, what: dict[str, Any]):
    with pytest.raises(ValueError, match="ids or filters"):
        start(admin, reach_of(many), **what)


def test_it_goes_on_where_it_was_interrupted_and_tells_how_far_it_is(many: NewProject, admin: User):
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

    undone = bulk.undo_bulk(bulk_id=made.pk, user_id=admin.pk, now_ms=T + 30)
    finish(undone)

    assert Issue.objects.filter(status="unresolved").count() == 119
    first.refresh_from_db()
    assert first.status == "ignored"
    undone.refresh_from_db()
    assert (undone.total, undone.changed, undone.is_undo) == (120, 118, True)


def test_nobody_undoes_what_another_did(many: NewProject, admin: User):
    made = finish(start(admin, reach_of(many), filters=ALL))

    with pytest.raises(BulkChange.DoesNotExist):
        bulk.undo_bulk(bulk_id=made.pk, user_id=make_user().pk, now_ms=T + 30)


def test_two_workers_at_once_change_each_issue_once(shared_database: None, shop: NewProject, admin: User):
    record(shop.project, *(event_json(fingerprint=f"fp{number}") for number in range(60)), received_ms=T)
    made = start(admin, reach_of(shop), filters=ALL)

    def work() -> bool:
        return bulk.continue_bulk(bulk_id=made.pk, now_ms=T + 20, seconds=20)

    results = at_once([work, work])

    assert True in results
    assert all(result is True or isinstance(result, bulk.Busy) for result in results), results
    assert Transition.objects.count() == 60

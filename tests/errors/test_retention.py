"""What retention removes of errors: by the clock of the server, to the millisecond, and never an issue's samples."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, HOUR_MS, SECOND_MS, from_ms, to_ms
from bloop_site.lib.pace import Pace
from errors.models import (
    Aggregate,
    BulkChange,
    Event,
    HourlyCount,
    Issue,
    ProjectHourlyCount,
    ReleaseHourlyCount,
    SearchWords,
    Transition,
)
from errors.queries.events import samples_of_all
from errors.retention import OldEvents, holdings
from projects import retention
from projects.models import Project, PurgeRun
from projects.retention import Cutoffs
from projects.services.policies import update_policies
from projects.services.projects import NewProject
from projects.services.retention import continue_purge, start_purge
from tests.factories import event_json, record

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
NOW_MS = to_ms(NOW)
WEEK_AGO = NOW_MS - 7 * DAY_MS


def purge(*, now: datetime = NOW) -> PurgeRun:
    run = start_purge(actor=None, now=now).run
    assert continue_purge(run_id=run.pk, now=now, seconds=30)
    run.refresh_from_db()
    return run


def keep(**policies: Any) -> None:
    update_policies(actor=COMMAND_LINE, now=NOW, **policies)


def receive(project: Project, *times_ms: int, **fields: Any) -> None:
    """One event at each of these times, of the issue `fp` unless named otherwise."""
    for at in times_ms:
        record(project, event_json(**{"fingerprint": "fp", "message": str(at), **fields}), received_ms=at)


def received(project: Project) -> list[int]:
    return list(Event.objects.filter(project=project).order_by("received_ms").values_list("received_ms", flat=True))


@pytest.fixture
def one_sample(settings: LazySettings) -> None:
    """An issue keeps its newest event only, so that the others show what retention does."""
    pipeline = settings.BLOOP.pipeline.model_copy(update={"sample_reservoir_size": 1})
    settings.BLOOP = settings.BLOOP.model_copy(update={"pipeline": pipeline})


class SteadyPace(Pace):
    """Chunks of the same size, however long they take."""

    def note(self, seconds: float) -> None:
        pass


# --- Raw events -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_sample")
def test_an_event_received_at_the_very_cutoff_stays_and_one_a_millisecond_older_goes(shop: NewProject):
    receive(shop.project, WEEK_AGO - 1, WEEK_AGO, NOW_MS)

    run = purge()

    assert received(shop.project) == [WEEK_AGO, NOW_MS]
    assert run.removed["raw_events"] == 1


@pytest.mark.usefixtures("one_sample")
def test_the_clock_of_the_client_is_of_no_matter(shop: NewProject):
    receive(shop.project, NOW_MS - SECOND_MS, timestamp=1)
    receive(shop.project, WEEK_AGO - 1, timestamp=NOW_MS + 365 * DAY_MS)
    receive(shop.project, NOW_MS)

    purge()

    assert received(shop.project) == [NOW_MS - SECOND_MS, NOW_MS]


@pytest.mark.usefixtures("one_sample")
def test_a_project_with_days_of_its_own_is_no_concern_of_the_global_ones(shop: NewProject, other: NewProject):
    keep(raw_events_days=3, own_raw_days={shop.project.pk: 30})
    at = [NOW_MS - 31 * DAY_MS, NOW_MS - 29 * DAY_MS, NOW_MS - 4 * DAY_MS, NOW_MS - 2 * DAY_MS, NOW_MS]
    for each in (shop, other):
        receive(each.project, *at)

    purge()

    assert received(shop.project) == at[1:]
    assert received(other.project) == at[3:]


@pytest.mark.usefixtures("one_sample")
def test_days_of_its_own_may_also_be_fewer(shop: NewProject, other: NewProject):
    keep(own_raw_days={shop.project.pk: 1})
    for each in (shop, other):
        receive(each.project, NOW_MS - 2 * DAY_MS, NOW_MS)

    purge()

    assert received(shop.project) == [NOW_MS]
    assert len(received(other.project)) == 2


def test_the_newest_few_events_of_each_issue_stay_as_its_samples(shop: NewProject, settings: LazySettings):
    size = settings.BLOOP.pipeline.sample_reservoir_size
    old = [WEEK_AGO - number * HOUR_MS for number in range(1, size + 4)]
    receive(shop.project, *sorted(old), fingerprint="quiet")
    receive(shop.project, *sorted(old), NOW_MS, fingerprint="busy")
    receive(shop.project, *sorted(old)[:2], fingerprint="rare")
    before = {issue.fingerprint: samples_of_all([issue]) for issue in Issue.objects.all()}

    run = purge()

    assert {issue.fingerprint: samples_of_all([issue]) for issue in Issue.objects.all()} == before
    assert {name: len(samples) for name, samples in before.items()} == {"quiet": size, "busy": size, "rare": 2}
    assert Event.objects.count() == 2 * size + 2
    assert run.removed["raw_events"] == 3 + 4


def test_samples_are_the_last_to_arrive_whatever_time_they_carry(shop: NewProject, settings: LazySettings):
    """A payload that waited in the buffer may be older than what was folded before it (docs/decisions/0002)."""
    size = settings.BLOOP.pipeline.sample_reservoir_size
    receive(shop.project, *[NOW_MS - DAY_MS + number for number in range(size)])
    receive(shop.project, *[WEEK_AGO - 1 - number for number in range(size)])
    issue = Issue.objects.get()
    before = samples_of_all([issue])

    purge()

    assert samples_of_all([issue]) == before
    assert len(received(shop.project)) == 2 * size


def test_what_stays_is_read_once_and_not_again_for_each_chunk(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("errors.retention.MIN_READ", 1)
    for number in range(20):
        receive(shop.project, WEEK_AGO - DAY_MS + number, fingerprint=f"fp{number}")
    purger, cutoffs = OldEvents(), retention.cutoffs(at_ms=NOW_MS)
    place, batches = None, 0

    while batch := purger.find(cutoffs, place=place, limit=5):
        assert not batch.rows
        place, batches = batch.place, batches + 1

    assert batches == 20 // 5


def test_many_projects_are_looked_at_bit_by_bit(
    shop: NewProject, other: NewProject, default_project: Project, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("errors.retention.PROJECTS_READ", 2)
    for each in (shop.project, other.project, default_project):
        receive(each, *[WEEK_AGO - DAY_MS + number for number in range(7)])

    purge()

    assert [len(received(each)) for each in (shop.project, other.project, default_project)] == [5, 5, 5]


def test_events_of_the_same_millisecond_are_all_found(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("errors.retention.MIN_READ", 1)
    monkeypatch.setattr("projects.services.retention.Pace", lambda **_: SteadyPace(2))
    receive(shop.project, *[WEEK_AGO - 1] * 12)

    purge()

    assert len(received(shop.project)) == 5


def test_the_total_that_people_see_leaves_out_what_stays(shop: NewProject):
    receive(shop.project, *[WEEK_AGO - 9 + number for number in range(9)], fingerprint="many")
    receive(shop.project, WEEK_AGO - 1, fingerprint="one")

    assert OldEvents().count(retention.cutoffs(at_ms=NOW_MS)) == 9 - 5


def test_a_chunk_of_events_is_one_statement_for_nothing_points_to_them(shop: NewProject):
    receive(shop.project, *[WEEK_AGO - 9 + number for number in range(9)])
    ids = list(Event.objects.values_list("pk", flat=True))

    with CaptureQueriesContext(connection) as captured:
        assert OldEvents().remove(ids) == 9

    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["DELETE"]


def test_everything_else_of_an_issue_is_kept(shop: NewProject):
    receive(shop.project, *[NOW_MS - 80 * DAY_MS + number for number in range(9)])
    kept = (Issue, Aggregate, SearchWords, HourlyCount, ProjectHourlyCount, ReleaseHourlyCount)
    before = {model.__name__: list(model.objects.values()) for model in kept}

    purge()

    assert {model.__name__: list(model.objects.values()) for model in kept} == before


# --- Hourly counts ----------------------------------------------------------------------------------------------


def test_an_hour_goes_when_all_of_it_is_too_old(shop: NewProject):
    boundary = to_ms(NOW.replace(minute=0)) - 90 * DAY_MS  # the cutoff is half past
    receive(shop.project, boundary - 1, boundary, NOW_MS)

    run = purge()

    for model in (HourlyCount, ProjectHourlyCount, ReleaseHourlyCount):
        assert sorted(model.objects.values_list("hour_ms", flat=True)) == [boundary, NOW_MS - 30 * 60_000]
    assert {name: run.removed[name] for name in ("hourly_counts", "rollups")} == {"hourly_counts": 1, "rollups": 2}


def test_hourly_counts_are_kept_for_the_days_set(shop: NewProject):
    keep(hourly_counts_days=10)
    receive(shop.project, NOW_MS - 11 * DAY_MS, NOW_MS - 9 * DAY_MS)

    purge()

    assert HourlyCount.objects.count() == 1


# --- Bulk changes -----------------------------------------------------------------------------------------------


def bulk(created_ms: int, *, finished: bool = True, of: BulkChange | None = None) -> BulkChange:
    return BulkChange.objects.create(
        change={}, total=1, last=1, created_ms=created_ms, finished_ms=created_ms if finished else None, of=of
    )


def test_old_bulk_changes_go_and_the_history_they_made_stays(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("projects.services.retention.Pace", lambda **_: SteadyPace(2))
    receive(shop.project, NOW_MS)
    old_ms = NOW_MS - 91 * DAY_MS
    old, young, unfinished = bulk(old_ms), bulk(NOW_MS - 89 * DAY_MS), bulk(old_ms, finished=False)
    undo = bulk(NOW_MS, of=old)
    for each in (old, old, old, young):
        Transition.objects.create(
            issue=Issue.objects.get(), project=shop.project, old_status="muted", new_status="ignored", cause="call",
            changed_ms=1, bulk=each,
        )  # fmt: skip

    run = purge()

    assert set(BulkChange.objects.values_list("pk", "of")) == {(young.pk, None), (unfinished.pk, None), (undo.pk, None)}
    assert sorted(Transition.objects.values_list("bulk", flat=True), key=str) == [young.pk, None, None, None]
    assert run.removed == {"bulk_changes": 1}


# --- What there is ----------------------------------------------------------------------------------------------


def test_what_there_is_is_counted_over_all_projects(shop: NewProject, other: NewProject):
    assert holdings() == retention.Holdings(0, 0, None)
    receive(shop.project, NOW_MS - DAY_MS, NOW_MS)
    receive(other.project, NOW_MS - 2 * DAY_MS)

    assert holdings() == retention.Holdings(raw_events=3, hourly_counts=3, oldest_ms=NOW_MS - 2 * DAY_MS)


def test_a_project_being_removed_is_left_to_its_removal(shop: NewProject):
    receive(shop.project, *[WEEK_AGO - 9 + number for number in range(9)])
    Project.objects.filter(pk=shop.project.pk).update(removing_at=from_ms(NOW_MS))

    assert OldEvents().find(Cutoffs(NOW_MS, NOW_MS, NOW_MS), place=None, limit=10) is None

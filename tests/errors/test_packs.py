"""Packed hours say what HourlyCount says: after late flushes, merges, purges and removals, in races, after kills."""

import threading
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.audit import COMMAND_LINE
from bloop_site import celery
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, from_ms
from errors import tasks
from errors.models import HourlyCount, Issue, PackedHours
from errors.models.alerting import SPAN_HOURS, SPAN_MS
from errors.queries.packed import hour_counts, issues_by_environment
from errors.queries.trends import Window
from errors.retention import OldHours
from errors.services import packs
from errors.services.merge import merge_issues
from errors.services.packs import note_hours, pack_hours
from errors.services.status import Actor
from projects.access import Reach
from projects.models import Project
from projects.services.policies import update_policies
from projects.services.projects import NewProject
from projects.services.removal import continue_removal, request_removal
from projects.services.retention import continue_purge, start_purge
from tests.errors.hours import T, as_dict, read_slowly, wrong_packs
from tests.factories import event_json, record
from tests.ingest.conftest import at_once

NOW = T + 3 * SPAN_MS + 2 * HOUR_MS + 30 * MINUTE_MS  # the third hour of the fourth span
ALL = Reach(None)
pytestmark = pytest.mark.django_db


def send(project: Project, hour: int, *fingerprints: str, **fields: Any) -> None:
    """An event of each in the `hour`-th hour from T on."""
    events = (event_json(fingerprint=each, **fields) for each in fingerprints)
    record(project, *events, received_ms=T + hour * HOUR_MS + 5)


def pack(now_ms: int = NOW) -> None:
    assert pack_hours(now_ms=now_ms, seconds=30)


def hours_packed() -> dict[int, int]:
    """By the number of the span from T on: how many of its hours are packed."""
    return {
        (start_ms - T) // SPAN_MS: hours
        for start_ms, hours in PackedHours.objects.order_by("start_ms").values_list("start_ms", "hours")
    }


def sums(hours: int = 24) -> dict[int, list[int]]:
    return as_dict(hour_counts(ALL, Window(T, hours)))


@pytest.fixture
def day(shop: NewProject) -> NewProject:
    """Three issues in some of 21 hours, the last of them running at NOW."""
    for hour in range(0, 21, 2):
        send(shop.project, hour, "a", *(["b"] if hour % 3 else []))
        send(shop.project, hour, "a", source="web", environment="staging")
    send(shop.project, 7, "c")
    send(shop.project, 20, "c")
    return shop


# --- What is packed --------------------------------------------------------------------------------------------------


def test_hours_that_are_over_are_packed_and_the_running_one_is_not(day: NewProject):
    assert hours_packed() == {0: 0, 1: 0, 2: 0, 3: 0}, "a flush makes the rows"

    pack()

    assert hours_packed() == {0: 6, 1: 6, 2: 6, 3: 2}
    assert wrong_packs() == []


def test_an_hour_is_packed_a_minute_after_its_end_when_its_last_flush_is_through(day: NewProject):
    pack(T + SPAN_MS + MINUTE_MS - 1)
    assert hours_packed()[0] == 5

    pack(T + SPAN_MS + MINUTE_MS)
    assert hours_packed()[0] == 6


def test_what_is_packed_is_not_packed_again(day: NewProject):
    pack()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        pack()

    assert len(queries) <= 4, "one look, and SQLite's pragmas"
    assert not [query for query in queries if "UPDATE" in query["sql"]]


def test_the_newest_come_first_and_the_rest_with_the_next_turn(day: NewProject):
    assert not pack_hours(now_ms=NOW, seconds=0)
    assert hours_packed() == {0: 0, 1: 0, 2: 0, 3: 2}

    while not pack_hours(now_ms=NOW, seconds=0):
        pass
    assert hours_packed() == {0: 6, 1: 6, 2: 6, 3: 2}


def test_what_is_too_old_for_insights_is_left_alone(shop: NewProject):
    send(shop.project, 0, "a")

    pack(T + packs.KEPT_MS + SPAN_MS)

    assert hours_packed() == {0: 0}


def test_each_project_has_its_own_with_its_own_environments(day: NewProject, other: NewProject):
    send(other.project, 1, "a", environment="secret-lab")

    pack()

    assert wrong_packs() == []
    assert {tuple(pack.environments) for pack in PackedHours.objects.filter(project=other.project)} == {("secret-lab",)}
    assert not PackedHours.objects.filter(project=day.project, environments__icontains="secret").exists()


def test_counts_of_before_there_were_packs_get_their_rows_by_the_migration(day: NewProject):
    """The migration's own function, on rows as its tables had them."""
    PackedHours.objects.all().delete()

    import_string("errors.migrations.0009_rows_of_hours_to_pack.add_rows")(apps, None)

    assert hours_packed() == {0: 0, 1: 0, 2: 0, 3: 0}
    pack()
    assert wrong_packs() == []
    assert sums() == read_slowly(Window(T, 24))


# --- What makes a pack wrong -----------------------------------------------------------------------------------------


def test_a_late_flush_takes_the_pack_of_its_hour_away_until_it_is_made_again(day: NewProject):
    pack()

    send(day.project, 3, "late")

    assert hours_packed() == {0: 0, 1: 6, 2: 6, 3: 2}
    assert sums()[Issue.objects.get(fingerprint="late").pk][3] == 1, "what is not packed is read where it stands"
    pack()
    assert hours_packed() == {0: 6, 1: 6, 2: 6, 3: 2}
    assert wrong_packs() == []


def test_a_flush_of_the_running_hour_takes_nothing_away(day: NewProject):
    pack()
    before = list(PackedHours.objects.order_by("pk").values_list("pk", "version", "hours"))

    send(day.project, 20, "a")

    assert list(PackedHours.objects.order_by("pk").values_list("pk", "version", "hours")) == before
    assert sums() == read_slowly(Window(T, 24))


def test_counts_in_hours_that_had_none_are_packed_too(day: NewProject):
    pack()

    send(day.project, -30, "older")
    assert hours_packed()[-5] == 0
    pack()

    assert hours_packed()[-5] == 6
    assert wrong_packs() == []


def test_hours_that_retention_removes_leave_their_packs(day: NewProject):
    pack()
    update_policies(actor=COMMAND_LINE, now=from_ms(NOW), hourly_counts_days=1)
    now = T + DAY_MS + SPAN_MS + 2 * HOUR_MS + 1  # the first span is too old, and two hours of the second

    run = start_purge(actor=None, now=from_ms(now)).run
    assert continue_purge(run_id=run.pk, now=from_ms(now), seconds=30)

    run.refresh_from_db()
    assert (run.failure, run.removed["packed_hours"]) == ("", 1)
    assert hours_packed() == {1: 0, 2: 6, 3: 2}
    assert wrong_packs() == []
    pack(now)
    assert hours_packed() == {1: 6, 2: 6, 3: 6}
    assert wrong_packs() == []
    assert sums(36) == read_slowly(Window(T, 36))


def test_packs_that_insights_looks_at_no_more_go_though_their_counts_stay(day: NewProject):
    pack()
    now = from_ms(T + packs.KEPT_MS + SPAN_MS)

    run = start_purge(actor=None, now=now).run
    assert continue_purge(run_id=run.pk, now=now, seconds=30)

    assert sorted(hours_packed()) == [1, 2, 3]
    assert HourlyCount.objects.filter(hour_ms__lt=T + SPAN_MS).exists()


def test_packs_go_with_their_project_and_are_read_no_more_from_the_moment_it_is_deleted(
    day: NewProject, other: NewProject
):
    send(other.project, 1, "mine")
    pack()
    mine = Issue.objects.get(project=other.project).pk

    removal = request_removal(project=day.project, actor=COMMAND_LINE, now=from_ms(NOW))

    assert list(sums()) == [mine]
    assert issues_by_environment(ALL, Window(T, 24)) == {"production": 1}
    send_late = PackedHours.objects.filter(project=day.project)
    send_late.update(hours=0)
    pack()
    assert not send_late.filter(hours__gt=0).exists(), "nobody packs for it"
    assert continue_removal(removal_id=removal.pk, now=from_ms(NOW), seconds=30)
    assert not send_late.exists()
    assert wrong_packs() == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(-8, 20), st.sampled_from("abc"), st.sampled_from(["production", "qa"])),
        st.tuples(st.just("pack"), st.integers(1, 21)),
        st.tuples(st.just("merge"), st.permutations("abc")),
        st.tuples(st.just("purge"), st.integers(-2, 20)),
    ),
    min_size=3,
    max_size=14,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(STEPS)
def test_whatever_happens_packs_say_what_the_rows_say(shop: NewProject, other: NewProject, steps: list[Any]):
    with transaction.atomic():
        update_policies(actor=COMMAND_LINE, now=from_ms(NOW), hourly_counts_days=1)
        for step in steps:
            take(step, shop.project, other.project)
            assert wrong_packs() == []
        for window in (Window(T - 9 * HOUR_MS, 31), Window(T + 4 * HOUR_MS, 5)):
            assert as_dict(hour_counts(ALL, window)) == read_slowly(window)
            assert as_dict(hour_counts(ALL, window, environment="qa")) == read_slowly(window, environment="qa")
        transaction.set_rollback(True)


def take(step: tuple[Any, ...], project: Project, other: Project) -> None:
    kind, *values = step
    if kind == "send":
        hour, name, environment = values
        send(other if name == "c" else project, hour, name, environment=environment)
    elif kind == "pack":
        pack(T + values[0] * HOUR_MS + MINUTE_MS)
    elif kind == "merge":
        ids = list(Issue.objects.filter(project=project, merged_into=None).values_list("pk", flat=True))
        if len(ids) == 2 and not Issue.objects.filter(merged_into__in=ids).exists():
            merge_issues(into_id=ids[0], issue_ids=ids[1:], actor=Actor(None), now_ms=NOW)
    else:
        now = from_ms(T + DAY_MS + values[0] * HOUR_MS)
        run = start_purge(actor=None, now=now).run
        assert continue_purge(run_id=run.pk, now=now, seconds=30)


# --- Races and kills -------------------------------------------------------------------------------------------------


def test_a_flush_between_reading_and_writing_keeps_the_pack_from_being_written(
    day: NewProject, monkeypatch: pytest.MonkeyPatch
):
    write = packs.write
    late = iter([1])

    def slowly(*arguments: Any, **options: Any) -> float:
        if next(late, None):
            send(day.project, 18, "late")
        return write(*arguments, **options)

    monkeypatch.setattr(packs, "write", slowly)
    pack()

    assert hours_packed() == {0: 6, 1: 6, 2: 6, 3: 0}
    assert wrong_packs() == []
    pack()
    assert hours_packed()[3] == 2
    assert wrong_packs() == []


def test_killed_between_claim_and_write_nothing_is_wrong_and_the_next_does_it(
    day: NewProject, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: Any, **__: Any) -> float:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(packs, "write", killed)
        with pytest.raises(SystemExit):
            pack()

    assert hours_packed() == {0: 0, 1: 0, 2: 0, 3: 0}
    assert sums() == read_slowly(Window(T, 24))
    pack()
    assert hours_packed() == {0: 6, 1: 6, 2: 6, 3: 2}


def test_a_pack_that_grows_is_read_as_it_was_until_it_is_written(day: NewProject, monkeypatch: pytest.MonkeyPatch):
    pack()
    later = NOW + 2 * HOUR_MS
    write = packs.write

    def looked_at(*arguments: Any, **options: Any) -> float:
        assert hours_packed()[3] == 2
        assert sums() == read_slowly(Window(T, 24))
        return write(*arguments, **options)

    monkeypatch.setattr(packs, "write", looked_at)
    pack(later)

    assert hours_packed()[3] == 4
    assert sums() == read_slowly(Window(T, 24))


@pytest.mark.usefixtures("shared_database")
@pytest.mark.django_db(transaction=True)
def test_flushes_and_packers_at_once_leave_no_wrong_pack(shop: NewProject, other: NewProject):
    projects = (shop.project, other.project)
    for hour in range(12):
        send(shop.project, hour, "a")

    def flush(number: int) -> None:
        for step in range(12):
            with transaction.atomic():
                for project in projects:
                    send(project, (number * 5 + step) % 12, f"i{number}{step % 3}")

    def keep_packing() -> None:
        for _ in range(12):
            pack_hours(now_ms=NOW, seconds=30)

    results = at_once([lambda: flush(0), lambda: flush(1), keep_packing, keep_packing])

    assert not [each for each in results if isinstance(each, Exception)], results
    assert wrong_packs() == []
    pack()
    assert set(hours_packed().values()) == {SPAN_HOURS}
    assert wrong_packs() == []


@pytest.mark.postgres
@pytest.mark.usefixtures("shared_database")
@pytest.mark.django_db(transaction=True)
def test_a_packer_waits_for_a_flush_that_has_written_and_not_yet_committed(day: NewProject):
    has_written, may_commit = threading.Event(), threading.Event()

    def flush() -> None:
        with transaction.atomic():
            send(day.project, 2, "slow")
            has_written.set()
            assert not may_commit.wait(0.5), "the packer got by"

    def packer() -> None:
        assert has_written.wait(10)
        pack()
        may_commit.set()

    results = at_once([flush, packer])

    assert results == [None, None]
    assert hours_packed()[0] == 6
    assert wrong_packs() == []


@pytest.mark.postgres
@pytest.mark.usefixtures("shared_database")
@pytest.mark.django_db(transaction=True)
def test_a_packer_waits_for_a_purge_that_has_removed_and_not_yet_committed(day: NewProject):
    has_removed, may_commit = threading.Event(), threading.Event()

    def purge() -> None:
        with transaction.atomic():
            old = HourlyCount.objects.filter(hour_ms__lt=T + 3 * HOUR_MS)
            OldHours("hourly counts", HourlyCount).remove((HourlyCount, list(old.values_list("pk", flat=True))))
            has_removed.set()
            assert not may_commit.wait(0.5), "the packer got by"

    def packer() -> None:
        assert has_removed.wait(10)
        pack()
        may_commit.set()

    results = at_once([purge, packer])

    assert results == [None, None]
    assert hours_packed()[0] == 6
    assert wrong_packs() == []


# --- When ------------------------------------------------------------------------------------------------------------


def test_it_is_done_by_beat_every_ten_minutes_and_when_a_worker_starts(monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []
    monkeypatch.setattr(tasks, "queue_packing", lambda: asked.append(True))

    celery.pack_at_the_start()

    entry = celery.app.conf.beat_schedule["pack-hours"]
    assert (entry["task"], entry["schedule"]) == ("errors.tasks.pack_hours", 600)
    assert asked == [True]


def test_the_task_packs_and_asks_for_another_turn_while_some_is_left(day: NewProject, monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []
    monkeypatch.setattr(tasks, "queue_packing", lambda: asked.append(True))
    monkeypatch.setattr(tasks, "now_ms", lambda: NOW)
    monkeypatch.setattr(tasks, "SECONDS", 0.0)

    tasks.work_off_packs()
    assert (asked, hours_packed()[3]) == ([True], 2)

    monkeypatch.setattr(tasks, "SECONDS", 30.0)
    tasks.work_off_packs()
    assert (asked, hours_packed()[0]) == ([True], 6)


def test_a_broker_that_is_away_is_no_failure(monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def away(**given: Any) -> None:
        asked.append(given)
        raise OSError

    monkeypatch.setattr(tasks, "pack_hours", type("Task", (), {"apply_async": staticmethod(away)}))

    tasks.queue_packing()

    assert len(asked) == 1


def test_a_batch_notes_each_six_hours_once_however_many_events_it_has(shop: NewProject):
    pairs = [(shop.project.pk, T + hour * HOUR_MS) for hour in range(18)]

    with CaptureQueriesContext(connection) as queries:
        note_hours(pairs)

    assert PackedHours.objects.count() == 3
    assert len(queries) <= 3

"""A pass of retention: what holds, short turns, one at a time, through kills and failures; the room it hands back."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection, connections, transaction

from accounts.audit import COMMAND_LINE, Actor
from accounts.models import AuditEntry, User
from bloop_site import celery
from bloop_site.lib.clock import DAY_MS, HOUR_MS, to_ms
from bloop_site.lib.db import Space, copy_back, give_back, space
from bloop_site.lib.pace import Pace
from errors.models import Event, HourlyCount
from errors.retention import OldEvents, OldHours
from ingest.models import BufferedPayload
from projects import retention, tasks
from projects.models import PurgeRun, RetentionPolicy
from projects.retention import Cutoffs, GlobalDays, global_days
from projects.services import retention as service
from projects.services.policies import PolicyInvalid, update_policies
from projects.services.projects import NewProject
from projects.services.retention import Busy, continue_purge, start_purge
from tests.factories import event_json, make_project, record
from tests.ingest.conftest import at_once

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NOW_MS = to_ms(NOW)
OLD_MS = NOW_MS - 100 * DAY_MS
pytestmark = pytest.mark.django_db


class SteadyPace(Pace):
    """Chunks of the same size, however long they take, without rest."""

    def rest(self, took: float) -> None:
        pass


def few_at_a_time(monkeypatch: pytest.MonkeyPatch, rows: int = 3) -> None:
    monkeypatch.setattr(service, "Pace", lambda **_: SteadyPace(rows))


def fill(new: NewProject, *, events: int = 12) -> None:
    """Events of one issue in as many hours, a hundred days ago: all but the five samples may go."""
    for number in range(events):
        record(new.project, event_json(fingerprint="fp"), received_ms=OLD_MS + number * HOUR_MS)


def finish(run: PurgeRun, *, seconds: float = 30) -> PurgeRun:
    assert continue_purge(run_id=run.pk, now=NOW, seconds=seconds)
    run.refresh_from_db()
    return run


def start(actor: Actor | None = None) -> PurgeRun:
    return start_purge(actor=actor, now=NOW).run


# --- What holds -------------------------------------------------------------------------------------------------


def test_without_a_setting_the_configuration_holds_and_90_days_for_counts(settings: LazySettings):
    configured = settings.BLOOP.retention.model_copy(update={"raw_events_days": 21})
    settings.BLOOP = settings.BLOOP.model_copy(update={"retention": configured})

    assert global_days() == GlobalDays(raw_events=21, hourly_counts=90)


def test_a_setting_holds_before_the_configuration_each_by_itself():
    update_policies(actor=COMMAND_LINE, now=NOW, hourly_counts_days=30)
    assert global_days() == GlobalDays(raw_events=7, hourly_counts=30)

    update_policies(actor=COMMAND_LINE, now=NOW, raw_events_days=14)
    assert global_days() == GlobalDays(raw_events=14, hourly_counts=30)


def test_cutoffs_are_so_many_days_ago_and_a_projects_own_hold_for_it_alone(shop: NewProject):
    update_policies(actor=COMMAND_LINE, now=NOW, raw_events_days=3, own_raw_days={shop.project.pk: 30})

    found = retention.cutoffs(at_ms=NOW_MS + 1)

    assert found == Cutoffs(
        at_ms=NOW_MS + 1,
        raw_ms=NOW_MS + 1 - 3 * DAY_MS,
        hourly_ms=NOW_MS - 90 * DAY_MS,
        own_raw_ms={shop.project.pk: NOW_MS + 1 - 30 * DAY_MS},
    )
    assert found.raw_of(shop.project.pk) == NOW_MS + 1 - 30 * DAY_MS
    assert found.raw_of("default") == NOW_MS + 1 - 3 * DAY_MS


@pytest.mark.parametrize("days", [1, 3650])
def test_the_bounds_themselves_are_taken(days: int, shop: NewProject):
    own = {shop.project.pk: days}

    assert update_policies(actor=COMMAND_LINE, now=NOW, raw_events_days=days, hourly_counts_days=days, own_raw_days=own)

    assert (global_days(), retention.own_days()) == (GlobalDays(days, days), own)


@pytest.mark.parametrize("wrong", [{"raw_events_days": 0}, {"hourly_counts_days": 3651}, {"own_raw_days": {"no": 5}}])
def test_one_wrong_value_and_nothing_is_set(wrong: dict[str, Any], shop: NewProject):
    own = {shop.project.pk: 5, **wrong.get("own_raw_days", {})}
    right = {"raw_events_days": 9, "hourly_counts_days": 9}

    with pytest.raises(PolicyInvalid):
        update_policies(actor=COMMAND_LINE, now=NOW, **{**right, **wrong, "own_raw_days": own})

    assert not RetentionPolicy.objects.exists()
    assert not AuditEntry.objects.filter(action="retention_changed").exists()


def test_each_change_is_on_record_and_what_is_the_same_is_none(shop: NewProject, admin: User):
    actor = Actor(admin, "203.0.113.9")
    given: dict[str, Any] = {"actor": actor, "now": NOW, "raw_events_days": 14, "own_raw_days": {shop.project.pk: 30}}

    assert [update_policies(**given), update_policies(**given)] == [2, 0]
    assert update_policies(actor=actor, now=NOW, own_raw_days={shop.project.pk: 0}) == 1

    entries = AuditEntry.objects.filter(action="retention_changed").order_by("pk")
    assert [(entry.target, entry.project_id, entry.detail) for entry in entries] == [
        ("all projects", None, {"raw_events_days": [None, 14]}),
        ("Shop", shop.project.pk, {"raw_events_days": [None, 30]}),
        ("Shop", shop.project.pk, {"raw_events_days": [30, None]}),
    ]
    assert {(entry.actor, entry.address, entry.at) for entry in entries} == {(admin, "203.0.113.9", NOW)}
    assert retention.own_days() == {}


# --- Every table ------------------------------------------------------------------------------------------------

BOUNDED = {
    "accounts.User": "as many as there are people",
    "accounts.Passkey": "a few for each person",
    "accounts.Session": "accounts.tasks.prune removes ended ones every hour",
    "accounts.LoginLink": "accounts.tasks.prune removes ended ones every hour",
    "accounts.Invite": "accounts.tasks.prune removes unused ones that ended; a used one made an account",
    "accounts.RateBucket": "accounts.tasks.prune removes full ones every hour",
    "projects.Project": "made by people, removed by people",
    "projects.Membership": "people times projects",
    "projects.InvitedTo": "goes with its invite or its project",
    "projects.IngestKey": "made by people; expired ones are a few for each project",
    "projects.ApiToken": "made by people",
    "projects.RetentionPolicy": "one for each project, and one",
    "ingest.BufferedPayload": "at most ingest.channel_capacity; leaves when it is folded",
    "llmtraces.LlmSettings": "one for each project",
    "llmtraces.PriceOverride": "made by people",
    "llmtraces.Recalculation": "asked for by people",
    "llmtraces.SavedView": "made by people",
    "alerts.AlertRule": "made by people",
    "alerts.Channel": "a few for each rule",
    "errors.MinuteCount": "a ring of 1,440 for each project (docs/decisions/0004)",
}
KEPT = {  # contract 3.4: never pruned
    "accounts.AuditEntry": "the record of who did what",
    "projects.Removal": "the record that a project was removed, one for each",
    "errors.Issue": "what everything hangs on; one for each kind of error",
    "errors.Aggregate": "contract 3.4",
    "errors.SearchWords": "one for each issue",
    "errors.Transition": "contract 3.4: history",
    "errors.Note": "written by people",
    "errors.Merge": "made by people; to be undone",
    "errors.Release": "one for each release; regressions go by its first appearance",
    "errors.SourceMap": "contract 3.4",
}
OURS = ("accounts", "projects", "ingest", "errors", "llmtraces", "analytics", "alerts")


def test_every_table_that_grows_has_a_purger_or_says_why_it_needs_none():
    tables = {model._meta.label for app in OURS for model in apps.get_app_config(app).get_models()}
    purged = [label for purger in retention.purgers().values() for label in purger.tables]

    assert sorted([*purged, *BOUNDED, *KEPT]) == sorted(tables), "each table stands in exactly one place"
    assert all(BOUNDED.values())
    assert all(KEPT.values())


def test_every_purger_is_called_something_people_understand():
    assert all(retention.words_of(name) == purger.words != "" for name, purger in retention.purgers().items())
    assert retention.words_of("gone_purger") == "gone purger"


# --- A run ------------------------------------------------------------------------------------------------------


def test_a_run_removes_what_is_too_old_and_tells_how_much_of_what(shop: NewProject):
    fill(shop)
    record(shop.project, event_json(fingerprint="new"), received_ms=NOW_MS)

    run = finish(start())

    assert run.removed == {"raw_events": 7, "hourly_counts": 12, "rollups": 24}
    assert (run.rows_removed, run.rows_total, run.failure) == (43, 43, "")
    assert run.finished_at
    assert timedelta() <= run.finished_at - NOW < timedelta(seconds=30)
    assert (Event.objects.count(), HourlyCount.objects.count()) == (6, 1)


def test_with_nothing_to_remove_it_is_finished_at_once():
    run = finish(start(), seconds=0)

    assert (run.rows_total, run.rows_removed, run.removed) == (0, 0, {})


def test_who_asked_is_on_record_and_the_pass_of_every_hour_is_not(admin: User):
    asked = finish(start(Actor(admin, "203.0.113.9")))
    hourly = finish(start())

    assert (asked.requested_by, hourly.requested_by) == (admin, None)
    entry = AuditEntry.objects.get(action="purge_started")
    assert (entry.actor, entry.address, entry.at) == (admin, "203.0.113.9", NOW)


def test_one_that_is_unfinished_is_what_whoever_comes_next_gets(admin: User):
    first = start_purge(actor=None, now=NOW)
    second = start_purge(actor=Actor(admin), now=NOW + timedelta(hours=1))

    assert (first.is_new, second.is_new, second.run) == (True, False, first.run)
    assert not AuditEntry.objects.filter(action="purge_started").exists()


def test_a_finished_or_unknown_run_has_nothing_left_to_do():
    run = finish(start())

    assert continue_purge(run_id=run.pk, now=NOW + timedelta(days=1), seconds=1)
    assert continue_purge(run_id=10**9, now=NOW, seconds=1)
    run.refresh_from_db()
    assert run.finished_at
    assert run.finished_at < NOW + timedelta(days=1)


@pytest.mark.parametrize("is_killed", [True, False])
def test_it_goes_on_where_it_was_interrupted_and_tells_truly_how_far_it_is(
    *, is_killed: bool, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    few_at_a_time(monkeypatch)
    fill(shop)
    before = Event.objects.count() + HourlyCount.objects.count()
    run = start()
    seen: list[int] = []

    for _ in range(100):
        is_finished = continue_purge(run_id=run.pk, now=NOW, seconds=0)  # one step, then the worker dies
        if is_killed and len(seen) < 20:
            service._work_left.clear()  # and with it what it remembered: it reads again what stays
        run.refresh_from_db()
        seen.append(run.rows_removed)
        assert run.rows_total == 43
        gone = before - Event.objects.count() - HourlyCount.objects.count()
        assert gone == run.removed.get("raw_events", 0) + run.removed.get("hourly_counts", 0)
        if is_finished:
            break

    assert run.finished_at
    assert seen == sorted(seen)
    assert len(set(seen)) > 10, "a few rows at a time"
    assert (seen[-1], Event.objects.count()) == (43, 5)


def test_a_kill_in_the_middle_of_a_chunk_leaves_rows_and_progress_in_step(
    shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    few_at_a_time(monkeypatch)
    fill(shop)
    run = start()
    continue_purge(run_id=run.pk, now=NOW, seconds=0)
    remove = OldEvents.remove

    def killed(self: OldEvents, rows: Any) -> int:
        remove(self, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(OldEvents, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            continue_purge(run_id=run.pk, now=NOW, seconds=10)

    run.refresh_from_db()
    assert (run.rows_removed, Event.objects.count(), run.failure) == (3, 12 - 3, "")
    assert finish(run).rows_removed == 43


def test_days_raised_while_it_runs_save_what_is_not_gone_yet(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    few_at_a_time(monkeypatch)
    fill(shop)
    run = start()
    continue_purge(run_id=run.pk, now=NOW, seconds=0)
    left = Event.objects.count()

    update_policies(actor=COMMAND_LINE, now=NOW, own_raw_days={shop.project.pk: 365})
    finish(run)

    assert Event.objects.count() == left == 9


def test_days_lowered_while_it_runs_hold_for_it_too(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    few_at_a_time(monkeypatch)
    update_policies(actor=COMMAND_LINE, now=NOW, raw_events_days=365)
    fill(shop)
    run = start()
    for _ in range(4):
        continue_purge(run_id=run.pk, now=NOW, seconds=0)
    assert Event.objects.count() == 12

    update_policies(actor=COMMAND_LINE, now=NOW, raw_events_days=7)
    finish(run)

    assert Event.objects.count() == 5


def test_a_purger_that_fails_is_told_of_and_stops_no_other(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    fill(shop)
    asked = []

    def broken(self: OldEvents, cutoffs: Cutoffs, **_: Any) -> None:
        asked.append(1)
        raise OSError("disk\nsecond line")

    with monkeypatch.context() as patched:
        patched.setattr(OldEvents, "find", broken)
        run = start()
        for _ in range(3):
            continue_purge(run_id=run.pk, now=NOW, seconds=0)
            service._work_left.clear()
        run = finish(run)

    assert run.failure == "raw_events: OSError: disk"
    assert len(asked) == 1, "not again in the same run, whoever goes on with it"
    assert run.removed == {"hourly_counts": 12, "rollups": 24}
    assert (run.rows_total, Event.objects.count()) == (36, 12)
    assert finish(start()).removed == {"raw_events": 7}, "the next run finds it mended"


@pytest.mark.parametrize("method", ["count", "remove"])
def test_it_may_fail_at_counting_or_at_removing_as_well(method: str, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    fill(shop)

    def broken(self: OldHours, *_: Any) -> int:
        if "errors.HourlyCount" in self.tables:
            raise OSError
        return int(original(self, *_))

    original = getattr(OldHours, method)
    monkeypatch.setattr(OldHours, method, broken)

    run = finish(start())

    assert run.failure == "hourly_counts: OSError"
    assert run.removed == {"raw_events": 7, "rollups": 24}


def test_the_records_of_the_last_hundred_runs_are_kept():
    for number in range(103):
        PurgeRun.objects.create(started_at=NOW, finished_at=NOW, rows_removed=number)

    run = finish(start())

    assert run.removed == {"purge_runs": 4}
    assert PurgeRun.objects.count() == 100
    assert PurgeRun.objects.filter(pk=run.pk).exists()


# --- Many at once -----------------------------------------------------------------------------------------------


def test_two_workers_at_once_remove_each_row_once(shared_database: None, monkeypatch: pytest.MonkeyPatch):
    few_at_a_time(monkeypatch, rows=2)
    shop = make_project(slug="shop")
    fill(shop, events=30)
    run = start()

    def work() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if continue_purge(run_id=run.pk, now=NOW, seconds=0.02):
                    return
            except Busy:
                time.sleep(0.001)

    assert at_once([work, work, work]) == [None, None, None]

    run.refresh_from_db()
    assert run.removed == {"raw_events": 25, "hourly_counts": 30, "rollups": 60}
    assert (run.rows_removed, run.rows_total, run.failure) == (115, 115, "")
    assert Event.objects.count() == 5


def test_of_many_who_start_at_once_one_does(shared_database: None):
    results = at_once([lambda: start_purge(actor=None, now=NOW)] * 4)

    assert sorted(each.is_new for each in results) == [False, False, False, True]
    assert PurgeRun.objects.count() == 1


@pytest.mark.postgres
def test_a_run_that_another_worker_is_at_is_left_to_it(shared_database: None):
    fill(make_project(slug="shop"))
    run = start()

    def second_worker() -> bool:
        return continue_purge(run_id=run.pk, now=NOW, seconds=1)

    with transaction.atomic():
        service.claim(service.work_at(run))
        results = at_once([second_worker])

    assert isinstance(results[0], Busy)
    assert finish(run).finished_at


# --- Tasks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The messages that ask for more."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "purge", SimpleNamespace(apply_async=lambda **options: messages.append(options)))
    return messages


def test_the_task_starts_a_pass_and_asks_to_be_run_again_while_it_lasts(
    shop: NewProject, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, "SECONDS", 0)
    fill(shop)

    tasks.begin_purge()
    assert len(sent) == 1
    monkeypatch.setattr(tasks, "SECONDS", 30)
    tasks.work_off_purge()

    assert (len(sent), PurgeRun.objects.exclude(finished_at=None).count()) == (1, 1)
    assert Event.objects.count() == 5


def test_going_on_starts_nothing(sent: list[dict[str, Any]]):
    tasks.work_off_purge()

    assert (sent, PurgeRun.objects.count()) == ([], 0)


def test_one_process_works_at_one_run_at_a_time(sent: list[dict[str, Any]]):
    run = start()

    with tasks._purging:
        tasks.work_off_purge()

    run.refresh_from_db()
    assert (run.finished_at, sent) == (None, [])


def test_a_broker_that_is_away_is_no_failure(monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def away(**options: Any) -> None:
        asked.append(options)
        raise OSError

    monkeypatch.setattr(tasks, "purge", SimpleNamespace(apply_async=away))
    run = start()

    tasks.start_purging()

    assert (len(asked), PurgeRun.objects.get(finished_at=None)) == (1, run)


def test_a_worker_that_starts_asks_for_a_pass_and_beat_does_at_the_interval(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "purge_expired", SimpleNamespace(apply_async=lambda **options: sent.append(options)))

    celery.purge_at_the_start()

    assert len(sent) == 1
    entry = celery.app.conf.beat_schedule["purge-expired"]
    assert entry["schedule"] == settings.BLOOP.retention.prune_interval_secs
    assert celery.app.conf.beat_schedule["purge"]["schedule"] == 60


# --- Room in the file -------------------------------------------------------------------------------------------


def grow(new: NewProject, *, events: int = 600) -> None:
    """About 1.2 KB for each event."""
    for start_at in range(0, events, 200):
        batch = [event_json(fingerprint="fp", message="x" * 1000) for _ in range(200)]
        record(new.project, *batch, received_ms=OLD_MS + start_at)


@pytest.mark.sqlite
def test_a_purge_somebody_asked_for_makes_the_file_shorter(
    shared_database: None, admin: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "FREE_KEPT_BYTES", 64 * 1024)
    grow(make_project(slug="shop"))
    copy_back()
    path = connection.settings_dict["NAME"]
    before = space()
    size = path_size(path)

    run = finish(start(Actor(admin)))

    after = space()
    assert run.bytes_returned == before.db_bytes - after.db_bytes > 400_000
    assert after.free_bytes <= 64 * 1024
    assert path_size(path) == after.db_bytes < size
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        assert cursor.fetchone() == ("ok",)


def path_size(path: str) -> int:
    return Path(path).stat().st_size


@pytest.mark.sqlite
@pytest.mark.parametrize(("worth", "is_returned"), [(0.05, True), (0.99, False)])
def test_the_pass_of_every_hour_returns_room_only_when_it_is_much(
    *, worth: float, is_returned: bool, shared_database: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "FREE_KEPT_BYTES", 64 * 1024)
    monkeypatch.setattr(service, "WORTH_RETURNING", worth)
    grow(make_project(slug="shop"))

    run = finish(start())

    assert (run.bytes_returned > 0) == is_returned
    assert (space().free_bytes > 64 * 1024) != is_returned


@pytest.mark.sqlite
def test_room_is_returned_for_a_moment_at_a_time(shared_database: None):
    grow(make_project(slug="shop"))
    Event.objects.all().delete()
    before = space()

    with transaction.atomic():
        assert give_back(pages=10**6, seconds=0) == before.page_bytes
    with transaction.atomic():
        assert give_back(pages=5, seconds=10) == 5 * before.page_bytes

    assert space().db_bytes == before.db_bytes - 6 * before.page_bytes


@pytest.mark.sqlite
def test_a_file_that_cannot_shrink_is_left_as_it_is_until_it_is_converted_as_the_page_says(
    shared_database: None, admin: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "FREE_KEPT_BYTES", 0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum=NONE")
        cursor.execute("VACUUM")
    assert not space().can_shrink
    grow(make_project(slug="shop"))

    run = finish(start(Actor(admin)))
    assert (run.bytes_returned, run.failure) == (0, "")
    room = space()
    assert room.free_bytes > 400_000

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        cursor.execute("VACUUM")
    assert space().can_shrink
    assert space().db_bytes < room.db_bytes


def test_failing_to_return_room_is_told_of_and_the_run_ends(
    shop: NewProject, admin: User, monkeypatch: pytest.MonkeyPatch
):
    def broken() -> Space:
        raise OSError("no")

    monkeypatch.setattr(service, "space", broken)
    fill(shop)

    run = finish(start(Actor(admin)))

    assert run.failure == "space: OSError: no"
    assert run.rows_removed == 43


@pytest.mark.postgres
def test_on_postgresql_the_size_is_the_databases():
    room = space()

    assert room.db_bytes > 1_000_000
    assert (room.free_bytes, room.is_file, room.can_shrink) == (0, False, False)


@pytest.mark.sqlite
def test_ingest_goes_on_while_a_purge_runs(shared_database: None, monkeypatch: pytest.MonkeyPatch):
    """Another connection writes throughout and never waits for longer than a chunk or two."""
    few_at_a_time(monkeypatch, rows=20)
    shop = make_project(slug="shop")
    grow(shop, events=1000)
    run = start()
    waits: list[float] = []

    def purge() -> None:
        assert continue_purge(run_id=run.pk, now=NOW, seconds=30)

    def write() -> None:
        for _ in range(50):
            begun = time.monotonic()
            BufferedPayload.objects.create(kind="later", project_id="x", body=b"x", items=1, received_ms=1)
            waits.append(time.monotonic() - begun)
        connections.close_all()

    assert at_once([purge, write]) == [None, None]

    assert BufferedPayload.objects.count() == 50
    assert max(waits) < 5
    assert Event.objects.count() == 5

"""Deleting a project: gone for everybody at once, every row of it gone in the background, nothing of others touched."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE, Actor
from accounts.models import AuditEntry, Role, User
from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms
from bloop_site.lib.pace import Pace
from errors.contract import Limits, encode_events, parse_event
from errors.models import (
    Aggregate,
    Event,
    HourlyCount,
    Issue,
    Merge,
    MinuteCount,
    Note,
    PackedHours,
    ProjectHourlyCount,
    Release,
    ReleaseHourlyCount,
    SearchWords,
    SourceMap,
    Transition,
)
from errors.removal import ErrorsRemover
from errors.services.status import Actor as Changer
from errors.services.status import change_status
from errors.statuses import Change
from ingest import buffer
from ingest.flush import flush_all
from ingest.models import BufferedPayload, DeadPayload, RefusedCount
from projects import removal as registry
from projects import tasks
from projects.access import reach_of
from projects.models import ApiToken, IngestKey, InvitedTo, Membership, Project, Removal, RetentionPolicy
from projects.queries import removals_running
from projects.services import removal
from projects.services.locking import ProjectGone
from projects.services.members import invite_to
from projects.services.projects import NewProject
from projects.services.removal import DefaultProject, continue_removal, request_removal
from tests.factories import event_json, make_issue, make_project, make_token, make_user, post_signed, record
from tests.ingest.conftest import at_once

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OF_ERRORS = (
    Event,
    Transition,
    Note,
    Merge,
    SearchWords,
    HourlyCount,
    Aggregate,
    ReleaseHourlyCount,
    Release,
    SourceMap,
    ProjectHourlyCount,
    MinuteCount,
    PackedHours,
    Issue,
)


def fill(project: Project, *, issues: int = 3, events: int = 4) -> None:
    """Something in every table that hangs on a project."""
    for number in range(issues):
        for step in range(events):
            event = event_json(fingerprint=f"fp{number}", release=f"1.{step}", event_id=f"{number}-{step}")
            record(project, event, received_ms=now_ms() - step * HOUR_MS)
    for issue in Issue.objects.filter(project=project):
        change_status(issue_id=issue.pk, change=Change("muted"), actor=Changer(None), now_ms=now_ms())
    first, second, *_ = Issue.objects.filter(project=project).order_by("pk")
    Note.objects.create(issue=first, text="Known since May", created_ms=1)
    Merge.objects.create(issue=first, merged=second, old_status="muted", merged_ms=1)
    Issue.objects.filter(pk=second.pk).update(merged_into=first)
    SourceMap.objects.create(
        project=project, release="1.0", filename="a.map", size_bytes=2, stored_bytes=1, uploaded_at=NOW, content=b"x"
    )
    RetentionPolicy.objects.create(project=project, raw_events_days=30)
    RefusedCount.objects.create(project_id=project.pk, reason="signature", hour_ms=0, count=1, last_ms=1)
    buffer.append(kind="later", project_id=project.pk, body=b"x", items=1, now_ms=now_ms())
    dead = {"body": b"x", "items": 2, "received_ms": 1, "buried_ms": 2, "reason": "why"}
    DeadPayload.objects.create(kind="errors", project_id=project.pk, **dead)
    make_user(projects=(project,))
    make_token(project)
    invite_to(role=Role.MEMBER, projects=(project,), created_by=None, actor=COMMAND_LINE, now=timezone.now())


def rows_of(project_id: str) -> dict[str, int]:
    """How many rows each table has of the project."""
    of_issue: dict[Any, str] = dict.fromkeys((Note, Merge, SearchWords, HourlyCount), "issue__project_id")
    of_issue[ReleaseHourlyCount] = "release__project_id"
    of_ingest = (BufferedPayload, DeadPayload, RefusedCount)
    tables: tuple[Any, ...] = (*OF_ERRORS, *of_ingest, IngestKey, ApiToken, Membership, InvitedTo, RetentionPolicy)
    found = {
        model.__name__: model.objects.filter(**{of_issue.get(model, "project_id"): project_id}).count()
        for model in tables
    }
    return {name: count for name, count in found.items() if count}


class SteadyPace(Pace):
    """Chunks of the same size, however long they take."""

    def note(self, seconds: float) -> None:
        pass


def remove(project: Project) -> Removal:
    return request_removal(project=project, actor=COMMAND_LINE, now=timezone.now())


def finish(requested: Removal, *, seconds: float = 30) -> Removal:
    assert continue_removal(removal_id=requested.pk, now=NOW, seconds=seconds)
    requested.refresh_from_db()
    return requested


# --- Everything goes --------------------------------------------------------------------------------------------


def test_every_row_of_the_project_goes_and_none_of_another(shop: NewProject, other: NewProject):
    fill(shop.project)
    fill(other.project)
    before = rows_of(other.project.pk)
    assert len(before) == 22, "the test fills every table"

    done = finish(remove(shop.project))

    assert rows_of(shop.project.pk) == {}
    assert not Project.objects.filter(pk=shop.project.pk).exists()
    assert rows_of(other.project.pk) == before
    assert (done.finished_at, done.rows_removed, done.rows_total) == (NOW, done.rows_total, done.rows_total)
    assert done.rows_total >= 3 * 4 + 3


def related_models() -> set[str]:
    """Every model with a key or a column that names a project, and those that hang on such a model."""
    found = {Project._meta.label}
    while True:
        more = {
            model._meta.label
            for model in apps.get_models()
            for column in model._meta.get_fields()
            if (isinstance(column, models.ForeignKey) and column.related_model._meta.label in found)
            or (isinstance(column, models.Field) and column.attname == "project_id")
        }
        if more <= found:
            return found - {Project._meta.label}
        found |= more


def test_every_table_that_hangs_on_a_project_is_removed_with_it_or_said_to_be_kept():
    by_chunks = {label for remover in registry.removers() for label in remover.tables}

    assert related_models() == by_chunks | set(registry.AT_ONCE) | set(registry.KEPT)


def test_small_tables_go_with_the_request_itself(shop: NewProject):
    fill(shop.project)
    at_once_tables = {label.partition(".")[2] for label in registry.AT_ONCE}
    assert at_once_tables <= rows_of(shop.project.pk).keys()

    remove(shop.project)

    assert not at_once_tables & rows_of(shop.project.pk).keys()


def test_an_empty_project_is_removed_too(shop: NewProject):
    done = finish(remove(shop.project))

    assert (done.rows_total, done.rows_removed) == (0, 0)
    assert not Project.objects.filter(slug="shop").exists()


def test_the_default_project_stays(default_project: Project):
    with pytest.raises(DefaultProject, match="cannot delete the default project"):
        remove(default_project)

    assert not Removal.objects.exists()


def test_a_project_is_deleted_once(shop: NewProject):
    remove(shop.project)

    with pytest.raises(ProjectGone):
        remove(shop.project)

    assert Removal.objects.count() == AuditEntry.objects.filter(action="project_deleted").count() == 1


def test_who_deleted_what_is_on_record_after_all_is_gone(shop: NewProject, admin: User):
    requested = request_removal(project=shop.project, actor=Actor(admin, "203.0.113.9"), now=NOW)
    finish(requested)

    entry = AuditEntry.objects.get(action="project_deleted")
    assert (entry.actor, entry.address, entry.target, entry.at) == (admin, "203.0.113.9", "Shop", NOW)
    assert (requested.name, requested.slug, requested.requested_by) == ("Shop", "shop", admin)


# --- Gone at once -----------------------------------------------------------------------------------------------


def test_nothing_of_it_shows_from_that_moment_on_not_even_to_admins(
    admin_client: Client, shop: NewProject, other: NewProject
):
    fill(shop.project)
    make_issue(other.project, fingerprint="theirs")
    remove(shop.project)

    assert [row["fingerprint"] for row in admin_client.get("/v1/errors").json()] == ["theirs"]
    assert admin_client.get(f"/v1/errors?project_id={shop.project.pk}").json() == []
    assert admin_client.get("/v1/errors/fp0").status_code == 404
    assert sum(point["count"] for point in admin_client.get("/v1/trends").json()) == 1
    stats = admin_client.get("/v1/stats").json()
    assert stats["total_errors"] == stats["total_events_24h"] == 1
    assert admin_client.post("/v1/errors/fp0/resolve").status_code == 404
    assert admin_client.get("/errors?project=shop").status_code == 404
    assert admin_client.get("/errors/shop/fp0").status_code == 404
    assert "Shop" not in admin_client.get("/errors?status=all").content.decode()
    for method in ("get", "put", "delete"):
        assert getattr(admin_client, method)("/v1/projects/shop").status_code == 404
        assert getattr(admin_client, method)(f"/v1/projects/_{shop.project.pk}").status_code == 404
    assert [each["slug"] for each in admin_client.get("/v1/projects").json()] == ["default", "other"]


def test_a_member_loses_it_at_once(member_client: Client, shop: NewProject):
    fill(shop.project)
    remove(shop.project)

    assert member_client.get("/v1/errors").json() == []
    assert member_client.get("/v1/projects").json() == []
    assert member_client.get("/v1/projects/shop").status_code == 404


def test_an_admin_reaches_all_without_a_list_of_projects_once_nothing_is_being_removed(
    admin: User, shop: NewProject, other: NewProject
):
    requested = remove(shop.project)
    during = reach_of(admin).project_ids
    finish(requested)

    assert set(during or ()) == {"default", other.project.pk}
    assert reach_of(admin).project_ids is None


def test_its_tokens_and_keys_end_at_once(client: Client, shop: NewProject):
    bearer = {"Authorization": f"Bearer {make_token(shop.project).secret}"}
    send: dict[str, Any] = {"path": "/v1/ingest", "body": b'{"error_type": "E"}', "key": shop.api_key}
    before = (client.get("/v1/errors", headers=bearer).status_code, post_signed(client, **send).status_code)

    remove(shop.project)

    after = (client.get("/v1/errors", headers=bearer), post_signed(client, **send))
    assert (before, [answer.status_code for answer in after]) == ((200, 200), [401, 401])
    assert post_signed(client, **send, project_key="").status_code == 401, "nor without naming the key"


def test_no_token_can_be_made_for_it(shop: NewProject):
    remove(shop.project)

    for name in ("shop", f"_{shop.project.pk}"):
        with pytest.raises(CommandError, match="project not found"):
            call_command("createtoken", name, name="ci", scopes="errors:read")
    with pytest.raises(ProjectGone):
        make_token(shop.project)


def test_its_slug_is_free_and_the_namesake_keeps_what_it_gets(client: Client, shop: NewProject):
    fill(shop.project)
    requested = remove(shop.project)
    admin = Client()
    admin.force_login(make_user(role=Role.ADMIN))

    new = admin.post("/v1/projects", {"name": "Shop", "slug": "shop"}, content_type="application/json").json()
    assert post_signed(client, "/v1/ingest", b'{"error_type": "New"}', key=new["api_key"]).status_code == 200
    flush_all()
    finish(requested)

    assert [row["error_type"] for row in admin.get("/v1/errors").json()] == ["New"]


def test_what_it_sent_just_before_is_dropped_and_not_buried(client: Client, shop: NewProject, other: NewProject):
    for new in (shop, other):
        assert post_signed(client, "/v1/ingest", b'{"error_type": "E"}', key=new.api_key).status_code == 200
    requested = remove(shop.project)

    flush_all()

    assert [issue.project_id for issue in Issue.objects.all()] == [other.project.pk]
    assert (buffer.waiting_items(), buffer.dead_items()) == (0, 0)
    finish(requested)


def test_what_comes_in_when_its_row_is_gone_is_dropped_too(shop: NewProject):
    finish(remove(shop.project))
    event = parse_event(event_json(), limits=Limits(), grouping="v1", now_ms=now_ms())
    body = encode_events([event])
    buffer.append(kind="errors", project_id=shop.project.pk, body=body, items=1, now_ms=now_ms())

    flush_all()

    assert not Issue.objects.exists()
    assert (buffer.waiting_items(), buffer.dead_items()) == (0, 0)


# --- In the background ------------------------------------------------------------------------------------------


def test_it_goes_on_where_it_was_interrupted_and_tells_how_far_it_is(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removal, "Pace", lambda: SteadyPace(5))
    fill(shop.project)
    requested = remove(shop.project)
    seen = []

    for _ in range(1000):
        finished = continue_removal(removal_id=requested.pk, now=NOW, seconds=0)  # one step, then the worker dies
        requested.refresh_from_db()
        seen.append(requested.rows_removed)
        if finished:
            break
        assert [each.name for each in removals_running()] == ["Shop"]
        assert 0 <= removals_running()[0].percent < 100

    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert seen[-1] == requested.rows_total
    assert (rows_of(shop.project.pk), removals_running()) == ({}, [])


def test_a_finished_or_unknown_removal_has_nothing_left_to_do(shop: NewProject):
    requested = finish(remove(shop.project))

    assert continue_removal(removal_id=requested.pk, now=timezone.now(), seconds=1)
    assert continue_removal(removal_id=10**9, now=timezone.now(), seconds=1)
    requested.refresh_from_db()
    assert requested.finished_at == NOW


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_a_chunk_has_no_more_rows_than_it_may(limit: int, shop: NewProject):
    fill(shop.project, issues=4, events=3)
    remover = ErrorsRemover()
    left = remover.count(shop.project.pk)

    while rows := remover.find(shop.project.pk, limit=limit):
        found = sum(len(ids) for _, ids in rows)
        assert 0 < found <= limit
        assert remover.remove(rows) == found
        left -= found
        assert remover.count(shop.project.pk) == left

    assert left == 0


def test_rows_that_come_in_while_it_runs_go_too(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    """A flush that began before the removal may write once more; PostgreSQL lets it."""
    fill(shop.project)
    requested = remove(shop.project)
    is_held, late = registry.is_held, iter(["late"])

    def with_late_rows(project_id: str) -> bool:
        if next(late, None):
            fields = {"source": "api", "first_seen_ms": 1, "last_seen_ms": 1, "total_count": 1}
            Issue.objects.create(project_id=project_id, fingerprint="late", error_type="E", message="m", **fields)
        return is_held(project_id)

    monkeypatch.setattr(removal, "is_held", with_late_rows)

    finish(requested)

    assert rows_of(shop.project.pk) == {}


def test_the_task_removes_every_deleted_project_and_one_that_fails_stops_no_other(
    shop: NewProject, other: NewProject, monkeypatch: pytest.MonkeyPatch
):
    fill(shop.project)
    fill(other.project)
    first, second = remove(shop.project), remove(other.project)
    count = ErrorsRemover.count

    def broken(self: ErrorsRemover, project_id: str) -> int:
        if project_id == shop.project.pk:
            raise OSError
        return count(self, project_id)

    with monkeypatch.context() as patched:
        patched.setattr(ErrorsRemover, "count", broken)
        tasks.work_off_removals()

    assert [each.id for each in removals_running()] == [first.pk]
    assert rows_of(other.project.pk) == {}
    second.refresh_from_db()
    assert second.finished_at
    tasks.work_off_removals()
    assert removals_running() == []


def test_the_task_asks_to_be_run_again_until_nothing_is_left(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "remove_projects", SimpleNamespace(apply_async=lambda **options: sent.append(options)))
    monkeypatch.setattr(tasks, "SECONDS", 0)
    fill(shop.project)
    remove(shop.project)

    tasks.work_off_removals()
    assert len(sent) == 1
    monkeypatch.setattr(tasks, "SECONDS", 30)
    tasks.work_off_removals()

    assert (len(sent), removals_running()) == (1, [])


def test_one_process_removes_one_at_a_time(shop: NewProject):
    fill(shop.project)
    remove(shop.project)

    with tasks._removing:
        tasks.work_off_removals()

    assert len(removals_running()) == 1


def test_a_broker_that_is_away_does_not_stop_the_deletion(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    def away(**_: Any) -> None:
        raise OSError

    monkeypatch.setattr(tasks, "remove_projects", SimpleNamespace(apply_async=away))

    answer = admin_client.delete("/v1/projects/shop")

    assert (answer.status_code, answer.json()) == (200, {"deleted": True})
    assert [each.slug for each in removals_running()] == ["shop"]


def test_two_workers_at_once_remove_each_row_once(shared_database: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removal, "Pace", lambda: SteadyPace(5))
    shop, other = make_project(slug="shop"), make_project(slug="other")
    fill(shop.project, issues=30)
    fill(other.project)
    before = rows_of(other.project.pk)
    requested = remove(shop.project)

    def work() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if continue_removal(removal_id=requested.pk, now=NOW, seconds=0.05):
                    return
            except removal.Busy:
                time.sleep(0.001)

    assert at_once([work, work, work]) == [None, None, None]

    requested.refresh_from_db()
    assert (requested.finished_at, requested.rows_removed) == (NOW, requested.rows_total)
    assert rows_of(shop.project.pk) == {}
    assert rows_of(other.project.pk) == before


@pytest.mark.postgres
def test_a_removal_that_another_worker_is_at_is_left_to_it(shared_database: None):
    shop = make_project(slug="shop")
    fill(shop.project)
    requested = remove(shop.project)

    def second_worker() -> bool:
        return continue_removal(removal_id=requested.pk, now=NOW, seconds=1)

    with transaction.atomic():
        removal.claim(requested)
        results = at_once([second_worker])

    assert isinstance(results[0], removal.Busy)
    assert finish(requested).finished_at


def test_the_database_checks_its_keys_again_afterwards(shared_database: None):
    finish(remove(make_project(slug="shop").project))

    with pytest.raises(IntegrityError), transaction.atomic():
        MinuteCount.objects.create(project_id="nobody", slot=1, minute_ms=DAY_MS, count=1)


@pytest.mark.sqlite
def test_the_last_step_does_not_read_every_occurrence_there_is(shared_database: None):
    """SQLite would, to check that none points to the project: there is no index on that column, on purpose."""
    shop, other = make_project(slug="shop"), make_project(slug="other")
    fill(other.project, issues=2, events=2)
    requested = remove(shop.project)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys")
        assert cursor.fetchone() == (1,)
    states: list[int] = []

    def watch(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith("DELETE FROM projects_project"):
            states.append(connection.connection.execute("PRAGMA foreign_keys").fetchone()[0])
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(watch):
        finish(requested)

    assert states == [0]

"""`/v1/admin/retention` and its purge (contract 5.5): shapes, rules and texts, and nothing half-applied."""

import json
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditEntry
from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms
from errors.models import Event, HourlyCount
from errors.retention import OldEvents
from projects import storage as storage_module
from projects import tasks
from projects.api import retention as api
from projects.models import Project, PurgeRun, RetentionPolicy
from projects.retention import global_days, own_days
from projects.services import retention as service
from projects.services.projects import NewProject
from tests.factories import event_json, record

URL = "/v1/admin/retention"
PURGE = f"{URL}/purge"


def put(client: Client, body: Any) -> tuple[int, Any]:
    raw = body if isinstance(body, str) else json.dumps(body)
    answer = client.put(URL, raw, content_type="application/json")
    return answer.status_code, answer.json()


def purge(client: Client) -> Any:
    """As `curl -X POST` without a body."""
    return client.generic("POST", PURGE)


def fill_old(new: NewProject, *, events: int = 15, hours: int = 2) -> None:
    """Events of one issue, in that many hours, a hundred days ago."""
    start = now_ms() - 100 * DAY_MS
    for number in range(events):
        record(new.project, event_json(fingerprint="fp"), received_ms=start + number % hours * HOUR_MS)


# --- Reading ----------------------------------------------------------------------------------------------------


def test_it_tells_what_holds_and_what_there_is(admin_client: Client, shop: NewProject):
    RetentionPolicy.objects.create(project=shop.project, raw_events_days=30)
    record(shop.project, event_json(), event_json(environment="staging"))

    found = admin_client.get(URL).json()

    assert found["global"] == {"raw_events_days": 7, "hourly_counts_days": 90}
    assert found["per_project"] == [{"project_id": shop.project.pk, "project_name": "Shop", "raw_events_days": 30}]
    storage = found["storage"]
    assert (storage["raw_events_count"], storage["hourly_counts_count"]) == (2, 2)
    assert storage["db_size_bytes"] > storage["free_bytes"] >= 0
    assert abs(storage["counted_at"] - now_ms()) < 60_000


def test_a_project_being_removed_is_not_listed(admin_client: Client, shop: NewProject):
    RetentionPolicy.objects.create(project=shop.project, raw_events_days=30)
    Project.objects.filter(pk=shop.project.pk).update(removing_at="2026-01-01T00:00Z")

    assert admin_client.get(URL).json()["per_project"] == []


def test_counts_that_are_slow_are_kept_for_a_minute_and_say_so(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(storage_module, "SLOW_SECONDS", -1)
    try:
        first = admin_client.get(URL).json()["storage"]
        record(shop.project, event_json())
        time.sleep(0.005)
        second = admin_client.get(URL).json()["storage"]
        assert first["raw_events_count"] == second["raw_events_count"] == 0
        assert first["counted_at"] == second["counted_at"] < now_ms()

        purge(admin_client)
        assert admin_client.get(URL).json()["storage"]["raw_events_count"] == 1, "a purge has ended since"

        held = storage_module.storage(now_ms=now_ms())
        assert storage_module.storage(now_ms=held.counted_ms + 60_000).counted_ms == held.counted_ms + 60_000
    finally:
        cache.delete(storage_module.CACHE_KEY)


# --- Setting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"raw_events_days": 14}, (14, 90, 5)),
        ({"hourly_counts_days": 365}, (7, 365, 5)),
        ({"raw_events_days": 1, "hourly_counts_days": 3650}, (1, 3650, 5)),
        ({"per_project": [{"project_id": "{shop}", "raw_events_days": 3650}]}, (7, 90, 3650)),
        ({"per_project": [{"project_id": "{shop}", "raw_events_days": 0}]}, (7, 90, None)),
        ({"per_project": []}, (7, 90, 5)),
        ({"raw_events_days": 2, "per_project": [{"project_id": "{shop}", "raw_events_days": 0}]}, (2, 90, None)),
        ({"unknown": True}, (7, 90, 5)),
        ({}, (7, 90, 5)),
    ],
)
def test_what_is_given_is_set_and_the_rest_stays(
    body: Any, expected: tuple[int, int, int | None], admin_client: Client, shop: NewProject
):
    RetentionPolicy.objects.create(project=shop.project, raw_events_days=5)

    answer = put(admin_client, json.dumps(body).replace("{shop}", shop.project.pk))

    assert answer == (200, {"status": "ok"})
    days = global_days()
    assert (days.raw_events, days.hourly_counts, own_days().get(shop.project.pk)) == expected


RANGE = "must be between 1 and 3650"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"raw_events_days": 0}, f"raw_events_days {RANGE}"),
        ({"raw_events_days": 3651}, f"raw_events_days {RANGE}"),
        ({"raw_events_days": -1}, f"raw_events_days {RANGE}"),
        ({"raw_events_days": 10**30}, f"raw_events_days {RANGE}"),
        ({"hourly_counts_days": 0}, f"hourly_counts_days {RANGE}"),
        ({"hourly_counts_days": 3651}, f"hourly_counts_days {RANGE}"),
        ({"raw_events_days": 9, "hourly_counts_days": 0}, f"hourly_counts_days {RANGE}"),
        ({"per_project": [{"project_id": "{shop}", "raw_events_days": 3651}]}, RANGE),
        ({"per_project": [{"project_id": "{shop}", "raw_events_days": -1}]}, RANGE),
        ({"per_project": [{"project_id": "nobody", "raw_events_days": 9}]}, "project not found: nobody"),
        ({"per_project": [{"project_id": "nobody", "raw_events_days": 0}]}, "project not found: nobody"),
        ({"per_project": [{"project_id": "", "raw_events_days": 1}]}, "project not found"),
        ("", "invalid request: "),
        ("{", "invalid request: body is not valid JSON"),
        ("NaN", "invalid request: body is not valid JSON"),
        ("[]", "invalid request: "),
        ("3", "invalid request: "),
        ({"raw_events_days": "9"}, "invalid request: raw_events_days: "),
        ({"raw_events_days": 9.5}, "invalid request: raw_events_days: "),
        ({"raw_events_days": True}, "invalid request: raw_events_days: "),
        ({"raw_events_days": None}, "invalid request: raw_events_days: "),
        ({"hourly_counts_days": [9]}, "invalid request: hourly_counts_days: "),
        ({"per_project": {}}, "invalid request: per_project: "),
        ({"per_project": [3]}, "invalid request: "),
        ({"per_project": [{"project_id": "{shop}"}]}, "invalid request: "),
        ({"per_project": [{"raw_events_days": 3}]}, "invalid request: "),
        ({"per_project": [{"project_id": 3, "raw_events_days": 3}]}, "invalid request: "),
        ({"per_project": [{"project_id": "a\x00", "raw_events_days": 3}]}, "invalid request: "),
        ({"per_project": [{"project_id": "\ud800", "raw_events_days": 3}]}, "invalid request: "),
        ({"per_project": [{"project_id": "x" * 65, "raw_events_days": 3}]}, "invalid request: "),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_set(body: Any, text: str, admin_client: Client, shop: NewProject):
    """Each bad body also carries something good, before and after the bad part."""
    good = {"project_id": "default", "raw_events_days": 11}
    if isinstance(body, dict):
        body = {"raw_events_days": 12, "hourly_counts_days": 13, **body}
        if isinstance(listed := body.get("per_project", []), list):
            body["per_project"] = [good, *listed, good]
    raw = body if isinstance(body, str) else json.dumps(body).replace("{shop}", shop.project.pk)

    status, answer = put(admin_client, raw)

    assert (status, text in answer["error"]) == (400, True), answer
    assert not RetentionPolicy.objects.exists()
    assert not AuditEntry.objects.filter(action="retention_changed").exists()


def test_a_body_of_4096_bytes_is_taken_and_a_longer_one_is_not(admin_client: Client):
    body = json.dumps({"raw_events_days": 9})

    assert put(admin_client, body.ljust(4096))[0] == 200
    assert put(admin_client, body.ljust(4097)) == (413, {"error": "body exceeds 4096 bytes"})


def test_another_kind_of_body_is_not_taken(admin_client: Client):
    assert admin_client.put(URL, "a=1", content_type="application/x-www-form-urlencoded").status_code == 415


# --- Purge ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, '{"confirm": true}', '{"confirm": true, "more": 1}'])
def test_a_purge_removes_what_is_too_old_and_says_how_much(body: str | None, admin_client: Client, shop: NewProject):
    fill_old(shop)
    record(shop.project, event_json(fingerprint="new"))

    answer = admin_client.post(PURGE, body, content_type="application/json") if body else purge(admin_client)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "raw_events_deleted": 10, "hourly_counts_deleted": 2}
    assert (Event.objects.count(), HourlyCount.objects.count()) == (6, 1)
    run = PurgeRun.objects.get()
    assert run.finished_at
    assert run.requested_by


@pytest.mark.parametrize("sent_as", ["application/x-www-form-urlencoded", "text/plain", "application/json", ""])
def test_no_body_at_all_counts_as_confirmed_whatever_kind_it_is_said_to_be(sent_as: str, admin_client: Client):
    answer = admin_client.generic("POST", PURGE, "", content_type=sent_as)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "raw_events_deleted": 0, "hourly_counts_deleted": 0}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ('{"confirm": false}', 400, "confirm must be true"),
        ("{}", 400, "invalid request: confirm is required"),
        ('{"confirm": "yes"}', 400, "invalid request: confirm: "),
        ('{"confirm": 1}', 400, "invalid request: confirm: "),
        ('{"confirm": null}', 400, "invalid request: confirm: "),
        ("[]", 400, "invalid request: "),
        ("null", 400, "invalid request: "),
        ("0", 400, "invalid request: "),
        ('""', 400, "invalid request: "),
        ("confirm", 400, "invalid request: body is not valid JSON"),
        (" ", 400, "invalid request: body is not valid JSON"),
        ('{"confirm": true}'.ljust(1025), 413, "body exceeds 1024 bytes"),
    ],
)
def test_anything_but_a_yes_removes_nothing(body: str, status: int, text: str, admin_client: Client, shop: NewProject):
    fill_old(shop)

    answer = admin_client.post(PURGE, body, content_type="application/json")

    assert (answer.status_code, answer.json()["error"][: len(text)]) == (status, text)
    assert Event.objects.count() == 15
    assert not PurgeRun.objects.exists()


def test_one_that_takes_too_long_answers_so_far_and_goes_on(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    queued: list[int] = []
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.000_001)
    monkeypatch.setattr(tasks, "start_purging", lambda: queued.append(1))
    fill_old(shop)

    answer = purge(admin_client)

    assert answer.status_code == 200
    assert answer.json()["running"] is True
    assert set(answer.json()) == {"status", "raw_events_deleted", "hourly_counts_deleted", "running"}
    assert queued == [1]
    run = PurgeRun.objects.get()
    assert service.continue_purge(run_id=run.pk, now=run.started_at, seconds=30)
    assert Event.objects.count() == 5


def test_one_that_another_worker_is_at_is_waited_for(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    """The first looks find the worker at it; then it has finished."""
    fill_old(shop)
    looks = []

    def busy_twice(**arguments: Any) -> bool:
        looks.append(1)
        if len(looks) < 3:
            raise service.Busy
        return service.continue_purge(**arguments)

    monkeypatch.setattr(api, "LOOK_SECONDS", 0)
    monkeypatch.setattr(api, "continue_purge", busy_twice)

    assert purge(admin_client).json() == {"status": "ok", "raw_events_deleted": 10, "hourly_counts_deleted": 2}
    assert len(looks) == 3


def test_a_purge_that_fails_in_part_is_no_success(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    def broken(self: OldEvents, *_: Any, **__: Any) -> None:
        raise OSError("secret path")

    monkeypatch.setattr(OldEvents, "find", broken)
    fill_old(shop)

    answer = purge(admin_client)

    assert answer.status_code == 500
    assert answer.json() == {"error": "internal server error: not everything could be purged"}
    assert HourlyCount.objects.count() == 0, "the rest was"

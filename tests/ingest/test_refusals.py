"""What ingest refuses is counted by project, reason and hour, and costs nobody anything."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from bloop_site.lib.network import trusted_networks
from bloop_site.transport import Transport
from ingest import buffer
from ingest import refusals as module
from ingest.lane import Lane
from ingest.models import BufferedPayload, RefusedCount
from ingest.refusals import MAX_HELD, MAX_NAMED, Refusals, refusals
from projects.models import IngestKey
from projects.services.keys import rotate_key
from projects.services.projects import NewProject
from tests.factories import event_json, make_project, regroup, sign
from tests.ingest.test_lane import post
from tests.wsgi import connections_kept

pytestmark = pytest.mark.django_db
BODY = json.dumps(event_json()).encode()
SECRET = "never-to-be-seen"


def counted() -> dict[tuple[str, str], int]:
    """Project and reason of what is in the table after a flush."""
    refusals.flush()
    return {(row.project_id, row.reason): row.count for row in RefusedCount.objects.all()}


def only() -> RefusedCount:
    refusals.flush()
    return RefusedCount.objects.get()


@pytest.fixture
def ask(application: Transport) -> Callable[..., Any]:
    """One request through the application as it is served."""

    def send(*words: Any, **more: Any) -> Any:
        with connections_kept():
            return post(application, *words, **more)

    return send


# --- Each reason ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "status", "sent"),
    [
        ("signature", 401, {"HTTP_X_SIGNATURE": "00" * 32}),
        ("signature", 401, {"HTTP_X_SIGNATURE": "no hex"}),
        ("missing_signature", 401, {"HTTP_X_SIGNATURE": ""}),
        ("too_large", 413, {"body": b" " * 40_000}),
        ("too_large", 413, {"body": gzip.compress(b" " * 400_000), "HTTP_CONTENT_ENCODING": "gzip"}),
        ("invalid", 400, {"body": b"not json"}),
        ("invalid", 400, {"body": b'{"message": "x"}'}),
        ("invalid", 400, {"body": json.dumps(event_json(source=f"!{SECRET}")).encode()}),
        ("invalid", 415, {"HTTP_CONTENT_ENCODING": "br"}),
        ("invalid", 400, {"path": "/v1/ingest/batch", "body": b"{}"}),
        ("invalid", 400, {"CONTENT_LENGTH": "1e3"}),
    ],
)
def test_a_refusal_is_counted_for_the_project_its_key_names(
    reason: str, status: int, sent: dict[str, Any], ask: Callable[..., Any], shop: NewProject
):
    before = now_ms()

    answers = [ask(key=shop.api_key, **{"body": BODY, **sent}) for _ in range(3)]

    assert [answer.status for answer in answers] == [status] * 3
    row = only()
    assert (row.project_id, row.reason, row.count) == (shop.project.pk, reason, 3)
    assert row.hour_ms == hour_of(row.last_ms)
    assert before <= row.last_ms <= now_ms()
    assert (row.last_text, row.last_address) == (answers[-1].json()["error"], "127.0.0.1")
    assert SECRET not in row.last_text
    assert shop.api_key not in row.last_text


def test_seed_troubleshooting_401_invalid_project_key_is_counted_for_nobody(ask: Callable[..., Any], shop: NewProject):
    answer = ask(BODY, key=shop.api_key.upper())

    assert (answer.status, answer.json()) == (401, {"error": "invalid project key"})
    row = only()
    assert (row.project_id, row.reason, row.count) == ("", "unknown_key", 1)
    assert row.last_text == "invalid project key"


def test_seed_troubleshooting_401_signature_does_not_match_unless_the_exact_body_is_signed_with_the_key(
    ask: Callable[..., Any], shop: NewProject
):
    reformatted = json.dumps(json.loads(BODY), indent=1).encode()

    wrong_body = ask(reformatted, key=shop.api_key, HTTP_X_SIGNATURE=sign(BODY, shop.api_key))
    wrong_key = ask(BODY, key=shop.api_key, HTTP_X_SIGNATURE=sign(BODY, shop.api_key[:-1]))
    right = ask(BODY, key=shop.api_key)

    assert [wrong_body.status, wrong_key.status, right.status] == [401, 401, 200]
    assert wrong_body.json() == wrong_key.json() == {"error": "invalid signature"}
    assert counted() == {(shop.project.pk, "signature"): 2}


def test_what_names_no_key_and_verifies_with_none_is_nobodys(ask: Callable[..., Any], shop: NewProject):
    assert ask(BODY, key=shop.api_key + "x", HTTP_X_PROJECT_KEY=None).status == 401

    assert counted() == {("", "signature"): 1}


def test_what_names_no_key_but_verifies_is_counted_for_whom_it_verifies(ask: Callable[..., Any], shop: NewProject):
    assert ask(b"not json", key=shop.api_key, HTTP_X_PROJECT_KEY=None).status == 400

    assert counted() == {(shop.project.pk, "invalid"): 1}


def test_a_key_that_has_ended_still_tells_whose_program_sends_with_it(ask: Callable[..., Any], shop: NewProject):
    rotate_key(project=shop.project, grace_seconds=60, actor=COMMAND_LINE, now=timezone.now())
    IngestKey.objects.filter(key=shop.api_key).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert ask(BODY, key=shop.api_key).status == 401

    assert counted() == {(shop.project.pk, "unknown_key"): 1}


def test_too_many_requests_are_counted_as_that(ask: Callable[..., Any], shop: NewProject, monkeypatch: Any):
    monkeypatch.setattr("ingest.authentication.ingest_throttle.wait_seconds", lambda key: 7)

    answer = ask(BODY, key=shop.api_key)

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert counted() == {(shop.project.pk, "rate_limited"): 1}


def test_seed_troubleshooting_a_full_buffer_is_counted_and_shown_by_health(
    ask: Callable[..., Any], shop: NewProject, settings: Any, client: Any
):
    ingest = settings.BLOOP.ingest.model_copy(update={"channel_capacity": 2})
    settings.BLOOP = settings.BLOOP.model_copy(update={"ingest": ingest})

    statuses = [ask(BODY, key=shop.api_key).status for _ in range(3)]

    assert statuses == [200, 200, 503]
    assert counted() == {(shop.project.pk, "full"): 1}
    assert client.get("/health").json()["buffer_usage"] == 1.0


def test_storage_that_is_away_is_no_full_buffer(ask: Callable[..., Any], shop: NewProject, monkeypatch: Any):
    ask(BODY, key=shop.api_key)
    monkeypatch.setattr(buffer.Entry, "write", lambda *_: (_ for _ in ()).throw(OperationalError("gone")))

    assert ask(BODY, key=shop.api_key).status == 503

    assert counted() == {(shop.project.pk, "unavailable"): 1}


@pytest.mark.parametrize("good", [0, 2])
def test_events_left_out_of_a_batch_are_counted_one_by_one(good: int, ask: Callable[..., Any], shop: NewProject):
    events = [*[event_json()] * good, {"message": SECRET, "error_type": 1}, {"error_type": "", "message": ""}, 7]

    answer = ask(json.dumps({"events": events}).encode(), key=shop.api_key, path="/v1/ingest/batch")

    assert (answer.status, answer.json()["accepted"], len(answer.json()["errors"])) == (200, good, 3)
    row = only()
    assert (row.project_id, row.reason, row.count) == (shop.project.pk, "batch_item", 3)
    assert row.last_text == "validation error: an event must be a JSON object"


def test_a_request_that_is_tried_again_is_counted_once(ask: Callable[..., Any], shop: NewProject):
    mixed = json.dumps({"events": [event_json(), 7]}).encode()
    assert ask(mixed, key=shop.api_key, path="/v1/ingest/batch").status == 200
    refusals.take()
    regroup(shop.project, "v2")  # the remembered owner is void: the statement that keeps the payload finds out

    answer = ask(mixed, key=shop.api_key, path="/v1/ingest/batch")

    assert (answer.status, answer.json()["accepted"]) == (200, 1)
    assert counted() == {(shop.project.pk, "batch_item"): 1}


def test_a_rotated_keys_batch_is_refused_as_a_whole_and_its_items_are_not_counted(
    ask: Callable[..., Any], shop: NewProject
):
    mixed = json.dumps({"events": [event_json(), 7]}).encode()
    assert ask(mixed, key=shop.api_key, path="/v1/ingest/batch").status == 200
    refusals.take()
    rotate_key(project=shop.project, grace_seconds=0, actor=COMMAND_LINE, now=timezone.now())

    assert ask(mixed, key=shop.api_key, path="/v1/ingest/batch").status == 401

    assert counted() == {(shop.project.pk, "unknown_key"): 1}


def test_what_is_accepted_counts_nothing(ask: Callable[..., Any], shop: NewProject):
    assert ask(BODY, key=shop.api_key).status == 200

    assert counted() == {}


def test_the_address_is_the_clients_behind_a_trusted_proxy(
    ask: Callable[..., Any], shop: NewProject, settings: Any, request: pytest.FixtureRequest
):
    server = settings.BLOOP.server.model_copy(update={"trusted_proxies": ["127.0.0.1"]})
    settings.BLOOP = settings.BLOOP.model_copy(update={"server": server})
    trusted_networks.cache_clear()
    request.addfinalizer(trusted_networks.cache_clear)

    ask(b"no", key=shop.api_key, HTTP_X_FORWARDED_FOR="198.51.100.7, 203.0.113.9")

    assert only().last_address == "203.0.113.9"


# --- Counting ---------------------------------------------------------------------------------------------------------


def note(held: Refusals = refusals, **more: Any) -> None:
    held.note(**{"reason": "signature", "text": "no", "address": "192.0.2.1", "at_ms": now_ms(), **more})


def test_counts_of_an_hour_add_up_and_the_last_words_are_the_latest(shop: NewProject):
    noon = hour_of(now_ms())
    for at, text in ((noon + 5, "late"), (noon + 1, "early"), (noon - 1, "the hour before")):
        note(project_id=shop.project.pk, at_ms=at, text=text)
        refusals.flush()  # as another process would have, in any order

    rows = RefusedCount.objects.order_by("hour_ms").values_list("hour_ms", "count", "last_ms", "last_text")
    assert list(rows) == [(noon - HOUR_MS, 1, noon - 1, "the hour before"), (noon, 2, noon + 5, "late")]


def test_a_refusal_writes_nothing_before_the_flush_and_a_flush_is_two_statements(
    ask: Callable[..., Any], shop: NewProject
):
    ask(BODY, key="warm-up")
    refusals.take()
    with CaptureQueriesContext(connection) as quiet:
        ask(BODY, key=shop.api_key, HTTP_X_SIGNATURE="00" * 32)
        ask(BODY, key="unknown")
    with CaptureQueriesContext(connection) as flushed:
        refusals.flush()
        refusals.flush()

    written = [query["sql"] for query in quiet if query["sql"].lstrip()[:6] in ("INSERT", "UPDATE")]
    assert [sql for sql in written if "ratebucket" not in sql] == []
    looked_up, added = [query["sql"] for query in flushed]
    assert looked_up.startswith("SELECT")
    assert added.startswith("INSERT INTO ingest_refusedcount")
    assert counted() == {(shop.project.pk, "signature"): 1, ("", "unknown_key"): 1}


def test_invented_keys_are_bounded_in_memory_and_none_of_their_refusals_is_lost(shop: NewProject):
    for number in range(5 * MAX_NAMED):
        note(key=f"invented-{number}", reason="unknown_key")
    note(project_id=shop.project.pk)

    assert len(refusals.held) == MAX_NAMED + 2
    assert counted() == {("", "unknown_key"): 5 * MAX_NAMED, (shop.project.pk, "signature"): 1}


def test_more_projects_than_are_told_apart_are_counted_together():
    for number in range(MAX_HELD + 7):
        note(project_id=f"p{number}")
    note(project_id="p1")

    assert len(refusals.held) == MAX_HELD + 1
    refusals.flush()
    assert RefusedCount.objects.get(reason="other").count == 7
    assert RefusedCount.objects.get(project_id="p1").count == 2


@pytest.mark.parametrize("key", ["k" * 8_000, "a\x00b", ""])
def test_a_key_that_cannot_be_one_is_not_kept(key: str):
    note(key=key)

    assert [place.key for place in refusals.held] == [""]


def test_neither_the_key_nor_the_payload_reaches_the_table(ask: Callable[..., Any]):
    ask(json.dumps({"message": SECRET}).encode(), key=f"key-{SECRET}")

    only()
    assert SECRET not in str(RefusedCount.objects.values().get())


def test_counts_wait_while_the_database_is_away(shop: NewProject, monkeypatch: Any):
    note(project_id=shop.project.pk)
    with monkeypatch.context() as away:
        away.setattr(module, "write", lambda counts: (_ for _ in ()).throw(OperationalError("gone")))
        refusals.flush()
        note(project_id=shop.project.pk)
        refusals.flush()

    assert counted() == {(shop.project.pk, "signature"): 2}


def test_counts_that_cannot_be_written_are_dropped_and_said(shop: NewProject, monkeypatch: Any, caplog: Any):
    note(project_id=shop.project.pk)
    monkeypatch.setattr(module, "write", lambda counts: (_ for _ in ()).throw(ValueError("odd")))

    refusals.flush()

    assert refusals.held == {}
    assert "refusals_dropped" in caplog.text


# --- Between threads and processes ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_when_lanes_refuse_and_processes_write_at_once(lane: Lane, together: Callable[..., list[Any]]):
    shops = [make_project() for _ in range(4)]
    others = [Refusals() for _ in range(3)]

    def send(number: int) -> list[int]:
        key = shops[number % 4].api_key
        forged = {"HTTP_X_SIGNATURE": "00" * 32}
        answers = [post(lane, BODY, key=key, **({} if each == 3 else forged)) for each in range(5)]
        refusals.flush()
        return [answer.status for answer in answers]

    def write(process: Refusals) -> None:
        for _ in range(10):
            for shop in reversed(shops):
                note(process, project_id=shop.project.pk)
            process.flush()

    calls = [*[partial(send, number) for number in range(8)], *[partial(write, each) for each in others]]
    results = together(calls)

    assert results == [*[[401, 401, 401, 200, 401]] * 8, None, None, None]
    assert counted() == {(shop.project.pk, "signature"): 2 * 4 + 3 * 10 for shop in shops}
    assert BufferedPayload.objects.count() == 8

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from bloop_site.lib.clock import now_ms
from errors.contract import Limits, decode_events, encode_events, parse_event
from errors.models import Event, HourlyCount, Issue
from ingest import buffer, registry
from ingest.flush import Flushed, flush_all, flush_next, fold
from ingest.models import BufferedPayload, DeadPayload
from llmtraces.models import Trace
from projects.models import IngestKey
from projects.services.projects import NewProject
from tests.factories import event_json, make_project, post_signed
from tests.ingest.conftest import await_a_waiter

Together = Callable[[list[Callable[[], Any]]], list[Any]]


def payload(*events: dict[str, Any]) -> bytes:
    """Events as the body of one buffered payload."""
    parsed = [parse_event(event, limits=Limits(), grouping="v1", now_ms=now_ms()) for event in events]
    return encode_events(parsed)


def keep(project_id: str, body: bytes, *, items: int = 1) -> None:
    buffer.append(kind="errors", project_id=project_id, body=body, items=items, now_ms=now_ms())


def post_batch(client: Client, project: NewProject, *events: dict[str, Any], **headers: str) -> Any:
    body = json.dumps({"events": events}).encode()
    return post_signed(client, "/v1/ingest/batch", body, key=project.api_key, **headers)


def post_one(client: Client, project: NewProject, event: dict[str, Any], **headers: str) -> int:
    body = json.dumps(event).encode()
    status: int = post_signed(client, "/v1/ingest", body, key=project.api_key, **headers).status_code
    return status


def post_trace(project: NewProject, status: str) -> None:
    body = json.dumps({"id": "t", "status": status}).encode()
    assert post_signed(Client(), "/v1/traces", body, key=project.api_key).status_code == 200


def messages() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("message", flat=True))


# --- Folding ----------------------------------------------------------------------------------------------------


def test_accepted_events_are_folded_and_leave_the_buffer(client: Client, shop: NewProject) -> None:
    post_batch(client, shop, event_json(message="a"), event_json(message="b"))
    assert not Event.objects.exists()

    assert flush_all() == Flushed(stored=2)

    assert messages() == ["a", "b"]
    assert not BufferedPayload.objects.exists()
    assert flush_all() == Flushed()


def test_a_backlog_of_several_batches_is_drained_in_order_of_arrival(client: Client, shop: NewProject) -> None:
    for start in range(0, 1200, 400):
        post_batch(client, shop, *(event_json(request_id=str(number)) for number in range(start, start + 400)))

    assert flush_all() == Flushed(stored=1200)

    ids = Event.objects.order_by("pk").values_list("request_id", flat=True)
    assert list(ids) == [str(number) for number in range(1200)]
    assert Issue.objects.get().total_count == 1200


# --- Idempotency (design.md 2) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", ["one flush", "two flushes"])
def test_a_repeated_event_id_is_accepted_and_counted_once(between: str, client: Client, shop: NewProject) -> None:
    for _ in range(3):
        assert post_one(client, shop, event_json(event_id="e-1")) == 200
        if between == "two flushes":
            flush_all()
    flush_all()

    assert Event.objects.get().event_id == "e-1"
    assert Issue.objects.get().total_count == 1
    assert HourlyCount.objects.get().count == 1


@pytest.mark.parametrize("between", ["one flush", "two flushes"])
def test_a_repeated_idempotency_key_is_counted_once(between: str, client: Client, shop: NewProject) -> None:
    for _ in range(2):
        assert post_one(client, shop, event_json(), **{"Idempotency-Key": "try-1"}) == 200
        if between == "two flushes":
            flush_all()
    assert post_one(client, shop, event_json(), **{"Idempotency-Key": "try-2"}) == 200
    flush_all()

    assert Issue.objects.get().total_count == 2


@pytest.mark.parametrize("between", ["one flush", "two flushes"])
def test_a_batch_sent_again_with_its_idempotency_key_is_counted_once(
    between: str, client: Client, shop: NewProject
) -> None:
    events = [event_json(message="a"), event_json(message="a"), event_json(message="b")]
    for _ in range(2):
        response = post_batch(client, shop, *events, **{"Idempotency-Key": "k" * 64})
        assert response.json() == {"accepted": 3, "dropped": 0, "errors": []}
        if between == "two flushes":
            flush_all()
    flush_all()

    assert messages() == ["a", "a", "b"]


def test_event_ids_repeated_within_one_batch_are_counted_once(client: Client, shop: NewProject) -> None:
    post_batch(client, shop, *(event_json(event_id=each, message=each) for each in ("a", "b", "a", "a")))
    flush_all()

    assert messages() == ["a", "b"]


def test_an_event_id_of_its_own_goes_before_the_idempotency_key(client: Client, shop: NewProject) -> None:
    post_batch(client, shop, event_json(event_id="own"), event_json(), **{"Idempotency-Key": "key"})
    flush_all()

    assert list(Event.objects.order_by("pk").values_list("event_id", flat=True)) == ["own", "key:1"]


def test_the_same_event_id_counts_in_another_project(client: Client, shop: NewProject, other: NewProject) -> None:
    for project in (shop, other, shop):
        post_one(client, project, event_json(event_id="e-1"))
    flush_all()

    assert sorted(Event.objects.values_list("project_id", flat=True)) == sorted([shop.project.pk, other.project.pk])


def test_events_without_an_id_are_all_counted(client: Client, shop: NewProject) -> None:
    for event_id in (None, "", None):
        post_one(client, shop, event_json(event_id=event_id))
    flush_all()

    assert Issue.objects.get().total_count == 3


# --- Poison -------------------------------------------------------------------------------------------------------


def test_a_payload_that_cannot_be_read_is_buried_whole_and_its_neighbours_are_stored(shop: NewProject) -> None:
    keep(shop.project.pk, payload(event_json(message="before")))
    keep(shop.project.pk, b"\xc1 not ours", items=3)
    keep(shop.project.pk, payload(event_json(message="after")))

    assert flush_all() == Flushed(stored=2, buried=3)

    assert messages() == ["before", "after"]
    dead = DeadPayload.objects.get()
    assert (bytes(dead.body), dead.items, dead.kind, dead.project_id) == (
        b"\xc1 not ours",
        3,
        "errors",
        shop.project.pk,
    )
    assert "Error" in dead.reason
    assert 0 < dead.received_ms <= dead.buried_ms
    assert buffer.waiting_items() == 0
    assert buffer.dead_items() == 3


def test_what_a_deleted_project_sent_is_dropped_and_other_projects_lose_nothing(
    client: Client, shop: NewProject, other: NewProject
) -> None:
    post_one(client, shop, event_json(message="kept 1"))
    post_batch(client, other, event_json(), event_json())
    post_one(client, shop, event_json(message="kept 2"))
    IngestKey.objects.filter(project_id=other.project.pk).delete()
    other.project.delete()

    flush_all()

    assert messages() == ["kept 1", "kept 2"]
    assert (buffer.waiting_items(), DeadPayload.objects.count()) == (0, 0)


def break_on(message: str) -> None:
    """Let the database itself refuse an event with this message, as a constraint would."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE TEMP TRIGGER poison BEFORE INSERT ON errors_event WHEN NEW.message = '{message}'"
                " BEGIN SELECT RAISE(ABORT, 'no poison here'); END"
            )
        else:
            cursor.execute(f"ALTER TABLE errors_event ADD CONSTRAINT poison CHECK (message <> '{message}')")


def mend() -> None:
    """Undo `break_on`."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER poison")
        else:
            cursor.execute("ALTER TABLE errors_event DROP CONSTRAINT poison")


def test_an_event_the_database_refuses_is_buried_alone_its_neighbours_in_the_same_payload_are_stored(
    client: Client, shop: NewProject
) -> None:
    break_on("poison")
    post_one(client, shop, event_json(message="one"))
    post_batch(client, shop, *(event_json(message=each) for each in ("two", "poison", "three")))
    post_one(client, shop, event_json(message="four"))

    assert flush_all() == Flushed(stored=4, buried=1)

    assert messages() == ["one", "two", "three", "four"]
    assert sorted(Issue.objects.values_list("message", "total_count")) == [
        (each, 1) for each in ("four", "one", "three", "two")
    ]
    dead = DeadPayload.objects.get()
    assert dead.reason.startswith("IntegrityError: ")
    assert (dead.items, dead.project_id) == (1, shop.project.pk)
    assert [event.message for event in decode_events(bytes(dead.body))] == ["poison"]


def test_a_dead_payload_can_be_folded_once_its_cause_is_gone(client: Client, shop: NewProject) -> None:
    break_on("late")
    keep(shop.project.pk, payload(event_json(message="late")))
    assert flush_all() == Flushed(buried=1)
    dead = DeadPayload.objects.get()
    mend()

    keep(shop.project.pk, bytes(dead.body), items=dead.items)

    assert flush_all() == Flushed(stored=1)
    assert messages() == ["late"]


def test_a_kind_nobody_owns_waits_and_harms_nobody(client: Client, shop: NewProject) -> None:
    buffer.append(kind="later", project_id=shop.project.pk, body=b"x", items=1, now_ms=now_ms())
    post_one(client, shop, event_json(message="a"))

    assert flush_all() == Flushed(stored=1)

    assert BufferedPayload.objects.get().kind == "later"


# --- The database is away -------------------------------------------------------------------------------------------


class Away:
    """A handler whose database is away: it fails after some of its writing is done."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def prepare(self, payloads: Any) -> Any:
        return self.real.prepare(payloads)

    def split(self, payload: Any) -> Any:
        return self.real.split(payload)

    def write(self, prepared: Any) -> None:
        self.real.write(prepared)
        raise OperationalError("the server went away")


def test_a_database_that_goes_away_in_the_middle_keeps_everything_for_the_next_tick(
    client: Client, shop: NewProject
) -> None:
    post_batch(client, shop, event_json(message="a"), event_json(message="b"))
    real = registry.handler_of("errors")

    with pytest.raises(OperationalError), transaction.atomic():
        flush_next("errors", Away(real))

    assert (buffer.waiting_items(), buffer.dead_items(), messages()) == (2, 0, [])
    assert flush_all() == Flushed(stored=2)
    assert messages() == ["a", "b"]


def test_a_database_that_goes_away_while_poison_is_sorted_out_buries_nothing(client: Client, shop: NewProject) -> None:
    class AwayWhenAlone(Away):
        def write(self, prepared: Any) -> None:
            if len(prepared.events) > 1:
                raise ValueError("a bug")
            super().write(prepared)

    post_one(client, shop, event_json(message="a"))
    post_one(client, shop, event_json(message="b"))

    with pytest.raises(OperationalError), transaction.atomic():
        flush_next("errors", AwayWhenAlone(registry.handler_of("errors")))

    assert (buffer.waiting_items(), buffer.dead_items(), messages()) == (2, 0, [])
    assert flush_all() == Flushed(stored=2)


# --- Two flushers ---------------------------------------------------------------------------------------------------


def flush_like_another_process() -> int:
    """Fold everything, without the lock that keeps one process from flushing twice at once."""
    handler = registry.handler_of("errors")
    stored = 0
    while buffer.waiting_items():
        try:
            if done := flush_next("errors", handler):
                stored += done.stored
        except OperationalError:  # busy: the next tick's work
            continue
    return stored


def fill(project: NewProject, *, payloads: int, each: int) -> None:
    body = payload(*(event_json(message=f"m{chr(97 + number % 7)}") for number in range(each)))
    for _ in range(payloads):
        keep(project.project.pk, body, items=each)


def assert_counted(total: int) -> None:
    assert Event.objects.count() == total
    assert sum(Issue.objects.values_list("total_count", flat=True)) == total
    assert sum(HourlyCount.objects.values_list("count", flat=True)) == total
    assert (buffer.waiting_items(), buffer.dead_items()) == (0, 0)


def test_two_flushers_at_once_count_each_event_once(shared_database: None, together: Together) -> None:
    fill(make_project(), payloads=30, each=100)

    stored = together([flush_like_another_process] * 2)

    assert sum(stored) == 3000
    assert_counted(3000)


@pytest.mark.postgres
def test_four_flushers_on_postgresql_share_the_backlog_and_count_each_event_once(
    shared_database: None, together: Together
) -> None:
    fill(make_project(), payloads=80, each=50)

    stored = together([flush_like_another_process] * 4)

    assert sum(stored) == 4000
    assert sum(each > 0 for each in stored) > 1  # they worked side by side: locked rows are skipped, not waited for
    assert_counted(4000)


@pytest.mark.postgres
def test_flushers_that_meet_the_same_event_id_store_it_once(shared_database: None, together: Together) -> None:
    project = make_project()
    body = payload(*(event_json(event_id=f"id-{number}", message="same") for number in range(50)))
    for _ in range(40):
        keep(project.project.pk, body, items=50)

    together([flush_like_another_process] * 4)

    assert_counted(50)


@pytest.mark.postgres
def test_what_a_trace_said_last_stands_though_another_worker_still_folds_what_it_said_first(
    shared_database: None, together: Together
) -> None:
    shop, handler = make_project(), registry.handler_of("traces")
    has_peeked, has_posted = threading.Event(), threading.Event()
    post_trace(shop, "running")

    def slow_worker() -> None:
        with transaction.atomic():
            first = buffer.peek("traces", max_items=500, in_order=True)
            has_peeked.set()
            has_posted.wait(20)
            await_a_waiter()
            fold(handler, first)

    def other_worker() -> None:
        has_peeked.wait(20)
        post_trace(shop, "completed")
        has_posted.set()
        flush_next("traces", handler)

    assert together([slow_worker, other_worker]) == [None, None]
    assert Trace.objects.get().status == "completed"
    assert not BufferedPayload.objects.exists()


@pytest.mark.postgres
def test_a_worker_takes_the_traces_of_a_project_that_no_other_is_at(shared_database: None, together: Together) -> None:
    shop, other = make_project(), make_project()
    post_trace(shop, "completed")

    def other_worker() -> set[str]:
        post_trace(shop, "completed")
        post_trace(other, "completed")
        with transaction.atomic():
            return {payload.project_id for payload in buffer.peek("traces", max_items=500, in_order=True)}

    with transaction.atomic():
        buffer.peek("traces", max_items=500, in_order=True)
        assert together([other_worker]) == [{other.project.pk}]


def test_flushing_while_requests_come_in_loses_and_doubles_nothing(shared_database: None, together: Together) -> None:
    shop = make_project()

    def send(number: int) -> None:
        client = Client()
        for each in range(10):
            assert post_one(client, shop, event_json(request_id=f"{number}:{each}")) == 200

    def drain() -> None:
        for _ in range(20):
            flush_next("errors", registry.handler_of("errors"))

    results = together([partial(send, number) for number in range(4)] + [drain])
    flush_all()

    assert results == [None] * 5
    ids = sorted(map(str, Event.objects.values_list("request_id", flat=True)))
    assert ids == sorted(f"{number}:{each}" for number in range(4) for each in range(10))
    assert_counted(40)


def test_one_process_flushes_once_at_a_time(shared_database: None, together: Together) -> None:
    fill(make_project(), payloads=10, each=50)

    results = together([flush_all] * 4)

    assert sum(result.stored for result in results) == 500
    assert flush_all() == Flushed()
    assert_counted(500)

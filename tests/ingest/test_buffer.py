import json
import threading
from collections.abc import Callable
from functools import partial
from types import NoneType
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from bloop_site.lib.clock import now_ms
from errors.models import Event, Issue
from ingest import buffer
from ingest.flush import Flushed, flush_all
from ingest.models import BufferedPayload
from projects.services.projects import NewProject
from tests.factories import event_json, make_project, post_signed

Together = Callable[[list[Callable[[], Any]]], list[Any]]
THREADS = 16
EACH = 5


def body_of(*messages: str) -> bytes:
    return json.dumps({"events": [event_json(message=message) for message in messages]}).encode()


def capacity(settings: Any, items: int) -> None:
    ingest = settings.BLOOP.ingest.model_copy(update={"channel_capacity": items})
    settings.BLOOP = settings.BLOOP.model_copy(update={"ingest": ingest})


def append(body: bytes, *, items: int = 1, **more: Any) -> None:
    buffer.append(kind="errors", project_id="default", body=body, items=items, now_ms=now_ms(), **more)


def kept() -> list[bytes]:
    return [bytes(body) for body in BufferedPayload.objects.order_by("pk").values_list("body", flat=True)]


# --- Kept at once: outside the lane -------------------------------------------------------------------------------


def test_sixteen_threads_lose_nothing_and_each_return_comes_after_its_commit(
    shared_database: None, together: Together
) -> None:
    seen_at_return: list[bool] = []

    def send(number: int) -> None:
        for each in range(EACH):
            body = f"{number}:{each}".encode()
            append(body)
            seen_at_return.append(BufferedPayload.objects.filter(body=body).exists())

    results = together([partial(send, number) for number in range(THREADS)])

    assert results == [None] * THREADS
    assert sorted(kept()) == sorted(f"{n}:{e}".encode() for n in range(THREADS) for e in range(EACH))
    assert seen_at_return == [True] * THREADS * EACH


def test_sixteen_clients_at_once_each_event_is_counted_once(shared_database: None, together: Together) -> None:
    shop = make_project()

    def send(number: int) -> list[int]:
        client = Client()
        return [
            post_signed(
                client, "/v1/ingest", json.dumps(event_json(request_id=f"{number}:{n}")).encode(), key=shop.api_key
            ).status_code
            for n in range(EACH)
        ]

    results = together([partial(send, number) for number in range(THREADS)])

    assert results == [[200] * EACH] * THREADS
    assert flush_all() == Flushed(stored=THREADS * EACH)
    ids = list(Event.objects.values_list("request_id", flat=True))
    assert sorted(map(str, ids)) == sorted(f"{n}:{e}" for n in range(THREADS) for e in range(EACH))
    assert Issue.objects.get().total_count == THREADS * EACH


def test_each_thread_hears_of_its_own_failure(shared_database: None, together: Together) -> None:
    with table_away():
        results = together([partial(append, b"x") for _ in range(4)])

    assert [isinstance(result, DatabaseError) for result in results] == [True] * 4
    assert buffer.waiting_items() == 0
    append(b"after")
    assert kept() == [b"after"]


class table_away:  # noqa: N801  reads as `with table_away():`
    """The buffer's table is not there for a while: the plainest way a database fails."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE ingest_bufferedpayload RENAME TO ingest_away")

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE ingest_away RENAME TO ingest_bufferedpayload")


# --- Kept as a group: what the lane does (tests/ingest/test_lane.py asks it over HTTP) ------------------------------


def test_what_is_deferred_is_kept_by_its_commit_and_not_before(db: None) -> None:
    with buffer.deferred() as entries:
        append(b"a")
        append(b"b")
    assert (len(entries), kept()) == (2, [])

    buffer.commit(entries)

    assert [entry.error for entry in entries] == [None, None]
    assert kept() == [b"a", b"b"]


def test_after_the_block_an_append_is_kept_at_once_again(db: None) -> None:
    with pytest.raises(ValueError), buffer.deferred() as entries:
        raise ValueError

    append(b"a")

    assert (entries, kept()) == ([], [b"a"])


def test_one_thread_defers_what_another_keeps_at_once(shared_database: None, together: Together) -> None:
    with buffer.deferred() as entries:
        results = together([partial(append, b"theirs")])
        append(b"ours")

    assert (results, len(entries), kept()) == ([None], 1, [b"theirs"])


def test_an_entry_whose_condition_fails_is_left_out_and_its_neighbours_are_kept(db: None) -> None:
    with buffer.deferred() as entries:
        append(b"a", condition="WHERE 1 = %s", parameters=(1,))
        append(b"b", condition="WHERE 1 = %s", parameters=(2,))
        append(b"c")

    buffer.commit(entries)

    assert [type(entry.error) for entry in entries] == [NoneType, buffer.ConditionFailed, NoneType]
    assert kept() == [b"a", b"c"]


def test_an_append_alone_raises_that_its_condition_failed(db: None) -> None:
    with pytest.raises(buffer.ConditionFailed):
        append(b"a", condition="WHERE 1 = %s", parameters=(2,))

    assert kept() == []


def test_a_commit_that_fails_keeps_nothing_and_every_entry_knows(db: None) -> None:
    with buffer.deferred() as entries:
        append(b"a")
        append(b"b", condition="WHERE no_such_column = 1")
        append(b"c")

    buffer.commit(entries)

    assert [isinstance(entry.error, DatabaseError) for entry in entries] == [True] * 3
    assert kept() == []


def test_a_commit_of_nothing_asks_nothing_of_the_database(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        buffer.commit([])


def test_a_refused_append_raises_its_fate_once_and_the_next_is_kept(db: None) -> None:
    with buffer.refused(buffer.ConditionFailed()):
        with pytest.raises(buffer.ConditionFailed):
            append(b"a")
        append(b"b")
    append(b"c")

    assert kept() == [b"b", b"c"]


def test_a_refusal_nobody_asked_for_is_forgotten_after_the_block(db: None) -> None:
    with buffer.refused(buffer.ConditionFailed()):
        pass

    append(b"a")

    assert kept() == [b"a"]


# --- Full, or without a database ----------------------------------------------------------------------------------


def test_a_full_buffer_is_503_with_retry_after_and_keeps_nothing(
    client: Client, shop: NewProject, settings: Any
) -> None:
    capacity(settings, 2)
    first = post_signed(client, "/v1/ingest/batch", body_of("a", "b"), key=shop.api_key)

    single = post_signed(client, "/v1/ingest", json.dumps(event_json()).encode(), key=shop.api_key)
    batch = post_signed(client, "/v1/ingest/batch", body_of("c"), key=shop.api_key)

    assert first.status_code == 200
    for refused in (single, batch):
        assert (refused.status_code, refused.json()) == (503, {"error": "buffer is full, try again later"})
        assert int(refused.headers["Retry-After"]) > 0
    assert buffer.waiting_items() == 2


def test_a_batch_that_fits_only_in_part_is_refused_whole(client: Client, shop: NewProject, settings: Any) -> None:
    capacity(settings, 3)
    assert post_signed(client, "/v1/ingest/batch", body_of("a", "b"), key=shop.api_key).status_code == 200

    assert post_signed(client, "/v1/ingest/batch", body_of("c", "d"), key=shop.api_key).status_code == 503
    assert post_signed(client, "/v1/ingest/batch", body_of("e"), key=shop.api_key).status_code == 200

    assert buffer.waiting_items() == 3


def test_after_a_flush_there_is_room_again(client: Client, shop: NewProject, settings: Any) -> None:
    capacity(settings, 1)
    assert post_signed(client, "/v1/ingest/batch", body_of("a"), key=shop.api_key).status_code == 200
    assert post_signed(client, "/v1/ingest/batch", body_of("b"), key=shop.api_key).status_code == 503

    flush_all()
    buffer.backlog.read_at = float("-inf")  # a quarter of a second later

    assert post_signed(client, "/v1/ingest/batch", body_of("b"), key=shop.api_key).status_code == 200


def test_the_capacity_holds_under_threads(shared_database: None, together: Together, settings: Any) -> None:
    capacity(settings, 10)

    results = together([partial(append, b"x") for _ in range(THREADS)])

    assert sum(isinstance(result, buffer.BufferFull) for result in results) == THREADS - 10
    assert buffer.waiting_items() == 10


@pytest.mark.parametrize("missing", ["ingest_bufferedpayload", "projects_ingestkey"])
def test_a_database_that_fails_is_503_with_retry_after_and_not_500(
    missing: str, shared_database: None, client: Client
) -> None:
    shop = make_project()
    body = json.dumps(event_json()).encode()
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {missing} RENAME TO away")
    try:
        failed = post_signed(client, "/v1/ingest", body, key=shop.api_key)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE away RENAME TO {missing}")

    assert (failed.status_code, failed.json()) == (503, {"error": "storage is unavailable, try again later"})
    assert int(failed.headers["Retry-After"]) > 0
    assert buffer.waiting_items() == 0
    assert post_signed(client, "/v1/ingest", body, key=shop.api_key).status_code == 200


@pytest.mark.sqlite
def test_a_request_waits_for_the_writer_before_it_and_is_kept(shared_database: None) -> None:
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            started.set()
            release.wait(60)
            cursor.execute("COMMIT")
        connection.close()

    def let_go() -> None:
        release.set()

    writer = threading.Thread(target=hold)
    writer.start()
    assert started.wait(60)
    timer = threading.Timer(0.1, let_go)
    timer.start()

    append(b"kept")

    assert release.is_set()
    writer.join(60)
    timer.join(60)
    assert buffer.waiting_items() == 1


# --- Figures ------------------------------------------------------------------------------------------------------


def test_the_oldest_payload_is_peeked_first_and_at_least_one_whatever_its_size(db: None) -> None:
    append(b"large", items=900)
    append(b"next", items=10)

    assert [payload.body for payload in buffer.peek("errors", max_items=500)] == [b"large"]


def test_a_peek_takes_about_as_many_items_as_wanted(db: None) -> None:
    for number in range(5):
        append(str(number).encode(), items=3)

    assert [payload.body for payload in buffer.peek("errors", max_items=7)] == [b"0", b"1", b"2"]
    assert buffer.peek("traces", max_items=7) == []


def test_usage_is_the_backlog_over_the_capacity_and_at_most_one(db: None, settings: Any) -> None:
    capacity(settings, 10)

    assert [buffer.usage(waiting) for waiting in (0, 5, 10, 50)] == [0, 0.5, 1, 1]


def test_settling_what_another_worker_settled_says_so_and_removes_nothing(db: None) -> None:
    append(b"a")
    append(b"b")
    payloads = buffer.peek("errors", max_items=10)
    BufferedPayload.objects.filter(pk=payloads[0].id).delete()

    with pytest.raises(buffer.Taken), transaction.atomic():
        buffer.settle(payloads)

    assert buffer.waiting_items() == 1

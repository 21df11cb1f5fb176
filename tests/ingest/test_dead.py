import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import Action, Actor
from accounts.models import AuditEntry, User
from bloop_site.lib.clock import now_ms
from errors.contract import Limits, encode_events, parse_event
from errors.models import Event
from ingest import dead, preview
from ingest.buffer import BufferFull
from ingest.flush import Flushed, flush_all
from ingest.models import BufferedPayload, DeadPayload
from projects.services.projects import NewProject
from tests.factories import event_json

Together = Callable[[list[Callable[[], Any]]], list[Any]]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def letter(project: NewProject, *, kind: str = "errors", items: int = 1, message: str = "it broke") -> DeadPayload:
    """A dead letter that could be stored now."""
    event = parse_event(event_json(message=message), limits=Limits(), grouping="v1", now_ms=now_ms())
    return DeadPayload.objects.create(
        kind=kind,
        project_id=project.project.pk,
        body=encode_events([event] * items),
        items=items,
        received_ms=1_700_000_000_000,
        buried_ms=1_700_000_001_000,
        reason="ValueError: once upon a time",
    )


def ids(*letters: DeadPayload) -> list[int]:
    return [each.pk for each in letters]


@pytest.fixture
def actor(admin: User) -> Actor:
    return Actor(admin, "203.0.113.7")


# --- Retry ------------------------------------------------------------------------------------------------------


def test_a_retried_letter_waits_again_as_it_was_received(shop: NewProject, actor: Actor):
    first, second = letter(shop, message="a"), letter(shop, items=2, message="b")

    assert dead.retry(ids=ids(second, first), actor=actor, now=NOW) == 2

    assert not DeadPayload.objects.exists()
    back = BufferedPayload.objects.order_by("pk")
    assert [(row.kind, row.project_id, row.items, row.received_ms) for row in back] == [
        ("errors", shop.project.pk, 1, 1_700_000_000_000),
        ("errors", shop.project.pk, 2, 1_700_000_000_000),
    ]
    assert [bytes(row.body) for row in back] == [bytes(first.body), bytes(second.body)]


def test_a_retried_letter_is_stored_by_the_next_flush(shop: NewProject, actor: Actor):
    dead.retry(ids=ids(letter(shop, message="back from the dead")), actor=actor, now=NOW)

    assert flush_all() == Flushed(stored=1)

    assert Event.objects.get().message == "back from the dead"


def test_a_letter_that_still_cannot_be_stored_is_buried_again(shop: NewProject, actor: Actor):
    broken = letter(shop)
    DeadPayload.objects.filter(pk=broken.pk).update(body=b"\xc1 never msgpack")

    dead.retry(ids=ids(broken), actor=actor, now=NOW)

    assert flush_all() == Flushed(buried=1)
    assert DeadPayload.objects.get().received_ms == broken.received_ms


def test_a_letter_goes_back_once_however_often_it_is_asked_for(shop: NewProject, actor: Actor):
    one = letter(shop)

    assert dead.retry(ids=[one.pk, one.pk], actor=actor, now=NOW) == 1
    assert dead.retry(ids=ids(one), actor=actor, now=NOW) == 0

    assert BufferedPayload.objects.count() == 1
    assert AuditEntry.objects.filter(action=Action.DEAD_LETTERS_RETRIED).count() == 1


@pytest.mark.usefixtures("shared_database")
def test_of_two_admins_who_retry_at_once_one_does(shop: NewProject, admin: User, together: Together):
    letters = [letter(shop) for _ in range(20)]
    retry = partial(dead.retry, ids=ids(*letters), actor=Actor(admin), now=NOW)

    assert sorted(together([retry, retry])) == [0, 20]

    assert BufferedPayload.objects.count() == 20
    assert not DeadPayload.objects.exists()
    assert AuditEntry.objects.filter(action=Action.DEAD_LETTERS_RETRIED).count() == 1


@pytest.mark.usefixtures("shared_database")
def test_retry_and_discard_at_once_share_the_letters_without_one_told_twice(
    shop: NewProject, admin: User, together: Together
):
    letters = [letter(shop) for _ in range(20)]
    retry = partial(dead.retry, ids=ids(*letters[:15]), actor=Actor(admin), now=NOW)
    discard = partial(dead.discard, ids=ids(*letters[5:]), actor=Actor(admin), now=NOW)

    retried, discarded = together([retry, discard])

    assert retried + discarded == 20
    assert BufferedPayload.objects.count() == retried
    assert not DeadPayload.objects.exists()


def test_letters_of_a_kind_nobody_stores_stay(shop: NewProject, actor: Actor):
    strange, known = letter(shop, kind="smoke"), letter(shop)

    assert dead.retry(ids=ids(strange, known), actor=actor, now=NOW) == 1

    assert DeadPayload.objects.get() == strange


def test_a_full_buffer_takes_none_back(shop: NewProject, actor: Actor, settings: Any):
    small = settings.BLOOP.ingest.model_copy(update={"channel_capacity": 3})
    settings.BLOOP = settings.BLOOP.model_copy(update={"ingest": small})
    letters = [letter(shop, items=2), letter(shop, items=2)]

    with pytest.raises(BufferFull):
        dead.retry(ids=ids(*letters), actor=actor, now=NOW)

    assert DeadPayload.objects.count() == 2
    assert not BufferedPayload.objects.exists()
    assert not AuditEntry.objects.filter(action=Action.DEAD_LETTERS_RETRIED).exists()


def test_many_letters_take_few_statements(shop: NewProject, actor: Actor):
    one = letter(shop)
    DeadPayload.objects.bulk_create(
        DeadPayload(
            kind="errors", project_id=one.project_id, body=one.body, items=1, received_ms=1, buried_ms=2, reason="x"
        )
        for _ in range(2_500)
    )

    with CaptureQueriesContext(connection) as captured:
        assert dead.retry(ids=list(DeadPayload.objects.values_list("pk", flat=True)), actor=actor, now=NOW) == 2_501

    assert len(captured) < 30
    assert BufferedPayload.objects.count() == 2_501


# --- Discard ----------------------------------------------------------------------------------------------------


def test_discarded_letters_are_gone_and_others_stay(shop: NewProject, actor: Actor):
    gone, kept = letter(shop), letter(shop)

    assert dead.discard(ids=[gone.pk, 987_654_321], actor=actor, now=NOW) == 1
    assert dead.discard(ids=ids(gone), actor=actor, now=NOW) == 0

    assert DeadPayload.objects.get() == kept
    assert not BufferedPayload.objects.exists()


@pytest.mark.parametrize(
    ("service", "action"),
    [(dead.retry, Action.DEAD_LETTERS_RETRIED), (dead.discard, Action.DEAD_LETTERS_DISCARDED)],
)
def test_the_audit_log_says_who_did_it_to_how_many(
    service: Callable[..., int], action: Action, shop: NewProject, other: NewProject, actor: Actor
):
    service(ids=ids(letter(shop, items=3), letter(shop)), actor=actor, now=NOW)
    service(ids=ids(letter(shop), letter(other)), actor=actor, now=NOW)

    of_one, of_two = AuditEntry.objects.filter(action=action).order_by("pk")
    assert (of_one.actor_name, of_one.address, of_one.at) == ("ann", "203.0.113.7", NOW)
    assert (of_one.target, of_one.project_id) == ("2 dead letters", shop.project.pk)
    assert of_one.detail == {"letters": 2, "items": {"errors": 4}}
    assert of_two.project_id is None


# --- What a letter holds, for people ----------------------------------------------------------------------------


def test_a_payload_of_a_known_kind_is_shown_with_the_names_of_its_fields(shop: NewProject):
    text = preview.readable(kind="errors", body=bytes(letter(shop, message="hello").body), limit=10_000)

    assert json.loads(text)[0]["message"] == "hello"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": [1, "\\u00e9"]}', '{\n  "a": [\n    1,\n    "é"\n  ]\n}'),
        (msgspec.msgpack.encode({"a": 1}), '{\n  "a": 1\n}'),
        (b"not JSON at all", "not JSON at all"),
        (b"\xff\xfe\x00", "\ufffd\ufffd\x00"),
        (b"", ""),
        (b"7", "7"),
    ],
)
def test_other_payloads_are_shown_as_well_as_they_can_be(body: bytes, text: str):
    for kind in ("errors", "unheard of"):
        assert preview.readable(kind=kind, body=body, limit=1_000) == text


def test_a_long_payload_is_cut_and_says_so():
    text = preview.readable(kind="unheard of", body=b"x" * 5_000, limit=1_000)

    assert text == "x" * 1_000 + "\n… 3,000 more characters"

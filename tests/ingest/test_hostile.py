import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from bloop_site.lib.clock import now_ms
from errors.models import Event
from ingest import buffer
from ingest.flush import Flushed, flush_all
from projects.services.projects import NewProject
from tests.factories import make_token, sign
from tests.ingest import hostile
from tests.ingest.hostile import Case

BODIES = hostile.refused_bodies()
EVENTS = hostile.refused_events()
WELCOME = hostile.welcome()


def post(client: Client, path: str, body: bytes, *, key: str, headers: dict[str, str] | None = None) -> Any:
    headers = {"Content-Type": "application/json", **(headers or {})}
    content_type = headers.pop("Content-Type")
    signed = {"X-Signature": sign(body, key), "X-Project-Key": key}
    return client.post(path, data=body, content_type=content_type, headers={**signed, **headers})


def assert_refused(response: Any) -> None:
    assert 400 <= response.status_code < 500, response.content
    assert response.headers["Content-Type"] == "application/json"
    answer = response.json()
    assert list(answer) == ["error"]
    assert answer["error"].strip()


def test_there_are_more_than_two_hundred_hostile_bodies_each_of_its_own_name() -> None:
    names = [case.id for case in BODIES] + [name for name, _ in EVENTS]

    assert len(names) >= 200
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in BODIES])
def test_a_hostile_body_is_a_clear_4xx_on_both_endpoints_and_leaves_nothing(
    case: Case, client: Client, shop: NewProject
) -> None:
    for path in ("/v1/ingest", "/v1/ingest/batch"):
        assert_refused(post(client, path, case.body, key=shop.api_key, headers=case.headers))

    assert buffer.waiting_items() == 0


@pytest.mark.parametrize("event", [pytest.param(event, id=name) for name, event in EVENTS])
def test_a_bad_event_is_a_400_alone_and_an_entry_of_errors_in_a_batch(
    event: Any, client: Client, shop: NewProject
) -> None:
    alone = post(client, "/v1/ingest", json.dumps(event).encode(), key=shop.api_key)
    batch = post(client, "/v1/ingest/batch", json.dumps({"events": [event]}).encode(), key=shop.api_key)

    assert_refused(alone)
    assert alone.status_code == 400
    reason = f"validation error: {alone.json()['error']}"
    assert (batch.status_code, batch.json()) == (
        200,
        {"accepted": 0, "dropped": 0, "errors": [{"index": 0, "error": reason}]},
    )
    assert buffer.waiting_items() == 0


@pytest.mark.parametrize(("body", "stored"), [pytest.param(*rest, id=name) for name, *rest in WELCOME])
def test_an_odd_event_is_taken_stored_as_documented_and_readable(
    body: bytes, stored: dict[str, Any], client: Client, admin_client: Client, shop: NewProject
) -> None:
    before = now_ms()

    assert post(client, "/v1/ingest", body, key=shop.api_key).status_code == 200

    assert flush_all() == Flushed(stored=1)
    event = Event.objects.select_related("issue").get()
    row = Event.objects.values(*stored).get() if stored else {}
    if stored.get("timestamp_ms") == "now":
        assert before <= row.pop("timestamp_ms") <= now_ms()
    assert row == {name: value for name, value in stored.items() if value != "now"}
    name = quote(event.issue.fingerprint, safe="")
    bearer = {"Authorization": f"Bearer {make_token(shop.project).secret}"}
    listed = client.get("/v1/errors", headers=bearer)
    assert [each["fingerprint"] for each in listed.json()] == [event.issue.fingerprint]
    detail = client.get(f"/v1/errors/{name}", headers=bearer)
    assert (detail.status_code, detail.json()["samples"][0]["message"]) == (200, event.message)
    assert admin_client.get("/errors").status_code == 200
    assert admin_client.get(f"/errors/shop/{name}").status_code == 200


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body, _ in WELCOME])
def test_an_odd_event_is_welcome_in_a_batch_too(body: bytes, client: Client, shop: NewProject) -> None:
    whole = b'{"events":[' + body.removeprefix(hostile.BOM) + b"]}"

    response = post(client, "/v1/ingest/batch", whole, key=shop.api_key)

    assert response.json() == {"accepted": 1, "dropped": 0, "errors": []}
    assert flush_all() == Flushed(stored=1)

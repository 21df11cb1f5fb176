import json
import time
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from bloop_site.lib.clock import DAY_MS, now_ms
from errors.api import ingest as ingest_api
from errors.models import Event, Issue
from ingest import buffer
from ingest.flush import flush_all
from projects.services.projects import NewProject
from tests.factories import event_json, make_token, post_signed, sign

ACCEPTED = {"status": "accepted"}


def one(client: Client, project: NewProject, event: Any, **headers: str) -> Any:
    return post_signed(client, "/v1/ingest", json.dumps(event).encode(), key=project.api_key, **headers)


def batch(client: Client, project: NewProject, *events: Any, **more: Any) -> Any:
    body = json.dumps({"events": events, **more}).encode()
    return post_signed(client, "/v1/ingest/batch", body, key=project.api_key)


def get(client: Client, project: NewProject, path: str) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {make_token(project.project).secret}"}).json()


# --- Single (1.2) -------------------------------------------------------------------------------------------------


def test_an_accepted_event_is_listed_with_all_its_fields(client: Client, shop: NewProject) -> None:
    event = event_json(
        stack="at f (a.js:1:2)",
        screen="Cart",
        app_version="1.4",
        build_number="77",
        http_status=502,
        request_id="r-1",
        user_id_hash="u",
        device_id_hash="d",
        metadata={"k": ["v"]},
    )

    response = one(client, shop, event)

    assert (response.status_code, response.json()) == (200, ACCEPTED)
    flush_all()
    fingerprint = Issue.objects.get().fingerprint
    stored = get(client, shop, f"/v1/errors/{fingerprint}/occurrences")[0]
    assert {name: stored[name] for name in event} == event


def test_the_single_endpoint_names_what_is_missing_without_a_prefix(client: Client, shop: NewProject) -> None:
    response = one(client, shop, {"message": "boom"})

    assert (response.status_code, response.json()) == (400, {"error": "error_type is required"})
    assert buffer.waiting_items() == 0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "x" * 2049}, "message exceeds 2048 bytes"),
        ({"stack": "x" * 8193}, "stack exceeds 8192 bytes"),
        ({"metadata": ["x" * 4096]}, "metadata exceeds 4096 bytes"),
    ],
)
def test_l7_strict_limits_is_a_switch(
    fields: dict[str, Any], text: str, client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    lenient = one(client, shop, event_json(**fields))
    monkeypatch.setattr(ingest_api, "LIMITS", replace(ingest_api.LIMITS, strict=True))
    strict = one(client, shop, event_json(**fields))
    in_batch = batch(client, shop, event_json(**fields))

    assert lenient.status_code == (400 if "metadata" in fields else 200)
    assert (strict.status_code, strict.json()) == (400, {"error": text})
    assert in_batch.json()["errors"] == [{"index": 0, "error": f"validation error: {text}"}]


def test_l4_an_unknown_field_is_never_an_error(client: Client, shop: NewProject) -> None:
    assert one(client, shop, event_json(tags=["a"], sdk={"name": "x"})).json() == ACCEPTED


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "x", "multipart/form-data", ""],
)
def test_l11_the_content_type_does_not_matter(content_type: str, client: Client, shop: NewProject) -> None:
    body = json.dumps(event_json()).encode()
    headers = {"X-Signature": sign(body, shop.api_key), "X-Project-Key": shop.api_key, "Accept": "text/html"}

    response = client.generic("POST", "/v1/ingest", body, content_type=content_type, headers=headers)

    assert (response.status_code, response.json()) == (200, ACCEPTED)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("key", ["k" * 65, "é" * 65])
def test_an_idempotency_key_over_64_characters_is_refused_by_name(key: str, client: Client, shop: NewProject) -> None:
    response = one(client, shop, event_json(), **{"Idempotency-Key": key})

    assert (response.status_code, response.json()) == (400, {"error": "Idempotency-Key exceeds 64 characters"})


# --- Batch (1.3) --------------------------------------------------------------------------------------------------


def test_d5_a_batch_of_two_makes_two_aggregates(client: Client, shop: NewProject) -> None:
    response = batch(client, shop, event_json(error_type="A"), event_json(error_type="B"))

    assert (response.status_code, response.json()) == (200, {"accepted": 2, "dropped": 0, "errors": []})
    flush_all()
    assert {row["error_type"] for row in get(client, shop, "/v1/errors")} == {"A", "B"}


def test_an_empty_batch_is_taken_and_stores_nothing(client: Client, shop: NewProject) -> None:
    response = batch(client, shop)

    assert (response.status_code, response.json()) == (200, {"accepted": 0, "dropped": 0, "errors": []})
    assert buffer.waiting_items() == 0


def test_other_keys_of_a_batch_are_ignored(client: Client, shop: NewProject) -> None:
    assert batch(client, shop, event_json(), sdk={"name": "x"}, sent_at=None).json()["accepted"] == 1


def test_l8_bad_items_are_named_by_index_and_the_others_are_stored(client: Client, shop: NewProject) -> None:
    items = [event_json(message="a"), {"message": "x"}, None, event_json(message="b"), event_json(source="no way"), 7]

    response = batch(client, shop, *items)

    assert response.status_code == 200
    assert response.json() == {
        "accepted": 2,
        "dropped": 0,
        "errors": [
            {"index": 1, "error": "validation error: error_type is required"},
            {"index": 2, "error": "validation error: an event must be a JSON object"},
            {"index": 4, "error": "validation error: source must be 1 to 32 of A-Z a-z 0-9 _ . -"},
            {"index": 5, "error": "validation error: an event must be a JSON object"},
        ],
    }
    flush_all()
    assert list(Event.objects.order_by("pk").values_list("message", flat=True)) == ["a", "b"]


def test_l9_a_batch_may_have_as_many_events_as_configured_and_not_one_more(client: Client, shop: NewProject) -> None:
    most = settings.BLOOP.ingest.max_batch_size
    event = event_json()

    full = batch(client, shop, *[event] * most)
    over = batch(client, shop, *[event] * (most + 1))

    assert full.json() == {"accepted": most, "dropped": 0, "errors": []}
    assert (over.status_code, over.json()) == (400, {"error": f"batch exceeds max size of {most}"})
    assert buffer.waiting_items() == most


def test_l9_fifty_events_with_full_stacks_fit_a_batch(client: Client, shop: NewProject) -> None:
    response = batch(client, shop, *[event_json(stack="x" * 8192)] * 50)

    assert response.json() == {"accepted": 50, "dropped": 0, "errors": []}


# --- Every client there is (1.5, D 24) ------------------------------------------------------------------------------

STACK = "TypeError: x is not a function\n    at f (app.js:1:200)\n    at node_modules/express/router.js:9:1"
CORE = {"error_type": "TypeError", "message": "x is not a function"}


def seconds() -> int:
    return int(time.time())


def python_published() -> dict[str, Any]:
    empty = {"stack": "", "route_or_procedure": "", "screen": "", "metadata": {}}
    return {**CORE, "timestamp": seconds(), "source": "python", "environment": "production", "release": "", **empty}


def python_repository() -> dict[str, Any]:
    return {
        **CORE,
        "timestamp": now_ms(),
        "source": "python",
        "environment": "production",
        "tags": {"a": 1},
        "user": "u",
    }


def ruby() -> dict[str, Any]:
    return {**CORE, "timestamp": now_ms(), "source": "ruby", "environment": "production", "hostname": "web-1"}


def javascript(**more: Any) -> dict[str, Any]:
    set_by_type = {"source": "api", "environment": "production", "release": "1.0.0"}
    return {**CORE, "timestamp": now_ms(), **set_by_type, "stack": STACK, **more}


def rust() -> dict[str, Any]:
    return {**CORE, "timestamp": now_ms(), "source": "rust", "environment": "production", "release": ""}


def documented(source: str) -> dict[str, Any]:
    where = {"environment": "production", "release": "1.2.3"}
    return {**CORE, "timestamp": seconds(), "source": source, **where, "route_or_procedure": "/api/users"}


KOTLIN_METADATA = '{"screen_density":2.5,"tags":["a"]}'
CLIENTS: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any]]] = {
    # name: (events, how it signs, columns of the last event)
    "Python 0.3.0, one event": ([python_published()], "no header", {"source": "python", "release": "unknown"}),
    "Python 0.3.0, a buffer of 100": ([python_published()] * 100, "no header", {"stack": None, "metadata": None}),
    "Python 0.2.0, one event": ([python_repository()], "key", {"source": "python", "release": "unknown"}),
    "Python 0.2.0, a burst of 100": ([python_repository()] * 100, "key", {"release": "unknown"}),
    "Ruby 0.2.0, one event": ([ruby()], "key", {"source": "ruby", "release": "unknown"}),
    "Ruby 0.2.0, a burst of 100": ([ruby()] * 100, "key", {"source": "ruby"}),
    "JavaScript, a batch of 20": ([javascript()] * 20, "key", {"source": "api", "stack": STACK}),
    "JavaScript, a batch of one": ([javascript()], "key in a batch", {"release": "1.0.0"}),
    "JavaScript, 8,192 characters of stack": ([javascript(stack="é" * 8192)] * 20, "key", {"stack": "é" * 4096}),
    "JavaScript, an empty message": ([javascript(message="")] * 2, "key", {"message": "TypeError"}),
    "JavaScript without a project key": ([javascript()] * 2, "no header", {"source": "api"}),
    "React Native on iOS": ([javascript(source="ios", screen="Cart")] * 20, "key", {"source": "ios"}),
    "React Native on Android": ([javascript(source="android")] * 20, "key", {"source": "android"}),
    "Swift with a secret": ([javascript(source="ios", stack="€" * 8192)] * 20, "secret", {"stack": "€" * 2730}),
    "Swift with a key only": ([javascript(source="ios")] * 20, "key", {"source": "ios"}),
    "Kotlin": (
        [javascript(source="android", metadata=KOTLIN_METADATA)] * 20,
        "secret",
        {"metadata": KOTLIN_METADATA, "source": "android"},
    ),
    "Rust": ([rust()] * 20, "key", {"source": "rust", "release": "unknown"}),
    "Rust, one event": ([rust()], "key in a batch", {"source": "rust"}),
    "the snippet of the docs, api": ([documented("api")], "key", {"route": "/api/users"}),
    "the snippet of the docs, ios": ([documented("ios")], "key", {"source": "ios"}),
    "the snippet of the docs, android": ([documented("android")], "key", {"source": "android"}),
    "the harness of the SDKs": ([documented("api")], "no header", {"release": "1.2.3"}),
    "README and bench": ([javascript(timestamp=now_ms())], "key", {"source": "api"}),
}


@pytest.mark.parametrize(
    ("events", "signs", "columns"), [pytest.param(*client, id=name) for name, client in CLIENTS.items()]
)
def test_d24_what_a_real_client_sends_is_stored(
    events: list[dict[str, Any]],
    signs: str,
    columns: dict[str, Any],
    client: Client,
    shop: NewProject,
    hmac_secret: str,
) -> None:
    single = len(events) == 1 and signs != "key in a batch"
    path = "/v1/ingest" if single else "/v1/ingest/batch"
    body = json.dumps(events[0] if single else {"events": events}).encode()
    key = hmac_secret if signs == "secret" else shop.api_key

    response = post_signed(client, path, body, key=key, project_key="" if signs == "no header" else shop.api_key)

    assert response.status_code == 200
    assert response.json() == (ACCEPTED if single else {"accepted": len(events), "dropped": 0, "errors": []})
    flush_all()
    stored = Event.objects.filter(project=shop.project)
    assert stored.count() == len(events)
    last = stored.latest("pk")
    assert {name: getattr(last, name) for name in columns} == columns
    assert abs(last.timestamp_ms - last.received_ms) < DAY_MS  # seconds were not taken for milliseconds


def test_the_sdk_cases_keep_unknown_keywords_under_extra(client: Client, shop: NewProject) -> None:
    one(client, shop, python_repository())
    flush_all()

    assert json.loads(Event.objects.get().metadata or "") == {"_extra": {"tags": {"a": 1}, "user": "u"}}


# --- From the request to the list (appendix D) ------------------------------------------------------------------------


def test_d2_an_event_by_the_legacy_secret_is_an_unresolved_error_of_default(
    client: Client, admin_client: Client, hmac_secret: str
) -> None:
    body = json.dumps(event_json()).encode()

    assert post_signed(client, "/v1/ingest", body, key=hmac_secret, project_key="").json() == ACCEPTED

    flush_all()
    listed = admin_client.get("/v1/errors").json()
    assert [(row["project_id"], row["total_count"], row["status"]) for row in listed] == [("default", 1, "unresolved")]
    detail = admin_client.get(f"/v1/errors/{listed[0]['fingerprint']}").json()
    assert (len(detail["aggregates"]), len(detail["samples"])) == (1, 1)


def test_d3_ten_equal_events_are_one_aggregate_of_ten(client: Client, shop: NewProject) -> None:
    event = event_json()
    for _ in range(10):
        assert one(client, shop, event).status_code == 200
    flush_all()

    assert [row["total_count"] for row in get(client, shop, "/v1/errors")] == [10]


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "deadbeef"}, {"X-Signature": "0" * 64}])
@pytest.mark.parametrize("path", ["/v1/ingest", "/v1/ingest/batch"])
def test_d6_an_unsigned_or_wrongly_signed_request_is_401(
    path: str, headers: dict[str, str], client: Client, db: None
) -> None:
    response = client.post(path, json.dumps(event_json()), content_type="application/json", headers=headers)

    assert response.status_code == 401
    assert response.json()["error"]
    assert buffer.waiting_items() == 0


def test_d7_a_project_that_does_not_exist_has_no_errors(client: Client, admin_client: Client, shop: NewProject) -> None:
    one(client, shop, event_json())
    flush_all()

    assert admin_client.get("/v1/errors?project_id=nonexistent").json() == []
    assert len(admin_client.get(f"/v1/errors?project_id={shop.project.pk}").json()) == 1

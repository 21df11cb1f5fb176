"""The OpenAPI file: the recorded one is the present one, it leaves nothing out, and answers are as it says."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from projects.services.projects import NewProject
from projects.views import ScopedView
from tests.factories import event_json, make_token, post_signed, record

GOLDEN = Path(__file__).resolve().parent / "golden" / "openapi.yml"
ANSWERS_ALIKE = {"/v1/admin/users/{user_id}"}  # whoever is not there is removed already
NOT_DESCRIBED = {"v1/schema", "v1/docs"}  # the description itself


@lru_cache(maxsize=1)
def golden() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(GOLDEN.read_text(encoding="utf-8")))


def api_routes() -> Iterator[tuple[str, str, type[APIView]]]:
    """Path as OpenAPI writes it, method and view of each route below /v1."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield route, pattern

    for route, pattern in walk(get_resolver().url_patterns, ""):
        if not route.startswith("v1/") or route in NOT_DESCRIBED:
            continue
        view = getattr(pattern.callback, "cls", None)
        assert view is not None, f"/{route} is no API view"
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method):
                yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), method, view


def operation(path: str, method: str) -> dict[str, Any]:
    return cast("dict[str, Any]", golden()["paths"][path][method])


def answer_schema(path: str, method: str, status: int) -> dict[str, Any]:
    """The JSON schema of an answer, with OpenAPI 3.0's `nullable` said as JSON Schema says it."""
    content = operation(path, method)["responses"][str(status)]["content"]["application/json"]["schema"]
    whole = {**content, "components": golden()["components"]}
    return cast("dict[str, Any]", with_null(whole))


def with_null(node: Any) -> Any:
    if isinstance(node, list):
        return [with_null(each) for each in node]
    if not isinstance(node, dict):
        return node
    inner = {key: with_null(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [inner, {"type": "null"}]} if node.get("nullable") is True else inner


def test_the_recorded_file_is_the_present_one_and_valid(tmp_path: Path):
    present = tmp_path / "openapi.yml"

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(present))

    assert present.read_text(encoding="utf-8") == GOLDEN.read_text(encoding="utf-8"), (
        "the API changed; if that was meant: make schema, and look at the difference"
    )


def test_every_route_below_v1_is_described_and_nothing_else():
    paths = {path: methods for path, methods in golden()["paths"].items() if path.startswith("/v1/")}
    described = {(path, method) for path, methods in paths.items() for method in methods}

    assert described == {(path, method) for path, method, _ in api_routes()}


def test_every_operation_says_which_refusals_it_knows():
    for path, method, view in api_routes():
        statuses = set(operation(path, method)["responses"])
        if not view.authentication_classes:
            assert {"400", "401", "413", "429", "503"} <= statuses, path
            assert operation(path, method).get("security", [{}]) in ([], [{}]), path
        else:
            assert {"400", "401", "403"} <= statuses, path
            is_scoped = issubclass(view, ScopedView)
            known: list[dict[str, list[str]]] = (
                [{"bearer": []}, {"session": []}] if is_scoped else [{"session_only": []}]
            )
            assert operation(path, method)["security"] == known, path
            if "{" in path and method != "get" and path not in ANSWERS_ALIKE:
                assert "404" in statuses, path


def test_every_refusal_has_the_one_shape_of_an_error():
    for path, method, _ in api_routes():
        for status, answer in operation(path, method)["responses"].items():
            if status.startswith("2"):
                continue
            schema = answer["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}, f"{method} {path} {status}"


def test_every_operation_says_what_it_does_in_a_line_of_its_own():
    lines = [operation(path, method)["summary"] for path, method, _ in api_routes()]

    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/errors", 200),
        ("/v1/errors?include=trend", 200),
        ("/v1/errors?group=issue&include=trend", 200),
        ("/v1/errors?limit=abc", 400),
        ("/v1/errors/fp", 200),
        ("/v1/errors/unknown", 404),
        ("/v1/errors/fp/occurrences", 200),
        ("/v1/errors/fp/trend", 200),
        ("/v1/errors/fp/history", 200),
        ("/v1/releases/1.4.0/errors", 200),
        ("/v1/trends", 200),
        ("/v1/stats", 200),
    ],
)
def test_an_answer_is_as_the_file_says(path: str, status: int, shop: NewProject):
    token = make_token(shop.project).secret
    record(shop.project, event_json(fingerprint="fp", metadata={"a": [1, None]}, stack="at f", http_status=500))
    record(shop.project, event_json(fingerprint="fp", route_or_procedure=None, timestamp=1))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    client.post("/v1/errors/fp/resolve")

    answer = client.get(path)

    route = path.partition("?")[0].replace("/errors/fp", "/errors/{fingerprint}")
    route = route.replace("/errors/unknown", "/errors/{fingerprint}").replace("/1.4.0/", "/{release}/")
    assert answer.status_code == status
    if status == 200:
        assert answer.json(), "an empty list proves nothing"
    jsonschema.validate(answer.json(), answer_schema(route, "get", status))


def test_answers_to_writes_are_as_the_file_says(shop: NewProject):
    events = [event_json(fingerprint="fp"), {"message": 1}]
    single = post_signed(Client(), "/v1/ingest", json.dumps(events[0]).encode(), key=shop.api_key)
    batch = post_signed(Client(), "/v1/ingest/batch", json.dumps({"events": events}).encode(), key=shop.api_key)
    refused = Client().post("/v1/ingest", data=b"{}", content_type="application/json")
    record(shop.project, events[0])
    token = make_token(shop.project).secret
    changed = Client(headers={"Authorization": f"Bearer {token}"}).post("/v1/errors/fp/mute")

    jsonschema.validate(single.json(), answer_schema("/v1/ingest", "post", 200))
    jsonschema.validate(batch.json(), answer_schema("/v1/ingest/batch", "post", 200))
    jsonschema.validate(refused.json(), answer_schema("/v1/ingest", "post", 401))
    jsonschema.validate(changed.json(), answer_schema("/v1/errors/{fingerprint}/mute", "post", 200))
    assert batch.json()["errors"], "an empty list proves nothing"


def test_the_validation_would_notice_a_wrong_answer():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"hour_bucket": None, "count": 1}], answer_schema("/v1/trends", "get", 200))


def test_the_schema_is_served_to_anyone_as_it_was_recorded(client: Client):
    answer = client.get("/v1/schema", headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert answer.json() == golden()


def test_the_docs_page_has_no_inline_script_and_only_the_style_its_policy_names(client: Client):
    answer = client.get("/v1/docs")
    html = answer.content.decode()

    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL):
        assert "src=" in attributes
        assert not body.strip()
    assert not re.search(r"\s(?:on\w+|style)=", html)
    for style in re.findall(r"<style>(.*?)</style>", html, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy, "scripts fall back to default-src 'self'"


def test_everything_the_docs_page_asks_for_is_our_own_and_there(client: Client):
    html = client.get("/v1/docs").content.decode()

    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) == 7  # icon, three style sheets, three scripts
    for address in addresses:
        assert address.startswith("/"), address
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.getvalue(), address


@pytest.mark.django_db
def test_no_other_page_shares_the_exception_of_the_docs_page(client: Client):
    assert "sha256" not in client.get("/auth/login").headers["Content-Security-Policy"]

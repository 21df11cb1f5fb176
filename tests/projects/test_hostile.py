"""Hostile bodies, addresses and queries: a clear 4xx in JSON, never a 500, and nothing half-written."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import User
from projects.services.projects import NewProject
from tests.factories import make_token

DEEP = 200_000
NAME = '{"name": %s, "slug": "new", "project_id": "shop", "scopes": ["errors:read"]}'
BODIES: dict[str, bytes] = {
    "broken off": b'{"name": "x"',
    "not JSON": b"name=x",
    "null": b"null",
    "a list": b"[]",
    "a list of objects": b'[{"name": "x", "slug": "x"}]',
    "a text": b'"name"',
    "a number": b"17",
    "true": b"true",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x", "slug": "x"}'.encode("utf-16"),
    "NUL bytes": b"\x00" * 64,
    "NaN": b'{"name": NaN, "is_admin": NaN, "confirm": NaN, "role": NaN}',
    "Infinity": b'{"name": -Infinity, "is_admin": Infinity, "confirm": Infinity, "role": Infinity}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"name":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a field": (NAME % ("[" * 900 + "]" * 900)).encode(),
    "a name that is a number": (NAME % 5).encode(),
    "a name that is true": (NAME % "true").encode(),
    "a name that is null": (NAME % "null").encode(),
    "a name that is a list": (NAME % '["x"]').encode(),
    "a name that is an object": (NAME % '{"x": "y"}').encode(),
    "a NUL in a name": (NAME % '"a\\u0000b"').encode(),
    "half a character in a name": (NAME % '"\\ud800"').encode(),
    "a number of 5,000 digits": (NAME % ("9" * 5000)).encode(),
    "a number beyond floats": (NAME % "1e999").encode(),
    "odd scopes": b'{"name": "x", "project_id": "shop", "scopes": "errors:read"}',
    "scopes that are no texts": b'{"name": "x", "project_id": "shop", "scopes": [["errors:read"], {}, null, 1]}',
    "a scope with half a character": b'{"name": "x", "project_id": "shop", "scopes": ["\\ud800"]}',
    "very many scopes": json.dumps({"name": "x", "project_id": "shop", "scopes": ["errors:read"] * 20_000}).encode(),
    "a project that is a list": b'{"name": "x", "project_id": ["shop"], "scopes": ["errors:read"], "projects": [[]]}',
    "a project with a NUL": b'{"name":"x","project_id":"a\\u0000","scopes":["errors:read"],"projects":["a\\u0000"]}',
    "days that are a text": b'{"name":"x","project_id":"shop","scopes":["errors:read"],"expires_in_days":"7","role":7}',
    "days that are a fraction": b'{"name":"x","project_id":"shop","scopes":["errors:read"],"expires_in_days":0.5}',
    "days beyond all bounds": b'{"name":"x","project_id":"shop","scopes":["errors:read"],"expires_in_days":1e300}',
    "days beyond all integers": b'{"name":"x","project_id":"shop","scopes":["errors:read"],"expires_in_days":'
    + b"9" * 300
    + b"}",
    "a role of half a character": b'{"role": "\\ud800", "is_admin": "\\ud800", "confirm": "\\ud800"}',
    "a role that is an object": b'{"role": {"admin": true}, "is_admin": {}, "confirm": {}, "name": []}',
    "a slug of a megabyte": json.dumps({"name": "x", "slug": "x" * 1_000_000}).encode(),
    "more than two megabytes": b'{"name": "' + b"x" * (2 * 1024 * 1024) + b'"}',
}
TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "nonsense",
    "",
)
NEEDS_NOTHING = {("PUT", "/v1/projects/shop"), ("POST", "/v1/admin/invites")}
ROUTES = [
    ("POST", "/v1/projects"),
    ("PUT", "/v1/projects/shop"),
    ("POST", "/v1/tokens"),
    ("PUT", "/v1/admin/users/{member}/role"),
    ("POST", "/v1/admin/reset"),
    ("POST", "/v1/admin/invites"),
]


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row there is, except of the sessions, which note when they were last seen."""
    return {
        model.__name__: sorted((dict(row) for row in model._base_manager.values()), key=repr)
        for model in apps.get_models()
        if model.__name__ != "Session"
    }


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_hostile_body_is_a_clear_4xx_and_writes_nothing(
    method: str, path: str, admin_client: Client, member: User, shop: NewProject
):
    for name, body in BODIES.items():
        before = everything()
        answer = admin_client.generic(method, path.format(member=member.pk), body, "application/json")
        if answer.status_code == 200 and (method, path) in NEEDS_NOTHING:
            continue
        assert 400 <= answer.status_code < 500, (name, answer.content[:200])
        assert answer.json().keys() == {"error"}, name
        assert 0 < len(answer.json()["error"]) < 500, name
        assert everything() == before, name


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_only_json_is_json(
    method: str, path: str, content_type: str, admin_client: Client, member: User, shop: NewProject
):
    before = everything()
    body = b'{"name": "New", "slug": "new", "is_admin": true, "confirm": true}'

    answer = admin_client.generic(method, path.format(member=member.pk), body, content_type)

    assert answer.status_code == 415
    assert answer.json().keys() == {"error"}
    assert everything() == before


@pytest.mark.parametrize(
    "odd",
    [
        "%00",
        "a%00b",
        "%0A",
        "%E2%80%AE",
        "..%2F..%2Fetc",
        "'%20OR%201=1%20--",
        "%F0%9F%92%A5",
        "x" * 5000,
        "%ff",
        "__proto__",
        "_",
        "-1",
        "%25",
    ],
)
def test_an_odd_address_is_not_found(odd: str, admin_client: Client, shop: NewProject):
    before = everything()
    found = [
        *(getattr(admin_client, method)(f"/v1/projects/{odd}") for method in ("get", "put", "delete")),
        admin_client.post(f"/v1/projects/{odd}/rotate-key"),
        admin_client.get(f"/v1/projects/{odd}/members"),
        *(getattr(admin_client, method)(f"/v1/projects/shop/members/{odd}") for method in ("put", "delete")),
        admin_client.delete(f"/v1/tokens/{odd}"),
        admin_client.put(f"/v1/admin/users/{odd}/role", {"is_admin": True}, content_type="application/json"),
        admin_client.delete(f"/v1/admin/invites/{odd}"),
    ]

    assert {answer.status_code for answer in found} == {404}
    assert all(answer.json().keys() == {"error"} for answer in found)
    assert everything() == before


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%ff", "%F0%9F%92%A5", "x" * 5000, "'%20OR%201=1", "[]", "shop%0A"])
def test_an_odd_query_finds_nothing(odd: str, admin_client: Client, shop: NewProject):
    for path in ("/v1/errors", "/v1/trends", "/v1/errors/fp/occurrences"):
        answer = admin_client.get(f"{path}?project_id={odd}")
        assert (answer.status_code, answer.json()) == (200, [])
    answer = admin_client.get(f"/v1/tokens?project_id={odd}")
    assert (answer.status_code, answer.json()) == (400, {"error": "project not found"})


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer \x00", "Basic x", "Bearer " + "x" * 9000, "\xff"])
def test_odd_credentials_open_nothing(value: str, client: Client, shop: NewProject):
    make_token(shop.project)
    for path in ("/v1/projects", "/v1/errors"):
        answer = client.get(path, headers={"Authorization": value})
        assert answer.status_code == 401, value
        assert answer.json().keys() == {"error"}


@pytest.mark.parametrize("cookie", ["", "x", "x" * 4000, "%00", "a\x00b", "é"])
def test_odd_cookies_open_nothing(cookie: str, client: Client, shop: NewProject):
    answer = client.get("/v1/projects", headers={"Cookie": f"session={cookie}"})

    assert answer.status_code == 401

"""Appendix D, items 4 and 9 to 11, as scripts would try them: only HTTP and a session row inserted by hand."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role, Session, User
from ingest.flush import flush_all
from projects.models import ApiToken
from projects.services.projects import NewProject
from tests.factories import make_issue, make_user, post_signed

COOKIE = "a-cookie-value-of-forty-three-characters-xx"


@pytest.fixture(params=["session", "bloop_session"])
def script(request: pytest.FixtureRequest, db: None) -> Client:
    """A script with a cookie, under either name, whose session was inserted by hand as the seed's scripts do."""
    user = make_user(username="ann", role=Role.ADMIN)
    now = timezone.now()
    key_hash = hashlib.sha256(COOKIE.encode()).hexdigest()
    Session.objects.create(key_hash=key_hash, user=user, created_at=now, expires_at=now + timedelta(hours=1))
    return Client(headers={"Cookie": f"{request.param}={COOKIE}"})


def send_json(client: Client, method: str, path: str, body: Any) -> Any:
    return client.generic(method, path, json.dumps(body), "application/json")


# --- 4 ----------------------------------------------------------------------------------------------------------


def test_resolved_with_project_id_default_is_listed_as_resolved_and_the_next_event_reopens_it(
    script: Client, client: Client, hmac_secret: str
):
    def send() -> None:
        body = json.dumps({"error_type": "TypeError", "message": "x is undefined", "source": "api"}).encode()
        answer = post_signed(client, "/v1/ingest", body, key=hmac_secret, project_key="")
        assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
        flush_all()

    def listed() -> list[dict[str, Any]]:
        rows = script.get("/v1/errors", {"project_id": "default"}).json()
        return [{name: row[name] for name in ("project_id", "status", "total_count")} for row in rows]

    send()
    [row] = script.get("/v1/errors", {"project_id": "default"}).json()
    assert listed() == [{"project_id": "default", "status": "unresolved", "total_count": 1}]

    resolved = script.post(f"/v1/errors/{row['fingerprint']}/resolve?project_id=default")

    assert resolved.status_code == 200
    assert listed() == [{"project_id": "default", "status": "resolved", "total_count": 1}]

    send()

    assert listed() == [{"project_id": "default", "status": "unresolved", "total_count": 2}]
    assert script.get("/v1/errors", {"project_id": "nonexistent"}).json() == []


# --- 9 ----------------------------------------------------------------------------------------------------------


def test_the_list_contains_the_default_project(script: Client):
    listed = script.get("/v1/projects")

    assert listed.status_code == 200
    assert [each["slug"] for each in listed.json()] == ["default"]
    assert listed.json()[0]["id"] == "default"


def test_create_rotate_delete_all_answer_200(script: Client):
    created = send_json(script, "POST", "/v1/projects", {"name": "Shop", "slug": "shop"})
    rotated = script.post("/v1/projects/shop/rotate-key")
    deleted = script.delete("/v1/projects/shop")

    assert [answer.status_code for answer in (created, rotated, deleted)] == [200, 200, 200]
    assert created.json()["api_key"] != rotated.json()["api_key"]
    assert deleted.json() == {"deleted": True}
    assert [each["slug"] for each in script.get("/v1/projects").json()] == ["default"]


def test_a_project_that_has_data_is_deleted_as_well(script: Client, client: Client):
    """The original answered 500."""
    key = send_json(script, "POST", "/v1/projects", {"name": "Shop", "slug": "shop"}).json()["api_key"]
    assert post_signed(client, "/v1/ingest", b'{"error_type": "E"}', key=key).status_code == 200

    assert script.delete("/v1/projects/shop").json() == {"deleted": True}


# --- 10 ---------------------------------------------------------------------------------------------------------


def test_a_session_is_kept_as_its_hash_alone_and_logout_removes_it(script: Client):
    assert script.get("/v1/projects").status_code == 200
    row = Session.objects.get()
    assert COOKIE not in repr(vars(row))

    answer = script.post("/auth/logout")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert not Session.objects.exists()
    assert script.get("/v1/projects").json() == {"error": "invalid or expired session"}


def test_project_list_and_get_contain_no_key(script: Client):
    made = send_json(script, "POST", "/v1/projects", {"name": "Shop", "slug": "shop"}).json()

    for path in ("/v1/projects", "/v1/projects/shop"):
        text = script.get(path).content.decode()
        assert "api_key" not in text
        assert made["api_key"] not in text


# --- 11 ---------------------------------------------------------------------------------------------------------


def bearer(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_a_valid_token_carries_its_project_and_scopes(script: Client, shop: NewProject, other: NewProject):
    for project in (shop.project, other.project):
        make_issue(project, fingerprint=f"fp-{project.slug}")
    body = {"name": "ci", "project_id": shop.project.pk, "scopes": ["errors:read"]}
    secret = send_json(script, "POST", "/v1/tokens", body).json()["token"]

    listed = bearer(secret).get("/v1/errors", {"project_id": other.project.pk}).json()
    refused = bearer(secret).post("/v1/errors/fp-shop/resolve")

    assert [row["fingerprint"] for row in listed] == ["fp-shop"], "its own project, whatever the query says"
    assert (refused.status_code, refused.json()) == (403, {"error": "token lacks required scope: errors:write"})
    assert bearer(secret).get("/v1/errors/fp-other").status_code == 404


def test_an_expired_token_is_refused(script: Client, shop: NewProject):
    body = {"name": "ci", "project_id": "shop", "scopes": ["errors:read"], "expires_in_days": 0}
    secret = send_json(script, "POST", "/v1/tokens", body).json()["token"]

    answer = bearer(secret).get("/v1/errors")

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired token"})


def test_a_token_that_expires_between_two_calls_is_refused_at_the_second(script: Client, shop: NewProject):
    body = {"name": "ci", "project_id": "shop", "scopes": ["errors:read"], "expires_in_days": 1}
    secret = send_json(script, "POST", "/v1/tokens", body).json()["token"]
    first = bearer(secret).get("/v1/errors")

    ApiToken.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    second = bearer(secret).get("/v1/errors")

    assert [first.status_code, second.status_code] == [200, 401]


def test_a_good_cookie_does_not_help_a_bad_token(script: Client):
    answer = script.get("/v1/errors", headers={"Authorization": "Bearer bloop_tk_nonsense"})

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired token"})
    assert User.objects.count() == 1

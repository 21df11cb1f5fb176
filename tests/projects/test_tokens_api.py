"""API tokens over HTTP (contract 5.2): made, listed, revoked, by whom, in the contract's words."""

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Role, User
from projects.models import ApiToken, Project
from projects.scopes import SCOPES
from projects.services.projects import NewProject
from tests.factories import make_token, make_user
from tests.projects.conftest import SignIn

MADE = {"id", "name", "token", "token_prefix", "project_id", "scopes", "created_at", "expires_at"}
LISTED = MADE - {"token"} | {"last_used_at", "revoked_at"}
NO_ACCESS = "you do not have access to this project"


def make(client: Client, **fields: Any) -> Any:
    body = {"name": "ci", "project_id": "shop", "scopes": ["errors:read"], **fields}
    given = {name: value for name, value in body.items() if value is not ...}
    return client.post("/v1/tokens", given, content_type="application/json")


def listed(client: Client, project: str = "shop") -> Any:
    return client.get("/v1/tokens", {"project_id": project})


def test_a_new_token_is_shown_once_and_works(admin_client: Client, client: Client, shop: NewProject):
    answer = make(admin_client, name=" ci ", scopes=["errors:write", "errors:read", "errors:read"])

    made = answer.json()
    assert answer.status_code == 201
    assert made.keys() == MADE
    assert re.fullmatch(r"bloop_tk_[A-Za-z0-9_-]{43}", made["token"])
    assert re.fullmatch(r"[0-9a-f-]{36}", made["id"])
    assert (made["name"], made["project_id"], made["scopes"]) == (
        "ci",
        shop.project.pk,
        ["errors:read", "errors:write"],
    )
    assert (made["token_prefix"], made["expires_at"]) == (made["token"][:16], None)
    assert abs(made["created_at"] - timezone.now().timestamp()) < 5
    assert ApiToken.objects.get().token_hash == hashlib.sha256(made["token"].encode()).hexdigest()
    assert client.get("/v1/errors", headers={"Authorization": f"bearer {made['token']}"}).status_code == 200
    assert made["token"] not in listed(admin_client).content.decode()


def test_a_project_is_named_by_id_or_slug_and_an_id_comes_first(
    admin_client: Client, shop: NewProject, other: NewProject
):
    Project.objects.filter(pk=other.project.pk).update(slug=shop.project.pk)

    made = [make(admin_client, project_id=name).json()["project_id"] for name in (shop.project.pk, "shop")]

    assert made == [shop.project.pk] * 2
    assert len(listed(admin_client, shop.project.pk).json()) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "name must be 1-100 characters"),
        ({"name": "  "}, "name must be 1-100 characters"),
        ({"name": "x" * 101}, "name must be 1-100 characters"),
        ({"name": "é" * 51}, "name must be 1-100 characters"),
        ({"name": ...}, "name is required"),
        ({"project_id": "nowhere"}, "project not found"),
        ({"project_id": ""}, "project not found"),
        ({"project_id": ...}, "project_id is required"),
        ({"scopes": []}, "at least one scope is required"),
        ({"scopes": ["errors:read", "all"]}, "invalid scope: all"),
        ({"scopes": ...}, "scopes is required"),
        ({"expires_in_days": 36_501}, "expires_in_days must be 0 to 36500"),
        ({"expires_in_days": -1}, "expires_in_days must be 0 to 36500"),
    ],
)
def test_what_cannot_be_a_token_is_refused_in_the_contracts_words(
    fields: dict[str, Any], reason: str, admin_client: Client, shop: NewProject
):
    answer = make(admin_client, **fields)

    assert (answer.status_code, answer.json()) == (400, {"error": reason})
    assert not ApiToken.objects.exists()


def test_all_ten_scopes_are_taken(admin_client: Client, shop: NewProject):
    assert make(admin_client, scopes=list(SCOPES)).json()["scopes"] == sorted(SCOPES)


@pytest.mark.parametrize(("days", "seconds"), [(None, None), (..., None), (1, 86_400), (30, 30 * 86_400)])
def test_a_token_ends_when_it_was_said_to(days: Any, seconds: int | None, admin_client: Client, shop: NewProject):
    made = make(admin_client, expires_in_days=days).json()

    assert (made["expires_at"] and made["expires_at"] - made["created_at"]) == seconds


def test_a_token_of_no_days_ends_at_once(admin_client: Client, client: Client, shop: NewProject):
    made = make(admin_client, expires_in_days=0).json()

    answer = client.get("/v1/errors", headers={"Authorization": f"Bearer {made['token']}"})

    assert made["expires_at"] == made["created_at"]
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired token"})


# --- List -------------------------------------------------------------------------------------------------------


def test_the_list_begins_with_the_newest_and_has_revoked_ones_too(
    admin_client: Client, client: Client, shop: NewProject, other: NewProject
):
    first, second = make(admin_client, name="first").json(), make(admin_client, name="second", expires_in_days=1).json()
    make(admin_client, project_id="other")
    client.get("/v1/errors", headers={"Authorization": f"Bearer {first['token']}"})
    admin_client.delete(f"/v1/tokens/{first['id']}")

    rows = listed(admin_client).json()

    assert [row["name"] for row in rows] == ["second", "first"]
    assert all(row.keys() == LISTED for row in rows)
    now = timezone.now().timestamp()
    assert all(abs(rows[1][name] - now) < 10 for name in ("created_at", "last_used_at", "revoked_at"))
    assert (rows[0]["last_used_at"], rows[0]["revoked_at"], rows[0]["expires_at"]) == (None, None, second["expires_at"])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({}, "project_id is required"),
        ({"project_id": ""}, "project_id is required"),
        ({"project_id": "x"}, "project not found"),
    ],
)
def test_the_list_is_of_one_project(query: dict[str, str], reason: str, admin_client: Client):
    answer = admin_client.get("/v1/tokens", query)

    assert (answer.status_code, answer.json()) == (400, {"error": reason})


# --- Who may ----------------------------------------------------------------------------------------------------


def test_a_creator_makes_lists_and_revokes(sign_in: SignIn, creator: User):
    client = sign_in(creator)

    made = make(client).json()

    assert [row["id"] for row in listed(client).json()] == [made["id"]]
    assert client.delete(f"/v1/tokens/{made['id']}").json() == {"revoked": made["id"]}


def test_a_member_who_only_looks_makes_and_lists_none(sign_in: SignIn, member: User, shop: NewProject):
    client = sign_in(member)

    for answer in (make(client), listed(client)):
        assert (answer.status_code, answer.json()) == (403, {"error": NO_ACCESS})

    assert not ApiToken.objects.exists()


def test_a_project_out_of_sight_is_as_one_that_is_not_there(sign_in: SignIn, member: User, shop: NewProject):
    stranger, client = sign_in(make_user()), sign_in(member)

    for answer in (make(stranger), listed(stranger), make(client, project_id="default"), listed(client, "default")):
        assert (answer.status_code, answer.json()) == (400, {"error": "project not found"})

    assert not ApiToken.objects.exists()


NOT_YOURS = (403, "you do not have permission to revoke this token")
NOT_THERE = (404, "token not found or already revoked")


@pytest.mark.parametrize(("who", "told"), [("member", NOT_YOURS), ("stranger", NOT_THERE)])
def test_nobody_else_revokes_them(who: str, told: tuple[int, str], sign_in: SignIn, member: User, shop: NewProject):
    token = make_token(shop.project).token

    answer = sign_in(member if who == "member" else make_user()).delete(f"/v1/tokens/{token.pk}")

    assert (answer.status_code, answer.json()["error"]) == told
    token.refresh_from_db()
    assert token.revoked_at is None


def test_who_made_a_token_may_revoke_it_whatever_they_are_now(admin_client: Client, admin: User, shop: NewProject):
    made = make(admin_client).json()
    User.objects.filter(pk=admin.pk).update(role=Role.MEMBER)

    assert listed(admin_client).status_code == 400, "they do not even see the project"
    assert admin_client.delete(f"/v1/tokens/{made['id']}").status_code == 200


# --- Revoke -----------------------------------------------------------------------------------------------------


def test_a_revoked_token_ends_at_once_and_is_revoked_once(admin_client: Client, client: Client, shop: NewProject):
    made = make(admin_client).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    before = client.get("/v1/errors", headers=bearer).status_code

    answers = [admin_client.delete(f"/v1/tokens/{made['id']}") for _ in range(2)]

    assert (answers[0].status_code, answers[0].json()) == (200, {"revoked": made["id"]})
    assert (answers[1].status_code, answers[1].json()) == (404, {"error": "token not found or already revoked"})
    assert (before, client.get("/v1/errors", headers=bearer).status_code) == (200, 401)
    assert ApiToken.objects.get().revoked_at is not None, "the row stays"


@pytest.mark.parametrize("token_id", ["00000000-0000-4000-8000-000000000000", "x", "%00", "a%0Ab", "x" * 300])
def test_an_unknown_token_is_not_found(token_id: str, admin_client: Client):
    answer = admin_client.delete(f"/v1/tokens/{token_id}")

    assert (answer.status_code, answer.json()) == (404, {"error": "token not found or already revoked"})


def test_making_and_revoking_are_on_record_without_the_secret(admin_client: Client, admin: User, shop: NewProject):
    made = make(admin_client).json()
    admin_client.delete(f"/v1/tokens/{made['id']}")
    admin_client.delete(f"/v1/tokens/{made['id']}")

    entries = list(AuditEntry.objects.filter(action__startswith="token_").order_by("pk"))
    assert [(entry.action, entry.target, entry.actor, entry.project_id) for entry in entries] == [
        ("token_created", "ci", admin, shop.project.pk),
        ("token_revoked", "ci", admin, shop.project.pk),
    ]
    assert entries[0].detail == {"token": made["id"], "scopes": ["errors:read"]}
    assert made["token"][9:16] not in repr([vars(entry) for entry in entries])


def test_use_is_listed_in_seconds_and_at_most_a_minute_late(client: Client, admin_client: Client, shop: NewProject):
    made = make(admin_client).json()
    past = timezone.now() - timedelta(seconds=61)
    ApiToken.objects.update(last_used_at=past)

    client.get("/v1/errors", headers={"Authorization": f"Bearer {made['token']}"})

    assert listed(admin_client).json()[0]["last_used_at"] > past.timestamp() + 30

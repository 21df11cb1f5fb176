"""What a body may not say, it does not say: fields nobody asked for change nothing."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Invite, Passkey, User
from accounts.secret import hashed
from projects.models import ApiToken, IngestKey, Project
from tests.access import World, contents
from tests.accounts.ceremony import finish, start
from tests.authenticator import Authenticator

PROJECT = {
    "id": "mine",
    "project_id": "mine",
    "created_by": "{victim_id}",
    "created_by_id": "{victim_id}",
    "created_at": 1,
    "api_key": "key-of-my-own",
    "key": "key-of-my-own",
    "grouping": "v2",
    "removing_at": "2020-01-01T00:00:00Z",
    "memberships": ["{victim_id}"],
    "members": ["{victim_id}"],
    "pk": "mine",
}
TOKEN = {
    "id": "mine",
    "token": "bloop_tk_of-my-own",
    "secret": "bloop_tk_of-my-own",
    "token_hash": hashed("bloop_tk_of-my-own"),
    "token_prefix": "mine",
    "created_by": "{victim_id}",
    "created_at": 1,
    "expires_at": 99_999_999_999,
    "revoked_at": 1,
    "last_used_at": 1,
    "project": "default",
}
PERSON = {
    "id": "00000000-0000-4000-8000-000000000000",
    "is_admin": True,
    "role": "admin",
    "is_staff": True,
    "is_superuser": True,
    "is_founder": True,
    "is_active": False,
    "is_verified": True,
    "user_id": "{victim_id}",
    "password": "x",
    "created_at": "2001-01-01T00:00:00Z",
    "projects": ["shop"],
}


def client_of(world: World, caller: str) -> Client:
    return Client(headers={"Cookie": f"session={world.cookies[caller]}"})


def send(world: World, caller: str, method: str, path: str, body: Any) -> Any:
    """JSON, as `caller`, with the world's names filled in."""
    send_it = getattr(client_of(world, caller), method.lower())
    return send_it(path.format_map(world.names), world.filled(body), "application/json")


def test_a_new_project_has_the_name_and_the_slug_that_were_said_and_nothing_else(world: World):
    answer = send(world, "stranger", "POST", "/v1/projects", {**PROJECT, "name": "New", "slug": "new"})

    made = Project.objects.get(slug="new")
    assert answer.status_code == 200
    assert made.pk not in {"mine", "default"}
    assert (made.created_by, made.grouping, made.removing_at) == (world.users["stranger"], "v1", None)
    assert made.created_at.year >= 2026
    assert IngestKey.objects.get(project=made).key.startswith("bloop_")
    assert [each.user for each in made.memberships.all()] == [world.users["stranger"]]


def test_a_rename_renames(world: World):
    before = Project.objects.values().get(slug="shop")

    answer = send(world, "creator", "PUT", "/v1/projects/shop", {**PROJECT, "name": "Renamed", "slug": "stolen"})

    assert answer.status_code == 200
    assert Project.objects.values().get(pk=before["id"]) == {**before, "name": "Renamed"}
    assert IngestKey.objects.get(project=before["id"]).key == world.names["shop_key"]


def test_a_new_token_is_what_was_asked_for_and_opens_what_it_says(world: World):
    body = {**TOKEN, "name": "x", "project_id": "shop", "scopes": ["errors:read"], "expires_in_days": 1}

    answer = send(world, "creator", "POST", "/v1/tokens", body)

    row = ApiToken.objects.get(pk=answer.json()["id"])
    assert answer.status_code == 201
    assert row.token_hash == hashed(answer.json()["token"]) != TOKEN["token_hash"]
    assert (row.project_id, row.created_by, row.scopes) == (
        world.names["shop_id"],
        world.users["creator"],
        ["errors:read"],
    )
    assert (row.revoked_at, row.last_used_at) == (None, None)
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days == 1
    assert Client(headers={"Authorization": "Bearer bloop_tk_of-my-own"}).get("/v1/errors").status_code == 401


def test_a_role_change_changes_a_role(world: World):
    before = User.objects.values().get(pk=world.users["victim"].pk)
    body = {**PERSON, "username": "stolen", "role": "admin", "is_admin": True}

    answer = send(world, "verified", "PUT", "/v1/admin/users/{victim_id}/role", body)

    assert answer.status_code == 200
    assert User.objects.values().get(pk=before["id"]) == {**before, "role": "admin"}


def test_a_new_invite_chooses_neither_its_token_nor_its_end(world: World):
    body = {"token": "mine", "id": hashed("mine"), "expires_at": 99_999_999_999, "used": False, "seed": "x", "url": "x"}

    answer = send(world, "verified", "POST", "/v1/admin/invites", {**body, "created_by": "{victim_id}"})

    row = Invite.objects.get(token_hash=hashed(answer.json()["token"]))
    assert (row.expires_at - row.created_at).days == 7
    assert (row.created_by, row.role) == (world.users["verified"], "member")
    assert not Invite.objects.filter(token_hash=hashed("mine")).exists()


@pytest.mark.usefixtures("unhurried")
def test_who_registers_by_invite_gets_the_role_of_the_invite(world: World):
    client, device = Client(), Authenticator()
    token = world.names["invite"]

    challenge_id, options = start(client, "invite/register", **{**PERSON, "username": "eve", "invite_token": token})
    said = {
        **PERSON,
        "username": "admin",
        "invite_token": token,
        "purpose": "first admin",
        "payload": {"role": "admin"},
    }
    answer = finish(client, "invite/register", challenge_id, device.create(options), **said)

    made = User.objects.get(username="eve")
    assert answer.status_code == 200
    assert (made.role, made.is_founder, made.is_active) == ("member", None, True)
    assert str(made.pk) != PERSON["id"]
    assert not made.memberships.exists()
    assert Passkey.objects.get(user=made).sign_count == 1


def test_joining_by_the_form_gives_the_role_of_the_invite(world: World):
    answer = Client().post(f"/auth/invite/{world.names['invite']}", world.filled({**PERSON, "username": "eve"}))

    made = User.objects.get(username="eve")
    assert answer.status_code == 302
    assert (made.role, made.is_founder, made.is_active) == ("member", None, True)
    assert not made.memberships.exists()


def test_an_invited_name_cannot_be_somebodys_who_is_there(world: World):
    for name in ("admin", "ADMIN", " admin ", "ａｄｍｉｎ", "Victim"):
        answer = Client().post(f"/auth/invite/{world.names['invite']}", {"username": name})
        assert answer.status_code == 422, name
    assert User.objects.filter(username__iexact="admin").count() == 1


@pytest.mark.parametrize(
    ("caller", "path", "form"),
    [
        ("creator", "/settings/projects/shop/name", {"name": "Renamed", "slug": "stolen", **PROJECT}),
        ("creator", "/settings/projects/shop/grouping", {"grouping": "v2", "name": "Renamed", "slug": "stolen"}),
        ("verified", "/settings/members/{victim_id}/role", {**PERSON, "role": "admin", "username": "stolen"}),
        ("verified", "/settings/account/passkeys/{admin_passkey}/name", {"name": "Renamed", "user": "{victim_id}"}),
    ],
)
def test_a_form_of_the_settings_changes_what_it_is_for(caller: str, path: str, form: dict[str, Any], world: World):
    before = contents()

    answer = client_of(world, caller).post(path.format_map(world.names), world.filled(texts(form)))

    after = contents()
    changed = [
        name
        for table in before
        if table != "accounts.AuditEntry"
        for old, new in zip(before[table], after[table], strict=True)
        for name in old
        if old[name] != new[name]
    ]
    assert answer.status_code == 302
    assert len(changed) == 1
    assert changed[0] in ("name", "grouping", "role")


def texts(form: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else str(value) for name, value in form.items()}


def test_the_django_admin_writes_no_field_it_only_shows(world: World):
    before = Project.objects.values().get(slug="shop")
    form = {**texts(PROJECT), "name": "Renamed", "slug": "stolen", "grouping": "v1"}

    path = f"/admin/projects/project/{world.names['projects_project']}/change/"
    answer = client_of(world, "verified").post(path, world.filled(form))

    assert answer.status_code == 302
    assert Project.objects.values().get(pk=before["id"]) == {**before, "name": "Renamed"}


@pytest.mark.parametrize("model", ["accounts/user", "accounts/passkey", "accounts/session", "accounts/auditentry"])
def test_the_django_admin_changes_no_person_and_no_record_through_a_form(model: str, world: World):
    name = model.replace("/", "_")
    before = contents()
    row = world.names[name]
    form = {**texts(PERSON), "username": "stolen", "action": "x", "target": "x", "name": "x", "user": "{victim_id}"}

    for path in (f"/admin/{model}/{row}/change/", f"/admin/{model}/add/", f"/admin/{model}/{row}/delete/"):
        answer = client_of(world, "verified").post(path, world.filled(form))
        assert answer.status_code == 403, path

    assert contents() == before

"""People, roles and the reset over HTTP (contract 5.3)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts.audit import COMMAND_LINE, Actor
from accounts.models import AuditEntry, Invite, LoginLink, Passkey, Role, Session, User
from accounts.secret import hashed
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link, redeem_login_link
from accounts.services.members import LastAdmin, change_role, remove_user
from errors.services.status import Actor as Changer
from errors.services.status import change_status
from errors.statuses import Change
from projects.models import ApiToken, Membership, Project
from projects.services.projects import NewProject, create_project
from projects.services.tokens import issue_token
from tests.factories import make_admin, make_issue, make_user
from tests.ingest.conftest import at_once
from tests.projects.conftest import SignIn

JSON = "application/json"
NOW = timezone.now()
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def set_role(client: Client, user: User, body: Any) -> Any:
    return client.put(f"/v1/admin/users/{user.pk}/role", body, content_type=JSON)


def everything_of(user: User, project: Project) -> None:
    """One of everything a person may have or have made."""
    Passkey.objects.create(user=user, name="Key", credential_id=f"id-{user.pk}", public_key=b"\0", created_at=NOW)
    device = StaticDevice.objects.create(user=user, name="codes")
    StaticToken.objects.create(device=device, token="0123456789abcdef")
    Session.objects.create(key_hash="h" * 64, user=user, created_at=NOW, expires_at=NOW + timedelta(days=1))
    issue_login_link(username=user.username, now=NOW)
    issue_invite(role=Role.MEMBER, created_by=user, now=NOW)
    used = issue_invite(role=Role.MEMBER, created_by=user, now=NOW)
    Invite.objects.filter(token_hash=hashed(used.token)).update(used_at=NOW, used_by=user)
    create_project(name="Theirs", slug="theirs", created_by=user, now=NOW, actor=Actor(user))
    issue_token(project=project, name="ci", scopes=("errors:read",), created_by=user, now=NOW, actor=Actor(user))
    change_status(issue_id=make_issue(project).pk, change=Change("muted"), actor=Changer(user.pk), now_ms=1)


# --- List -------------------------------------------------------------------------------------------------------


def test_people_are_listed_the_oldest_first(admin_client: Client, admin: User):
    kim = make_user(username="kim")

    listed = admin_client.get("/v1/admin/users").json()

    assert [each.keys() for each in listed] == [{"id", "username", "is_admin", "created_at"}] * 2
    assert [(each["id"], each["username"], each["is_admin"]) for each in listed] == [
        (str(admin.pk), "ann", True),
        (str(kim.pk), "kim", False),
    ]
    assert listed[0]["created_at"] == int(admin.created_at.timestamp())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/v1/admin/users"),
        ("delete", f"/v1/admin/users/{UNKNOWN}"),
        ("put", f"/v1/admin/users/{UNKNOWN}/role"),
        ("get", "/v1/admin/invites"),
        ("post", "/v1/admin/invites"),
        ("delete", "/v1/admin/invites/x"),
        ("post", "/v1/admin/reset"),
    ],
)
def test_only_admins_come_this_far(method: str, path: str, member_client: Client, client: Client):
    refused, unknown = getattr(member_client, method)(path), getattr(client, method)(path)

    assert (refused.status_code, refused.json()) == (403, {"error": "admin access required"})
    assert (unknown.status_code, unknown.json()) == (401, {"error": "authentication required"})


# --- Roles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "is_admin"),
    [
        ({"is_admin": True}, True),
        ({"is_admin": False}, False),
        ({"role": "admin"}, True),
        ({"role": "user"}, False),
        ({"role": "member"}, False),
        ({"role": "admin", "is_admin": True}, True),
    ],
)
@pytest.mark.parametrize("before", Role.values)
def test_a_role_is_changed_by_either_body(
    before: str,
    body: dict[str, Any],
    is_admin: Any,
    admin_client: Client,
    sign_in: SignIn,
):
    kim = make_user(role=before)
    theirs = sign_in(kim)

    answer = set_role(admin_client, kim, body)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "user_id": str(kim.pk), "is_admin": is_admin})
    assert theirs.get("/v1/admin/users").status_code == (200 if is_admin else 403), "in every session, at once"
    changes = AuditEntry.objects.filter(action="role_changed")
    after = Role.ADMIN if is_admin else Role.MEMBER
    assert [entry.detail for entry in changes] == ([{"from": before, "to": after}] if before != after else [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"is_admin": "true"},
        {"is_admin": 1},
        {"is_admin": None},
        {"role": "owner"},
        {"role": ["admin"]},
        {"role": "user", "is_admin": True},
        [],
        None,
        "admin",
    ],
)
def test_a_body_that_names_no_role_is_refused(body: Any, admin_client: Client):
    kim = make_user()

    answer = set_role(admin_client, kim, "null" if body is None else body)

    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}
    kim.refresh_from_db()
    assert kim.role == Role.MEMBER


def test_nobody_changes_their_own_role(admin_client: Client, admin: User):
    for role in ("admin", "user"):
        answer = set_role(admin_client, admin, {"role": role})
        assert (answer.status_code, answer.json()) == (400, {"error": "cannot change your own role"})


@pytest.mark.parametrize("user_id", [UNKNOWN, "x", "%00", "' OR 1=1 --"])
def test_nobody_unknown_has_a_role(user_id: str, admin_client: Client):
    answer = admin_client.put(f"/v1/admin/users/{user_id}/role", {"is_admin": True}, content_type=JSON)

    assert (answer.status_code, answer.json()) == (404, {"error": "user not found"})


def test_a_role_body_has_a_kilobyte_at_most(admin_client: Client):
    kim = make_user()

    answer = set_role(admin_client, kim, {"is_admin": True, "more": "x" * 1024})

    assert (answer.status_code, answer.json()) == (413, {"error": "body exceeds 1024 bytes"})


# --- Removal ----------------------------------------------------------------------------------------------------


def test_a_removed_person_takes_their_ways_in_along_and_leaves_their_work(
    admin_client: Client, admin: User, shop: NewProject, sign_in: SignIn
):
    kim = make_user(username="kim", projects=(shop.project,))
    everything_of(kim, shop.project)
    theirs = sign_in(kim)

    answer = admin_client.delete(f"/v1/admin/users/{kim.pk}")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert theirs.get("/v1/projects").status_code == 401, "signed out at once"
    assert [session.user for session in Session.objects.all()] == [admin]
    left = (User, Passkey, StaticDevice, StaticToken, LoginLink, Membership)
    assert [model.objects.count() for model in left] == [1, 0, 0, 0, 0, 0]
    invite = Invite.objects.get()
    assert (invite.used_at, invite.used_by, invite.created_by) == (NOW, None, None)
    assert Project.objects.get(slug="theirs").created_by is None
    assert ApiToken.objects.get().created_by is None
    assert shop.project.issues.get().transitions.get().changed_by is None
    entries = AuditEntry.objects.filter(actor_name="kim")
    assert entries.count() >= 2, "what they did stays on record under their name"
    assert not entries.exclude(actor=None).exists()
    assert AuditEntry.objects.get(action="user_removed").target == "kim"


@pytest.mark.parametrize("user_id", [UNKNOWN, "x", "%00"])
def test_removing_nobody_is_done_at_once(user_id: str, admin_client: Client, admin: User):
    answer = admin_client.delete(f"/v1/admin/users/{user_id}")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert User.objects.get() == admin
    assert not AuditEntry.objects.filter(action="user_removed").exists()


def test_nobody_removes_themselves(admin_client: Client, admin: User):
    make_admin()

    answer = admin_client.delete(f"/v1/admin/users/{admin.pk}")

    assert (answer.status_code, answer.json()) == (400, {"error": "cannot delete yourself"})
    assert User.objects.filter(pk=admin.pk).exists()


@pytest.mark.parametrize("others", [(), ({"is_active": False},)])
def test_the_last_admin_stays(others: tuple[dict[str, Any], ...], admin: User):
    """The command line has no account of its own to stop it. An admin who cannot sign in is no help."""
    for values in others:
        User.objects.filter(pk=make_admin().pk).update(**values)

    with pytest.raises(LastAdmin):
        change_role(user_id=admin.pk, role=Role.MEMBER, actor=COMMAND_LINE, now=NOW)
    with pytest.raises(LastAdmin):
        remove_user(user_id=admin.pk, actor=COMMAND_LINE, now=NOW)

    admin.refresh_from_db()
    assert admin.is_admin


def test_many_admins_who_remove_and_demote_each_other_at_once_leave_one(shared_database: None, sign_in: SignIn):
    admins = [make_admin(username=f"admin{number}") for number in range(6)]
    clients = [sign_in(admin) for admin in admins]

    def turn_on(number: int) -> Any:
        victim = admins[(number + 1) % len(admins)]
        if number % 2:
            return lambda: clients[number].delete(f"/v1/admin/users/{victim.pk}").status_code
        return lambda: set_role(clients[number], victim, {"is_admin": False}).status_code

    statuses = at_once([turn_on(number) for number in range(len(admins))])

    assert set(statuses) <= {200, 401, 403, 409}, statuses
    assert User.objects.filter(role=Role.ADMIN).count() >= 1


# --- Reset ------------------------------------------------------------------------------------------------------


def reset(client: Client, body: Any) -> Any:
    return client.post("/v1/admin/reset", body, content_type=JSON)


def test_a_reset_leaves_nobody_and_every_project(shop: NewProject, sign_in: SignIn):
    ann = make_admin(username="ann")
    everything_of(ann, shop.project)
    everything_of_models = (User, Invite, LoginLink, Session, Passkey, StaticDevice, StaticToken, Membership)
    client = sign_in(ann)

    answer = reset(client, {"confirm": True})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert [model.objects.count() for model in everything_of_models] == [0] * 8
    assert {project.created_by for project in Project.objects.all()} == {None}
    assert ApiToken.objects.get().created_by is None
    entry = AuditEntry.objects.get(action="auth_reset")
    assert (entry.actor, entry.actor_name) == (None, "ann")


def test_a_reset_clears_the_cookies_of_both_names(admin: User, sign_in: SignIn):
    client = sign_in(admin)
    client.cookies["bloop_session"] = client.cookies["session"].value

    answer = reset(client, {"confirm": True})

    assert answer.cookies["session"]["max-age"] == answer.cookies["bloop_session"]["max-age"] == 0
    assert (answer.cookies["session"].value, answer.cookies["bloop_session"].value) == ("", "")


def test_after_a_reset_a_new_link_makes_the_first_admin(admin_client: Client):
    old = issue_login_link(username=None, now=timezone.now())
    reset(admin_client, {"confirm": True})
    assert not LoginLink.objects.exists(), "links printed before are dead"

    link = issue_login_link(username=None, now=timezone.now())
    user = redeem_login_link(token=link.token, now=timezone.now())

    assert (old.token != link.token, user.is_admin, user.is_founder) == (True, True, True)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"confirm": False}, 400, "confirm must be true to reset all auth data"),
        ({}, 400, "confirm is required"),
        ({"confirm": "true"}, 400, None),
        ({"confirm": 1}, 400, None),
        ({"confirm": None}, 400, None),
        ([True], 400, None),
        ({"confirm": True, "more": "x" * 1024}, 413, "body exceeds 1024 bytes"),
    ],
)
def test_a_reset_wants_to_be_confirmed(body: Any, status: int, reason: str | None, admin_client: Client, admin: User):
    answer = reset(admin_client, body)

    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert reason is None or answer.json()["error"] == reason
    assert User.objects.get() == admin
    assert admin_client.get("/v1/admin/users").status_code == 200


def test_a_reset_that_fails_in_the_middle_changes_nothing(
    admin_client: Client, admin: User, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    everything_of(admin, shop.project)
    before = [model.objects.count() for model in (User, Invite, LoginLink, Session, Passkey)]

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr("accounts.services.members.Passkey.objects.all", fails)
        admin_client.raise_request_exception = False
        answer = reset(admin_client, {"confirm": True})

    assert (answer.status_code, answer.json()) == (500, {"error": "internal server error"})
    assert [model.objects.count() for model in (User, Invite, LoginLink, Session, Passkey)] == before
    assert not AuditEntry.objects.filter(action="auth_reset").exists()
    assert admin_client.get("/v1/admin/users").status_code == 200


def test_ids_of_people_are_uuids(admin_client: Client):
    assert all(re.fullmatch(r"[0-9a-f-]{36}", each["id"]) for each in admin_client.get("/v1/admin/users").json())

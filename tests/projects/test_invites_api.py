"""Invites over HTTP (contract 5.3), and the projects they open."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import AuditEntry, Invite, Role, User
from accounts.queries import invites, usable_invite
from accounts.secret import hashed
from accounts.services.invites import INVITE_LIFETIME, UsernameInvalid, accept_invite, issue_invite, revoke_invite
from accounts.services.links import LinkInvalid
from accounts.signals import invite_accepted
from projects.models import InvitedTo, Membership
from projects.services.projects import NewProject
from tests.factories import make_project, make_user
from tests.ingest.conftest import at_once

LISTED = {"token", "created_at", "expires_at", "used", "id", "role", "revoked", "projects"}


def make(client: Client, body: Any = None) -> Any:
    path = "/v1/admin/invites"
    return client.generic("POST", path) if body is None else client.post(path, body, content_type="application/json")


def accept(token: str, username: str = "kim") -> User:
    return accept_invite(token=token, username=username, now=timezone.now(), address="203.0.113.9")


def test_an_invite_asks_for_nothing_and_lives_for_a_week(admin_client: Client, admin: User):
    answer = make(admin_client)

    made = answer.json()
    assert answer.status_code == 200
    assert len(made["token"]) == 43
    assert abs(made["expires_at"] - timezone.now().timestamp() - 7 * 86_400) < 5
    invite = Invite.objects.get()
    assert (invite.token_hash, invite.created_by, invite.role) == (hashed(made["token"]), admin, Role.MEMBER)
    assert made["token"] not in repr(vars(invite)), "the database alone does not open the door"
    assert accept(made["token"]).role == Role.MEMBER


def test_curls_empty_body_will_do(admin_client: Client):
    answer = admin_client.post("/v1/admin/invites", "", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 200


@pytest.mark.parametrize(("name", "role"), [("admin", Role.ADMIN), ("member", Role.MEMBER), ("user", Role.MEMBER)])
def test_an_invite_may_have_a_role_and_projects(
    name: str, role: str, admin_client: Client, shop: NewProject, other: NewProject
):
    make_project(slug="third")
    body = {"role": name, "projects": ["shop", other.project.pk, "shop"]}

    made = make(admin_client, body).json()
    user = accept(made["token"])

    assert (made["role"], made["projects"]) == (role, sorted([shop.project.pk, other.project.pk]))
    assert user.role == role
    assert set(user.memberships.values_list("project__slug", flat=True)) == {"shop", "other"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"projects": ["nowhere"]}, "project not found"),
        ({"projects": [""]}, "project not found"),
        ({"projects": ["shop", "nowhere"]}, "project not found"),
        ({"projects": "shop"}, None),
        ({"projects": [1]}, None),
        ({"projects": ["a\x00b"]}, None),
        ({"projects": {"shop": True}}, None),
        ({"projects": ["shop"] * 101}, None),
        ({"role": "owner"}, None),
        ({"role": None}, None),
        ([], None),
    ],
)
def test_a_wrong_body_makes_no_invite(body: Any, reason: str | None, admin_client: Client, shop: NewProject):
    answer = make(admin_client, body)

    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}
    assert reason is None or answer.json()["error"] == reason
    assert not Invite.objects.exists()


def test_the_list_begins_with_the_newest_and_shows_every_link_again(admin_client: Client, shop: NewProject):
    first, second = make(admin_client).json(), make(admin_client, {"role": "admin", "projects": ["shop"]}).json()
    third = make(admin_client).json()
    accept(first["token"])
    admin_client.delete(f"/v1/admin/invites/{third['id']}")

    rows = admin_client.get("/v1/admin/invites").json()

    assert all(row.keys() == LISTED for row in rows)
    assert [row["token"] for row in rows] == [third["token"], second["token"], first["token"]]
    assert [(row["used"], row["revoked"], row["role"], row["projects"]) for row in rows] == [
        (False, True, "member", []),
        (False, False, "admin", [shop.project.pk]),
        (True, False, "member", []),
    ]
    assert rows[1]["expires_at"] - rows[1]["created_at"] == 7 * 86_400


def test_with_another_secret_a_link_is_not_shown_rather_than_a_wrong_one(admin_client: Client, settings: LazySettings):
    made = make(admin_client).json()
    settings.SECRET_KEY = "changed"

    row = invites(timezone.now())[0]

    assert (row.token, row.url, row.token_hash) == (None, None, made["id"])
    assert accept(made["token"]).username == "kim", "who has the link can still use it"


def test_where_an_invite_stands_is_told(admin: User):
    now = timezone.now()
    made = {
        state: issue_invite(role=Role.MEMBER, created_by=admin, now=now - timedelta(days=age))
        for state, age in (("open", 1), ("used", 2), ("revoked", 3), ("expired", 8))
    }
    Invite.objects.filter(token_hash=hashed(made["used"].token)).update(used_at=now, used_by=make_user(username="kim"))
    Invite.objects.filter(token_hash=hashed(made["revoked"].token)).update(revoked_at=now)

    rows = invites(now)

    assert [row.state for row in rows] == ["open", "used", "revoked", "expired"]
    assert [(row.created_by_name, row.used_by_name) for row in rows] == [("ann", ""), ("ann", "kim")] + [
        ("ann", "")
    ] * 2
    assert [row.url for row in rows] == [made[row.state].url for row in rows]


# --- Revoke -----------------------------------------------------------------------------------------------------


def test_a_revoked_invite_lets_nobody_in(admin_client: Client):
    made = make(admin_client).json()

    answers = [admin_client.delete(f"/v1/admin/invites/{made['id']}") for _ in range(2)]

    assert (answers[0].status_code, answers[0].json()) == (200, {"revoked": made["id"]})
    assert answers[1].status_code == 404
    assert usable_invite(token=made["token"], now=timezone.now()) is None
    with pytest.raises(LinkInvalid):
        accept(made["token"])
    assert Client().get(f"/auth/invite/{made['token']}").status_code == 410


def test_a_used_invite_is_not_revoked(admin_client: Client):
    made = make(admin_client).json()
    accept(made["token"])

    assert admin_client.delete(f"/v1/admin/invites/{made['id']}").status_code == 404
    assert Invite.objects.get().revoked_at is None


@pytest.mark.parametrize("invite_id", ["x", "%00", "0" * 64, "a%0Ab"])
def test_an_unknown_invite_is_not_found(invite_id: str, admin_client: Client):
    assert admin_client.delete(f"/v1/admin/invites/{invite_id}").status_code == 404


# --- Accept -----------------------------------------------------------------------------------------------------


def test_joining_is_on_record_with_its_memberships(admin_client: Client, shop: NewProject):
    made = make(admin_client, {"projects": ["shop"]}).json()

    kim = accept(made["token"])

    entries = AuditEntry.objects.filter(actor=kim).order_by("pk")
    assert [(entry.action, entry.target, entry.address) for entry in entries] == [
        ("user_joined", "kim", "203.0.113.9"),
        ("member_added", "kim in Shop", "203.0.113.9"),
    ]
    assert made["token"] not in repr([vars(entry) for entry in AuditEntry.objects.all()])


def test_a_project_deleted_since_is_passed_over(admin_client: Client, shop: NewProject, other: NewProject):
    made = make(admin_client, {"projects": ["shop", "other"]}).json()
    admin_client.delete("/v1/projects/shop")

    kim = accept(made["token"])

    assert list(kim.memberships.values_list("project__slug", flat=True)) == ["other"]
    assert admin_client.get("/v1/admin/invites").json()[0]["projects"] == [other.project.pk]


def test_when_a_membership_cannot_be_made_nobody_joins(admin_client: Client, shop: NewProject):
    made = make(admin_client, {"projects": ["shop"]}).json()

    def refuse(**_: Any) -> None:
        raise OSError

    invite_accepted.connect(refuse)
    try:
        with pytest.raises(OSError):
            accept(made["token"])
    finally:
        invite_accepted.disconnect(refuse)

    assert not User.objects.filter(username="kim").exists()
    assert not Membership.objects.exists()
    assert usable_invite(token=made["token"], now=timezone.now())


@pytest.mark.parametrize("name", ["kim", "Kim", "KIM", "ｋｉｍ"])
def test_a_name_is_taken_in_any_letter_case_and_width(name: str, admin_client: Client):
    make_user(username="kim")
    made = make(admin_client).json()

    with pytest.raises(UsernameInvalid, match="That name is taken"):
        accept(made["token"], name)

    assert usable_invite(token=made["token"], now=timezone.now())


def test_an_invite_ends_after_its_week(admin: User):
    issued = issue_invite(role=Role.MEMBER, created_by=admin, now=timezone.now() - INVITE_LIFETIME)

    with pytest.raises(LinkInvalid):
        accept(issued.token)


def test_of_many_people_with_one_invite_one_joins(shared_database: None):
    shop = make_project(slug="shop")
    issued = issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now())
    InvitedTo.objects.create(invite_id=hashed(issued.token), project=shop.project)

    def join(number: int) -> Any:
        return lambda: accept(issued.token, f"kim{number}").username

    results = at_once([join(number) for number in range(5)])

    joined = [each for each in results if isinstance(each, str)]
    assert len(joined) == 1
    assert all(isinstance(each, LinkInvalid) for each in results if not isinstance(each, str)), results
    assert [user.username for user in User.objects.all()] == joined
    assert Membership.objects.count() == 1


def test_an_invite_is_either_accepted_or_revoked(shared_database: None):
    admin = make_user(role=Role.ADMIN)
    issued = issue_invite(role=Role.MEMBER, created_by=admin, now=timezone.now())
    revoked: dict[str, Any] = {"token_hash": hashed(issued.token), "actor": COMMAND_LINE, "now": timezone.now()}

    results = at_once([lambda: accept(issued.token).username, lambda: revoke_invite(**revoked)])

    invite = Invite.objects.get()
    assert (invite.used_at is None) != (invite.revoked_at is None)
    assert results[1] is (invite.revoked_at is not None)
    assert User.objects.filter(username="kim").exists() is (invite.used_at is not None)

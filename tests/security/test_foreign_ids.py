"""Naming another's thing in a form does nothing, and is answered as if it were not there."""

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import Passkey, Session
from accounts.secret import hashed
from projects.models import ApiToken, IngestKey
from tests.access import Row, World, contents, cookie_of, page
from tests.factories import make_token

NOBODYS = str(uuid.UUID(int=1))
PEOPLE = ("stranger", "neighbour", "member", "creator", "admin", "verified")


def told(answer: Any) -> tuple[int, str, bytes]:
    """All that an answer tells, but for the random parts."""
    return answer.status_code, answer.headers.get("Location", ""), b"" if answer.status_code == 302 else answer.content


def messages_after(world: World, caller: str) -> list[str]:
    client = Client(headers={"Cookie": f"session={world.cookies[caller]}"})
    return [str(message) for message in client.get("/settings/account").context["messages"]]


@pytest.mark.parametrize("caller", PEOPLE)
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/settings/account/passkeys/{}/name", {"name": "Mine"}),
        ("/settings/account/passkeys/{}/remove", {}),
    ],
)
def test_another_persons_passkey_is_not_there(path: str, form: dict[str, str], caller: str, world: World):
    before = contents()

    theirs = world.knock(Row("x", f"POST {path.format('{victim_passkey}')}", {}, form=form), caller)
    nobodys = world.knock(Row("x", f"POST {path.format('999999')}", {}, form=form), caller)

    assert told(theirs) == told(nobodys)
    assert theirs.status_code == 404 or theirs.headers["Location"].startswith("/auth/verify"), caller
    assert contents() == before


@pytest.mark.parametrize("caller", PEOPLE)
def test_another_persons_session_goes_on(caller: str, world: World):
    before = contents()

    theirs = world.knock(
        Row("x", "POST /settings/account/sessions/end", {}, form={"session": "{victim_session}"}), caller
    )
    nobodys = world.knock(Row("x", "POST /settings/account/sessions/end", {}, form={"session": "0" * 64}), caller)

    assert told(theirs) == told(nobodys)
    said, said_of_nobody = (answer.cookies["messages"].value.rsplit(":", 2)[0] for answer in (theirs, nobodys))
    assert said == said_of_nobody, "they are told the same; what follows is when, and the seal"
    assert contents() == before


def test_signing_the_others_out_leaves_other_people_in(world: World):
    cookie_of(world.users["member"], "another-browser-of-the-member")
    others = set(Session.objects.exclude(user=world.users["member"]).values_list("pk", flat=True))

    world.knock(Row("x", "POST /settings/account/sessions/end-others", {}, form={}), "member")

    assert set(Session.objects.exclude(user=world.users["member"]).values_list("pk", flat=True)) == others
    left = Session.objects.filter(user=world.users["member"])
    assert [row.pk for row in left] == [hashed(world.cookies["member"])], "the one that asked stays"


def test_removing_a_passkey_signs_nobody_else_out(world: World):
    Passkey.objects.create(
        user=world.users["admin"],
        name="Second",
        credential_id="c2Vjb25k",
        public_key=b"\0",
        created_at="2026-01-01T00:00Z",
    )
    others = set(Session.objects.exclude(user=world.users["admin"]).values_list("pk", flat=True))

    answer = world.knock(Row("x", "POST /settings/account/passkeys/{admin_passkey}/remove", {}, form={}), "verified")

    assert answer.status_code == 302
    assert not Passkey.objects.filter(pk=world.names["admin_passkey"]).exists()
    assert set(Session.objects.exclude(user=world.users["admin"]).values_list("pk", flat=True)) == others


@pytest.mark.parametrize("caller", ["stranger", "neighbour"])
@pytest.mark.parametrize(
    "request_line",
    ["DELETE /v1/tokens/{}", "POST /settings/tokens/{}/revoke"],
)
def test_a_token_out_of_sight_is_not_there(request_line: str, caller: str, world: World):
    form: dict[str, Any] | None = {} if "settings" in request_line else None

    theirs = world.knock(Row("x", request_line.format("{token}"), {}, form=form), caller)
    nobodys = world.knock(Row("x", request_line.format(NOBODYS), {}, form=form), caller)

    assert theirs.status_code == 404
    assert told(theirs) == told(nobodys)
    assert ApiToken.objects.get(pk=world.names["token"]).revoked_at is None


def test_a_token_is_revoked_through_no_other_project(world: World):
    """The creator of one project names a token of another whose project they see but do not manage."""
    theirs = make_token(ApiToken.objects.get(pk=world.names["token"]).project).token

    answer = world.knock(Row("x", f"DELETE /v1/tokens/{theirs.pk}", {}), "member")

    assert answer.status_code == 403
    assert ApiToken.objects.get(pk=theirs.pk).revoked_at is None


@pytest.mark.parametrize("caller", ["stranger", "neighbour", "member", "creator"])
@pytest.mark.parametrize(
    "row",
    [
        Row("x", "POST /settings/invites/revoke", page(), form={"invite": "{invite_hash}"}),
        Row("x", "DELETE /v1/admin/invites/{invite_hash}", {}),
        Row("x", "DELETE /v1/admin/users/{victim_id}", {}),
        Row("x", "PUT /v1/admin/users/{member_id}/role", {}, json={"is_admin": True}),
        Row("x", "POST /settings/members/{member_id}/role", {}, form={"role": "admin"}),
    ],
    ids=lambda row: row.request,
)
def test_what_is_for_admins_is_refused_before_it_is_looked_for(row: Row, caller: str, world: World):
    before = contents()

    real = world.knock(row, caller)
    made_up = Row(
        row.name, row.request.replace("{invite_hash}", "0" * 64).replace("{victim_id}", NOBODYS), {}, row.form
    )
    unreal = world.knock(Row("x", made_up.request, {}, row.form, row.json), caller)

    assert real.status_code == unreal.status_code == 403
    assert contents() == before


def test_a_key_is_ended_through_no_other_project(world: World):
    key = IngestKey.objects.get(pk=world.names["shop_key_id"])
    IngestKey.objects.filter(pk=key.pk).update(expires_at="2099-01-01T00:00Z")

    answer = world.knock(Row("x", "POST /settings/projects/other/key/{shop_key_id}/end", {}, form={}), "neighbour")

    assert answer.status_code == 302
    expires_at = IngestKey.objects.get(pk=key.pk).expires_at
    assert expires_at is not None
    assert expires_at.year == 2099


def test_a_member_is_taken_out_of_no_other_project(world: World):
    before = contents()["projects.Membership"]

    world.knock(Row("x", "POST /settings/projects/other/members/{member_id}/remove", {}, form={}), "neighbour")
    world.knock(Row("x", "DELETE /v1/projects/other/members/{member_id}", {}), "neighbour")

    assert contents()["projects.Membership"] == before


def test_whoever_was_taken_out_of_a_project_they_made_has_no_part_in_it(world: World):
    world.knock(Row("x", "DELETE /v1/projects/shop/members/{creator_id}", {}), "admin")

    for request in ("GET /v1/projects/shop", "DELETE /v1/projects/shop", "POST /v1/projects/shop/rotate-key"):
        assert world.knock(Row("x", request, {}), "creator").status_code == 404
    for path in ("/settings/projects/shop", "/errors/shop/fp"):
        assert world.knock(Row("x", f"GET {path}", {}), "creator").status_code == 404
    assert world.knock(Row("x", "GET /v1/tokens?project_id=shop", {}), "creator").status_code == 400
    form = {"name": "x", "project": "shop", "scopes": "errors:read"}
    assert world.knock(Row("x", "POST /settings/tokens", {}, form=form), "creator").status_code == 422

"""The sign-in endpoints as they are meant to be used (contract 5.4), by a software authenticator."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.audit import Actor
from accounts.models import AuditEntry, Invite, LoginLink, Passkey, Role, Session, User
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.services.recovery import make_recovery_codes
from tests.accounts.ceremony import answer_of, finish, give_passkey, is_signed_in, is_verified, post, sign_in, start
from tests.authenticator import RS256, Authenticator, decode
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("unhurried", "db")
OK = (200, {"status": "ok"})


def first_link() -> str:
    return issue_login_link(username=None, now=timezone.now()).token


def invite(role: str = Role.MEMBER) -> str:
    return issue_invite(role=role, created_by=None, now=timezone.now()).token


def allow_setup(settings: LazySettings, **auth: Any) -> None:
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": settings.BLOOP.auth.model_copy(update=auth)})


def acts() -> list[str]:
    return [entry.action for entry in AuditEntry.objects.order_by("pk")]


# --- Setting up -----------------------------------------------------------------------------------------------------


def test_status_says_whether_anybody_exists(client: Client):
    assert answer_of(client.get("/auth/status")) == (200, {"setup_complete": False})
    make_user()
    assert answer_of(client.get("/auth/status")) == (200, {"setup_complete": True})


@pytest.mark.parametrize("by", ["link", "open setup", "setup token"])
def test_the_first_admin_registers_and_is_in(by: str, client: Client, device: Authenticator, settings: LazySettings):
    allow_setup(settings, open_setup=by == "open setup", setup_token="correct-horse" if by == "setup token" else None)
    proof = {"link": {"link_token": first_link()}, "open setup": {}, "setup token": {"setup_token": "correct-horse"}}

    challenge_id, options = start(client, "register", username=" ann ", **proof[by])
    answer = finish(client, "register", challenge_id, device.create(options), name="My key")

    assert answer_of(answer) == OK
    user, passkey = User.objects.get(), Passkey.objects.get()
    assert (user.username, user.role, user.is_founder) == ("ann", Role.ADMIN, True)
    assert (passkey.user, passkey.name) == (user, "My key")
    assert UUID(bytes=decode(options["user"]["id"])) == user.pk, "the device knows them by their id"
    assert is_signed_in(client)
    assert is_verified(client)
    assert acts() == ["user_joined", "passkey_added"]
    assert (LoginLink.objects.get().used_at is not None) is (by == "link")


def test_a_registered_passkey_signs_in_again(client: Client, device: Authenticator):
    challenge_id, options = start(client, "register", username="ann", link_token=first_link())
    finish(client, "register", challenge_id, device.create(options))

    other = Client()
    assert answer_of(sign_in(other, device)) == OK
    assert is_signed_in(other)


@pytest.mark.parametrize("role", Role.values)
def test_an_invited_person_registers_and_is_in(role: str, client: Client, device: Authenticator):
    token = invite(role)

    challenge_id, options = start(client, "invite/register", username="kim", invite_token=token)
    answer = finish(client, "invite/register", challenge_id, device.create(options), invite_token=token)

    assert answer_of(answer) == OK
    user = User.objects.get()
    assert (user.username, user.role, user.is_founder) == ("kim", role, None)
    assert Invite.objects.get().used_by == user
    assert Passkey.objects.get().user == user
    assert is_signed_in(client)
    assert acts() == ["invite_created", "user_joined", "passkey_added"]


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("", "Passkey"),
    ],
)
def test_a_passkey_without_a_name_is_called_after_its_browser(user_agent: str, name: str, device: Authenticator):
    client = Client(headers={"User-Agent": user_agent})
    challenge_id, options = start(client, "register", username="ann", link_token=first_link())

    finish(client, "register", challenge_id, device.create(options))

    assert Passkey.objects.get().name == name


# --- Signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", [None, "ann", " ann "])
def test_a_passkey_signs_in_with_and_without_a_name(username: str, client: Client, ann: User, device: Authenticator):
    assert answer_of(sign_in(client, device, username=username)) == OK

    assert is_signed_in(client)
    assert is_verified(client)
    session = Session.objects.get(user=ann)
    assert session.address == "127.0.0.1"
    passkey = Passkey.objects.get()
    assert passkey.last_used_at is not None
    assert passkey.sign_count == device.held[0].sign_count == 2


def test_the_list_of_passkeys_is_not_disclosed(client: Client, ann: User):
    assert start(client, "login")[1]["allowCredentials"] == []


def test_start_takes_an_empty_body_and_none_at_all(client: Client, ann: User):
    for body in ("", "{}", '{"username": null}'):
        answer = client.generic("POST", "/auth/login/start", body, "application/json" if body else "")
        assert answer.status_code == 200
        assert set(answer.json()) == {"challenge_id", "publicKey"}


def test_an_rs256_passkey_signs_in(client: Client, admin: User):
    device = Authenticator(algorithm=RS256)
    give_passkey(admin, device)

    assert answer_of(sign_in(client, device)) == OK


def test_a_device_that_names_nobody_signs_in_by_name(client: Client, ann: User, device: Authenticator):
    assert answer_of(sign_in(client, device, username="ann", user_handle=None)) == OK


def test_a_synced_passkey_signs_in_again_and_again_without_a_counter(client: Client, admin: User):
    device = Authenticator(is_synced=True, counts=False)
    passkey = give_passkey(admin, device)

    for _ in range(3):
        assert answer_of(sign_in(client, device)) == OK
    passkey.refresh_from_db()
    assert (passkey.sign_count, passkey.is_synced) == (0, True)


def test_a_passkey_that_becomes_synced_is_noted(client: Client, ann: User, device: Authenticator):
    device.is_synced = True

    sign_in(client, device)

    assert Passkey.objects.get().is_synced


def test_the_cookie_is_as_the_contract_says(client: Client, ann: User, device: Authenticator):
    cookie = sign_in(client, device).cookies["session"]

    assert len(cookie.value) == 43
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "Lax", "/", 604_800)


# --- Signing out ----------------------------------------------------------------------------------------------------


def test_logout_ends_the_session_and_clears_both_cookies(client: Client, ann: User, device: Authenticator):
    sign_in(client, device)

    answer = post(client, "logout")

    assert answer_of(answer) == OK
    for name in ("session", "bloop_session"):
        cookie = answer.cookies[name]
        assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", 0, "/")
    assert not Session.objects.filter(user=ann).exists()
    assert not is_signed_in(client)


def test_logout_always_says_ok(client: Client):
    assert answer_of(post(client, "logout")) == OK
    assert answer_of(client.post("/auth/logout", headers={"Cookie": "bloop_session=unknown"})) == OK
    assert answer_of(client.post("/auth/logout")) == OK


def test_logout_knows_the_original_cookie(client: Client, ann: User, device: Authenticator):
    sign_in(client, device)
    cookie = f"bloop_session={client.cookies['session'].value}"

    assert answer_of(Client().post("/auth/logout", headers={"Cookie": cookie})) == OK

    assert not is_signed_in(client)


# --- A second passkey -----------------------------------------------------------------------------------------------


def test_a_signed_in_person_adds_a_second_passkey(client: Client, ann: User, device: Authenticator):
    sign_in(client, device)
    second = Authenticator()

    challenge_id, options = start(client, "passkeys")
    answer = finish(client, "passkeys", challenge_id, second.create(options), name="Phone")

    added = Passkey.objects.get(name="Phone")
    assert answer_of(answer) == (200, {"status": "ok", "id": added.pk})
    assert [each["id"] for each in options["excludeCredentials"]] == [Passkey.objects.get(name="Laptop").credential_id]
    assert options["user"]["id"] == start(client, "passkeys")[1]["user"]["id"], "one account on the device"
    for each in (device, second):
        assert answer_of(sign_in(Client(), each, username="ann")) == OK


def test_a_first_passkey_verifies_the_session_it_is_added_in(client: Client, admin: User, device: Authenticator):
    client.force_login(admin)
    before = client.cookies["session"].value
    assert not is_verified(client)

    challenge_id, options = start(client, "passkeys")
    finish(client, "passkeys", challenge_id, device.create(options))

    assert is_verified(client)
    assert client.cookies["session"].value != before, "what is worth more has a new key"
    assert Session.objects.count() == 1


# --- Verifying ------------------------------------------------------------------------------------------------------


def test_a_session_by_link_is_not_verified_until_a_passkey_proves_it(client: Client, ann: User, device: Authenticator):
    link = issue_login_link(username="ann", now=timezone.now())
    client.post(f"/auth/link/{link.token}")
    before = client.cookies["session"].value
    assert is_signed_in(client)
    assert not is_verified(client)

    challenge_id, options = start(client, "verify")
    answer = finish(client, "verify", challenge_id, device.get(options))

    assert answer_of(answer) == OK
    assert [each["id"] for each in options["allowCredentials"]] == [Passkey.objects.get().credential_id]
    assert is_verified(client)
    assert client.cookies["session"].value != before
    assert [row.user for row in Session.objects.all()] == [ann]


def test_a_person_without_passkeys_has_nothing_to_verify_by(client: Client, admin: User):
    client.force_login(admin)

    assert answer_of(post(client, "verify/start")) == (400, {"error": "no credentials registered"})


# --- Recovery codes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_recovery_code_signs_in_verified(content_type: str, client: Client, admin: User):
    codes = make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())

    body = json.dumps({"username": "ann", "code": codes[0]})
    answer = client.post("/auth/recover", data=body, content_type=content_type)

    assert answer_of(answer) == OK
    assert is_signed_in(client)
    assert is_verified(client)
    assert acts()[-1] == "recovery_code_used"


def test_the_page_of_recovery_codes_still_asks_for_its_forms_token(admin: User):
    code = make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())[0]
    strict = Client(enforce_csrf_checks=True)

    assert strict.get("/auth/recover").status_code == 200
    assert strict.post("/auth/recover", {"username": "ann", "code": code}).status_code == 403
    assert answer_of(post(strict, "recover", {"username": "ann", "code": code})) == OK

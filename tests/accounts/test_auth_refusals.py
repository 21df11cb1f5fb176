"""What the sign-in endpoints refuse, and in which words (contract 5.4): lies, repeats, strangers' ceremonies, junk."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Invite, LoginLink, Passkey, Role, User
from accounts.services.invites import issue_invite, revoke_invite
from accounts.services.links import issue_login_link
from tests.accounts.ceremony import answer_of, finish, give_passkey, is_signed_in, later, post, sign_in, start
from tests.authenticator import ATTESTED, ES256, PRESENT, VERIFIED, Authenticator, Held, encode, make_private_key
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("unhurried", "db")
OK = (200, {"status": "ok"})
EXPIRED = (400, {"error": "challenge expired or invalid"})
WRONG_KIND = (400, {"error": "wrong challenge type"})
NOT_REGISTERED = (400, {"error": "registration failed"})
CLOSED = (403, {"error": "registration is closed"})
NO_INVITE = (400, {"error": "invite token is invalid or expired"})
NOT_PROVEN = (401, {"error": "authentication failed"})


def first_link() -> str:
    return issue_login_link(username=None, now=timezone.now()).token


def invite() -> str:
    return issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now()).token


def begin_first(client: Client) -> tuple[str, dict[str, Any]]:
    return start(client, "register", username="ann", link_token=first_link())


LIES: list[dict[str, Any]] = [
    {"origin": "https://localhost:5332"},
    {"origin": "http://evil.example"},
    {"rp_id": "evil.example"},
    {"challenge": encode(b"d" * 32)},
    {"cross_origin": True},
]


# --- Registering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", [*LIES, {"flags": ATTESTED | PRESENT}, {"kind": "webauthn.get"}], ids=str)
def test_a_registration_with_a_lie_makes_nobody(lie: dict[str, Any], client: Client, device: Authenticator):
    challenge_id, options = begin_first(client)

    assert answer_of(finish(client, "register", challenge_id, device.create(options, **lie))) == NOT_REGISTERED

    assert not User.objects.exists()
    assert LoginLink.objects.get().used_at is None
    assert not is_signed_in(client)
    challenge_id, options = begin_first(client)
    assert answer_of(finish(client, "register", challenge_id, device.create(options))) == OK


def test_a_device_that_does_not_check_its_person_cannot_register(client: Client):
    challenge_id, options = begin_first(client)

    answer = finish(client, "register", challenge_id, Authenticator(verifies=False).create(options))

    assert answer_of(answer) == NOT_REGISTERED


@pytest.mark.parametrize("username", ["", "   ", None])
def test_a_blank_name_is_asked_for(username: str | None, client: Client):
    body = {"username": username, "link_token": first_link(), "invite_token": invite()}

    for path in ("register/start", "invite/register/start"):
        assert answer_of(post(client, path, body)) == (400, {"error": "username is required"})
        assert answer_of(post(client, path)) == (400, {"error": "username is required"})


@pytest.mark.parametrize("username", ["a b", "<b>", "x" * 65, "\u202eevil"])
def test_an_odd_name_is_refused_before_the_device_is_asked(username: str, client: Client):
    body = {"username": username, "link_token": first_link(), "invite_token": invite()}

    for path in ("register/start", "invite/register/start"):
        status, answer = answer_of(post(client, path, body))
        assert (status, answer["error"]) == (400, "Use 1 to 64 letters, digits or . @ + - _")


def test_a_taken_name_is_refused_before_the_device_is_asked(client: Client):
    make_user(username="kim")

    answer = post(client, "invite/register/start", {"username": "Kim", "invite_token": invite()})

    assert answer_of(answer) == (400, {"error": "That name is taken"})


def test_registration_is_closed_to_who_brings_no_proof(client: Client):
    for more in ({}, {"link_token": "guessed"}, {"setup_token": "guessed"}, {"link_token": None, "setup_token": ""}):
        assert answer_of(post(client, "register/start", {"username": "ann", **more})) == CLOSED


def test_a_persons_sign_in_link_or_an_invite_does_not_open_registration(client: Client):
    make_user(username="ann")
    token = issue_login_link(username="ann", now=timezone.now()).token
    User.objects.all().delete()

    for link_token in (token, invite()):
        assert answer_of(post(client, "register/start", {"username": "eve", "link_token": link_token})) == CLOSED


@pytest.mark.parametrize("guess", ["", "correct", "correct-horse ", "CORRECT-HORSE", "correct-horsé", "x" * 900])
def test_a_wrong_setup_token_opens_nothing_even_with_open_setup(guess: str, client: Client, settings: LazySettings):
    auth = settings.BLOOP.auth.model_copy(update={"setup_token": "correct-horse-battery", "open_setup": True})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": auth})

    assert answer_of(post(client, "register/start", {"username": "ann", "setup_token": guess})) == CLOSED


def test_registration_is_closed_once_anybody_exists(client: Client, device: Authenticator):
    challenge_id, options = begin_first(client)
    make_user()

    body = {"username": "eve", "link_token": first_link()}
    assert answer_of(post(client, "register/start", body)) == CLOSED
    assert answer_of(post(client, "register/start")) == CLOSED
    assert answer_of(finish(client, "register", challenge_id, device.create(options))) == CLOSED
    assert answer_of(finish(client, "register", "x", None)) == CLOSED
    assert User.objects.count() == 1


@pytest.mark.parametrize("what", ["used", "expired"])
def test_a_link_that_ends_between_start_and_finish_makes_nobody(what: str, client: Client, device: Authenticator):
    challenge_id, options = begin_first(client)
    LoginLink.objects.update(**{"used_at" if what == "used" else "expires_at": timezone.now()})

    assert answer_of(finish(client, "register", challenge_id, device.create(options))) == CLOSED
    assert not User.objects.exists()
    assert not Passkey.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_passkey_somebody_has_cannot_be_registered_by_another(client: Client, ann: User, device: Authenticator):
    token = invite()
    challenge_id, options = start(client, "invite/register", username="eve", invite_token=token)
    same = device.held[0].credential_id

    answer = finish(
        client, "invite/register", challenge_id, device.create(options, credential_id=same), invite_token=token
    )

    assert answer_of(answer) == NOT_REGISTERED
    assert [user.username for user in User.objects.all()] == ["ann"]
    assert Invite.objects.get().used_at is None, "all or nothing"


# --- By invite ------------------------------------------------------------------------------------------------------


def spoil(token: str, what: str) -> None:
    if what == "revoked":
        from accounts.audit import COMMAND_LINE

        revoke_invite(token_hash=Invite.objects.get().token_hash, actor=COMMAND_LINE, now=timezone.now())
    else:
        Invite.objects.update(**{"used_at" if what == "used" else "expires_at": timezone.now()})


@pytest.mark.parametrize("what", ["used", "expired", "revoked"])
def test_an_invite_that_has_ended_begins_nothing_and_ends_nothing(what: str, client: Client, device: Authenticator):
    token = invite()
    challenge_id, options = start(client, "invite/register", username="kim", invite_token=token)
    spoil(token, what)

    begun = post(client, "invite/register/start", {"username": "kim", "invite_token": token})
    ended = finish(client, "invite/register", challenge_id, device.create(options), invite_token=token)

    assert (answer_of(begun), answer_of(ended)) == (NO_INVITE, NO_INVITE)
    assert not User.objects.exists()
    assert not is_signed_in(client)


@pytest.mark.parametrize("token", ["", "guessed", "x" * 200, None])
def test_an_invite_nobody_made_begins_nothing(token: str, client: Client):
    answer = post(client, "invite/register/start", {"username": "kim", "invite_token": token})

    assert answer_of(answer) == NO_INVITE


def test_the_invite_at_the_end_must_be_the_one_of_the_start(client: Client, device: Authenticator):
    first, second = invite(), invite()
    challenge_id, options = start(client, "invite/register", username="kim", invite_token=first)

    answer = finish(client, "invite/register", challenge_id, device.create(options), invite_token=second)

    assert answer_of(answer) == NO_INVITE
    assert not User.objects.exists()
    assert not Invite.objects.exclude(used_at=None).exists()


def test_a_name_taken_meanwhile_does_not_burn_the_invite(client: Client, device: Authenticator):
    token = invite()
    challenge_id, options = start(client, "invite/register", username="kim", invite_token=token)
    make_user(username="kim")

    answer = finish(client, "invite/register", challenge_id, device.create(options), invite_token=token)

    assert answer_of(answer) == (400, {"error": "That name is taken"})
    assert Invite.objects.get().used_at is None


# --- Signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", [*LIES, {"flags": PRESENT}, {"flags": VERIFIED}, {"kind": "webauthn.create"}], ids=str)
def test_a_sign_in_with_a_lie_is_refused(lie: dict[str, Any], client: Client, ann: User, device: Authenticator):
    assert answer_of(sign_in(client, device, **lie)) == NOT_PROVEN

    assert not is_signed_in(client)
    assert answer_of(sign_in(client, device)) == OK


@pytest.mark.parametrize("handle", [b"", b"x" * 16, b"y" * 200])
def test_a_passkey_that_names_somebody_else_is_refused(handle: bytes, client: Client, ann: User, device: Authenticator):
    expected = OK if handle == b"" else NOT_PROVEN

    assert answer_of(sign_in(client, device, user_handle=handle)) == expected


def test_a_passkey_of_somebody_else_than_was_named_is_refused(client: Client, ann: User, device: Authenticator):
    mia = make_user(username="mia")
    of_mia = Authenticator()
    give_passkey(mia, of_mia)

    challenge_id, options = start(client, "login", username="ann")
    answer = finish(client, "login", challenge_id, of_mia.get({**options, "allowCredentials": []}))

    assert answer_of(answer) == NOT_PROVEN
    assert answer_of(sign_in(client, of_mia)) == OK


def test_nobody_can_sign_in_where_no_passkey_exists(client: Client, admin: User):
    for body in ({}, {"username": "ann"}, {"username": "nobody"}):
        assert answer_of(post(client, "login/start", body)) == (400, {"error": "no credentials registered"})


def test_a_removed_passkey_is_refused(client: Client, ann: User, device: Authenticator):
    Passkey.objects.all().delete()
    give_passkey(make_user(), Authenticator())

    challenge_id, options = start(client, "login")

    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == NOT_PROVEN


def test_an_unconfirmed_passkey_is_refused(client: Client, ann: User, device: Authenticator):
    Passkey.objects.update(confirmed=False)

    assert answer_of(sign_in(client, device)) == NOT_PROVEN


def test_a_passkey_nobody_registered_is_refused(client: Client, ann: User):
    stranger = Authenticator(held=[Held(b"i" * 32, make_private_key(ES256), ann.pk.bytes, 0)])

    assert answer_of(sign_in(client, stranger)) == NOT_PROVEN


# --- Copies ---------------------------------------------------------------------------------------------------------


def refusals() -> list[dict[str, Any]]:
    return [entry.detail for entry in AuditEntry.objects.filter(action="passkey_refused")]


def test_a_cloned_authenticator_is_refused_and_noted(client: Client, ann: User, device: Authenticator):
    clone = device.copy()
    assert answer_of(sign_in(client, device)) == OK
    client.logout()

    assert answer_of(sign_in(client, clone)) == NOT_PROVEN

    assert not is_signed_in(client)
    assert refusals() == [{"stored": 2, "received": 2}]
    entry = AuditEntry.objects.get(action="passkey_refused")
    assert (entry.actor, entry.target, entry.address) == (ann, "Laptop", "127.0.0.1")
    assert Passkey.objects.get().sign_count == 2, "the refused counter is not believed"


@pytest.mark.parametrize(
    ("stored", "received", "passes"),
    [
        (0, 0, True),
        (0, 1, True),
        (5, 6, True),
        (5, 2**32 - 1, True),
        (5, 5, False),
        (5, 4, False),
        (5, 0, False),
        (2**32 - 1, 0, False),
    ],
)
def test_the_counter_has_to_grow_unless_there_is_none(
    stored: int, received: int, passes, client: Client, ann: User, device: Authenticator
):
    Passkey.objects.update(sign_count=stored)

    answer = sign_in(client, device, sign_count=received)

    assert answer_of(answer) == (OK if passes else NOT_PROVEN)
    assert Passkey.objects.get().sign_count == (received if passes else stored)
    assert refusals() == ([] if passes else [{"stored": stored, "received": received}])


# --- One ceremony, one use ------------------------------------------------------------------------------------------


def test_an_answer_sent_again_is_refused(client: Client, ann: User, device: Authenticator):
    challenge_id, options = start(client, "login")
    credential = device.get(options)
    assert answer_of(finish(client, "login", challenge_id, credential)) == OK

    assert answer_of(finish(client, "login", challenge_id, credential)) == EXPIRED


def test_a_refused_answer_has_used_its_ceremony_up(client: Client, ann: User, device: Authenticator):
    challenge_id, options = start(client, "login")

    assert (
        answer_of(finish(client, "login", challenge_id, device.get(options, origin="http://evil.example")))
        == NOT_PROVEN
    )
    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == EXPIRED


def test_another_sessions_ceremony_is_of_no_use(client: Client, ann: User, device: Authenticator):
    challenge_id, options = start(client, "login")
    thief = Client()
    start(thief, "login")

    for other in (thief, Client()):
        assert answer_of(finish(other, "login", challenge_id, device.get(options))) == EXPIRED
    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == OK


@pytest.mark.parametrize(("seconds", "expected"), [(119, OK), (121, EXPIRED)])
def test_a_ceremony_lives_two_minutes(
    seconds: int, expected: Any, client: Client, ann: User, device: Authenticator, monkeypatch: pytest.MonkeyPatch
):
    challenge_id, options = start(client, "login")

    later(monkeypatch, seconds=seconds)

    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == expected


@pytest.mark.parametrize("challenge_id", ["", "x" * 43, None, "x" * 150])
def test_a_ceremony_nobody_began_cannot_be_finished(
    challenge_id: str, client: Client, ann: User, device: Authenticator
):
    _, options = start(client, "login")

    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == EXPIRED


def test_a_ceremony_is_good_for_what_it_was_begun_for_and_nothing_else(client: Client, device: Authenticator):
    challenge_id, options = begin_first(client)
    credential = device.create(options)

    assert answer_of(finish(client, "login", challenge_id, credential)) == WRONG_KIND
    assert answer_of(finish(client, "register", challenge_id, credential)) == EXPIRED, "used up all the same"


@pytest.mark.parametrize("path", ["login", "invite/register", "passkeys"])
def test_no_other_end_takes_the_ceremony_of_a_verification(path: str, client: Client, ann: User, device: Authenticator):
    sign_in(client, device)
    challenge_id, options = start(client, "verify")

    assert answer_of(finish(client, path, challenge_id, device.get(options), invite_token="x")) == WRONG_KIND


def test_a_session_holds_five_ceremonies_and_the_oldest_goes(client: Client, ann: User, device: Authenticator):
    begun = [start(client, "login") for _ in range(6)]

    assert answer_of(finish(client, "login", begun[0][0], device.get(begun[0][1]))) == EXPIRED
    assert answer_of(finish(client, "login", begun[1][0], device.get(begun[1][1]))) == OK


def test_a_hundred_starts_by_others_break_nobodys_sign_in(client: Client, ann: User, device: Authenticator):
    challenge_id, options = start(client, "login")

    for _ in range(100):
        start(Client(), "login")

    assert answer_of(finish(client, "login", challenge_id, device.get(options))) == OK


# --- Adding and verifying -------------------------------------------------------------------------------------------

SIGNED_IN_ONLY = ("passkeys/start", "passkeys/finish", "verify/start", "verify/finish")


@pytest.mark.parametrize("path", SIGNED_IN_ONLY)
def test_who_is_not_signed_in_adds_and_verifies_nothing(path: str, client: Client):
    assert answer_of(post(client, path)) == (401, {"error": "authentication required"})
    stale = client.post(f"/auth/{path}", headers={"Cookie": "session=stale"})
    assert answer_of(stale) == (401, {"error": "invalid or expired session"})


@pytest.mark.parametrize("path", SIGNED_IN_ONLY)
def test_a_session_that_only_began_a_sign_in_is_nobody(path: str, client: Client, ann: User):
    start(client, "login")

    assert answer_of(post(client, path)) == (401, {"error": "invalid or expired session"})


def test_an_old_unverified_session_proves_itself_before_it_adds_a_passkey(
    client: Client, ann: User, device: Authenticator, monkeypatch: pytest.MonkeyPatch
):
    client.force_login(ann)
    start(client, "passkeys")
    later(monkeypatch, minutes=10, seconds=1)

    refused = post(client, "passkeys/start")
    assert refused.status_code == 403
    assert "confirm that it is you" in refused.json()["error"]
    assert post(client, "passkeys/finish").status_code == 403

    challenge_id, options = start(client, "verify")
    assert answer_of(finish(client, "verify", challenge_id, device.get(options))) == OK
    start(client, "passkeys")
    later(monkeypatch, days=3)
    start(client, "passkeys")


def test_who_has_no_passkey_yet_adds_one_in_an_old_session(
    client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
):
    client.force_login(admin)
    later(monkeypatch, days=3)

    _, options = start(client, "passkeys")

    assert options["user"]["name"] == admin.username


def test_a_passkey_is_added_once(client: Client, ann: User, device: Authenticator):
    sign_in(client, device)
    challenge_id, options = start(client, "passkeys")

    answer = finish(
        client, "passkeys", challenge_id, device.create(options, credential_id=device.held[0].credential_id)
    )

    assert answer_of(answer) == (400, {"error": "This passkey is registered already"})
    assert Passkey.objects.count() == 1


@pytest.mark.parametrize("name", ["x" * 65, "a\u202eb", "a\x07b"])
def test_a_name_that_cannot_be_shown_is_refused(name: str, client: Client, admin: User, device: Authenticator):
    client.force_login(admin)
    challenge_id, options = start(client, "passkeys")

    answer = finish(client, "passkeys", challenge_id, device.create(options), name=name)

    assert answer_of(answer) == (400, {"error": "Use up to 64 letters, digits and signs"})


def test_a_session_is_not_verified_by_somebody_elses_passkey(client: Client, ann: User, device: Authenticator):
    mia = make_user(username="mia")
    of_mia = Authenticator()
    give_passkey(mia, of_mia)
    client.force_login(ann)

    challenge_id, options = start(client, "verify")
    answer = finish(client, "verify", challenge_id, of_mia.get({**options, "allowCredentials": []}))

    assert answer_of(answer) == NOT_PROVEN
    assert client.get("/admin/").status_code != 200

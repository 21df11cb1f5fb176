"""Passkeys and sessions of a person: named, removed but never the last way in, signed out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import queries
from accounts.audit import Actor
from accounts.models import AuditEntry, Passkey, Session, User
from accounts.passkeys import NewCredential
from accounts.secret import hashed
from accounts.services.passkeys import (
    LastWayIn,
    PasskeyInvalid,
    add_passkey,
    remove_passkey,
    rename_passkey,
)
from accounts.services.recovery import make_recovery_codes
from accounts.services.sessions import revoke_session, revoke_sessions
from tests.accounts.ceremony import answer_of, give_passkey, is_signed_in, is_verified, post, sign_in
from tests.authenticator import Authenticator
from tests.factories import make_user

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def add(user: User, name: str = "Laptop", *, credential_id: str | None = None) -> Passkey:
    credential = NewCredential(credential_id=credential_id or f"{user.pk}-{name}", public_key=b"key")
    return add_passkey(user=user, credential=credential, name=name, actor=Actor(user, "198.51.100.7"), now=NOW)


def remove(passkey: Passkey, **more: Any) -> None:
    remove_passkey(user=passkey.user, passkey_id=passkey.pk, actor=Actor(passkey.user), now=NOW, **more)


def rename(passkey: Passkey, name: str) -> None:
    rename_passkey(user=passkey.user, passkey_id=passkey.pk, name=name, actor=Actor(passkey.user), now=NOW)


def acts() -> list[tuple[str, str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "target", "detail"))


def key_hash(client: Client) -> str:
    return hashed(client.cookies["session"].value)


# --- Adding and naming ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"), [("Phone", "Phone"), ("  My \n phone ", "My phone"), ("", "Passkey"), ("é" * 64, "é" * 64)]
)
def test_a_passkey_has_a_name(given: str, kept: str, admin: User):
    assert add(admin, given).name == kept
    assert acts() == [("passkey_added", kept, {})]


def test_a_credential_is_registered_once(admin: User):
    add(admin, credential_id="same")

    with pytest.raises(PasskeyInvalid, match="registered already"):
        add(make_user(), credential_id="same")
    assert len(acts()) == 1


def test_a_passkey_is_renamed(admin: User):
    passkey = add(admin)

    rename(passkey, " Phone ")
    rename(passkey, "Phone")

    assert [each.name for each in queries.passkeys_of(admin)] == ["Phone"]
    assert acts()[1:] == [("passkey_renamed", "Phone", {"from": "Laptop"})], "the same name is no change"


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x00b", "a\u202eb"])
def test_an_odd_name_is_refused(name: str, admin: User):
    passkey = add(admin)

    with pytest.raises(PasskeyInvalid):
        rename(passkey, name)
    assert Passkey.objects.get().name == "Laptop"


def test_another_persons_passkey_is_neither_renamed_nor_removed(admin: User):
    passkey = add(admin)
    add(admin, "Phone")
    mia = make_user()

    with pytest.raises(PasskeyInvalid, match="no such passkey"):
        rename_passkey(user=mia, passkey_id=passkey.pk, name="Mine", actor=Actor(mia), now=NOW)
    remove_passkey(user=mia, passkey_id=passkey.pk, actor=Actor(mia), now=NOW)

    assert [each.name for each in queries.passkeys_of(admin)] == ["Laptop", "Phone"]


# --- Removing -------------------------------------------------------------------------------------------------------


def test_one_of_two_passkeys_is_removed(admin: User):
    first, second = add(admin), add(admin, "Phone")

    remove(first)
    remove(first)

    assert queries.passkeys_of(admin) == [second]
    assert acts()[2:] == [("passkey_removed", "Laptop", {"sessions": 0})], "once"


def test_the_last_passkey_stays_while_there_is_no_code(admin: User):
    passkey = add(admin)
    add(make_user(), "Somebody else's")
    make_recovery_codes(user=make_user(), actor=Actor(admin), now=NOW)

    with pytest.raises(LastWayIn, match="only way in"):
        remove(passkey)
    assert queries.passkeys_of(admin) == [passkey]


def test_the_last_passkey_goes_when_a_code_is_left(admin: User):
    passkey = add(admin)
    make_recovery_codes(user=admin, actor=Actor(admin), now=NOW)

    remove(passkey)

    assert queries.passkeys_of(admin) == []


def test_an_unconfirmed_passkey_is_no_way_in(admin: User):
    passkey, other = add(admin), add(admin, "Half made")
    Passkey.objects.filter(pk=other.pk).update(confirmed=False)

    with pytest.raises(LastWayIn):
        remove(passkey)


@pytest.mark.usefixtures("unhurried")
def test_browsers_that_signed_in_by_a_removed_passkey_are_signed_out_but_the_acting_one(admin: User):
    first, second = Authenticator(), Authenticator()
    passkey = give_passkey(admin, first)
    give_passkey(admin, second, name="Phone")
    here, there, by_other, by_hand = Client(), Client(), Client(), Client()
    for client, device in ((here, first), (there, first), (by_other, second)):
        sign_in(client, device)
    by_hand.force_login(admin)

    remove(passkey, except_key_hash=key_hash(here))

    assert [is_signed_in(each) for each in (here, there, by_other, by_hand)] == [True, False, True, True]
    assert [is_verified(each) for each in (here, by_other)] == [False, True]
    assert acts()[-1] == ("passkey_removed", "Laptop", {"sessions": 1})


@pytest.mark.usefixtures("unhurried")
def test_a_removed_passkey_signs_nobody_in(admin: User, device: Authenticator, client: Client):
    passkey = give_passkey(admin, device)
    give_passkey(admin, Authenticator(), name="Phone")

    remove(passkey)

    assert answer_of(sign_in(client, device)) == (401, {"error": "authentication failed"})


# --- Sessions -------------------------------------------------------------------------------------------------------


def browser(user: User, name: str, *, seen: timedelta | None = None, lives: timedelta = timedelta(hours=1)) -> Session:
    return Session.objects.create(
        key_hash=name,
        user=user,
        created_at=NOW - timedelta(hours=5),
        expires_at=NOW + lives,
        last_seen_at=NOW - seen if seen is not None else None,
        address="198.51.100.7",
        user_agent="Firefox",
    )


def test_sessions_are_listed_the_last_used_first(admin: User):
    browser(admin, "an hour ago", seen=timedelta(hours=1))
    browser(admin, "never seen since")
    browser(admin, "now", seen=timedelta(0))
    browser(admin, "ended", lives=-timedelta(seconds=1))
    browser(make_user(), "somebody else's")

    listed = [row.key_hash for row in queries.sessions_of(admin, NOW)]

    assert listed == ["now", "an hour ago", "never seen since"]


def test_one_browser_is_signed_out(admin: User):
    browser(admin, "here")
    browser(admin, "there")

    revoked = [revoke_session(user=admin, key_hash="there", actor=Actor(admin), now=NOW) for _ in range(2)]

    assert revoked == [True, False]

    assert [row.key_hash for row in Session.objects.all()] == ["here"]
    assert acts() == [("session_revoked", "ann", {"address": "198.51.100.7", "user_agent": "Firefox"})]


def test_nobody_signs_anothers_browser_out(admin: User):
    browser(admin, "here")
    mia = make_user()

    assert revoke_session(user=mia, key_hash="here", actor=Actor(mia), now=NOW) is False
    assert revoke_sessions(user=mia, except_key_hash=None, actor=Actor(mia), now=NOW) == 0

    assert Session.objects.count() == 1
    assert acts() == []


@pytest.mark.parametrize(("spared", "left"), [(None, []), ("here", ["here"]), ("unknown", [])])
def test_all_browsers_are_signed_out_but_the_one_named(spared: str | None, left: list[str], admin: User):
    browser(admin, "here")
    browser(admin, "there")
    browser(make_user(), "somebody else's")

    count = revoke_sessions(user=admin, except_key_hash=spared, actor=Actor(admin), now=NOW)

    assert [row.key_hash for row in Session.objects.filter(user=admin)] == left
    assert count == 2 - len(left)
    assert Session.objects.count() == 1 + len(left)
    assert acts() == [("sessions_revoked", "ann", {"sessions": count})]


@pytest.mark.usefixtures("unhurried")
def test_a_revoked_browser_is_out_at_once(admin: User, device: Authenticator, client: Client):
    give_passkey(admin, device)
    sign_in(client, device)
    assert is_signed_in(client)

    revoke_sessions(user=admin, except_key_hash=None, actor=Actor(admin), now=timezone.now())

    assert not is_signed_in(client)
    assert answer_of(post(client, "verify/start")) == (401, {"error": "invalid or expired session"})

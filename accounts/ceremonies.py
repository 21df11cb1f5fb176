"""Passkey ceremonies across two requests: their state stands in the session, is used once, and ends in two minutes."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from fido2.utils import websafe_decode, websafe_encode

from accounts import passkeys, queries
from accounts.attempts import take_for_account
from accounts.models import Passkey, User
from accounts.passkeys import Assertion, NewCredential, Party
from accounts.secret import new_token
from accounts.services.passkeys import use_passkey
from accounts.sessions import SessionStore

SESSION_KEY = "ceremonies"
LIFETIME_SECONDS = 120
MOST_PENDING = 5
EXPIRED = "challenge expired or invalid"
WRONG_KIND = "wrong challenge type"
NOT_REGISTERED = "registration failed"
DECOY_BYTES = (16, 20, 32, 32, 48, 64)  # lengths that authenticators give their credential ids

Pending = dict[str, dict[str, Any]]


class Purpose(StrEnum):
    """What a ceremony is for; its answer is good for nothing else."""

    FIRST_ADMIN = "first admin"
    INVITE = "invite"
    ADD = "add"
    SIGN_IN = "sign in"
    VERIFY = "verify"


class CeremonyInvalid(Exception):
    """There is no such ceremony to finish, or what finishes it is no passkey; the text is contract 5.4's."""


class SignInRefused(Exception):
    """No passkey that may sign in signed this. Why is nobody's business."""


@dataclass(frozen=True)
class Ceremony:
    """A ceremony begun: what the device has to sign, and what was known when it began."""

    challenge: bytes
    payload: dict[str, Any]


def party() -> Party:
    """The relying party of the settings."""
    return Party(id=settings.BLOOP.auth.rp_id, origin=settings.BLOOP.auth.rp_origin)


# --- Begin ----------------------------------------------------------------------------------------------------------


def begin_registration(
    request: HttpRequest,
    *,
    user_id: UUID,
    username: str,
    purpose: Purpose,
    exclude: list[str],
    payload: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """`{"challenge_id", "publicKey"}` for navigator.credentials.create. Writes the session.

    user_id: what the passkey will know its person by. exclude: credential ids they have. payload: JSON, given back at
    the end; it is kept readable in the session, so no secrets.
    """
    challenge = secrets.token_bytes(32)
    options = passkeys.creation_options(
        party=party(), challenge=challenge, user_handle=user_id.bytes, username=username, exclude=exclude
    )
    kept = {**payload, "user_id": str(user_id), "username": username}
    return {"challenge_id": keep(request, purpose, challenge, kept, now=now), "publicKey": options}


def begin_sign_in(request: HttpRequest, *, username: str | None, now: datetime) -> dict[str, Any]:
    """`{"challenge_id", "publicKey"}` for navigator.credentials.get. Writes the session.

    Without a name the device offers what it has. With one it is told that person's passkeys; a name nobody has, or
    nobody with passkeys, gets made-up ones, always the same, so that the answer does not tell who exists.
    """
    allow = (queries.credential_ids_of(username) or decoys(username)) if username else []
    return begin_assertion(request, purpose=Purpose.SIGN_IN, allow=allow, payload={"username": username}, now=now)


def begin_verification(request: HttpRequest, *, user: User, now: datetime) -> dict[str, Any]:
    """`{"challenge_id", "publicKey"}` with which a signed-in person proves themselves again. Writes the session."""
    allow = [passkey.credential_id for passkey in queries.passkeys_of(user)]
    payload = {"username": user.username}
    return begin_assertion(request, purpose=Purpose.VERIFY, allow=allow, payload=payload, now=now)


def begin_assertion(
    request: HttpRequest, *, purpose: Purpose, allow: list[str], payload: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """`{"challenge_id", "publicKey"}` for one of the credentials in `allow`, or any. Writes the session."""
    challenge = secrets.token_bytes(32)
    options = passkeys.request_options(party=party(), challenge=challenge, allow=allow)
    return {"challenge_id": keep(request, purpose, challenge, payload, now=now), "publicKey": options}


def decoys(username: str) -> list[str]:
    """Credential ids for a name without passkeys: the same each time, and nobody else can tell."""
    key = settings.SECRET_KEY.encode()
    draws = hmac.digest(key, f"decoy:{username}".encode("utf-8", "surrogatepass"), "sha512")
    count = 1 + (draws[0] < 64)  # a quarter of people have a second passkey
    ids = [hmac.digest(key, draws + bytes([number]), "sha512") for number in range(count)]
    return [
        websafe_encode(each[: DECOY_BYTES[draws[number + 1] % len(DECOY_BYTES)]]) for number, each in enumerate(ids)
    ]


# --- Finish ---------------------------------------------------------------------------------------------------------


def finish_registration(
    request: HttpRequest, *, purpose: Purpose, challenge_id: str, credential: Any, now: datetime
) -> tuple[NewCredential, dict[str, Any]]:
    """The new passkey and the payload of the start, with `user_id` and `username`. Raises CeremonyInvalid."""
    ceremony = take(request, purpose=purpose, challenge_id=challenge_id, now=now)
    try:
        made = passkeys.check_registration(party=party(), challenge=ceremony.challenge, credential=credential)
    except passkeys.Refused:
        raise CeremonyInvalid(NOT_REGISTERED) from None
    return made, ceremony.payload


def finish_sign_in(
    request: HttpRequest, *, purpose: Purpose, challenge_id: str, credential: Any, now: datetime, address: str
) -> Passkey:
    """The passkey, its user loaded, that signed the challenge. Writes its use, or the refusal of a copy.

    Raises CeremonyInvalid; SignInRefused, after the same work whatever is wrong; TooOften when this account or
    credential failed too often. Only failures count: nobody can be kept from their own passkey by others' guesses.
    """
    ceremony = take(request, purpose=purpose, challenge_id=challenge_id, now=now)
    found = queries.passkey_by_credential(passkeys.credential_id_of(credential))
    key = bytes(found.public_key) if found else passkeys.nobodys_key()
    try:
        signed = passkeys.check_assertion(
            party=party(), challenge=ceremony.challenge, credential=credential, public_key=key
        )
    except passkeys.Refused:
        signed = None
    name = ceremony.payload["username"]
    is_theirs = found and signed and may_sign_in(found, signed, name)
    if found and signed and is_theirs and use_passkey(passkey=found, signed=signed, now=now, address=address):
        return found
    take_for_account("passkey", found.user.username if found else name or passkeys.credential_id_of(credential))
    raise SignInRefused


def may_sign_in(passkey: Passkey, signed: Assertion, username: str | None) -> bool:
    """Whether this passkey answers what was asked: of the person named, if one was, and of its own user."""
    user: User = passkey.user
    is_asked = username in (None, user.username)
    is_own = signed.user_handle in (None, user.pk.bytes)
    return user.is_active and is_asked and is_own


# --- State ----------------------------------------------------------------------------------------------------------


def keep(request: HttpRequest, purpose: Purpose, challenge: bytes, payload: dict[str, Any], *, now: datetime) -> str:
    """Put a ceremony into the session, dropping what ended and the oldest beyond five. Returns its challenge id."""
    challenge_id = new_token()
    mine = {
        "purpose": purpose.value,
        "challenge": websafe_encode(challenge),
        "begun": now.timestamp(),
        "payload": payload,
    }

    def add(pending: Pending) -> Pending:
        live = sorted(pending.items(), key=lambda each: each[1]["begun"])
        live = [each for each in live if is_live(each[1], now=now)]
        return {**dict(live[-(MOST_PENDING - 1) :]), challenge_id: mine}

    change(request, add)
    return challenge_id


def take(request: HttpRequest, *, purpose: Purpose, challenge_id: str, now: datetime) -> Ceremony:
    """Take a ceremony out of the session, before anything about it is checked. Raises CeremonyInvalid.

    Of two requests that take the same one, one gets it.
    """
    taken: list[dict[str, Any]] = []

    def remove(pending: Pending) -> Pending:
        taken[:] = [pending[challenge_id]] if challenge_id in pending else []
        return {each: state for each, state in pending.items() if each != challenge_id}

    if not change(request, remove) or not taken or not is_live(taken[0], now=now):
        raise CeremonyInvalid(EXPIRED)
    if taken[0]["purpose"] != purpose:
        raise CeremonyInvalid(WRONG_KIND)
    return Ceremony(challenge=websafe_decode(taken[0]["challenge"]), payload=taken[0]["payload"])


def is_live(state: dict[str, Any], *, now: datetime) -> bool:
    """Whether a ceremony may still be finished. One that another request began a moment after our `now` may."""
    return now.timestamp() - float(state["begun"]) < LIFETIME_SECONDS


def change(request: HttpRequest, edit: Callable[[Pending], Pending]) -> bool:
    """Change the pending ceremonies and write the session now, on top of what other requests wrote meanwhile.

    Returns whether it was written; not so when others keep changing it, or it has ended.
    """
    session = cast("SessionStore", request.session)
    for _ in range(4):
        before = session.get(SESSION_KEY, {})
        after = edit(before)
        if after == before:
            return True
        session[SESSION_KEY] = after
        if session.session_key is None:
            session.save()  # a new row: nobody else knows it
            return True
        if session.save_unless_changed():
            return True
        session.reload()
    return False

"""Passkeys of people: made, named, used, removed; the accounts that begin with one."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.audit import Action, Actor, record
from accounts.models import Passkey, User
from accounts.passkeys import Assertion, NewCredential
from accounts.queries import unused_recovery_codes
from accounts.services.invites import accept_invite, clean_username
from accounts.services.links import claim_first_link, create_first_admin
from accounts.services.sessions import end_sessions_of_device

NAME_LENGTH = 64


class PasskeyInvalid(Exception):
    """The passkey cannot be kept, or not under that name; the text says why."""


class LastWayIn(Exception):
    """Without this passkey its owner could not sign in again."""

    def __init__(self) -> None:
        super().__init__("This is your only way in. Add another passkey or make recovery codes first.")


# --- Accounts that begin with a passkey -----------------------------------------------------------------------------


def register_first_admin(
    *,
    user_id: UUID,
    username: str,
    credential: NewCredential,
    name: str,
    now: datetime,
    address: str,
    link_hash: str | None,
) -> User:
    """Make the first admin and their passkey, and use the first link up if they came by it: all or nothing.

    user_id: what the passkey knows them by. link_hash: `secret.hashed` of the link's token.
    Raises RegistrationClosed when somebody exists (the unique `is_founder` decides a race), LinkInvalid,
    UsernameInvalid, PasskeyInvalid.
    """
    plain = clean_username(username)
    with transaction.atomic():
        user = create_first_admin(username=plain, now=now, address=address, pk=user_id)
        if link_hash is not None:
            claim_first_link(token_hash=link_hash, now=now)
        add_passkey(user=user, credential=credential, name=name, actor=Actor(user, address), now=now)
    return user


def register_by_invite(
    *, token: str, user_id: UUID, username: str, credential: NewCredential, name: str, now: datetime, address: str
) -> User:
    """Use an invite up and make its account, memberships and passkey: all or nothing.

    user_id: what the passkey knows them by. Raises LinkInvalid, UsernameInvalid, PasskeyInvalid.
    """
    with transaction.atomic():
        user = accept_invite(token=token, username=username, now=now, address=address, user_id=user_id)
        add_passkey(user=user, credential=credential, name=name, actor=Actor(user, address), now=now)
    return user


# --- Passkeys of an account -----------------------------------------------------------------------------------------


def add_passkey(*, user: User, credential: NewCredential, name: str, actor: Actor, now: datetime) -> Passkey:
    """Keep a passkey that a ceremony made. Writes it and the audit entry.

    name: up to 64 characters; blank means "Passkey". Raises PasskeyInvalid, also for one that is registered already.
    """
    values = {"name": clean_name(name) or "Passkey", "created_at": now, **vars(credential)}
    values["transports"] = list(credential.transports)
    try:
        with transaction.atomic():
            passkey: Passkey = Passkey.objects.create(user=user, **values)
            record(actor=actor, action=Action.PASSKEY_ADDED, target=passkey.name, now=now)
    except IntegrityError:
        msg = "This passkey is registered already"
        raise PasskeyInvalid(msg) from None
    return passkey


def rename_passkey(*, user: User, passkey_id: int, name: str, actor: Actor, now: datetime) -> None:
    """Give one of the person's passkeys another name. Writes it and the audit entry. Raises PasskeyInvalid."""
    new_name = clean_name(name)
    if not new_name:
        msg = "Give the passkey a name"
        raise PasskeyInvalid(msg)
    with transaction.atomic():
        passkey = Passkey.objects.select_for_update().filter(user=user, pk=passkey_id).first()
        if passkey is None:
            msg = "There is no such passkey any more"
            raise PasskeyInvalid(msg)
        old_name = passkey.name
        if old_name == new_name:
            return
        passkey.name = new_name
        passkey.save(update_fields=["name"])
        detail = {"from": old_name}
        record(actor=actor, action=Action.PASSKEY_RENAMED, target=new_name, now=now, detail=detail)


def remove_passkey(
    *, user: User, passkey_id: int, actor: Actor, now: datetime, except_key_hash: str | None = None
) -> None:
    """Remove one of the person's passkeys; one that is not there is gone already. Writes the audit entry.

    Browsers that signed in by it are signed out, but the one with `except_key_hash`, which only loses its
    verification. Raises LastWayIn when no other passkey and no unused recovery code would be left; two removals at
    once follow each other.
    """
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=user.pk))
        passkey = Passkey.objects.filter(user=user, pk=passkey_id).first()
        if passkey is None:
            return
        others = Passkey.objects.filter(user=user, confirmed=True).exclude(pk=passkey.pk)
        if not others.exists() and not unused_recovery_codes(user):
            raise LastWayIn
        ended = end_sessions_of_device(device=passkey, except_key_hash=except_key_hash)
        passkey.delete()
        detail = {"sessions": ended}
        record(actor=actor, action=Action.PASSKEY_REMOVED, target=passkey.name, now=now, detail=detail)


def use_passkey(*, passkey: Passkey, signed: Assertion, now: datetime, address: str) -> bool:
    """Note that the passkey signed with this counter. Returns whether it may: a counter that does not grow is a copy's.

    Of two with the same counter at once, one passes: the update is conditional, on columns of its own table (over a
    join, PostgreSQL asks the condition of the row as it was before the other's update). Authenticators without a
    counter always send 0. Writes the passkey, or the audit entry of a refusal.
    """
    sign_count = signed.sign_count
    rising = {"sign_count__lt": sign_count} if sign_count else {"sign_count": 0}
    active = User.objects.filter(pk=passkey.user_id, is_active=True)
    usable = Passkey.objects.filter(pk=passkey.pk, confirmed=True, user__in=active, **rising)
    if usable.update(sign_count=sign_count, last_used_at=now, is_synced=signed.is_synced):
        return True
    stored = Passkey.objects.filter(pk=passkey.pk).values_list("sign_count", flat=True).first()
    if stored is not None and (stored or sign_count) and sign_count <= stored:
        detail = {"stored": stored, "received": sign_count}
        actor = Actor(passkey.user, address)
        record(actor=actor, action=Action.PASSKEY_REFUSED, target=passkey.name, now=now, detail=detail)
    return False


def clean_name(text: str) -> str:
    """The name trimmed, on one line. Raises PasskeyInvalid when it is too long or cannot be shown."""
    name = " ".join(text.split())
    if len(name) > NAME_LENGTH or not name.isprintable():
        msg = f"Use up to {NAME_LENGTH} letters, digits and signs"
        raise PasskeyInvalid(msg)
    return name

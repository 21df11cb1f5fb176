"""Invites: links that make one account each, for 7 days, unless they are revoked."""

import re
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from accounts.audit import COMMAND_LINE, Action, Actor, record
from accounts.models import Invite, User
from accounts.queries import INVITE_PURPOSE, invite_url, is_taken, plain_username
from accounts.secret import derived_token, hashed, new_token
from accounts.services.links import Issued, LinkInvalid
from accounts.signals import invite_accepted

INVITE_LIFETIME = timedelta(days=7)
USERNAME = re.compile(r"[\w.@+-]{1,64}")


class UsernameInvalid(Exception):
    """The name is empty, has odd characters, or is taken; the text says which."""


def issue_invite(*, role: str, created_by: User | None, now: datetime, actor: Actor = COMMAND_LINE) -> Issued:
    """Make an invite for one account of `role`. Writes one Invite and its audit entry.

    The token is made of the invite's seed and the server's secret, so that admins can see it again.
    """
    seed = new_token()
    token = derived_token(INVITE_PURPOSE, seed)
    expires_at = now + INVITE_LIFETIME
    with transaction.atomic():
        Invite.objects.create(
            token_hash=hashed(token),
            seed=seed,
            role=role,
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
        record(actor=actor, action=Action.INVITE_CREATED, target=f"invite for one {role}", now=now)
    return Issued(invite_url(token), token, expires_at)


def revoke_invite(*, token_hash: str, actor: Actor, now: datetime) -> bool:
    """End an invite that nobody used. Returns whether there was one to end; writes the audit entry then."""
    with transaction.atomic():
        unused = Invite.objects.filter(token_hash=token_hash, used_at=None, revoked_at=None)
        if not unused.update(revoked_at=now):
            return False
        role = Invite.objects.values_list("role", flat=True).get(token_hash=token_hash)
        record(actor=actor, action=Action.INVITE_REVOKED, target=f"invite for one {role}", now=now)
    return True


def accept_invite(*, token: str, username: str, now: datetime, address: str = "", user_id: UUID | None = None) -> User:
    """Use an invite up and make its account, both or neither. Raises LinkInvalid or UsernameInvalid.

    user_id: the id that a passkey made for this account knows already; else a new one is made up.
    The conditional update decides between two people with the same invite. `invite_accepted` is sent within.
    """
    name = clean_username(username)
    with transaction.atomic():
        token_hash = hashed(token)
        usable = Invite.objects.filter(token_hash=token_hash, used_at=None, revoked_at=None, expires_at__gt=now)
        if not usable.update(used_at=now):
            raise LinkInvalid
        invite = Invite.objects.get(token_hash=token_hash)
        user = create_user(username=name, role=invite.role, now=now, user_id=user_id)
        Invite.objects.filter(pk=invite.pk).update(used_by=user)
        actor = Actor(user, address)
        record(actor=actor, action=Action.USER_JOINED, target=name, now=now, detail={"role": invite.role})
        invite_accepted.send(sender=Invite, invite=invite, user=user, actor=actor, now=now)
    return user


def clean_username(text: str) -> str:
    """The name as it is kept: trimmed, in one Unicode form. Raises UsernameInvalid."""
    name = plain_username(text)
    if not USERNAME.fullmatch(name):
        msg = "Use 1 to 64 letters, digits or . @ + - _"
        raise UsernameInvalid(msg)
    return name


def create_user(*, username: str, role: str, now: datetime, user_id: UUID | None = None) -> User:
    """Make a user with a name that nobody has, in any letter case. Raises UsernameInvalid."""
    taken = is_taken(username)
    values = {"pk": user_id or uuid4(), "role": role, "created_at": now}
    user, created = User.objects.get_or_create(username=username, defaults=values)
    if taken or not created:
        msg = "That name is taken"
        raise UsernameInvalid(msg)
    return user

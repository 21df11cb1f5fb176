"""Who gets in: sign-in links, the first admin, invites. Each link is stored as a hash and works once."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import Invite, LoginLink, Role, Session, User
from accounts.secret import hashed, new_token

LINK_LIFETIME = timedelta(minutes=5)
FIRST_LINK_LIFETIME = timedelta(hours=1)
INVITE_LIFETIME = timedelta(days=7)
FIRST_ADMIN = "admin"
USERNAME = re.compile(r"[\w.@+-]{1,64}")


class LinkInvalid(Exception):
    """The link is unknown, used, expired, or not for now."""


class UsernameInvalid(Exception):
    """The name is empty, has odd characters, or is taken; the text says which."""


@dataclass(frozen=True)
class Issued:
    """A link just made: the address to open, the token inside it, and when it ends."""

    url: str
    token: str
    expires_at: datetime


def issue_login_link(*, username: str | None, now: datetime) -> Issued:
    """Make a sign-in link for `username`, or with None for the first admin of an empty installation.

    Writes one LoginLink. Raises User.DoesNotExist for an unknown or inactive name.
    """
    user = User.objects.get(username=username, is_active=True) if username is not None else None
    lifetime = LINK_LIFETIME if user else FIRST_LINK_LIFETIME
    token = new_token()
    LoginLink.objects.create(token_hash=hashed(token), user=user, created_at=now, expires_at=now + lifetime)
    return Issued(f"{settings.BLOOP.auth.rp_origin}/auth/link/{token}", token, now + lifetime)


def redeem_login_link(*, token: str, now: datetime) -> User:
    """Use a sign-in link up and return its user; the first admin's link makes that user.

    The conditional update decides between two people with the same link. Raises LinkInvalid.
    """
    with transaction.atomic():
        link = LoginLink.objects.select_related("user").filter(token_hash=hashed(token)).first()
        claimed = LoginLink.objects.filter(token_hash=hashed(token), used_at=None, expires_at__gt=now)
        if link is None or not claimed.update(used_at=now):
            raise LinkInvalid
        user = link.user or create_first_admin(now=now)
        if not user.is_active:
            raise LinkInvalid
    return user


def create_first_admin(*, now: datetime) -> User:
    """Make the user `admin`, if nobody exists yet; the unique name decides a race. Raises LinkInvalid otherwise."""
    if User.objects.exists():
        raise LinkInvalid
    user, created = User.objects.get_or_create(username=FIRST_ADMIN, defaults={"role": Role.ADMIN, "created_at": now})
    if not created:
        raise LinkInvalid
    return user


def issue_invite(*, role: str, created_by: User | None, now: datetime) -> Issued:
    """Make an invite for one account of `role`. Writes one Invite."""
    token = new_token()
    expires_at = now + INVITE_LIFETIME
    Invite.objects.create(
        token_hash=hashed(token), role=role, created_by=created_by, created_at=now, expires_at=expires_at
    )
    return Issued(f"{settings.BLOOP.auth.rp_origin}/auth/login?invite={token}", token, expires_at)


def accept_invite(*, token: str, username: str, now: datetime) -> User:
    """Use an invite up and make its account, both or neither. Raises LinkInvalid or UsernameInvalid."""
    name = username.strip()
    if not USERNAME.fullmatch(name):
        msg = "Use 1 to 64 letters, digits or . @ + - _"
        raise UsernameInvalid(msg)
    with transaction.atomic():
        invite = Invite.objects.filter(token_hash=hashed(token)).first()
        claimed = Invite.objects.filter(token_hash=hashed(token), used_at=None, expires_at__gt=now)
        if invite is None or not claimed.update(used_at=now):
            raise LinkInvalid
        user, created = User.objects.get_or_create(username=name, defaults={"role": invite.role, "created_at": now})
        if not created:
            msg = "That name is taken"
            raise UsernameInvalid(msg)
        Invite.objects.filter(pk=invite.pk).update(used_by=user)
    return user


def prune_expired(*, now: datetime) -> int:
    """Delete sessions, sign-in links and unused invites that ended. Returns how many rows went."""
    expired = (Session.objects, LoginLink.objects, Invite.objects.filter(used_at=None))
    return sum(rows.filter(expires_at__lte=now).delete()[0] for rows in expired)

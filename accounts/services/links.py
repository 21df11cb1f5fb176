"""Sign-in links and the first admin. A link is stored as a hash and works once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.audit import COMMAND_LINE, Action, Actor, record
from accounts.models import Invite, LoginLink, Role, Session, User
from accounts.secret import hashed, new_token

LINK_LIFETIME = timedelta(minutes=5)
FIRST_LINK_LIFETIME = timedelta(hours=1)
FIRST_ADMIN = "admin"


class LinkInvalid(Exception):
    """The link is unknown, used, expired, or not for now."""


class RegistrationClosed(Exception):
    """Somebody exists already: from now on people come by invite."""


@dataclass(frozen=True)
class Issued:
    """A link just made: the address to open, the token inside it, and when it ends."""

    url: str
    token: str
    expires_at: datetime


def issue_login_link(*, username: str | None, now: datetime) -> Issued:
    """Make a sign-in link for `username`, or with None for the first admin of an empty installation.

    Writes one LoginLink and, for a person, its audit entry. Raises User.DoesNotExist for an unknown or inactive name.
    """
    user = User.objects.get(username=username, is_active=True) if username is not None else None
    expires_at = now + (LINK_LIFETIME if user else FIRST_LINK_LIFETIME)
    token = new_token()
    with transaction.atomic():
        LoginLink.objects.create(token_hash=hashed(token), user=user, created_at=now, expires_at=expires_at)
        if user:
            record(actor=COMMAND_LINE, action=Action.LINK_MADE, target=user.username, now=now)
    return Issued(f"{settings.BLOOP.auth.rp_origin}/auth/link/{token}", token, expires_at)


def redeem_login_link(*, token: str, now: datetime, address: str = "") -> User:
    """Use a sign-in link up and return its user; the first admin's link makes that user. Writes the audit entry.

    The conditional update decides between two people with the same link. Raises LinkInvalid.
    """
    with transaction.atomic():
        link = LoginLink.objects.select_related("user").filter(token_hash=hashed(token)).first()
        claimed = LoginLink.objects.filter(token_hash=hashed(token), used_at=None, expires_at__gt=now)
        if link is None or not claimed.update(used_at=now):
            raise LinkInvalid
        user = link.user or first_admin_by_link(now=now, address=address)
        if not user.is_active:
            raise LinkInvalid
        record(actor=Actor(user, address), action=Action.LINK_USED, target=user.username, now=now)
    return user


def first_admin_by_link(*, now: datetime, address: str) -> User:
    """The user `admin`, made now. Raises LinkInvalid when somebody exists already."""
    try:
        return create_first_admin(username=FIRST_ADMIN, now=now, address=address)
    except RegistrationClosed:
        raise LinkInvalid from None


def create_first_admin(*, username: str, now: datetime, address: str, **values: object) -> User:
    """Make the first admin, if nobody exists yet; the unique `is_founder` decides a race. Writes the audit entry.

    values: more columns of the user. Raises RegistrationClosed.
    """
    if User.objects.exists():
        raise RegistrationClosed
    try:
        with transaction.atomic():
            user = User.objects.create(username=username, role=Role.ADMIN, is_founder=True, created_at=now, **values)
    except IntegrityError:
        raise RegistrationClosed from None
    record(actor=Actor(user, address), action=Action.USER_JOINED, target=username, now=now, detail={"role": user.role})
    return user


def claim_first_link(*, token_hash: str, now: datetime) -> None:
    """Use up the first admin's link, by its hash, within the caller's transaction. Raises LinkInvalid."""
    unused = LoginLink.objects.filter(token_hash=token_hash, user=None, used_at=None, expires_at__gt=now)
    if not unused.update(used_at=now):
        raise LinkInvalid


def prune_expired(*, now: datetime) -> int:
    """Delete sessions, sign-in links and unused invites that ended. Returns how many rows went."""
    expired = (Session.objects, LoginLink.objects, Invite.objects.filter(used_at=None))
    return sum(rows.filter(expires_at__lte=now).delete()[0] for rows in expired)

"""Changes roles, removes people, and starts over. There is always an admin left, whoever acts at the same moment."""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts.audit import Action, Actor, record
from accounts.models import Invite, LoginLink, Passkey, Role, Session, User


class OwnAccount(Exception):
    """Nobody does this to themselves; the text is contract 5.3's."""


class LastAdmin(Exception):
    """Nobody would be left to administer Bloop."""

    def __init__(self) -> None:
        super().__init__("the last admin cannot be removed or demoted")


def change_role(*, user_id: UUID, role: str, actor: Actor, now: datetime) -> User:
    """Make somebody an admin or a member. Writes the user and an audit entry; nothing when they are that already.

    Raises User.DoesNotExist, OwnAccount, LastAdmin; PermissionDenied when the actor is no admin any more.
    """
    if actor.user is not None and actor.user.pk == user_id:
        raise OwnAccount("cannot change your own role")
    with transaction.atomic():
        admins = locked_admins(actor)
        user = User.objects.select_for_update().get(pk=user_id)
        if user.role == role:
            return user
        if user.is_admin:
            refuse_last(user, admins)
        detail = {"from": user.role, "to": role}
        user.role = role
        user.save(update_fields=["role"])
        record(actor=actor, action=Action.ROLE_CHANGED, target=user.username, now=now, detail=detail)
    return user


def remove_user(*, user_id: UUID, actor: Actor, now: datetime) -> None:
    """Remove an account with its sessions, passkeys, codes and unused invites; an unknown id does nothing.

    Projects, tokens and history stay, made by nobody. Raises OwnAccount, LastAdmin; PermissionDenied when the actor is
    no admin any more.
    """
    if actor.user is not None and actor.user.pk == user_id:
        raise OwnAccount("cannot delete yourself")
    with transaction.atomic():
        admins = locked_admins(actor)
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:
            return
        if user.is_admin:
            refuse_last(user, admins)
        record(actor=actor, action=Action.USER_REMOVED, target=user.username, now=now, detail={"role": user.role})
        Invite.objects.filter(created_by=user, used_at=None).delete()
        user.delete()


def reset_accounts(*, actor: Actor, now: datetime) -> None:
    """Remove every account and every way in, at once or not at all (contract 5.3). Projects and tokens stay.

    What remains for getting in again is a new link for the first admin, which `serve` prints when it starts, or
    `createinvite --admin`. Raises PermissionDenied when the actor is no admin any more.
    """
    with transaction.atomic():
        locked_admins(actor)
        record(actor=actor, action=Action.AUTH_RESET, target="all accounts", now=now)
        for rows in (Invite.objects, LoginLink.objects, Session.objects, Passkey.objects, User.objects):
            rows.all().delete()


def locked_admins(actor: Actor) -> list[User]:
    """The admins who can sign in, locked in a fixed order: two who demote each other at once follow each other.

    (SQLite's transactions do so anyway.) Raises PermissionDenied when the actor is a person and not among them.
    """
    admins = list(User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk"))
    if actor.user is not None and actor.user not in admins:
        msg = "admin access required"
        raise PermissionDenied(msg)
    return admins


def refuse_last(user: User, admins: list[User]) -> None:
    """Raise LastAdmin when nobody but `user` administers Bloop."""
    if not any(admin.pk != user.pk for admin in admins):
        raise LastAdmin

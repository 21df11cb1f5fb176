"""Signs browsers out."""

from datetime import datetime

from django.db import transaction
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device

from accounts.audit import Action, Actor, record
from accounts.models import Session, User
from accounts.sessions import SessionStore


def revoke_session(*, user: User, key_hash: str, actor: Actor, now: datetime) -> bool:
    """Sign one browser of `user` out. Returns whether there was such a session; writes the audit entry then."""
    with transaction.atomic():
        session = Session.objects.filter(user=user, key_hash=key_hash).first()
        if session is None or not Session.objects.filter(pk=session.pk).delete()[0]:
            return False
        detail = {"address": session.address, "user_agent": session.user_agent}
        record(actor=actor, action=Action.SESSION_REVOKED, target=user.username, now=now, detail=detail)
    return True


def revoke_sessions(*, user: User, except_key_hash: str | None, actor: Actor, now: datetime) -> int:
    """Sign every browser of `user` out but the one named. Returns how many; writes the audit entry if any."""
    with transaction.atomic():
        count: int = Session.objects.filter(user=user).exclude(pk=except_key_hash or "").delete()[0]
        if count:
            detail = {"sessions": count}
            record(actor=actor, action=Action.SESSIONS_REVOKED, target=user.username, now=now, detail=detail)
    return count


def end_sessions_of_device(*, device: Device, except_key_hash: str | None) -> int:
    """Delete the sessions that `device` verified, but the one named. Returns how many went.

    Which device it was stands in a session's data, so the person's few sessions are read.
    """
    rows = Session.objects.filter(user_id=device.user_id).exclude(pk=except_key_hash or "").exclude(data="")
    decode = SessionStore().decode
    ended = [row.pk for row in rows if decode(row.data).get(DEVICE_ID_SESSION_KEY) == device.persistent_id]
    return int(Session.objects.filter(pk__in=ended).delete()[0])

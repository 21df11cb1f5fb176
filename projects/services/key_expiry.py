"""Ends a key before its grace period does."""

from datetime import datetime

from django.db import transaction

from accounts.audit import Action, Actor, record
from projects.models import IngestKey
from projects.services.locking import locked_project


class CurrentKey(Exception):
    """The key has no end: it is the one in use."""

    def __init__(self) -> None:
        super().__init__("this is the key in use; rotate it in the project's settings")


def end_key(*, key_id: int, actor: Actor, now: datetime) -> bool:
    """End a key in its grace period at once, in every process. Returns whether it was still valid.

    A project keeps the one without an end. Writes the key and an audit entry. Raises CurrentKey, ProjectGone.
    """
    with transaction.atomic():
        key = IngestKey.objects.filter(pk=key_id).first()
        if key is None:
            return False
        project = locked_project(key.project_id)
        if IngestKey.objects.filter(pk=key_id, expires_at=None).exists():
            raise CurrentKey
        if not IngestKey.objects.filter(pk=key_id, expires_at__gt=now).update(expires_at=now):
            return False
        detail = {"made": key.created_at.isoformat()}
        record(actor=actor, action=Action.KEY_ENDED, target=project.name, now=now, project_id=project.pk, detail=detail)
    return True

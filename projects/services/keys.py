"""Makes and rotates the keys that sign for a project."""

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.audit import Action, Actor, record
from projects.models import IngestKey, Project
from projects.services.locking import locked_project

MAX_GRACE_SECONDS = 30 * 86_400


class GraceInvalid(Exception):
    """The grace period is not one; the text says what is."""


def new_api_key() -> str:
    """`bloop_` and 64 hex characters (contract 5.1)."""
    return f"bloop_{secrets.token_hex(32)}"


def rotate_key(*, project: Project, grace_seconds: int, actor: Actor, now: datetime) -> str:
    """Give the project a new ingest key and return it. Raises GraceInvalid, ProjectGone.

    Older keys are removed, and refused at once in every process: the statement that keeps a payload asks for its key.
    With a grace period, 1 second to 30 days, they work on until its end, or their own if that is sooner.
    """
    if not 0 <= grace_seconds <= MAX_GRACE_SECONDS:
        raise GraceInvalid(f"grace_secs must be 0 to {MAX_GRACE_SECONDS}")
    key = new_api_key()
    with transaction.atomic():
        locked = locked_project(project.pk)
        older = IngestKey.objects.filter(project=locked)
        older.filter(expires_at__lte=now).delete()
        if grace_seconds:
            ends = now + timedelta(seconds=grace_seconds)
            older.filter(Q(expires_at=None) | Q(expires_at__gt=ends)).update(expires_at=ends)
        else:
            older.delete()
        IngestKey.objects.create(project=locked, key=key, created_at=now)
        record(
            actor=actor,
            action=Action.KEY_ROTATED,
            target=locked.name,
            now=now,
            project_id=locked.pk,
            detail={"grace_seconds": grace_seconds},
        )
    return key

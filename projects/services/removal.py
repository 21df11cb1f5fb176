"""Deletes projects: gone for everybody at once, their rows removed in the background, a short transaction at a time."""

import time
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from accounts.audit import Action, Actor, record
from bloop_site.lib.db import copying_back_ourselves, skip_locked
from bloop_site.lib.log import logger
from bloop_site.lib.pace import MAX_REST_SECONDS, Pace
from bloop_site.lib.turn import write_turn
from projects.models import DEFAULT_ID, ApiToken, IngestKey, InvitedTo, Membership, Project, Removal, RetentionPolicy
from projects.removal import Found, Search, count_rows, is_held
from projects.services.locking import locked_project

log = logger("projects.removal")


class DefaultProject(Exception):
    """The default project always exists (contract 5.1)."""

    def __init__(self) -> None:
        super().__init__("cannot delete the default project")


class Busy(Exception):
    """Another worker is at this removal."""


class RowsCameIn(Exception):
    """A flush that began before the removal, which PostgreSQL allows, wrote once more."""


def request_removal(*, project: Project, actor: Actor, now: datetime) -> Removal:
    """Take the project away from everybody: its keys and tokens end, its slug is free, nothing more is accepted.

    Writes the Removal that `continue_removal` works off, and the audit entry. Raises DefaultProject, ProjectGone.
    """
    if project.pk == DEFAULT_ID:
        raise DefaultProject
    with transaction.atomic():
        locked = locked_project(project.pk)
        remove_small_tables(locked.pk)
        slug = locked.slug
        locked.removing_at, locked.slug = now, f"_{locked.pk}"  # no slug of a project begins like this
        locked.save(update_fields=["removing_at", "slug"])
        removal = Removal.objects.create(
            project_id=locked.pk, name=locked.name, slug=slug, requested_by=actor.user, started_at=now
        )
        record(actor=actor, action=Action.PROJECT_DELETED, target=locked.name, now=now, project_id=locked.pk)
    return removal


def remove_small_tables(project_id: str) -> None:
    """Delete what `projects.removal.AT_ONCE` lists."""
    for rows in (IngestKey.objects, ApiToken.objects, Membership.objects, InvitedTo.objects, RetentionPolicy.objects):
        rows.filter(project_id=project_id).delete()


def continue_removal(*, removal_id: int, now: datetime, seconds: float) -> bool:
    """Remove rows of a deleted project for about `seconds`. Returns whether it is finished.

    Safe to run twice, also at once, and after any interruption: each chunk and its progress are one transaction. At
    the end the project's own row goes, and `finished_at` is set to `now`. Raises Busy.
    """
    removal = Removal.objects.filter(pk=removal_id, finished_at=None).first()
    if removal is None:
        return True
    if not removal.rows_total:
        note_total(removal)
    ends = time.monotonic() + seconds
    search, pace = Search(removal.project_id), Pace()
    with copying_back_ourselves():
        while True:
            try:
                if next_step(removal, search, pace, now=now):
                    return True
            except (RowsCameIn, IntegrityError):
                search = Search(removal.project_id)
                time.sleep(MAX_REST_SECONDS)  # should the same happen again and again, not as fast as it can
            if time.monotonic() >= ends:
                return False


def continue_removals(*, now: datetime, seconds: float) -> bool:
    """Continue every removal there is, the oldest first, for about `seconds` each. Returns whether some remain.

    One that fails is logged and left for the next time; one that another worker is at is that worker's.
    """
    remain = False
    for removal_id in Removal.objects.filter(finished_at=None).order_by("pk").values_list("pk", flat=True):
        try:
            remain |= not continue_removal(removal_id=removal_id, now=now, seconds=seconds)
        except Busy:
            continue
        except Exception:
            log.exception("removal_failed", removal_id=removal_id)
    return remain


def note_total(removal: Removal) -> None:
    """Count what there is to remove, for the progress that people see. Raises Busy."""
    total = count_rows(removal.project_id)
    with write_turn, transaction.atomic():
        claim(removal)
        Removal.objects.filter(pk=removal.pk).update(rows_total=total)


def next_step(removal: Removal, search: Search, pace: Pace, *, now: datetime) -> bool:
    """Remove one chunk, or finish when nothing is left. Returns whether it is finished.

    Raises Busy, RowsCameIn; IntegrityError for the same, noticed by the database.
    """
    found = search.next_rows(limit=pace.rows)
    if found is None:
        finish(removal, now=now)
        return True
    pace.rest(remove_chunk(removal, found))
    return False


def remove_chunk(removal: Removal, found: Found) -> float:
    """Remove what was found and note the progress. Returns for how many seconds that held the write lock."""
    with write_turn:
        with transaction.atomic():
            started = time.perf_counter()
            claim(removal)
            removed = found.remover.remove(found.rows)
            Removal.objects.filter(pk=removal.pk).update(rows_removed=F("rows_removed") + removed)
        return time.perf_counter() - started


def claim(removal: Removal) -> None:
    """Hold the removal until the transaction ends. Raises Busy when another worker does, or has finished it."""
    free = skip_locked(Removal.objects.filter(pk=removal.pk, finished_at=None))
    if not free.values_list("pk", flat=True).first():
        raise Busy


def finish(removal: Removal, *, now: datetime) -> None:
    """Delete the project's row and close the removal. Raises Busy, RowsCameIn, IntegrityError.

    Constraint checks are off on SQLite (PostgreSQL has no such switch, and is no slower for it to others): to check
    that no occurrence points here it would read them all, of every project, while it holds the write lock. There are
    none without an issue, and `is_held` asks for those in the same transaction.
    """
    with connection.constraint_checks_disabled(), write_turn, transaction.atomic():
        claim(removal)
        if is_held(removal.project_id):
            raise RowsCameIn
        remove_small_tables(removal.project_id)
        with connection.cursor() as cursor:  # Django would look for rows to cascade to, likewise in every table
            cursor.execute("DELETE FROM projects_project WHERE id = %s", [removal.project_id])
        Removal.objects.filter(pk=removal.pk).update(finished_at=now, rows_total=F("rows_removed"))

"""Changing the status of many issues: in short transactions, from one id to the next, and taken back alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from bloop_site.lib.clock import now_ms as clock_ms
from bloop_site.lib.db import skip_locked
from bloop_site.lib.log import logger
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from errors.models import BulkChange, Issue, Transition
from errors.queries.issues import IssueFilter, filtered_issues, issues_in
from errors.services.status import Actor, ChangeInvalid, Conflict, IssueGone, change_status, undo_change
from errors.statuses import Change
from projects.access import Reach

log = logger("errors.bulk")
MAX_IDS = 1_000


class Busy(Exception):
    """Another worker is at this change."""


def start_bulk(
    *,
    user_id: UUID,
    reach: Reach,
    change: Change,
    now_ms: int,
    ids: Sequence[int] | None = None,
    filters: IssueFilter | None = None,
) -> BulkChange:
    """Note a change of the issues with these ids (at most 1,000), or else of all that match the filters now.

    Only issues within reach are touched, whatever the ids. Nothing is changed yet: `continue_bulk` does it.
    """
    if (ids is None) == (filters is None) or (ids is not None and len(ids) > MAX_IDS):
        msg = f"either at most {MAX_IDS} ids or filters"
        raise ValueError(msg)
    bulk = BulkChange(
        user_id=user_id,
        project_ids=None if reach.project_ids is None else list(reach.project_ids),
        filters=asdict(filters) if filters else None,
        ids=None if ids is None else sorted(set(ids)),
        change=change.to_json(),
        created_ms=now_ms,
    )
    issues = issues_of(bulk)
    bulk.total = issues.count()
    bulk.last = issues.order_by("-pk").values_list("pk", flat=True).first() or 0
    bulk.save()
    return bulk


def undo_bulk(*, bulk_id: int, user_id: UUID, now_ms: int) -> BulkChange:
    """Note that a change of many is to be taken back, wherever nothing has happened to the issue since."""
    undone = BulkChange.objects.get(pk=bulk_id, user=user_id)
    changes = Transition.objects.filter(bulk=undone, undone=False)
    return BulkChange.objects.create(
        user_id=user_id,
        change=undone.change,
        is_undo=True,
        of=undone,
        total=changes.count(),
        last=changes.order_by("-pk").values_list("pk", flat=True).first() or 0,
        created_ms=now_ms,
    )


def continue_bulk(*, bulk_id: int, now_ms: int, seconds: float) -> bool:
    """Work on a change for about `seconds`. Returns whether it is finished.

    Safe to run twice, also at once, and after any interruption: each chunk and its progress are one transaction.
    Raises Busy when another worker is at it.
    """
    ends, pace = time.monotonic() + seconds, Pace(rows=25)
    while True:
        started = time.perf_counter()
        with write_turn, transaction.atomic():
            bulk = claimed(bulk_id)
            if bulk is None or not work_off_chunk(bulk, rows=pace.rows, now_ms=now_ms):
                return True
        took = time.perf_counter() - started
        pace.note(took)
        if time.monotonic() >= ends:
            return False
        pace.rest(took)


def continue_bulks(*, seconds: float) -> bool:
    """Continue every change there is, the oldest first, for about `seconds` each. Returns whether some remain."""
    remain = False
    for bulk_id in BulkChange.objects.filter(finished_ms=None).order_by("pk").values_list("pk", flat=True):
        try:
            remain |= not continue_bulk(bulk_id=bulk_id, now_ms=clock_ms(), seconds=seconds)
        except Busy:
            continue
        except Exception:
            log.exception("bulk_failed", bulk_id=bulk_id)
    return remain


def claimed(bulk_id: int) -> BulkChange | None:
    """The change, held until the transaction ends; None when it is finished. Raises Busy."""
    bulk = skip_locked(BulkChange.objects.filter(pk=bulk_id, finished_ms=None)).first()
    if bulk is None and BulkChange.objects.filter(pk=bulk_id, finished_ms=None).exists():
        raise Busy
    return bulk


def work_off_chunk(bulk: BulkChange, *, rows: int, now_ms: int) -> bool:
    """Change the next issues and note the progress. Returns False when none was left: then it is finished."""
    todo = changes_left(bulk) if bulk.is_undo else issues_of(bulk)
    ids = list(todo.filter(pk__gt=bulk.cursor, pk__lte=bulk.last).order_by("pk").values_list("pk", flat=True)[:rows])
    if not ids:
        BulkChange.objects.filter(pk=bulk.pk).update(finished_ms=now_ms)
        return False
    step = take_back_of(bulk, now_ms) if bulk.is_undo else change_of(bulk, now_ms)
    changed = sum(step(each) for each in ids)
    BulkChange.objects.filter(pk=bulk.pk).update(
        cursor=ids[-1], looked_at=F("looked_at") + len(ids), changed=F("changed") + changed
    )
    return True


def issues_of(bulk: BulkChange) -> QuerySet[Issue]:
    """The issues the change is about, as they match now."""
    reach = Reach(None if bulk.project_ids is None else tuple(bulk.project_ids))
    if bulk.ids is not None:
        return issues_in(reach).filter(pk__in=bulk.ids)
    filters: dict[str, Any] = bulk.filters or {}
    return filtered_issues(reach, IssueFilter(**filters))


def changes_left(bulk: BulkChange) -> QuerySet[Transition]:
    """What the change to take back did, and nobody has taken back yet."""
    return Transition.objects.filter(bulk=bulk.of_id, undone=False)


def change_of(bulk: BulkChange, now_ms: int) -> Callable[[int], bool]:
    """Changes one issue, by its id; False for one that stood so already, or is gone."""
    change, actor = Change.from_json(bulk.change), Actor(bulk.user_id)

    def step(issue_id: int) -> bool:
        try:
            made = change_status(issue_id=issue_id, change=change, actor=actor, now_ms=now_ms, bulk_id=bulk.pk)
        except (IssueGone, ChangeInvalid):
            return False
        return made is not None

    return step


def take_back_of(bulk: BulkChange, now_ms: int) -> Callable[[int], bool]:
    """Takes back one change, by its id; False when something has happened to its issue since."""
    actor = Actor(bulk.user_id)

    def step(transition_id: int) -> bool:
        try:
            undo_change(transition_id=transition_id, actor=actor, now_ms=now_ms, bulk_id=bulk.pk)
        except (Conflict, IssueGone):
            return False
        return True

    return step

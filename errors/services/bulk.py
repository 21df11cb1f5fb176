"""Changing the status of many issues: in short transactions, from one id to the next, and taken back alike."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from bloop_site.lib.db import skip_locked, survives_deadlock
from bloop_site.lib.log import logger
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from errors.models import BulkChange, Issue, Transition
from errors.queries.issues import IssueFilter, filtered_issues, issues_in
from errors.services.standing import Actor, Made, change_locked, newest_by_issue, undo_locked
from errors.services.status import locked
from errors.statuses import Change
from projects.access import Reach

log = logger("errors.bulk")
MAX_IDS = 1_000
READ_AHEAD = 2_000


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

    With ids, the filters' status alone counts: what the caller saw of them. What has another by then is left alone.
    Only issues within reach are touched, whatever the ids. Nothing is changed yet: `continue_bulk` does it.
    """
    if (ids is None and filters is None) or (ids is not None and len(ids) > MAX_IDS):
        msg = f"at most {MAX_IDS} ids, or filters"
        raise ValueError(msg)
    bulk = BulkChange(
        user_id=user_id,
        project_ids=ids_of(reach),
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


def undo_bulk(*, bulk_id: int, user_id: UUID, reach: Reach, now_ms: int) -> BulkChange:
    """Note that a change of many is to be taken back, wherever nothing has happened to the issue since.

    One that is still running ends here. reach: the user's of now; elsewhere what they did stays. Raises
    BulkChange.DoesNotExist for another's.
    """
    with transaction.atomic():
        undone = BulkChange.objects.select_for_update().get(pk=bulk_id, user=user_id)
        BulkChange.objects.filter(pk=undone.pk, finished_ms=None).update(finished_ms=now_ms)
        undo = BulkChange(user_id=user_id, project_ids=ids_of(reach), change=undone.change, is_undo=True, of=undone)
        changes = changes_left(undo)
        undo.total = changes.count()
        undo.last = changes.order_by("-pk").values_list("pk", flat=True).first() or 0
        undo.created_ms = now_ms
        undo.save()
    return undo


def continue_bulk(*, bulk_id: int, now_ms: int, seconds: float) -> bool:
    """Work on a change for about `seconds`. Returns whether it is finished.

    Safe to run twice, also at once, and after any interruption: each chunk and its progress are one transaction. What
    to change next is read before it, and not again under the lock: on SQLite ingest would wait for a slow filter.
    Raises Busy when another worker is at it.
    """
    ends, pace, ahead = time.monotonic() + seconds, Pace(), list[int]()
    while True:
        ahead = ahead or next_ids(bulk_id)
        started = time.perf_counter()
        if not work_off(bulk_id, ahead[: pace.rows], now_ms=now_ms):
            return True
        del ahead[: pace.rows]
        pace.rest(time.perf_counter() - started)
        if time.monotonic() >= ends:
            return False


def continue_bulks(*, now_ms: int, seconds: float) -> bool:
    """Continue every change there is, the oldest first, for about `seconds` each. Returns whether some remain."""
    remain = False
    for bulk_id in BulkChange.objects.filter(finished_ms=None).order_by("pk").values_list("pk", flat=True):
        try:
            remain |= not continue_bulk(bulk_id=bulk_id, now_ms=now_ms, seconds=seconds)
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


def next_ids(bulk_id: int) -> list[int]:
    """The next issues to change, or Transitions to take back, by ascending id; none when the change is at its end."""
    bulk = BulkChange.objects.filter(pk=bulk_id, finished_ms=None).first()
    if bulk is None:
        return []
    todo = changes_left(bulk) if bulk.is_undo else issues_of(bulk)
    left = todo.filter(pk__gt=bulk.cursor, pk__lte=bulk.last).order_by("pk")
    return list(left.values_list("pk", flat=True)[:READ_AHEAD])


@survives_deadlock
def work_off(bulk_id: int, ids: Sequence[int], *, now_ms: int) -> bool:
    """Change these and note the progress, in one transaction; none left: then the change is finished.

    Returns False when it is. What another worker has done meanwhile is left out. Raises Busy.
    """
    with write_turn, transaction.atomic():
        bulk = claimed(bulk_id)
        if bulk is None:
            return False
        if not ids:
            BulkChange.objects.filter(pk=bulk.pk).update(finished_ms=now_ms)
            return False
        todo = [each for each in ids if each > bulk.cursor]
        changed = (take_back if bulk.is_undo else change_some)(bulk, todo, now_ms=now_ms)
        if todo:
            BulkChange.objects.filter(pk=bulk.pk).update(
                cursor=todo[-1], looked_at=F("looked_at") + len(todo), changed=F("changed") + changed
            )
    return True


def ids_of(reach: Reach) -> list[str] | None:
    """The projects as a change keeps them."""
    return None if reach.project_ids is None else list(reach.project_ids)


def reach_of(bulk: BulkChange) -> Reach:
    """The projects within which a change holds."""
    return Reach(None if bulk.project_ids is None else tuple(bulk.project_ids))


def issues_of(bulk: BulkChange) -> QuerySet[Issue]:
    """The issues the change is about, as they match now."""
    reach = reach_of(bulk)
    if bulk.ids is not None:
        return issues_in(reach).filter(pk__in=bulk.ids)
    filters: dict[str, Any] = bulk.filters or {}
    return filtered_issues(reach, IssueFilter(**filters))


def changes_left(bulk: BulkChange) -> QuerySet[Transition]:
    """What the change to take back did within reach, and nobody has taken back yet."""
    changes = Transition.objects.filter(bulk=bulk.of_id, undone=False)
    reach = reach_of(bulk)
    return changes if reach.project_ids is None else changes.filter(project__in=reach.project_ids)


def change_some(bulk: BulkChange, issue_ids: Sequence[int], *, now_ms: int) -> int:
    """Change these issues, but those that stand so already, left the list meanwhile or would be muted for no time.

    Returns how many were changed.
    """
    change, status = Change.from_json(bulk.change), (bulk.filters or {}).get("status")
    if change.muted_until_ms is not None and change.muted_until_ms <= now_ms:
        return 0
    due = [
        issue
        for issue in locked(issue_ids)
        if status in {None, "", issue.status}
        and (change.muted_until_count is None or change.muted_until_count > issue.total_count)
    ]
    return len(change_locked(due, change=change, made=Made(Actor(bulk.user_id), now_ms, bulk_id=bulk.pk)))


def take_back(bulk: BulkChange, change_ids: Sequence[int], *, now_ms: int) -> int:
    """Take back these changes, where nothing has happened to their issue since. Returns how many were."""
    changes = Transition.objects.in_bulk(change_ids).values()
    issues = {issue.pk: issue for issue in locked([change.issue_id for change in changes])}
    latest = newest_by_issue(Transition.objects.filter(issue__in=issues))
    due = [change for change in latest.values() if change.pk in set(change_ids)]
    for change in due:
        change.issue = issues[change.issue_id]
    made = Made(Actor(bulk.user_id), now_ms, Transition.Cause.UNDO, bulk.pk)
    return len(undo_locked(due, made=made))

"""The status machine: any status to any other, each change with its Transition, and taking it back (contract 3.2)."""

import time
from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from bloop_site.lib.db import survives_deadlock
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from errors.models import Issue, Status, Transition
from errors.services.standing import Actor, Made, change_locked, undo_locked
from errors.statuses import Change

__all__ = [
    "Actor",
    "ChangeInvalid",
    "Conflict",
    "IssueGone",
    "change_status",
    "end_mutes",
    "locked",
    "locked_issue",
    "undo_change",
]
END_SECONDS = 2.0  # a worker that is told to stop waits for its tasks


class IssueGone(Exception):
    """The issue does not exist (any more)."""


class ChangeInvalid(Exception):
    """The change cannot be made of this issue now; the text says why."""


class Conflict(Exception):
    """Somebody, or an event, changed the issue since; `latest` says what happened."""

    def __init__(self, latest: Transition) -> None:
        super().__init__()
        self.latest = latest


@survives_deadlock
def change_status(
    *,
    issue_id: int,
    change: Change,
    actor: Actor,
    now_ms: int,
    seen: int | None = None,
    was: str | None = None,
    bulk_id: int | None = None,
) -> Transition | None:
    """Set an issue's status; None when it stands so already, which writes nothing.

    A merged issue stands for the one that shows it. seen: the id of the last Transition the caller knows of, 0 for
    none; was: the status the caller saw. When there is a later one, or another, nothing is written and Conflict raised.
    Writes the issue, those merged into it and one Transition in one transaction; the row is locked, so that two people,
    or a person and a flush, follow each other. Raises IssueGone; ChangeInvalid for an end that has passed.
    """
    with transaction.atomic():
        issue = locked_issue(issue_id)
        refuse_late(issue, seen=seen, was=was)
        refuse_passed(issue, change, now_ms=now_ms)
        made = change_locked([issue], change=change, made=Made(actor, now_ms, bulk_id=bulk_id))
    return made[0] if made else None


@survives_deadlock
def undo_change(*, transition_id: int, actor: Actor, now_ms: int, bulk_id: int | None = None) -> Transition:
    """Take back a change that is still its issue's latest: the issue stands as before, and the timeline tells both.

    The old status holds from the moment it was first set, so an event that came in between reopens what it would
    have reopened with its next occurrence. Taking back an undo makes the change again. Raises Conflict when something
    happened since, or another issue shows this one now; IssueGone.
    """
    with transaction.atomic():
        change = Transition.objects.select_related("changed_by").filter(pk=transition_id).first()
        if change is None:
            raise IssueGone
        issue = locked_issue(change.issue_id)
        latest = latest_change(issue)
        if latest is None or latest.pk != transition_id:
            raise Conflict(latest or change)
        latest.issue = issue
        return undo_locked([latest], made=Made(actor, now_ms, Transition.Cause.UNDO, bulk_id))[0]


def end_mutes(*, now_ms: int, seconds: float = END_SECONDS) -> int:
    """Open the issues whose mute has run out by time, each with its Transition. Returns how many.

    For about `seconds`, in short transactions; the next call finds what is left. An event that comes first does the
    same (errors.services.reopen).
    """
    due = Issue.objects.filter(status=Status.MUTED, muted_until_ms__lte=now_ms, merged_into=None)
    ended, pace, ends = 0, Pace(), time.monotonic() + seconds
    while ids := list(due.order_by("muted_until_ms").values_list("pk", flat=True)[: pace.rows]):
        started = time.perf_counter()
        ended += end_some(ids, now_ms=now_ms)
        pace.rest(time.perf_counter() - started)
        if time.monotonic() >= ends:
            break
    return ended


@survives_deadlock
def end_some(issue_ids: Sequence[int], *, now_ms: int) -> int:
    """Open these issues, but those that somebody was quicker with. Returns how many."""
    with write_turn, transaction.atomic():
        due = locked(issue_ids).filter(status=Status.MUTED, muted_until_ms__lte=now_ms)
        made = Made(Actor(user_id=None), now_ms, Transition.Cause.MUTE_ENDED)
        return len(change_locked(due, change=Change(Status.UNRESOLVED), made=made))


def locked(issue_ids: Sequence[int]) -> QuerySet[Issue]:
    """The shown ones among these issues, to be locked in the order of their ids until the transaction ends."""
    return Issue.objects.select_for_update().filter(pk__in=issue_ids, merged_into=None).order_by("pk")


def locked_issue(issue_id: int) -> Issue:
    """The issue that shows this one, locked until the transaction ends. Raises IssueGone.

    A merged issue's own row is not locked on the way: who changes the shown one locks the two the other way round.
    """
    owner_id = issue_id
    for _ in range(5):  # merged or taken apart while we waited for the lock: once is rare
        issue = locked([owner_id]).first()
        if issue and (owner_id == issue_id or Issue.objects.filter(pk=issue_id, merged_into=owner_id).exists()):
            return issue
        found = Issue.objects.filter(pk=issue_id).values_list("merged_into_id", flat=True)[:1]
        if not found:
            break
        owner_id = found[0] or issue_id
    raise IssueGone


def latest_change(issue: Issue) -> Transition | None:
    """The issue's newest Transition, with who made it."""
    return Transition.objects.filter(issue=issue).select_related("changed_by").order_by("-pk").first()


def refuse_late(issue: Issue, *, seen: int | None, was: str | None) -> None:
    """Raise Conflict when the issue changed since the caller looked (`change_status`)."""
    is_other = was is not None and was != issue.status
    latest = latest_change(issue) if is_other or seen is not None else None
    if latest is not None and (is_other or (seen is not None and latest.pk > seen)):
        raise Conflict(latest)


def refuse_passed(issue: Issue, change: Change, *, now_ms: int) -> None:
    """Raise ChangeInvalid for a mute that would be over at once."""
    if change.muted_until_ms is not None and change.muted_until_ms <= now_ms:
        msg = "the time until which to mute has passed"
        raise ChangeInvalid(msg)
    if change.muted_until_count is not None and change.muted_until_count <= issue.total_count:
        msg = "the issue has happened that often already"
        raise ChangeInvalid(msg)

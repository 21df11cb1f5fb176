"""The status machine: any status to any other, each change with its Transition, and taking it back (contract 3.2)."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from errors.models import Issue, Status, Transition
from errors.statuses import Change


@dataclass(frozen=True)
class Actor:
    """Who changes something: a user, or a token by its name and its creator."""

    user_id: UUID | None
    token_name: str | None = None


class IssueGone(Exception):
    """The issue does not exist (any more)."""


class ChangeInvalid(Exception):
    """The change cannot be made of this issue now; the text says why."""


class Conflict(Exception):
    """Somebody, or an event, changed the issue since; `latest` says what happened."""

    def __init__(self, latest: Transition) -> None:
        super().__init__()
        self.latest = latest


class Standing(NamedTuple):
    """What of an issue a status change touches; the names are those of the columns."""

    status: str
    status_changed_ms: int | None
    regressed_ms: int | None
    in_next_release: bool
    muted_until_ms: int | None
    muted_until_count: int | None


def change_status(
    *,
    issue_id: int,
    change: Change,
    actor: Actor,
    now_ms: int,
    seen: int | None = None,
    bulk_id: int | None = None,
) -> Transition | None:
    """Set an issue's status; None when it stands so already, which writes nothing.

    A merged issue stands for the one that shows it. seen: the id of the last Transition the caller knows of, 0 for
    none; when there is a later one nothing is written and Conflict raised. Writes the issue, those merged into it and
    one Transition in one transaction; the row is locked, so that two people, or a person and a flush, follow each
    other. Raises IssueGone; ChangeInvalid for an end that has passed.
    """
    with transaction.atomic():
        issue = locked_issue(issue_id)
        if seen is not None:
            refuse_stale(issue, seen=seen)
        refuse_passed(issue, change, now_ms=now_ms)
        before = standing_of(issue)
        if is_so_already(before, change):
            return None
        made = Transition.objects.create(
            **described(before),
            issue=issue,
            project_id=issue.project_id,
            new_status=change.status,
            cause=Transition.Cause.CALL,
            muted_until_ms=change.muted_until_ms,
            muted_until_count=change.muted_until_count,
            in_next_release=change.in_next_release,
            changed_by_id=actor.user_id,
            token_name=actor.token_name,
            bulk_id=bulk_id,
            changed_ms=now_ms,
        )
        after = plain(change.status, since_ms=now_ms)
        write(
            issue,
            after._replace(
                in_next_release=change.in_next_release,
                muted_until_ms=change.muted_until_ms,
                muted_until_count=change.muted_until_count,
            ),
        )
    return made


def undo_change(*, transition_id: int, actor: Actor, now_ms: int, bulk_id: int | None = None) -> Transition:
    """Take back a change that is still its issue's latest: the issue stands as before, and the timeline tells both.

    The old status holds from the moment it was first set, so an event that came in between reopens what it would
    have reopened with its next occurrence. Raises Conflict when something happened since; IssueGone.
    """
    with transaction.atomic():
        change = Transition.objects.filter(pk=transition_id).first()
        if change is None:
            raise IssueGone
        issue = locked_issue(change.issue_id)
        refuse_stale(issue, seen=change.pk)
        before = standing_of(issue)
        restored = Standing(
            change.old_status,
            changed_before(change),
            change.was_regressed_ms,
            change.was_in_next_release,
            change.was_muted_until_ms,
            change.was_muted_until_count,
        )
        Transition.objects.filter(pk=change.pk).update(undone=True)
        made = Transition.objects.create(
            **described(before),
            issue=issue,
            project_id=issue.project_id,
            new_status=change.old_status,
            cause=Transition.Cause.UNDO,
            muted_until_ms=change.was_muted_until_ms,
            muted_until_count=change.was_muted_until_count,
            in_next_release=change.was_in_next_release,
            changed_by_id=actor.user_id,
            token_name=actor.token_name,
            bulk_id=bulk_id,
            changed_ms=now_ms,
        )
        write(issue, restored)
    return made


def end_mutes(*, now_ms: int) -> int:
    """Open the issues whose mute has run out by time, each with its Transition. Returns how many.

    One short transaction each. An event that comes first does the same (errors.services.reopen).
    """
    due = Issue.objects.filter(muted_until_ms__lte=now_ms, merged_into=None).order_by("pk")
    return sum(end_mute(issue_id, now_ms=now_ms) for issue_id in due.values_list("pk", flat=True))


def end_mute(issue_id: int, *, now_ms: int) -> bool:
    """Open one issue whose mute has run out; False when somebody was quicker."""
    with transaction.atomic():
        issue = Issue.objects.select_for_update().filter(pk=issue_id, muted_until_ms__lte=now_ms).first()
        if issue is None:
            return False
        Transition.objects.create(
            **described(standing_of(issue)),
            issue=issue,
            project_id=issue.project_id,
            new_status=Status.UNRESOLVED,
            cause=Transition.Cause.MUTE_ENDED,
            changed_ms=now_ms,
        )
        write(issue, plain(Status.UNRESOLVED, since_ms=now_ms))
    return True


def locked_issue(issue_id: int) -> Issue:
    """The issue that shows this one, locked until the transaction ends. Raises IssueGone."""
    while True:
        shown_by = Issue.objects.filter(pk=issue_id).values_list("merged_into_id", flat=True).first()
        issue = Issue.objects.select_for_update().filter(pk=shown_by or issue_id).first()
        if issue is None:
            raise IssueGone
        if issue.merged_into_id is None:
            return issue
        issue_id = issue.merged_into_id  # merged meanwhile


def refuse_stale(issue: Issue, *, seen: int) -> None:
    """Raise Conflict when the issue has a Transition later than `seen`."""
    latest = Transition.objects.filter(issue=issue).select_related("changed_by").order_by("-pk").first()
    if latest is not None and latest.pk > seen:
        raise Conflict(latest)


def refuse_passed(issue: Issue, change: Change, *, now_ms: int) -> None:
    """Raise ChangeInvalid for a mute that would be over at once."""
    if change.muted_until_ms is not None and change.muted_until_ms <= now_ms:
        msg = "the time until which to mute has passed"
        raise ChangeInvalid(msg)
    if change.muted_until_count is not None and change.muted_until_count <= issue.total_count:
        msg = "the issue has happened that often already"
        raise ChangeInvalid(msg)


def plain(status: str, *, since_ms: int) -> Standing:
    """A status with nothing else to it."""
    return Standing(status, since_ms, None, in_next_release=False, muted_until_ms=None, muted_until_count=None)


def standing_of(issue: Issue) -> Standing:
    """How the issue stands."""
    return Standing(*(getattr(issue, name) for name in Standing._fields))


def is_so_already(now: Standing, change: Change) -> bool:
    """Whether the change would change nothing."""
    wanted = (change.status, change.in_next_release, change.muted_until_ms, change.muted_until_count)
    return wanted == (now.status, now.in_next_release, now.muted_until_ms, now.muted_until_count)


def described(before: Standing) -> dict[str, Any]:
    """What a Transition keeps of how the issue stood."""
    return {
        "old_status": before.status,
        "was_muted_until_ms": before.muted_until_ms,
        "was_muted_until_count": before.muted_until_count,
        "was_in_next_release": before.in_next_release,
        "was_regressed_ms": before.regressed_ms,
    }


def changed_before(change: Transition) -> int | None:
    """Since when the issue stood as it did before this change; None since its first event."""
    earlier = Transition.objects.filter(issue=change.issue_id, pk__lt=change.pk, undone=False)
    return earlier.exclude(cause=Transition.Cause.UNDO).order_by("-pk").values_list("changed_ms", flat=True).first()


def write(issue: Issue, standing: Standing) -> None:
    """Let the issue, and those merged into it, stand so; ends and releases are the shown issue's alone."""
    for name, value in standing._asdict().items():
        setattr(issue, name, value)
    issue.save(update_fields=standing._fields)
    follow(issue)


def follow(issue: Issue) -> None:
    """Give the merged issues the status of the one that shows them."""
    Issue.objects.filter(merged_into=issue).update(
        status=issue.status,
        status_changed_ms=issue.status_changed_ms,
        regressed_ms=None,
        in_next_release=False,
        muted_until_ms=None,
        muted_until_count=None,
    )

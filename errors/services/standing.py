"""How issues stand, and how that is changed under their locks: for one issue as for many, each with its Transition.

Of merged issues the one that shows the others owns the status; the rows of the others follow.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet

from errors.models import Issue, Transition
from errors.statuses import Change

NO_ENDS: dict[str, Any] = {"in_next_release": False, "muted_until_ms": None, "muted_until_count": None}
REAL = ~Q(cause=Transition.Cause.UNDO)  # changes, not what takes them back


@dataclass(frozen=True)
class Actor:
    """Who changes something: a user, or a token by its name and its creator."""

    user_id: UUID | None
    token_name: str | None = None


@dataclass(frozen=True)
class Made:
    """How a change comes about."""

    actor: Actor
    at_ms: int
    cause: Transition.Cause = Transition.Cause.CALL
    bulk_id: int | None = None


class Standing(NamedTuple):
    """What of an issue a status change touches; the names are those of the columns."""

    status: str
    status_changed_ms: int | None
    regressed_ms: int | None
    in_next_release: bool
    muted_until_ms: int | None
    muted_until_count: int | None


def standing_of(issue: Issue) -> Standing:
    """How the issue stands."""
    return Standing(*(getattr(issue, name) for name in Standing._fields))


def plain(status: str, *, since_ms: int | None) -> Standing:
    """A status with nothing else to it."""
    return Standing(status, since_ms, None, in_next_release=False, muted_until_ms=None, muted_until_count=None)


def standing_after(change: Transition) -> Standing:
    """How the change left its issue."""
    return Standing(
        change.new_status,
        change.changed_ms,
        change.changed_ms if change.cause == Transition.Cause.REGRESSION else None,
        change.in_next_release,
        change.muted_until_ms,
        change.muted_until_count,
    )


# --- Changing ---------------------------------------------------------------------------------------------------------


def change_locked(issues: Iterable[Issue], *, change: Change, made: Made) -> list[Transition]:
    """Change shown issues, which must be locked; those that stand so already are left out. Returns the Transitions.

    In three statements, however many.
    """
    due = [issue for issue in issues if not is_so_already(issue, change)]
    if not due:
        return []
    changes = Transition.objects.bulk_create([transition(issue, change, made) for issue in due])
    new: dict[str, Any] = {
        **plain(change.status, since_ms=made.at_ms)._asdict(),
        "in_next_release": change.in_next_release,
        "muted_until_ms": change.muted_until_ms,
        "muted_until_count": change.muted_until_count,
    }
    if change.muted_for_count is not None:
        new["muted_until_count"] = F("total_count") + change.muted_for_count
    ids = [issue.pk for issue in due]
    Issue.objects.filter(pk__in=ids).update(**new)
    Issue.objects.filter(merged_into__in=ids).update(**{**new, **NO_ENDS})
    return changes


def is_so_already(issue: Issue, change: Change) -> bool:
    """Whether the change would change nothing. "So many more events" from now on is always a change."""
    wanted = (change.status, change.in_next_release, change.muted_until_ms, count_for(issue, change))
    return wanted == (issue.status, issue.in_next_release, issue.muted_until_ms, issue.muted_until_count)


def count_for(issue: Issue, change: Change) -> int | None:
    """The total at which the mute of this issue ends."""
    return change.muted_until_count if change.muted_for_count is None else issue.total_count + change.muted_for_count


def transition(issue: Issue, change: Change, made: Made) -> Transition:
    """The Transition of a change, unsaved."""
    return Transition(
        **described(issue),
        **made_by(made),
        new_status=change.status,
        muted_until_ms=change.muted_until_ms,
        muted_until_count=count_for(issue, change),
        in_next_release=change.in_next_release,
    )


def described(issue: Issue) -> dict[str, Any]:
    """The issue and how it stands, as its next Transition keeps them."""
    return {
        "issue_id": issue.pk,
        "project_id": issue.project_id,
        "old_status": issue.status,
        "was_muted_until_ms": issue.muted_until_ms,
        "was_muted_until_count": issue.muted_until_count,
        "was_in_next_release": issue.in_next_release,
        "was_regressed_ms": issue.regressed_ms,
    }


def made_by(made: Made) -> dict[str, Any]:
    """The columns of a Transition that say how it came about."""
    return {
        "cause": made.cause,
        "changed_by_id": made.actor.user_id,
        "token_name": made.actor.token_name,
        "bulk_id": made.bulk_id,
        "changed_ms": made.at_ms,
    }


def follow(issues: Sequence[Issue]) -> None:
    """Give what is merged into these issues their status, as the objects have it; ends are the shown issue's alone."""
    by_id = {issue.pk: issue for issue in issues}
    owners = set(Issue.objects.filter(merged_into__in=by_id).values_list("merged_into_id", flat=True))
    for pk, issue in by_id.items():
        if pk in owners:
            Issue.objects.filter(merged_into=pk).update(**{**standing_of(issue)._asdict(), **NO_ENDS})


# --- Taking back ------------------------------------------------------------------------------------------------------


def undo_locked(changes: Sequence[Transition], *, made: Made) -> list[Transition]:
    """Take back changes, each the newest of its issue, which is loaded, locked and shown. Returns the new Transitions.

    `status_changed_ms` becomes the moment of the last change that then holds: events and releases are measured
    against it as if what is taken back had not been.
    """
    if not changes:
        return []
    new = Transition.objects.bulk_create([undoing(change, made) for change in changes])
    undos = [change.pk for change in changes if change.cause == Transition.Cause.UNDO]
    Transition.objects.filter(pk__in=undos).update(undone=True)
    holding = turn_over([change.issue_id for change in changes])
    issues = [as_before(change, holding.get(change.issue_id)) for change in changes]
    save(issues)
    follow(issues)
    return new


def save(issues: Iterable[Issue]) -> None:
    """Write how these issues stand, in a statement for each standing: what was changed together stood much alike."""
    alike = defaultdict[Standing, list[int]](list)
    for issue in issues:
        alike[standing_of(issue)].append(issue.pk)
    for standing, ids in alike.items():
        Issue.objects.filter(pk__in=ids).update(**standing._asdict())


def turn_over(issue_ids: Sequence[int]) -> dict[int, Transition]:
    """Mark the last change of each issue undone, or no longer so if it was. Returns the change that holds then.

    After an undo comes a new change or the undo of the undo: so each turns the same change over once more.
    """
    real = Transition.objects.filter(REAL, issue__in=issue_ids)
    last = newest_by_issue(real).values()
    for undone in (True, False):
        turned = [change.pk for change in last if change.undone != undone]
        Transition.objects.filter(pk__in=turned).update(undone=undone)
    return holding_changes(issue_ids)


def holding_changes(issue_ids: Sequence[int]) -> dict[int, Transition]:
    """The change by which each issue stands as it does; none of one that stands as its first event left it."""
    return newest_by_issue(Transition.objects.filter(REAL, issue__in=issue_ids, undone=False))


def newest_by_issue(changes: QuerySet[Transition]) -> dict[int, Transition]:
    """The newest of these of each issue."""
    newest = changes.order_by().values("issue_id").annotate(newest=Max("pk")).values_list("newest", flat=True)
    return {change.issue_id: change for change in Transition.objects.filter(pk__in=list(newest))}


def undoing(change: Transition, made: Made) -> Transition:
    """The Transition that takes a change back, unsaved."""
    return Transition(
        **described(change.issue),
        **made_by(made),
        new_status=change.old_status,
        muted_until_ms=change.was_muted_until_ms,
        muted_until_count=change.was_muted_until_count,
        in_next_release=change.was_in_next_release,
    )


def as_before(change: Transition, holding: Transition | None) -> Issue:
    """The change's issue, unsaved, as it stood before; `holding` is the change that holds again."""
    issue = change.issue
    issue.status, issue.regressed_ms = change.old_status, change.was_regressed_ms
    issue.status_changed_ms = holding.changed_ms if holding else None
    issue.muted_until_ms, issue.muted_until_count = change.was_muted_until_ms, change.was_muted_until_count
    issue.in_next_release = change.was_in_next_release
    return issue

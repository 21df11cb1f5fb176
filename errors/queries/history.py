"""What happened to an issue and who did it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from errors.models import Issue, Transition
from errors.queries.groups import shown_by

MAX_TIMELINE = 100
PEOPLE = (Transition.Cause.CALL, Transition.Cause.UNDO)


@dataclass(frozen=True)
class TimelineEntry:
    """One line of the timeline. kind: "first_seen", "status" or "regression"; at_ms in epoch milliseconds."""

    kind: str
    at_ms: int
    old_status: str = ""
    new_status: str = ""
    actor: str = ""
    detail: str = ""


def transitions_of(issues: Sequence[Issue]) -> QuerySet[Transition]:
    """Every status change of the issues, newest first, the issue and who made it loaded."""
    ids = shown_by([issue.pk for issue in issues])
    return Transition.objects.filter(issue__in=ids).select_related("issue", "changed_by").order_by("-id")


def timeline(issue: Issue) -> list[TimelineEntry]:
    """The last 100 changes, newest first, then the first appearance."""
    changes = [entry_of(change) for change in transitions_of([issue])[:MAX_TIMELINE]]
    return [*changes, TimelineEntry(kind="first_seen", at_ms=issue.first_seen_ms)]


def entry_of(change: Transition) -> TimelineEntry:
    """A transition as the timeline tells it."""
    is_regression = change.cause == Transition.Cause.REGRESSION
    return TimelineEntry(
        kind="regression" if is_regression else "status",
        at_ms=change.changed_ms,
        old_status=change.old_status,
        new_status=change.new_status,
        actor=actor_of(change),
        detail=f"seen again in {change.release}" if is_regression and change.release else "",
    )


def actor_of(change: Transition) -> str:
    """Who it was, in words."""
    name = change.changed_by.username if change.changed_by else ""
    if change.token_name:
        return f"{name or 'someone'} with token {change.token_name}"
    return name or ("a removed user" if change.cause in PEOPLE else "")

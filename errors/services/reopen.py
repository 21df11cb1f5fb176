"""What new events do to an issue's status: a resolved one comes back, a mute runs out (contract 3.2, 3.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from errors.models import Issue, Release, Status, Transition
from errors.services.tallies import IssueKey, Tallies
from errors.statuses import NO_RELEASE, mute_is_over


class State(NamedTuple):
    """How the owner of a status stands, the batch counted in. In the order of `STATE_COLUMNS`."""

    id: int
    project_id: str
    fingerprint: str
    merged_into_id: int | None
    total_count: int
    status: str
    status_changed_ms: int | None
    in_next_release: bool
    muted_until_ms: int | None
    muted_until_count: int | None


STATE_COLUMNS = ", ".join(State._fields)


@dataclass
class Touched:
    """An issue that owns a status, and the batch's issues whose events it shows: itself, and what is merged into it."""

    state: State
    keys: set[IssueKey] = field(default_factory=set)
    last_ms: int = 0
    last_release: str = ""


def reopen_touched(touched: Iterable[Touched], tallies: Tallies) -> list[Transition]:
    """Reopen what the batch's events reopen. Returns the Transitions that say so.

    A regression needs an event received after the issue was resolved; one resolved "in the next release" needs that
    event to be of a release that first appeared later.
    """
    changes = [change for each in touched if (change := change_of(each, tallies)) is not None]
    write(changes)
    return changes


def change_of(touched: Touched, tallies: Tallies) -> Transition | None:
    """The Transition the batch causes, unsaved; None for most."""
    state = touched.state
    if state.status == Status.RESOLVED and touched.last_ms >= (state.status_changed_ms or 0):
        release: str | None = touched.last_release
        if state.in_next_release:
            release = newer_release(state, tallies.releases_of(touched.keys))
        return None if release is None else transition(touched, Transition.Cause.REGRESSION, release)
    if state.status == Status.MUTED and mute_is_over(
        until_ms=state.muted_until_ms,
        until_count=state.muted_until_count,
        now_ms=touched.last_ms,
        total_count=state.total_count,
    ):
        return transition(touched, Transition.Cause.MUTE_ENDED, None)
    return None


def newer_release(state: State, seen: dict[str, int]) -> str | None:
    """Of the releases the issue was seen in, one that first appeared after it was resolved; the last seen first."""
    resolved_ms = state.status_changed_ms or 0
    known = dict(
        Release.objects.filter(project_id=state.project_id, name__in=seen).values_list("name", "first_seen_ms")
    )
    for name, last_ms in sorted(seen.items(), key=lambda item: item[1], reverse=True):
        if name != NO_RELEASE and known.get(name, last_ms) > resolved_ms:
            return name
    return None


def transition(touched: Touched, cause: Transition.Cause, release: str | None) -> Transition:
    """The change to unresolved at the moment of the batch's last event."""
    state = touched.state
    return Transition(
        issue_id=state.id,
        project_id=state.project_id,
        old_status=state.status,
        new_status=Status.UNRESOLVED,
        cause=cause,
        release=release,
        was_muted_until_ms=state.muted_until_ms,
        was_muted_until_count=state.muted_until_count,
        was_in_next_release=state.in_next_release,
        changed_ms=touched.last_ms,
    )


def write(changes: Sequence[Transition]) -> None:
    """Save the Transitions and what they say of the issues; merged issues follow the one that shows them."""
    for change in changes:
        regressed_ms = change.changed_ms if change.cause == Transition.Cause.REGRESSION else None
        new = {
            "status": Status.UNRESOLVED,
            "status_changed_ms": change.changed_ms,
            "regressed_ms": regressed_ms,
            "in_next_release": False,
            "muted_until_ms": None,
            "muted_until_count": None,
        }
        Issue.objects.filter(pk=change.issue_id).update(**new)
        Issue.objects.filter(merged_into_id=change.issue_id).update(**new)
    Transition.objects.bulk_create(changes)

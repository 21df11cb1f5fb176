"""Writes down what alert rules may tell of a batch, and hands it to whoever judges it, once (contract 6.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from bloop_site.lib.db import insert_rows, skip_locked
from errors.models import Issue, Occasion, Status, Transition
from errors.services.reopen import Touched
from errors.services.tallies import IssueKey, Received, Tallies, Tally

Kind = Occasion.Kind
QUIET = (Status.IGNORED.value, Status.MUTED.value)  # nobody wants to hear of these
# Which of some places (a shown issue, an environment) no event was seen in before. Rows of this batch have larger ids
# than any row of the same issue, for its row is locked; the look ends at the first older one.
FIRST_THERE = """
    WITH place (issue_id, environment) AS (VALUES {places})
    SELECT place.issue_id, place.environment FROM place WHERE NOT EXISTS (
        SELECT 1 FROM errors_aggregate seen WHERE seen.environment = place.environment AND seen.id < %s
            AND seen.issue_id IN (
                SELECT id FROM errors_issue WHERE id = place.issue_id OR merged_into_id = place.issue_id
            )
    )
"""


class AggregateRow(NamedTuple):
    """An aggregate after its upsert."""

    id: int
    issue_id: int
    release: str
    environment: str
    total_count: int


class NewPlace(NamedTuple):
    """An aggregate that this batch made, and what it counts."""

    id: int
    key: IssueKey
    environment: str
    tally: Tally


@dataclass(frozen=True)
class Found:
    """What a batch did to the issues that own a status: touched them, reopened some, brought some to new places."""

    touched: Sequence[Touched]
    reopened: Sequence[Transition]
    places: Sequence[NewPlace]

    def loud(self) -> list[Touched]:
        """Those that are neither ignored nor muted now."""
        opened = {change.issue_id for change in self.reopened}
        return [each for each in self.touched if each.state.status not in QUIET or each.state.id in opened]

    def quiet_keys(self) -> set[IssueKey]:
        """The batch's issues that are ignored or muted, merged ones with the one that shows them."""
        loud = {key for each in self.loud() for key in each.keys}
        return {key for each in self.touched for key in each.keys} - loud


def new_places(rows: Iterable[AggregateRow], tallies: Tallies, ids: dict[IssueKey, int]) -> list[NewPlace]:
    """Of the upserted aggregates those that this batch made: they count nothing but its events."""
    keys = {issue_id: key for key, issue_id in ids.items()}
    return [
        NewPlace(row.id, keys[row.issue_id], row.environment, tally)
        for row in rows
        if (tally := tallies.aggregates[keys[row.issue_id], row.release, row.environment]).count == row.total_count
    ]


# --- Writing ------------------------------------------------------------------------------------------------------


def write_occasions(found: Found, tallies: Tallies) -> int:
    """Write what rules may tell of the batch, in its transaction. Returns how many.

    An issue is told as its head counts: an event of a merged issue is not new. Ignored and muted issues are left out.
    """
    loud = found.loud()
    rows = [row_of(Kind.NEW, each, new.first) for each in loud if (new := newly_seen(each, tallies)) is not None]
    new_ids = {row[2] for row in rows}
    rows += [row_of(Kind.NEW_IN_ENVIRONMENT, each, event) for each, event in first_there(found, loud, new_ids)]
    regressions = [change for change in found.reopened if change.cause == Transition.Cause.REGRESSION]
    if regressions:
        heads, events = {each.state.id: each for each in loud}, last_events(tallies)
        for change in regressions:
            head = heads[change.issue_id]
            seen = [events[key, change.release] for key in head.keys if (key, change.release) in events]
            event = max(seen, key=lambda received: received.received_ms)
            rows.append(row_of(Kind.REGRESSION, head, event, transition_id=change.pk))
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            "INSERT INTO errors_occasion (kind, project_id, issue_id, transition_id, environment, source, release,"
            " happened_ms)",
            rows,
        )
    return len(rows)


Row = tuple[str, str, int, int | None, str, str, str, int]


def row_of(kind: Occasion.Kind, head: Touched, by: Received, *, transition_id: int | None = None) -> Row:
    """An occasion's columns; `by` is the event that caused it."""
    event, state = by.event, head.state
    place = (event.environment, event.source, event.release)
    return (kind.value, state.project_id, state.id, transition_id, *place, by.received_ms)


def newly_seen(head: Touched, tallies: Tallies) -> Tally | None:
    """What a head that this batch made counts: nothing but the batch's events. None for the others."""
    own = tallies.issues.get((head.state.project_id, head.state.fingerprint))
    return own if own is not None and own.count == head.state.total_count else None


def first_there(found: Found, loud: Sequence[Touched], new_ids: set[int]) -> list[tuple[Touched, Received]]:
    """The heads that came to an environment for the first time, each with its first event there."""
    head_of = {key: each for each in loud for key in each.keys}
    first: dict[tuple[int, str], tuple[Touched, Received]] = {}
    for place in found.places:
        head = head_of.get(place.key)
        if head is not None:
            at = (head.state.id, place.environment)
            if at not in first or place.tally.first_ms < first[at][1].received_ms:
                first[at] = (head, place.tally.first)
    known = [at for at in first if at[0] not in new_ids]
    if known:
        unseen = unseen_before(known, first_id=min(place.id for place in found.places))
        first = {at: told for at, told in first.items() if at[0] in new_ids or at in unseen}
    return list(first.values())


def unseen_before(places: Sequence[tuple[int, str]], *, first_id: int) -> set[tuple[int, str]]:
    """The places without an aggregate older than the batch's first. One query."""
    sql = FIRST_THERE.format(places=", ".join(["(%s, %s)"] * len(places)))
    with connection.cursor() as cursor:
        cursor.execute(sql, [*(value for place in places for value in place), first_id])
        return set(cursor.fetchall())


def last_events(tallies: Tallies) -> dict[tuple[IssueKey, str | None], Received]:
    """The last event of each issue in each release."""
    last: dict[tuple[IssueKey, str | None], Received] = {}
    for (key, release, _), tally in tallies.aggregates.items():
        if (key, release) not in last or tally.last_ms >= last[key, release].received_ms:
            last[key, release] = tally.last
    return last


# --- Handing over -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TakenOccasion:
    """An occasion with what a message of it needs. status: the issue's, as it is now."""

    kind: str
    project_id: str
    issue_id: int
    transition_id: int | None
    environment: str
    source: str
    release: str
    happened_ms: int
    fingerprint: str
    error_type: str
    message: str
    status: str

    @property
    def is_quiet(self) -> bool:
        """Whether somebody ignored or muted the issue meanwhile."""
        return self.status in QUIET


def any_occasion() -> bool:
    """Whether any waits to be taken."""
    return Occasion.objects.exists()


def take_occasions(limit: int) -> list[TakenOccasion]:
    """The oldest waiting occasions, deleted in the caller's transaction: who commits has them, and nobody else.

    On PostgreSQL those that another worker is taking are passed over; on SQLite one writes at a time.
    """
    rows = list(skip_locked(Occasion.objects.order_by("pk"))[:limit])
    issues = Issue.objects.in_bulk([row.issue_id for row in rows])
    Occasion.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return [
        TakenOccasion(
            kind=row.kind,
            project_id=row.project_id,
            issue_id=row.issue_id,
            transition_id=row.transition_id,
            environment=row.environment,
            source=row.source,
            release=row.release,
            happened_ms=row.happened_ms,
            fingerprint=issue.fingerprint,
            error_type=issue.error_type,
            message=issue.message,
            status=issue.status,
        )
        for row in rows
        if (issue := issues.get(row.issue_id)) is not None
    ]

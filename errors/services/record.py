"""Folds buffered events into issues, occurrences, rollups and regressions: the only writer of new events.

Everything is grouped in memory first: one upsert for each distinct key of the batch, never one for each event. Rows
that several workers may touch are written in a fixed order (issues sorted, then what hangs off them, then the
project's own rollups), so that on PostgreSQL they wait for each other and never in a circle.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import msgspec
from django.db import connection

from bloop_site.lib.clock import MINUTE_MS, hour_of, minute_of
from bloop_site.lib.db import insert_rows
from errors.contract import Event, decode_events, encode_events
from errors.models import Event as EventRow
from errors.models import Issue, Status, Transition
from ingest.registry import Payload
from projects.models import Project

MINUTES_A_DAY = 1440

UPSERT_ISSUES = """
    ON CONFLICT (project_id, fingerprint) DO UPDATE SET
        total_count = errors_issue.total_count + excluded.total_count,
        first_seen_ms = CASE WHEN excluded.first_seen_ms < errors_issue.first_seen_ms
                             THEN excluded.first_seen_ms ELSE errors_issue.first_seen_ms END,
        last_seen_ms = CASE WHEN excluded.last_seen_ms > errors_issue.last_seen_ms
                            THEN excluded.last_seen_ms ELSE errors_issue.last_seen_ms END
    RETURNING id, project_id, fingerprint, status, status_changed_ms
"""
UPSERT_AGGREGATES = """
    ON CONFLICT (issue_id, release, environment) DO UPDATE SET
        total_count = errors_aggregate.total_count + excluded.total_count,
        first_seen_ms = CASE WHEN excluded.first_seen_ms < errors_aggregate.first_seen_ms
                             THEN excluded.first_seen_ms ELSE errors_aggregate.first_seen_ms END,
        last_seen_ms = CASE WHEN excluded.last_seen_ms > errors_aggregate.last_seen_ms
                            THEN excluded.last_seen_ms ELSE errors_aggregate.last_seen_ms END
"""
UPSERT_HOURS = """
    ON CONFLICT (issue_id, hour_ms, environment, source) DO UPDATE SET
        count = errors_hourlycount.count + excluded.count
"""
UPSERT_PROJECT_HOURS = """
    ON CONFLICT (project_id, hour_ms, environment, source) DO UPDATE SET
        count = errors_projecthourlycount.count + excluded.count
"""
# A slot of an earlier day is overwritten; what comes a day late counts nothing here (the hours have it).
UPSERT_MINUTES = """
    ON CONFLICT (project_id, slot) DO UPDATE SET
        count = CASE WHEN excluded.minute_ms > errors_minutecount.minute_ms THEN excluded.count
                     WHEN excluded.minute_ms = errors_minutecount.minute_ms
                     THEN errors_minutecount.count + excluded.count
                     ELSE errors_minutecount.count END,
        minute_ms = CASE WHEN excluded.minute_ms > errors_minutecount.minute_ms
                         THEN excluded.minute_ms ELSE errors_minutecount.minute_ms END
"""
INSERT_EVENTS = f"""
    INSERT INTO errors_event (
        issue_id, project_id, received_ms, event_id, timestamp_ms, source, environment, release, error_type, message,
        stack, route, screen, app_version, build_number, http_status, request_id, user_id_hash, device_id_hash, metadata
    ) VALUES ({", ".join(["%s"] * 20)})
"""  # noqa: S608  no value of anyone's in it
EVENT_FIELDS = attrgetter(
    "event_id",
    "timestamp_ms",
    "source",
    "environment",
    "release",
    "error_type",
    "message",
    "stack",
    "route",
    "screen",
    "app_version",
    "build_number",
    "http_status",
    "request_id",
    "user_id_hash",
    "device_id_hash",
    "metadata",
)


class Received(msgspec.Struct, frozen=True, gc=False):
    """An event with what only the server knows of it."""

    project_id: str
    received_ms: int
    event: Event


@dataclass(slots=True)
class Tally:
    """What a batch adds to one issue or aggregate. Descriptive columns are the first event's (contract 3.1)."""

    first: Received
    last: Received
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def add(self, received: Received) -> None:
        at = received.received_ms
        self.count += 1
        self.first_ms = min(self.first_ms or at, at)
        if at >= self.last_ms:
            self.last, self.last_ms = received, at


@dataclass(frozen=True)
class Recorded:
    """What a batch changed: ids of issues that are new or were reopened; how many events were repeats.

    dropped: events of projects that were deleted since.
    """

    stored: int
    repeated: int
    dropped: int = 0
    reopened: tuple[int, ...] = ()


IssueKey = tuple[str, str]


@dataclass
class Tallies:
    """A batch, grouped by everything that is counted."""

    issues: dict[IssueKey, Tally] = field(default_factory=dict)
    aggregates: dict[tuple[IssueKey, str, str], Tally] = field(default_factory=dict)
    hours: defaultdict[tuple[IssueKey, int, str, str], int] = field(default_factory=lambda: defaultdict(int))
    minutes: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, received: Received) -> None:
        event, at = received.event, received.received_ms
        key = (received.project_id, event.fingerprint)
        issue = self.issues.get(key)
        if issue is None:
            issue = self.issues[key] = Tally(received, received)
        issue.add(received)
        aggregate_key = (key, event.release, event.environment)
        aggregate = self.aggregates.get(aggregate_key)
        if aggregate is None:
            aggregate = self.aggregates[aggregate_key] = Tally(received, received)
        aggregate.add(received)
        self.hours[key, hour_of(at), event.environment, event.source] += 1
        self.minutes[received.project_id, minute_of(at)] += 1

    def project_hours(self) -> dict[tuple[str, int, str, str], int]:
        """The hours summed over issues."""
        summed: defaultdict[tuple[str, int, str, str], int] = defaultdict(int)
        for ((project_id, _), hour_ms, environment, source), count in self.hours.items():
            summed[project_id, hour_ms, environment, source] += count
        return summed


@dataclass(frozen=True, slots=True)
class Batch:
    """Events and their tallies: all that can be done before the write lock is held."""

    events: Sequence[Received]
    tallies: Tallies


class ErrorsHandler:
    """The owner of buffered `errors` payloads (`ingest.registry.Handler`)."""

    def prepare(self, payloads: Sequence[Payload]) -> Batch:
        return tallied(
            [
                Received(payload.project_id, payload.received_ms, event)
                for payload in payloads
                for event in decode_events(payload.body)
            ]
        )

    def write(self, prepared: Batch) -> None:
        write_batch(prepared)

    def split(self, payload: Payload) -> Sequence[bytes]:
        return [encode_events([event]) for event in decode_events(payload.body)]


def record_events(batch: Sequence[Received]) -> Recorded:
    """Fold events of any projects into issues, occurrences, rollups and transitions.

    Must run inside a transaction. An event whose event_id its project has already is left out: a repeat adds nothing.
    So is an event of a project that was deleted. Raises IntegrityError when another worker stores the same event_id at
    this moment.
    """
    return write_batch(tallied(batch))


def tallied(events: Sequence[Received]) -> Batch:
    """The events with what they add to every count."""
    tallies = Tallies()
    for received in events:
        tallies.add(received)
    return Batch(events, tallies)


def write_batch(batch: Batch) -> Recorded:
    """Write what `tallied` made of events; as `record_events`."""
    gone = gone_projects({project_id for project_id, _ in batch.tallies.issues})
    if gone:
        left = write_batch(tallied([received for received in batch.events if received.project_id not in gone]))
        return replace(left, dropped=len(batch.events) - left.stored - left.repeated)
    fresh = without_repeats(batch.events)
    tallies = batch.tallies if len(fresh) == len(batch.events) else tallied(fresh).tallies
    ids, reopened = write_issues(tallies)
    write_events(fresh, ids)
    write_rollups(tallies, ids)
    return Recorded(stored=len(fresh), repeated=len(batch.events) - len(fresh), reopened=reopened)


def gone_projects(project_ids: set[str]) -> set[str]:
    """Those that were deleted; their rows are being removed, and a foreign key would fail at commit."""
    there = Project.objects.filter(pk__in=project_ids, removing_at=None)
    return project_ids - set(there.values_list("pk", flat=True))


def without_repeats(batch: Sequence[Received]) -> list[Received]:
    """The events not stored before, by their event_id; of repeats within the batch the first."""
    named = {(received.project_id, received.event.event_id) for received in batch if received.event.event_id}
    if not named:
        return list(batch)
    seen: set[tuple[str, str | None]] = set(
        EventRow.objects.filter(
            project_id__in={project_id for project_id, _ in named}, event_id__in={name for _, name in named}
        ).values_list("project_id", "event_id")
    )
    fresh = []
    for received in batch:
        name = (received.project_id, received.event.event_id)
        if received.event.event_id and name in seen:
            continue
        seen.add(name)
        fresh.append(received)
    return fresh


def write_issues(tallies: Tallies) -> tuple[dict[IssueKey, int], tuple[int, ...]]:
    """Upsert the batch's issues and reopen the resolved ones. Returns ids by key, and the reopened ids."""
    rows = [issue_row(key, tally) for key, tally in sorted(tallies.issues.items())]
    with connection.cursor() as cursor:
        returned = insert_rows(
            cursor,
            "INSERT INTO errors_issue (project_id, fingerprint, status, error_type, message, source, route, screen,"
            " first_seen_ms, last_seen_ms, total_count)",
            rows,
            then=UPSERT_ISSUES,
            returning=True,
        )
    ids = {(project_id, fingerprint): pk for pk, project_id, fingerprint, _, _ in returned}
    reopened = [
        (pk, tallies.issues[project_id, fingerprint])
        for pk, project_id, fingerprint, status, changed_ms in returned
        if status == Status.RESOLVED and tallies.issues[project_id, fingerprint].last_ms >= (changed_ms or 0)
    ]
    reopen(reopened)
    return ids, tuple(pk for pk, _ in reopened)


def issue_row(key: IssueKey, tally: Tally) -> tuple[Any, ...]:
    """The columns of a new issue."""
    event = tally.first.event
    return (
        *key,
        Status.UNRESOLVED.value,
        event.error_type,
        event.message,
        event.source,
        event.route,
        event.screen,
        tally.first_ms,
        tally.last_ms,
        tally.count,
    )


def reopen(regressions: Sequence[tuple[int, Tally]]) -> None:
    """Turn resolved issues unresolved, each with its Transition: a regression (contract 3.2, 3.3).

    Only an event received after the issue was resolved is one; the caller has checked that.
    """
    for pk, tally in regressions:
        Issue.objects.filter(pk=pk).update(
            status=Status.UNRESOLVED, status_changed_ms=tally.last_ms, regressed_ms=tally.last_ms
        )
    Transition.objects.bulk_create(
        Transition(
            issue_id=pk,
            old_status=Status.RESOLVED,
            new_status=Status.UNRESOLVED,
            cause=Transition.Cause.REGRESSION,
            release=tally.last.event.release,
            changed_ms=tally.last_ms,
        )
        for pk, tally in regressions
    )


def write_events(batch: Sequence[Received], ids: dict[IssueKey, int]) -> None:
    """Insert the occurrences."""
    rows = [
        (
            ids[received.project_id, received.event.fingerprint],
            received.project_id,
            received.received_ms,
            *EVENT_FIELDS(received.event),
        )
        for received in batch
    ]
    with connection.cursor() as cursor:
        cursor.executemany(INSERT_EVENTS, rows)


def write_rollups(tallies: Tallies, ids: dict[IssueKey, int]) -> None:
    """Upsert aggregates and every count."""
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            "INSERT INTO errors_aggregate (issue_id, project_id, release, environment, error_type, message, source,"
            " route, screen, first_seen_ms, last_seen_ms, total_count)",
            [
                (ids[key], key[0], release, environment, *issue_row(key, tally)[3:])
                for (key, release, environment), tally in sorted(tallies.aggregates.items(), key=lambda item: item[0])
            ],
            then=UPSERT_AGGREGATES,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_hourlycount (issue_id, hour_ms, environment, source, count)",
            [(ids[key], *rest, count) for (key, *rest), count in sorted(tallies.hours.items())],
            then=UPSERT_HOURS,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_projecthourlycount (project_id, hour_ms, environment, source, count)",
            [(*key, count) for key, count in sorted(tallies.project_hours().items())],
            then=UPSERT_PROJECT_HOURS,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_minutecount (project_id, slot, minute_ms, count)",
            [
                (project_id, minute_ms // MINUTE_MS % MINUTES_A_DAY, minute_ms, count)
                for (project_id, minute_ms), count in newest_of_slot(tallies.minutes).items()
            ],
            then=UPSERT_MINUTES,
        )


def newest_of_slot(minutes: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """The minutes, sorted, without those that share a ring slot with a later day of the same batch."""
    newest = {(project_id, minute // MINUTE_MS % MINUTES_A_DAY): minute for project_id, minute in sorted(minutes)}
    return {(project_id, minute): minutes[project_id, minute] for (project_id, _), minute in sorted(newest.items())}

"""Folds buffered events into issues, occurrences, rollups and regressions: the only writer of new events.

Everything is grouped in memory first: one upsert for each distinct key of the batch, never one for each event. Rows
that several workers may touch are written in a fixed order (issues sorted, then what hangs off them, then the
project's own rollups), so that on PostgreSQL they wait for each other and never in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

from django.db import connection, transaction

from bloop_site.lib.clock import MINUTE_MS
from bloop_site.lib.db import insert_rows
from errors.contract import decode_events, encode_events
from errors.models import Event as EventRow
from errors.models import Status
from errors.search_words import words_of
from errors.services.occasions import AggregateRow, Found, new_places, write_occasions
from errors.services.packs import note_hours
from errors.services.reopen import STATE_COLUMNS, State, Touched, reopen_touched
from errors.services.tallies import Batch, IssueKey, Received, Tallies, Tally, tallied
from errors.signals import events_folded
from ingest.registry import Payload
from projects.models import Project

MINUTES_A_DAY = 1440

UPSERT_ISSUES = f"""
    ON CONFLICT (project_id, fingerprint) DO UPDATE SET
        total_count = errors_issue.total_count + excluded.total_count,
        first_release = CASE WHEN excluded.first_seen_ms < errors_issue.first_seen_ms
                             THEN excluded.first_release ELSE errors_issue.first_release END,
        first_seen_ms = CASE WHEN excluded.first_seen_ms < errors_issue.first_seen_ms
                             THEN excluded.first_seen_ms ELSE errors_issue.first_seen_ms END,
        last_seen_ms = CASE WHEN excluded.last_seen_ms > errors_issue.last_seen_ms
                            THEN excluded.last_seen_ms ELSE errors_issue.last_seen_ms END
    RETURNING {STATE_COLUMNS}
"""
# What came to a merged issue counts for the one that shows it too.
COUNT_MERGED = f"""
    UPDATE errors_issue SET
        total_count = total_count + %s,
        first_release = CASE WHEN %s < first_seen_ms THEN %s ELSE first_release END,
        first_seen_ms = CASE WHEN %s < first_seen_ms THEN %s ELSE first_seen_ms END,
        last_seen_ms = CASE WHEN %s > last_seen_ms THEN %s ELSE last_seen_ms END
    WHERE id = %s RETURNING {STATE_COLUMNS}
"""  # noqa: S608  names of columns
UPSERT_AGGREGATES = """
    ON CONFLICT (issue_id, release, environment) DO UPDATE SET
        total_count = errors_aggregate.total_count + excluded.total_count,
        first_seen_ms = CASE WHEN excluded.first_seen_ms < errors_aggregate.first_seen_ms
                             THEN excluded.first_seen_ms ELSE errors_aggregate.first_seen_ms END,
        last_seen_ms = CASE WHEN excluded.last_seen_ms > errors_aggregate.last_seen_ms
                            THEN excluded.last_seen_ms ELSE errors_aggregate.last_seen_ms END
    RETURNING id, issue_id, release, environment, total_count
"""
UPSERT_HOURS = """
    ON CONFLICT (issue_id, hour_ms, environment, source) DO UPDATE SET
        count = errors_hourlycount.count + excluded.count
"""
UPSERT_PROJECT_HOURS = """
    ON CONFLICT (project_id, hour_ms, environment, source) DO UPDATE SET
        count = errors_projecthourlycount.count + excluded.count
"""
UPSERT_PROJECT_MINUTES = """
    ON CONFLICT (project_id, minute_ms, environment, source) DO UPDATE SET
        count = errors_projectminute.count + excluded.count
"""
UPSERT_RELEASES = """
    ON CONFLICT (project_id, name) DO UPDATE SET
        total_count = errors_release.total_count + excluded.total_count,
        first_seen_ms = CASE WHEN excluded.first_seen_ms < errors_release.first_seen_ms
                             THEN excluded.first_seen_ms ELSE errors_release.first_seen_ms END,
        last_seen_ms = CASE WHEN excluded.last_seen_ms > errors_release.last_seen_ms
                            THEN excluded.last_seen_ms ELSE errors_release.last_seen_ms END
    RETURNING id, project_id, name
"""
UPSERT_RELEASE_HOURS = """
    ON CONFLICT (release_id, hour_ms) DO UPDATE SET
        count = errors_releasehourlycount.count + excluded.count
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
        stack, route, screen, app_version, build_number, http_status, request_id, user_id_hash, device_id_hash,
        metadata, trace_id
    ) VALUES ({", ".join(["%s"] * 21)})
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
    "trace_id",
)


@dataclass(frozen=True)
class Recorded:
    """What a batch changed: ids of issues that are new or were reopened; how many events were repeats.

    dropped: events of projects that were deleted since.
    """

    stored: int
    repeated: int
    dropped: int = 0
    reopened: tuple[int, ...] = ()


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


def write_batch(batch: Batch) -> Recorded:
    """Write what `tallied` made of events; as `record_events`."""
    gone = gone_projects({project_id for project_id, _ in batch.tallies.issues})
    if gone:
        left = write_batch(tallied([received for received in batch.events if received.project_id not in gone]))
        return replace(left, dropped=len(batch.events) - left.stored - left.repeated)
    fresh = without_repeats(batch.events)
    tallies = batch.tallies if len(fresh) == len(batch.events) else tallied(fresh).tallies
    states = write_issues(tallies)
    ids = {(state.project_id, state.fingerprint): state.id for state in states}
    touched = touched_by(states, tallies)
    reopened = reopen_touched(touched, tallies)
    write_events(fresh, ids)
    found = Found(touched, reopened, new_places(write_aggregates(tallies, ids), tallies, ids))
    write_rollups(tallies, ids, quiet=found.quiet_keys())
    occasions = write_occasions(found, tallies)
    transaction.on_commit(partial(tell, occasions=occasions), robust=True)
    reopened_ids = tuple(change.issue_id for change in reopened)
    return Recorded(stored=len(fresh), repeated=len(batch.events) - len(fresh), reopened=reopened_ids)


def tell(*, occasions: int) -> None:
    """Send `events_folded`."""
    events_folded.send_robust(None, occasions=occasions)


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


def write_issues(tallies: Tallies) -> list[State]:
    """Upsert the batch's issues, and the words of new ones. Returns how each stands now, this batch counted in."""
    rows = [(*issue_row(key, tally), tally.first.event.release) for key, tally in sorted(tallies.issues.items())]
    with connection.cursor() as cursor:
        returned = insert_rows(
            cursor,
            "INSERT INTO errors_issue (project_id, fingerprint, status, error_type, message, source, route, screen,"
            " first_seen_ms, last_seen_ms, total_count, first_release)",
            rows,
            then=UPSERT_ISSUES,
            returning=True,
        )
    states = [State(*row) for row in returned]
    write_words(
        (state.id, tallies.issues[state.project_id, state.fingerprint])
        for state in states
        if state.total_count == tallies.issues[state.project_id, state.fingerprint].count
    )
    return states


def write_words(new: Iterable[tuple[int, Tally]]) -> None:
    """Make new issues findable by the text of their first event."""
    rows = []
    for issue_id, tally in new:
        event = tally.first.event
        rows.append((issue_id, words_of([event.error_type, event.message, event.route, event.screen, event.stack])))
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            "INSERT INTO errors_searchwords (issue_id, words)",
            rows,
            then="ON CONFLICT (issue_id) DO NOTHING",
        )


def touched_by(states: Sequence[State], tallies: Tallies) -> list[Touched]:
    """The issues whose status the batch may change: its own, and for merged ones those that show them.

    The latter are counted up here. On PostgreSQL two workers may rarely lock such rows in a circle: then the database
    lets one of them fail, and its batch is folded again.
    """
    own = [state for state in states if state.merged_into_id is None]
    touched = {state.id: Touched(state) for state in own}
    for state in sorted((each for each in states if each.merged_into_id is not None), key=attrgetter("merged_into_id")):
        head = count_merged(state, tallies.issues[state.project_id, state.fingerprint])
        earlier = touched.get(head.id)
        touched[head.id] = Touched(head, earlier.keys if earlier else set())
    for state in states:
        key = (state.project_id, state.fingerprint)
        tally, each = tallies.issues[key], touched[state.merged_into_id or state.id]
        each.keys.add(key)
        if tally.last_ms >= each.last_ms:
            each.last_ms, each.last_release = tally.last_ms, tally.last.event.release
    return list(touched.values())


def count_merged(state: State, tally: Tally) -> State:
    """Add a merged issue's tally to the issue that shows it. Returns how that one stands now."""
    first, last, release = tally.first_ms, tally.last_ms, tally.first.event.release
    with connection.cursor() as cursor:
        cursor.execute(COUNT_MERGED, (tally.count, first, release, first, first, last, last, state.merged_into_id))
        return State(*cursor.fetchone())


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


def write_aggregates(tallies: Tallies, ids: dict[IssueKey, int]) -> list[AggregateRow]:
    """Upsert the aggregates. Returns each as it stands now."""
    with connection.cursor() as cursor:
        return [
            AggregateRow(*row)
            for row in insert_rows(
                cursor,
                "INSERT INTO errors_aggregate (issue_id, project_id, release, environment, error_type, message, source,"
                " route, screen, first_seen_ms, last_seen_ms, total_count)",
                [
                    (ids[key], key[0], release, environment, *issue_row(key, tally)[3:])
                    for (key, release, environment), tally in sorted(tallies.aggregates.items(), key=itemgetter(0))
                ],
                then=UPSERT_AGGREGATES,
                returning=True,
            )
        ]


def write_rollups(tallies: Tallies, ids: dict[IssueKey, int], *, quiet: set[IssueKey]) -> None:
    """Upsert every count. quiet: issues whose events alert rules do not count."""
    project_hours = tallies.project_hours()
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            "INSERT INTO errors_hourlycount (issue_id, hour_ms, environment, source, count)",
            [(ids[key], *rest, count) for (key, *rest), count in sorted(tallies.hours().items())],
            then=UPSERT_HOURS,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_projecthourlycount (project_id, hour_ms, environment, source, count)",
            [(*key, count) for key, count in sorted(project_hours.items())],
            then=UPSERT_PROJECT_HOURS,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_minutecount (project_id, slot, minute_ms, count)",
            [
                (project_id, minute_ms // MINUTE_MS % MINUTES_A_DAY, minute_ms, count)
                for (project_id, minute_ms), count in newest_of_slot(tallies.project_minutes()).items()
            ],
            then=UPSERT_MINUTES,
        )
        insert_rows(
            cursor,
            "INSERT INTO errors_projectminute (project_id, minute_ms, environment, source, count)",
            [(*key, count) for key, count in sorted(tallies.minutes_of_rules(quiet).items())],
            then=UPSERT_PROJECT_MINUTES,
        )

    note_hours((project_id, hour_ms) for project_id, hour_ms, *_ in project_hours)
    write_releases(tallies)


def write_releases(tallies: Tallies) -> None:
    """Upsert the releases and their hours. Last, because every batch of a project wants the same rows."""
    with connection.cursor() as cursor:
        returned = insert_rows(
            cursor,
            "INSERT INTO errors_release (project_id, name, first_seen_ms, last_seen_ms, total_count)",
            [
                (*key, seen.first_ms, seen.last_ms, seen.count)
                for key, seen in sorted(tallies.releases().items(), key=itemgetter(0))
            ],
            then=UPSERT_RELEASES,
            returning=True,
        )
        ids = {(project_id, name): pk for pk, project_id, name in returned}
        insert_rows(
            cursor,
            "INSERT INTO errors_releasehourlycount (release_id, hour_ms, count)",
            [(ids[key], hour_ms, count) for (key, hour_ms), count in sorted(tallies.release_hours.items())],
            then=UPSERT_RELEASE_HOURS,
        )


def newest_of_slot(minutes: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """The minutes, sorted, without those that share a ring slot with a later day of the same batch."""
    newest = {(project_id, minute // MINUTE_MS % MINUTES_A_DAY): minute for project_id, minute in sorted(minutes)}
    return {(project_id, minute): minutes[project_id, minute] for (project_id, _), minute in sorted(newest.items())}

"""Recomputes every rollup from the rows, and names what differs (`manage.py verify_rollups`)."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

from django.apps import apps

from bloop_site.lib.clock import day_of, hour_of
from llmtraces.contributions import Key, Rollup, Rollups, SpanFacts
from llmtraces.models import Durations, Feedback, FeedbackHour, Score, ScoreSums, Session, Span, Trace
from llmtraces.packing import unpacked
from llmtraces.places import fifths_of, nanos_of, place_of
from llmtraces.queries.facts import TRACE_COLUMNS, StoredTrace, spans_of, stored_trace
from llmtraces.tables import TABLES
from llmtraces.used_models import used_models

CHUNK = 500
Sums: TypeAlias = tuple[object, ...]  # the amounts of a row, in the order of its table's columns
Owned: TypeAlias = tuple[int, int, str | None]  # first_ms, last_ms, user_id


def differences(*, since_ms: int = 0) -> list[str]:
    """One line for each rollup row and session that is not what its rows say; empty when all are right.

    since_ms: hours before are not compared. Reads everything: for checks, not for pages. Traces that come in meanwhile
    would look like differences, so run it within `lib.db.one_moment` or on a quiet database.
    """
    expected = expected_rollups()
    found = []
    for name, table in TABLES.items():
        rows = stored_rows(name)
        wanted = dict(getattr(expected, name).changes())
        hour = table.keys.index("hour_ms")
        for key in sorted((key for key in {*rows, *wanted} if int(key[hour]) >= since_ms), key=str):
            have, want = rows.get(key), wanted.get(key)
            if have != want:
                found += [f"{table.model} {key}: stored {have}, its traces add up to {want}"]
    found += duration_differences(expected.durations, since_ms) + session_differences() + model_differences()
    return found + judgement_differences()


def duration_differences(expected: Rollup, since_ms: int) -> list[str]:
    """One line for each hour or day whose counts of a bucket are not what the traces add up to."""
    wanted: Counter[Key] = Counter()
    for (project_id, hour_ms, *named), (count,) in expected.changes():
        wanted[project_id, False, hour_ms, *named] += count
        wanted[project_id, True, day_of(int(hour_ms)), *named] += count
    stored: dict[Key, int] = {}
    rows = Durations.objects.values_list("project_id", "is_day", "hour_ms", "kind", "of", "by", "counts")
    for row in rows.iterator(chunk_size=CHUNK):
        stored |= {(*row[:6], bucket): count for bucket, count in unpacked(row[6]).items()}
    return [
        f"Durations {key}: stored {stored.get(key)}, its traces add up to {wanted.get(key)}"
        for key in sorted({*stored, *wanted}, key=str)
        if stored.get(key) != wanted.get(key) and int(key[2]) >= since_ms
    ]


def judgement_differences() -> list[str]:
    """One line for each sum of scores or feedback that is not what these add up to."""
    found = []
    for model, expected, stored in (
        ("ScoreSums", expected_score_sums(), stored_score_sums()),
        ("FeedbackHour", expected_thumbs(), stored_thumbs()),
    ):
        found += [
            f"{model} {key}: stored {stored.get(key)}, its judgements add up to {expected.get(key)}"
            for key in sorted({*expected, *stored})
            if stored.get(key) != expected.get(key)
        ]
    return found


def expected_score_sums() -> dict[Key, Sums]:
    """What the scores of each hour and day add up to."""
    values: defaultdict[Key, list[float]] = defaultdict(list)
    rows = Score.objects.values_list("project_id", "created_ms", "name", "value")
    for project_id, created_ms, name, value in rows.iterator(chunk_size=CHUNK):
        values[project_id, False, hour_of(created_ms), name].append(value)
        values[project_id, True, day_of(created_ms), name].append(value)
    return {key: sums_of(own) for key, own in values.items()}


def sums_of(values: Sequence[float]) -> Sums:
    """What a row of these scores says."""
    counts = Counter(map(place_of, values))
    return (*fifths_of(counts), sum(map(nanos_of, values)), min(values), max(values), dict(counts))


def stored_score_sums() -> dict[Key, Sums]:
    """The rows of the table."""
    rows = ScoreSums.objects.values_list(
        *("project_id", "is_day", "hour_ms", "name"),
        *("fifth1", "fifth2", "fifth3", "fifth4", "fifth5", "total_nanos", "lowest", "highest", "counts"),
    )
    return {tuple(row[:4]): (*row[4:-1], unpacked(row[-1])) for row in rows}


def expected_thumbs() -> dict[Key, Sums]:
    """How many thumbs of each hour are up and down."""
    found: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for project_id, created_ms, value in Feedback.objects.values_list("project_id", "created_ms", "value"):
        found[project_id, hour_of(created_ms)][value != 1] += 1
    return {key: tuple(counts) for key, counts in found.items()}


def stored_thumbs() -> dict[Key, Sums]:
    """The rows of the table."""
    rows = FeedbackHour.objects.values_list("project_id", "hour_ms", "positive", "negative")
    return {(project_id, hour_ms): tuple(counts) for project_id, hour_ms, *counts in rows}


def session_differences() -> list[str]:
    """One line for each session whose row is missing, left over, or not what its traces say."""
    wanted, stored = expected_sessions(), stored_sessions()
    return [
        f"Session {key}: stored {stored.get(key)}, its traces say {wanted.get(key)}"
        for key in sorted({*wanted, *stored})
        if stored.get(key) != wanted.get(key)
    ]


def expected_sessions() -> dict[Key, Owned]:
    """When each session's first and last traces began, and who is the first user named."""
    found: dict[Key, Owned] = {}
    rows = Trace.objects.filter(is_known=True).exclude(session_id=None).order_by("started_ms", "pk")
    columns = rows.values_list("project_id", "session_id", "user_id", "started_ms")
    for project_id, session_id, user_id, started_ms in columns.iterator(chunk_size=CHUNK):
        key = project_id, str(session_id)
        first_ms, _last, owner = found.get(key, (started_ms, started_ms, None))
        found[key] = (first_ms, started_ms, user_id if owner is None else owner)
    return found


def stored_sessions() -> dict[Key, Owned]:
    """The rows of the table."""
    rows = Session.objects.values_list("project_id", "session_id", "first_ms", "last_ms", "user_id")
    return {(project_id, session_id): (first, last, owner) for project_id, session_id, first, last, owner in rows}


def model_differences() -> list[str]:
    """One line for each trace that names other models than its spans have."""
    pairs: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for trace_id, *pair in Span.objects.values_list("trace_id", "model", "provider").distinct():
        pairs[trace_id].append((pair[0], pair[1]))
    return [
        f"Trace {pk}: stored {stored!r}, its spans are of {used_models(pairs[pk])!r}"
        for pk, stored in Trace.objects.values_list("pk", "used_models").iterator(chunk_size=CHUNK)
        if stored != used_models(pairs[pk])
    ]


def expected_rollups() -> Rollups:
    """The sum over all traces."""
    rollups = Rollups.empty()
    rows = map(stored_trace, Trace.objects.order_by("pk").values_list(*TRACE_COLUMNS).iterator(chunk_size=CHUNK))
    while batch := list(islice(rows, CHUNK)):
        add_batch(rollups, batch)
    return rollups


def add_batch(rollups: Rollups, batch: list[StoredTrace]) -> None:
    """Add some traces with their spans."""
    spans: defaultdict[int, dict[str, SpanFacts]] = spans_of([row.id for row in batch])
    for row in batch:
        rollups.add(row.project_id, row.facts(), list(spans[row.id].values()))


def stored_rows(name: str) -> dict[Key, tuple[int, ...]]:
    """The rows of one rollup that are not all zero."""
    table = TABLES[name]
    rows = Rollup()
    width = len(table.keys)
    for row in apps.get_model("llmtraces", table.model).objects.values_list(*table.keys, *table.amounts):
        rows.add(row[:width], row[width:])
    return dict(rows.changes())

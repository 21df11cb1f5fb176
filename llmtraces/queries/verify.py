"""Recomputes every rollup from the rows, and names what differs (`manage.py verify_rollups`)."""

from collections import defaultdict
from itertools import islice

from django.apps import apps

from llmtraces.contributions import Key, Rollup, Rollups, SpanFacts
from llmtraces.models import Trace
from llmtraces.queries.facts import TRACE_COLUMNS, StoredTrace, spans_of, stored_trace
from llmtraces.tables import TABLES

CHUNK = 500


def differences() -> list[str]:
    """One line for each rollup row that is not what its traces add up to; empty when all are right.

    Reads everything: for checks, not for pages. Traces that come in meanwhile would look like differences, so run it
    within one transaction (PostgreSQL: repeatable read) or on a quiet database.
    """
    expected = expected_rollups()
    found = []
    for name, table in TABLES.items():
        rows = stored_rows(name)
        wanted = dict(getattr(expected, name).changes())
        for key in sorted({*rows, *wanted}, key=str):
            have, want = rows.get(key), wanted.get(key)
            if have != want:
                found += [f"{table.model} {key}: stored {have}, its traces add up to {want}"]
    return found


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

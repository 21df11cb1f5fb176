"""Writes changes of the durations' counts: of each hour, and of each UTC day, which long windows read instead."""

from collections import Counter, defaultdict

from django.db.backends.utils import CursorWrapper

from bloop_site.lib.clock import day_of
from bloop_site.lib.db import insert_rows
from llmtraces.contributions import Rollup
from llmtraces.packing import packed, unpacked

KEYS = '"project_id", "is_day", "hour_ms", "kind", "of", "by"'
FIND_OR_MAKE = f"""
    ON CONFLICT ({KEYS}) DO UPDATE SET counts = llmtraces_durations.counts RETURNING id, {KEYS}, counts
"""
Key = tuple[str, bool, int, str, str, str]


def write_durations(cursor: CursorWrapper, change: Rollup) -> None:
    """Add the changes to the rows, which are locked in one order for everybody; in the caller's transaction."""
    changes = by_row(change)
    if not changes:
        return
    made = [(*key, b"") for key in sorted(changes)]
    rows = insert_rows(
        cursor, f"INSERT INTO llmtraces_durations ({KEYS}, counts)", made, then=FIND_OR_MAKE, returning=True
    )
    updates = []
    for pk, project_id, is_day, hour_ms, kind, of, by, stored in rows:
        counts = Counter(unpacked(stored))
        counts.update(changes[project_id, bool(is_day), hour_ms, kind, of, by])
        updates.append((packed(counts), pk))
    cursor.executemany("UPDATE llmtraces_durations SET counts = %s WHERE id = %s", updates)


def by_row(change: Rollup) -> dict[Key, Counter[int]]:
    """The changes as they concern rows. change: by project, hour, kind, of, by and bucket."""
    hours: defaultdict[Key, Counter[int]] = defaultdict(Counter)
    for (project_id, hour_ms, kind, of, by, bucket), (count,) in change.rows.items():
        if count:
            hours[str(project_id), False, int(hour_ms), str(kind), str(of), str(by)][int(bucket)] = count
    days: defaultdict[Key, Counter[int]] = defaultdict(Counter)
    for (project_id, _, hour_ms, kind, of, by), counts in hours.items():
        days[project_id, True, day_of(hour_ms), kind, of, by].update(counts)
    return hours | days

"""Packs hourly counts (errors.models.PackedHours), and notes which packs are right no more.

How a pack stays right, on PostgreSQL too, where a flush may commit at any moment: every flush writes to the row of each
six hours it adds to (`note_hours`), and so holds that row until it commits. Who packs first says in the row how many
hours it is about to pack (`claim`), and so waits for the flushes that came before; only then it reads their counts. A
flush that comes later finds its hour asked for and counts `version` up; a pack is written only over the version that
was claimed. What comes to nothing like this, or by a kill, stays to be done.
"""

import time
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import F, QuerySet

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of
from bloop_site.lib.db import copying_back_ourselves
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from errors.models import PackedHours
from errors.models.alerting import SPAN_HOURS, SPAN_MS, span_of

KEPT_MS = 61 * DAY_MS  # movers look at twice 720 hours; these may begin within a span
REST_MS = MINUTE_MS  # after an hour's end, for the flush that brings its last events

NOTE_HOURS = """
    INSERT INTO errors_packedhours (project_id, start_ms, version, asked, hours, environments, data)
    VALUES (%s, %s, 0, 0, 0, '[]', %s)
    ON CONFLICT (project_id, start_ms) DO UPDATE SET
        version = errors_packedhours.version + 1,
        data = CASE WHEN errors_packedhours.hours > %s THEN excluded.data ELSE errors_packedhours.data END,
        hours = CASE WHEN errors_packedhours.hours > %s THEN 0 ELSE errors_packedhours.hours END,
        asked = CASE WHEN errors_packedhours.hours > %s THEN 0 ELSE errors_packedhours.hours END
    WHERE errors_packedhours.asked > %s
"""


def note_hours(touched: Iterable[tuple[str, int]]) -> None:
    """In the transaction that adds to counts of these projects' hours (epoch ms): their packs say so no more.

    Makes the row of six hours that had none. Rows are taken in the order of project and time, by all who take several.
    """
    firsts: dict[tuple[str, int], int] = {}
    for project_id, hour_ms in touched:
        key, index = (project_id, span_of(hour_ms)), hour_ms % SPAN_MS // HOUR_MS
        firsts[key] = min(index, firsts.get(key, index))
    with connection.cursor() as cursor:
        cursor.executemany(NOTE_HOURS, [(*key, b"", *[index] * 4) for key, index in sorted(firsts.items())])


def forget_hours(hours_ms: Iterable[int]) -> None:
    """In the transaction that removes counts of these hours, of whatever project: no pack says them any more.

    Rows that nobody has packed are held as well: who comes to pack them must wait for what is removed here.
    """
    rows = PackedHours.objects.filter(start_ms__in={span_of(hour_ms) for hour_ms in hours_ms})
    held = rows.select_for_update().order_by("project_id", "start_ms").values_list("pk", "asked")
    asked = [pk for pk, hours in held if hours]
    PackedHours.objects.filter(pk__in=asked).update(version=F("version") + 1, asked=0, hours=0, data=b"")


def pack_hours(*, now_ms: int, seconds: float) -> bool:
    """Pack the hours that are over and not packed yet, for about `seconds`, the newest first. Returns whether all are.

    Safe to run twice, also at once, and after any interruption: each row is written in a transaction of its own.
    """
    ends, pace = time.monotonic() + seconds, Pace()
    with copying_back_ourselves():
        for start_ms, hours in spans_due(now_ms=now_ms):
            pack_span(start_ms, hours=hours, pace=pace)
            if time.monotonic() >= ends:
                return not spans_due(now_ms=now_ms)
    return True


def spans_due(*, now_ms: int) -> list[tuple[int, int]]:
    """Starts of six hours that have something to pack, newest first, each with how many of its hours are over."""
    over_ms = hour_of(now_ms - REST_MS)
    rows = due(since_ms=span_of(now_ms - KEPT_MS)).values_list("start_ms", "hours").distinct()
    over = {start_ms: min(SPAN_HOURS, (over_ms - start_ms) // HOUR_MS) for start_ms, _ in rows}
    wanted = {start_ms for start_ms, hours in rows if hours < over[start_ms]}
    return [(start_ms, over[start_ms]) for start_ms in sorted(wanted, reverse=True)]


def due(*, since_ms: int) -> QuerySet[PackedHours]:
    """Rows that lack hours; projects that are being removed have no use for any."""
    return PackedHours.objects.filter(hours__lt=SPAN_HOURS, start_ms__gte=since_ms, project__removing_at=None)


def pack_span(start_ms: int, *, hours: int, pace: Pace) -> None:
    """Pack the first `hours` of the six from `start_ms` on, of every project that lacks some."""
    # numpy is loaded by who needs it: a flush, which imports this module too, does not.
    from errors.packing import packed  # noqa: PLC0415
    from errors.queries.stored import stored_counts  # noqa: PLC0415

    claimed = claim(start_ms, hours=hours)
    if not claimed:
        return
    end_ms = start_ms + hours * HOUR_MS
    rows = stored_counts(project_ids=list(claimed), start_ms=start_ms, end_ms=end_ms)
    for project_id, (pk, version) in claimed.items():
        own, names = rows.of(project_id)
        data = packed(
            issue_ids=own.issue_ids,
            environments=own.environments,
            hours=(own.hours_ms - start_ms) // HOUR_MS,
            counts=own.counts,
        )
        pace.rest(write(pk, version=version, hours=hours, environments=names, data=data))


def claim(start_ms: int, *, hours: int) -> dict[str, tuple[int, int]]:
    """Say that these hours are about to be packed. Returns id and version of each row to write, by project.

    Row by row: who holds one and waits for the next could wait in a circle with a flush, which holds several.
    """
    lacking = due(since_ms=start_ms).filter(start_ms=start_ms, hours__lt=hours).order_by("project_id")
    claimed: dict[str, tuple[int, int]] = {}
    for project_id, pk in list(lacking.values_list("project_id", "pk")):
        with write_turn, transaction.atomic():
            if PackedHours.objects.filter(pk=pk, hours__lt=hours).update(asked=hours):
                claimed[project_id] = (pk, PackedHours.objects.values_list("version", flat=True).get(pk=pk))
    return claimed


def write(pk: int, *, version: int, hours: int, environments: list[str], data: bytes) -> float:
    """Write a pack, unless counts were added since it was claimed. Returns for how many seconds that held the turn."""
    with write_turn:
        started = time.perf_counter()
        with transaction.atomic():
            PackedHours.objects.filter(pk=pk, version=version, asked=hours).update(
                hours=hours, environments=environments, data=data
            )
        return time.perf_counter() - started

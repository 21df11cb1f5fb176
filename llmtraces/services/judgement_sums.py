"""Writes changes of the sums of scores and feedback, after their rows; in the transaction that wrote these.

What judgements came and went is added and taken away. Rows are locked in one order for everybody, and a row goes with
the last judgement it counts, so nothing else purges them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection

from bloop_site.lib.clock import DAY_MS, HOUR_MS, day_of, hour_of
from bloop_site.lib.db import insert_rows
from llmtraces.contributions import Rollup
from llmtraces.models import FeedbackHour, Score, ScoreSums
from llmtraces.packing import packed, unpacked
from llmtraces.places import bounds_of, fifths_of, is_exact, nanos_of, place_of
from llmtraces.services.rollups import write_rollup
from llmtraces.tables import FEEDBACK

FIFTHS = ("fifth1", "fifth2", "fifth3", "fifth4", "fifth5")
KEYS = "is_day, hour_ms, project_id, name"
AMOUNTS = (*FIFTHS, "total_nanos", "lowest", "highest", "counts")
FIND_OR_MAKE = f"""
    ON CONFLICT ({KEYS}) DO UPDATE SET counts = llmtraces_scoresums.counts
    RETURNING id, {KEYS}, total_nanos, lowest, highest, counts
"""
UPDATE = f"UPDATE llmtraces_scoresums SET {', '.join(f'{name} = %s' for name in AMOUNTS)} WHERE id = %s"  # noqa: S608
Key = tuple[bool, int, str, str]  # the columns of KEYS
Extreme = Callable[[Iterable[Any]], Any]  # min or max


class ScoreMade(NamedTuple):
    """A score, as the sums count it."""

    project_id: str
    created_ms: int
    name: str
    value: float


class ThumbMade(NamedTuple):
    """A feedback, as the sums count it."""

    project_id: str
    created_ms: int
    value: int


@dataclass
class Change:
    """The values that come to and go from one row."""

    came: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)


# --- Scores -----------------------------------------------------------------------------------------------------------


def write_score_sums(*, came: Iterable[ScoreMade] = (), gone: Iterable[ScoreMade] = ()) -> None:
    """Add the scores that came to their hours and days, and take away those that went."""
    changes: defaultdict[Key, Change] = defaultdict(Change)
    for score in came:
        for key in keys_of(score):
            changes[key].came.append(score.value)
    for score in gone:
        for key in keys_of(score):
            changes[key].gone.append(score.value)
    if changes:
        write_changes(changes)


def keys_of(score: ScoreMade) -> tuple[Key, Key]:
    """The hour and the day that count it."""
    return (
        (False, hour_of(score.created_ms), score.project_id, score.name),
        (True, day_of(score.created_ms), score.project_id, score.name),
    )


def write_changes(changes: dict[Key, Change]) -> None:
    """Bring the rows to what they are with the changes; those that count nothing any more are deleted."""
    made = [(*key, *[0] * (len(AMOUNTS) - 1), b"") for key in sorted(changes)]
    insert = f"INSERT INTO llmtraces_scoresums ({KEYS}, {', '.join(AMOUNTS)})"
    updates, empty = [], []
    with connection.cursor() as cursor:
        for pk, is_day, *names, total, lowest, highest, stored in insert_rows(
            cursor, insert, made, then=FIND_OR_MAKE, returning=True
        ):
            key: Key = (bool(is_day), *names)
            change, counts = changes[key], Counter(unpacked(stored))
            before = (lowest, highest) if counts else None
            counts.update(map(place_of, change.came))
            counts.subtract(map(place_of, change.gone))
            counts = +counts
            if counts:
                bounds = [extreme(pick, key, before, change, counts) for pick in (min, max)]
                added = sum(map(nanos_of, change.came)) - sum(map(nanos_of, change.gone))
                updates.append((*fifths_of(counts), total + added, *bounds, packed(counts), pk))
            else:
                empty.append(pk)
        cursor.executemany(UPDATE, updates)
    if empty:
        ScoreSums.objects.filter(pk__in=empty).delete()


def extreme(pick: Extreme, key: Key, before: tuple[float, float] | None, change: Change, counts: Counter[int]) -> float:
    """The least or the greatest value of a row. before: what both were; counts: of the row now, by place.

    Where the one from before goes, the next is known by its place, or looked up among the row's scores of that place.
    """
    known = () if before is None else (pick(before),)
    if not set(known) & set(change.gone):
        return float(pick([*known, *change.came]))
    place = pick(counts)
    low, high = bounds_of(place)
    if is_exact(place):
        return low
    is_day, start_ms, project_id, name = key
    end_ms = start_ms + (DAY_MS if is_day else HOUR_MS)
    rows = Score.objects.filter(project_id=project_id, name=name, created_ms__gte=start_ms, created_ms__lt=end_ms)
    found = rows.filter(value__gt=low, value__lt=high).order_by("value" if pick is min else "-value")
    return float(found.values_list("value", flat=True)[0])


# --- Feedback ---------------------------------------------------------------------------------------------------------


def write_feedback_sums(*, came: Sequence[ThumbMade] = (), gone: Sequence[ThumbMade] = ()) -> None:
    """Add the feedback that came to its hours, and take away what went."""
    change = Rollup()
    for thumbs, sign in ((came, 1), (gone, -1)):
        for thumb in thumbs:
            key = hour_of(thumb.created_ms), thumb.project_id
            change.add(key, (thumb.value == 1, thumb.value == -1), sign=sign)
    with connection.cursor() as cursor:
        write_rollup(cursor, FEEDBACK, change)
    if gone:
        hours = {hour_of(thumb.created_ms) for thumb in gone}
        FeedbackHour.objects.filter(hour_ms__in=hours, positive=0, negative=0).delete()

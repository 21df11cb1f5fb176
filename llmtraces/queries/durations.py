"""How often which duration was counted in a window: what every percentile is made of (design.md 5)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, TypeVar

from django.db.models import Q

from bloop_site.lib.clock import DAY_MS, day_of
from llmtraces.models import Durations
from llmtraces.packing import Sum
from llmtraces.queries.window import Window

Key = TypeVar("Key")
HOURS_READ = 48  # of longer windows, whole days are read as days


class Counted(NamedTuple):
    """The counts of an hour or a day, packed."""

    start_ms: int
    of: str
    by: str
    counts: bytes


def durations(
    window: Window, kind: str, *, of: Collection[str] | None = None, step_ms: int = DAY_MS
) -> Iterator[Counted]:
    """The counts of a kind, of the window's model and provider or of the names given; one query.

    step_ms: the longest part of the window that may stand as one.
    """
    rows = window.own(Durations.objects.filter(kind=kind)).filter(parts_of(window, step_ms))
    if of is not None:
        rows = rows.filter(of__in=of)
    else:
        named = {"of": window.model, "by": window.provider}
        rows = rows.filter(**{name: value for name, value in named.items() if value})
    yield from map(Counted._make, rows.values_list("hour_ms", "of", "by", "counts"))


def has_days(window: Window, step_ms: int) -> bool:
    """Whether some of the window is read as days."""
    return step_ms >= DAY_MS and window.hours > HOURS_READ


def is_read_once(window: Window, step_ms: int) -> bool:
    """Whether the parts of this step are those that the window is read in anyway."""
    return has_days(window, step_ms) == has_days(window, DAY_MS)


def parts_of(window: Window, step_ms: int) -> Q:
    """The window as hours; if it is long and days are short enough, as its whole days and the hours at its ends.

    Each part is a range of an index that has `is_day` before `hour_ms`; a bare boolean would find none on SQLite.
    """
    first, end = window.since_ms, window.until_ms
    if not has_days(window, step_ms):
        return part(is_day=False, since_ms=first, until_ms=end)
    begin_days, end_days = day_of(first + DAY_MS - 1), day_of(end)
    return (
        part(is_day=True, since_ms=begin_days, until_ms=end_days)
        | part(is_day=False, since_ms=first, until_ms=begin_days)
        | part(is_day=False, since_ms=end_days, until_ms=end)
    )


def part(*, is_day: bool, since_ms: int, until_ms: int) -> Q:
    """The rows that begin between two times, the second excluded."""
    return Q(is_day__in=(is_day,), hour_ms__gte=since_ms, hour_ms__lt=until_ms)


def summed(counted: Iterable[tuple[Key, bytes]]) -> defaultdict[Key, Counter[int]]:
    """Packed counts, summed by what they are of."""
    sums: defaultdict[Key, Sum] = defaultdict(Sum)
    for key, counts in counted:
        sums[key].add(counts)
    return defaultdict(Counter, {key: total.counts() for key, total in sums.items()})

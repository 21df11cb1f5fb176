"""How often which duration was counted in a window: what every percentile is made of (design.md 5)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from django.db.models import Q

from bloop_site.lib.clock import DAY_MS, day_of
from llmtraces.models import Durations
from llmtraces.packing import unpacked
from llmtraces.queries.window import Window

Key = TypeVar("Key")
HOURS_READ = 48  # of longer windows, whole days are read as days


class Counted(NamedTuple):
    """The counts of an hour or a day, by bucket."""

    start_ms: int
    of: str
    by: str
    counts: dict[int, int]


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
    for start_ms, name, by, stored in rows.values_list("hour_ms", "of", "by", "counts"):
        yield Counted(start_ms, name, by, unpacked(stored))


def has_days(window: Window, step_ms: int) -> bool:
    """Whether some of the window is read as days."""
    return step_ms >= DAY_MS and window.hours > HOURS_READ


def is_read_once(window: Window, step_ms: int) -> bool:
    """Whether the parts of this step are those that the window is read in anyway."""
    return has_days(window, step_ms) == has_days(window, DAY_MS)


def parts_of(window: Window, step_ms: int) -> Q:
    """The window as hours; if it is long and days are short enough, as its whole days and the hours at its ends."""
    first, end = window.since_ms, window.until_ms
    hours = Q(is_day=False)
    if not has_days(window, step_ms):
        return hours & Q(hour_ms__gte=first, hour_ms__lt=end)
    begin_days, end_days = day_of(first + DAY_MS - 1), day_of(end)
    ends = Q(hour_ms__gte=first, hour_ms__lt=begin_days) | Q(hour_ms__gte=end_days, hour_ms__lt=end)
    return Q(is_day=True, hour_ms__gte=begin_days, hour_ms__lt=end_days) | hours & ends


def summed(counted: Iterable[tuple[Key, Mapping[int, int]]]) -> defaultdict[Key, Counter[int]]:
    """Counts of buckets, summed by what they are of."""
    sums: defaultdict[Key, Counter[int]] = defaultdict(Counter)
    for key, counts in counted:
        total = sums[key]
        for bucket, count in counts.items():
            total[bucket] += count
    return sums

"""The hours a trend shows, as the address has them."""

from django.http import QueryDict

from bloop_site.lib.clock import HOUR_MS, hour_of
from bloop_site.lib.links import Choice, number_in, with_query
from errors.queries.trends import Window, first_hour

CHOICES = ((24, "24 h"), (72, "72 h"), (336, "14 d"), (720, "30 d"))
USUAL_HOURS = 72
MAX_HOURS = 720


def is_zoomed(query: QueryDict) -> bool:
    """Whether the address names a first and a last hour."""
    start, end = number_in(query.get("from")), number_in(query.get("to"))
    return start is not None and end is not None and 0 < start < end <= start + MAX_HOURS * HOUR_MS


def window_of(query: QueryDict, *, now_ms: int, usual: int = USUAL_HOURS) -> Window:
    """`?from=&to=` (epoch ms, widened to whole hours), else the last `?hours=` (1 to 720), else the last `usual`."""
    start, end = number_in(query.get("from")), number_in(query.get("to"))
    if start is not None and end is not None and is_zoomed(query):
        first = hour_of(start)
        return Window(first, min(MAX_HOURS, -(-(end - first) // HOUR_MS)))
    hours = hours_of(query, usual)
    return Window(first_hour(hours=hours, now_ms=now_ms), hours)


def hours_of(query: QueryDict, usual: int) -> int:
    """The hours asked for, within 1 to 720; nonsense means the usual ones."""
    hours = number_in(query.get("hours"))
    return usual if hours is None else min(max(hours, 1), MAX_HOURS)


def choices_of(query: QueryDict, *, usual: int = USUAL_HOURS) -> list[Choice]:
    """The windows offered; choosing one ends a zoom."""
    hours = None if is_zoomed(query) else hours_of(query, usual)
    return [
        Choice(label, with_query(query, hours=str(each), **{"from": None, "to": None}), each == hours)
        for each, label in CHOICES
    ]

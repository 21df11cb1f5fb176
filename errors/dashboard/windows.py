"""The hours a trend shows, as the address has them."""

from django.http import QueryDict

from bloop_site.lib.links import Chip, Choice, number_in, with_query
from bloop_site.lib.zoom import MAX_HOURS, zoom_in
from errors.queries.trends import Window, first_hour

CHOICES = ((24, "24 h"), (72, "72 h"), (336, "14 d"), (720, "30 d"))
USUAL_HOURS = 72


def window_of(query: QueryDict, *, now_ms: int, usual: int = USUAL_HOURS) -> Window:
    """The hours chosen on the chart, else the last `?hours=` (1 to 720), else the last `usual`."""
    zoom = zoom_in(query)
    if zoom:
        return Window(zoom.start_ms, zoom.hours)
    hours = hours_of(query, usual)
    return Window(first_hour(hours=hours, now_ms=now_ms), hours)


def hours_of(query: QueryDict, usual: int) -> int:
    """The hours asked for, within 1 to 720; nonsense means the usual ones."""
    hours = number_in(query.get("hours"))
    return usual if hours is None else min(max(hours, 1), MAX_HOURS)


def choices_of(query: QueryDict, *, usual: int = USUAL_HOURS) -> list[Choice]:
    """The windows offered; choosing one ends a zoom."""
    hours = None if zoom_in(query) else hours_of(query, usual)
    return [
        Choice(label, with_query(query, hours=str(each), **{"from": None, "to": None}), each == hours)
        for each, label in CHOICES
    ]


def zoom_chips(query: QueryDict) -> list[Chip]:
    """The hours chosen on the chart, as a chip that leads back; none where none are."""
    zoom = zoom_in(query)
    return [zoom.chip(query)] if zoom else []

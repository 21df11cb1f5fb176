"""Hours that were chosen on a chart, as the address has them: `?from=&to=`, epoch milliseconds."""

from dataclasses import dataclass

from django.http import QueryDict

from bloop_site.lib.clock import HOUR_MS, hour_of
from bloop_site.lib.links import Chip, number_in, with_query

MAX_HOURS = 720


@dataclass(frozen=True)
class Zoom:
    """Whole clock hours, 1 to 720 of them. end_ms: the end of the last, which is no part of them."""

    start_ms: int
    end_ms: int

    @property
    def hours(self) -> int:
        return (self.end_ms - self.start_ms) // HOUR_MS

    @property
    def query(self) -> dict[str, str]:
        """The parameters that stand for these hours in an address."""
        return {"from": str(self.start_ms), "to": str(self.end_ms)}

    def chip(self, query: QueryDict) -> Chip:
        """The hours as a filter in force, and the way back to the window that was left for them."""
        without = with_query(query, **{"from": None, "to": None, "page": None})
        return Chip("Hours", "", without, (self.start_ms, self.end_ms))


def zoom_in(query: QueryDict) -> Zoom | None:
    """The hours of the address, widened to whole ones; None where it names none or more than 720."""
    start, end = number_in(query.get("from")), number_in(query.get("to"))
    if start is None or end is None or not 0 < start < end <= start + MAX_HOURS * HOUR_MS:
        return None
    first = hour_of(start)
    return Zoom(first, min(hour_of(end + HOUR_MS - 1), first + MAX_HOURS * HOUR_MS))

"""Bounds of pages: no limit is ever unlimited (contract 4.1)."""

from dataclasses import dataclass
from math import ceil

MAX_OFFSET = 2**31


@dataclass(frozen=True)
class Page:
    """A page of a list: `number` of `pages`, rows `first` to `last` (1-based) of `total`.

    more: there are more than `total`, which nobody counted.
    """

    number: int
    size: int
    total: int
    more: bool = False

    @property
    def pages(self) -> int:
        return max(1, ceil(self.total / self.size))

    @property
    def first(self) -> int:
        return min(self.total, (self.number - 1) * self.size + 1)

    @property
    def last(self) -> int:
        return min(self.total, self.number * self.size)

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def page_of(*, wanted: str | None, size: int, total: int, more: bool = False) -> Page:
    """The page asked for in a query string, held within the pages there are; nonsense means the first."""
    number = int(wanted) if wanted and wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 else 1
    return Page(number=min(max(1, number), max(1, ceil(total / size))), size=size, total=total, more=more)


def clamp(value: int, low: int, high: int) -> int:
    """The value held within low and high, both included."""
    return min(max(value, low), high)

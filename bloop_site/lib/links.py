"""Addresses that differ from the page's own in a few query parameters: chips, pages, filters."""

from dataclasses import dataclass

from django.http import QueryDict

from bloop_site.lib.pagination import Page

MAX_DIGITS = 18  # below 2**63


@dataclass(frozen=True)
class Choice:
    """One of several windows, orders or views, and its address."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Chip:
    """A filter in force and the address without it. between_ms: of hours, instead of a value, first and end."""

    label: str
    value: str
    remove_url: str
    between_ms: tuple[int, int] | None = None


@dataclass(frozen=True)
class PageLinks:
    """A page's figures and the addresses of its neighbours. more: there are more than `total`, which nobody counted."""

    number: int
    pages: int
    total: int
    first: int
    last: int
    previous_url: str | None
    next_url: str | None
    more: bool = False


def with_query(query: QueryDict, **changes: str | None) -> str:
    """`?…` with some parameters set or (None) removed; "?" when nothing is left, so that a link still leads here."""
    copy = query.copy()
    for name, value in changes.items():
        if value is None:
            copy.pop(name, None)
        else:
            copy[name] = value
    return f"?{copy.urlencode()}"


def page_links(query: QueryDict, page: Page) -> PageLinks:
    """The page with links to the one before and the one after it, where there are such."""
    return PageLinks(
        number=page.number,
        pages=page.pages,
        total=page.total,
        first=page.first,
        last=page.last,
        previous_url=with_query(query, page=str(page.number - 1)) if page.number > 1 else None,
        next_url=with_query(query, page=str(page.number + 1)) if page.number < page.pages else None,
        more=page.more,
    )


def number_in(value: str | None) -> int | None:
    """A number of a row, as an address or a form has it; nonsense is None."""
    is_number = value is not None and value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS
    return int(value) if value is not None and is_number else None

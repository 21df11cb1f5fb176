"""Occurrences of an issue one by one and in pages, by arrival, those of merged issues as of one.

Ids go up with arrival, and the index on (issue, id) has the neighbours of any id within reach: a page costs the same
with ten occurrences and with a million. Nothing here counts or sorts all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Max, OuterRef, QuerySet, Subquery

from bloop_site.lib.clock import HOUR_MS
from errors.models import Aggregate, Event, Issue

MAX_UNITED = 400  # SQLite unites at most 500 selections
MAX_LOOK = 10_000  # occurrences of each issue that a page narrowed by a filter looks at


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: back from `older_than` (exclusive), forward from `newer_than`, else back from the newest."""

    older_than: int | None = None
    newer_than: int | None = None

    @property
    def is_forward(self) -> bool:
        return self.newer_than is not None

    @property
    def order(self) -> str:
        return "pk" if self.is_forward else "-pk"

    def side(self) -> dict[str, int]:
        """The condition on ids."""
        if self.newer_than is not None:
            return {"pk__gt": self.newer_than}
        return {} if self.older_than is None else {"pk__lt": self.older_than}


@dataclass(frozen=True)
class Occurrence:
    """One occurrence and the ids of its neighbours. event: None when no occurrence is kept any more."""

    event: Event | None
    newer_id: int | None = None
    older_id: int | None = None


@dataclass(frozen=True)
class EventFilter:
    """What a list of occurrences is narrowed to; empty texts narrow nothing."""

    release: str = ""
    environment: str = ""

    def conditions(self) -> dict[str, str]:
        """As keywords, which events and aggregates share."""
        fields = {"release": self.release, "environment": self.environment}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class EventPage:
    """Occurrences, the newest first, and where the pages beside this one begin (None: there is none).

    is_cut: looked at as many occurrences as a page may, and found fewer than fit.
    """

    rows: list[Event]
    newer: Cursor | None = None
    older: Cursor | None = None
    is_cut: bool = False


def nearest_ids(issue_ids: Sequence[int], cursor: Cursor, *, limit: int) -> list[int]:
    """The ids of up to `limit` occurrences of these issues, the nearest to the cursor first.

    One query for up to 400 issues: each gives `limit` ids from its own stretch of the index, then they are merged.
    """
    found: list[int] = []
    for parts in in_pieces(issue_ids, cursor):
        found += united(parts, limit=limit).order_by(cursor.order)[:limit]
    return sorted(found, reverse=not cursor.is_forward)[:limit]


def newest_ids_of_each(issue_ids: Sequence[int], *, limit: int) -> list[int]:
    """The ids of the newest `limit` occurrences of each of these issues, in no order; queries as `nearest_ids`."""
    found: list[int] = []
    for parts in in_pieces(issue_ids, Cursor()):
        found += united(parts, limit=limit) if len(parts) > 1 else parts[0][:limit]
    return found


def in_pieces(issue_ids: Sequence[int], cursor: Cursor) -> Iterator[list[QuerySet[Event, int]]]:
    """The ids of each issue's occurrences on one side of the cursor, as many issues at once as can be united."""
    for start in range(0, len(issue_ids), MAX_UNITED):
        yield [
            Event.objects.filter(issue=issue_id, **cursor.side()).order_by(cursor.order).values_list("pk", flat=True)
            for issue_id in issue_ids[start : start + MAX_UNITED]
        ]


def united(parts: Sequence[QuerySet[Event, int]], *, limit: int) -> QuerySet[Event, int]:
    """The first `limit` ids of each part. SQLite takes no limit inside a UNION, so parts that need one are wrapped."""
    if len(parts) == 1:
        return parts[0]
    wrapped = [Event.objects.filter(pk__in=part[:limit]).values_list("pk", flat=True) for part in parts]
    return wrapped[0].union(*wrapped[1:], all=True)


def occurrence(issue_ids: Sequence[int], *, wanted: int | None) -> Occurrence:
    """The occurrence with the id `wanted`; the newest one if that is None or none of these issues' (any more)."""
    event = Event.objects.filter(pk=wanted, issue__in=issue_ids).first() if wanted is not None else None
    if event is None:
        newest = nearest_ids(issue_ids, Cursor(), limit=2)
        event = Event.objects.filter(pk=newest[0]).first() if newest else None
        return Occurrence(event, older_id=newest[1] if len(newest) > 1 else None)
    newer = nearest_ids(issue_ids, Cursor(newer_than=event.pk), limit=1)
    older = nearest_ids(issue_ids, Cursor(older_than=event.pk), limit=1)
    return Occurrence(event, newer_id=newer[0] if newer else None, older_id=older[0] if older else None)


def event_page(
    issue_ids: Sequence[int], filters: EventFilter, cursor: Cursor, *, project_id: str, size: int
) -> EventPage:
    """Up to `size` occurrences beside the cursor, in five queries at most.

    With a filter it looks at no more than 10,000 occurrences of each issue and may come back with fewer, or with none:
    `is_cut` says so, and its `older` goes on where it stopped.
    """
    if not filters.conditions():
        found = nearest_ids(issue_ids, cursor, limit=size + 1)
        if cursor.is_forward and len(found) <= size:  # the newest: as many as fit, not what has come since
            cursor = Cursor()
            found = nearest_ids(issue_ids, cursor, limit=size + 1)
        return page_of(found, cursor, size=size)
    if cursor == Cursor():
        first = where_to_look(issue_ids, filters, project_id=project_id)
        if first is None:
            return EventPage([])
        return narrowed_page(issue_ids, filters, first, size=size, is_first=True)
    return narrowed_page(issue_ids, filters, cursor, size=size)


def narrowed_page(
    issue_ids: Sequence[int], filters: EventFilter, cursor: Cursor, *, size: int, is_first: bool = False
) -> EventPage:
    """The page of matching occurrences within reach of one look."""
    end = end_of_look(issue_ids, cursor)
    rows = Event.objects.filter(issue__in=issue_ids, **cursor.side(), **filters.conditions())
    if end is not None:
        rows = rows.filter(**({"pk__lte": end} if cursor.is_forward else {"pk__gte": end}))
    found = list(rows.order_by(cursor.order).values_list("pk", flat=True)[: size + 1])
    return page_of(found, cursor, size=size, end=end, is_first=is_first)


def where_to_look(issue_ids: Sequence[int], filters: EventFilter, *, project_id: str) -> Cursor | None:
    """Where to begin looking for what matches: a release that ended months ago is not looked for in this week.

    None when nothing ever matched. The rollups know when it was seen last; the first event the project received an hour
    later has a higher id than any that matches (the hour is for events that waited in the buffer).
    """
    seen = Aggregate.objects.filter(issue__in=issue_ids, **filters.conditions()).aggregate(last=Max("last_seen_ms"))
    if seen["last"] is None:
        return None
    later = Event.objects.filter(project=project_id, received_ms__gt=seen["last"] + HOUR_MS)
    first = later.order_by("received_ms").values_list("pk", flat=True)[:1]
    return Cursor(older_than=next(iter(first), None))


def end_of_look(issue_ids: Sequence[int], cursor: Cursor) -> int | None:
    """The id at which a look from the cursor ends, inclusive; None when it sees everything on that side."""
    side = Event.objects.filter(issue=OuterRef("pk"), **cursor.side()).order_by(cursor.order)
    last = Subquery(side.values("pk")[MAX_LOOK - 1 : MAX_LOOK])
    found = Issue.objects.filter(pk__in=issue_ids).annotate(last=last).values_list("last", flat=True)
    ends: list[int] = [end for end in found if end is not None]
    if not ends:
        return None
    return min(ends) if cursor.is_forward else max(ends)


def page_of(
    found: Sequence[int], cursor: Cursor, *, size: int, end: int | None = None, is_first: bool = False
) -> EventPage:
    """The page of the ids found, the nearest first; one more than fits says that there are more."""
    ids = sorted(found[:size], reverse=True)
    has_more, is_cut = len(found) > size, len(found) <= size and end is not None
    if cursor.is_forward:
        newer = Cursor(newer_than=ids[0]) if has_more else Cursor(newer_than=end) if is_cut else None
        older = Cursor(older_than=ids[-1]) if ids else None
    else:
        is_newest = is_first or cursor == Cursor()
        newer = Cursor(newer_than=ids[0]) if ids and not is_newest else None
        older = Cursor(older_than=ids[-1]) if has_more else Cursor(older_than=end) if is_cut else None
    rows = sorted(Event.objects.filter(pk__in=ids).defer("stack", "metadata"), key=lambda row: row.pk, reverse=True)
    return EventPage(rows, newer=newer, older=older, is_cut=is_cut)

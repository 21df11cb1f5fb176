"""Events of each issue in each hour of a window, as one array: from packed hours, and from HourlyCount what is not.

An issue that is merged into another counts as the one that shows it. Loads numpy.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bloop_site.lib.clock import HOUR_MS
from errors.models import Issue, PackedHours
from errors.models.alerting import SPAN_HOURS, SPAN_MS
from errors.packing import Records, by_environment, unpacked
from errors.queries.stored import StoredCounts, stored_counts
from errors.queries.trends import Window
from projects.access import Reach

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class HourCounts:
    """Events of issues in the clock hours of a window.

    issue_ids: those that have events in it, ascending, [issues]. counts: gaps as zero, oldest hour first, [issues,
    hours]; its memory lies hour by hour.
    """

    window: Window
    issue_ids: Integers
    counts: Integers

    def of(self, wanted: Integers) -> Integers:
        """The rows [issues, hours] of the issues with these ids, in their order; zeros for one without events."""
        found: Integers = np.zeros((len(wanted), self.window.hours), dtype=np.int64)
        if len(self.issue_ids) and len(wanted):
            places = np.minimum(np.searchsorted(self.issue_ids, wanted), len(self.issue_ids) - 1)
            is_there = self.issue_ids[places] == wanted
            found[is_there] = self.counts[places[is_there]]
        return found


class Piece(NamedTuple):
    """Counts of one environment in some hours. issue_ids: each once, ascending; counts: [issues, hours]."""

    environment: str
    first_hour: int  # in the window
    issue_ids: NDArray[np.int64]
    counts: NDArray[np.uint32] | Integers


def hour_counts(
    reach: Reach, window: Window, *, environment: str = "", issue_ids: Integers | None = None
) -> HourCounts:
    """Events of each reachable issue in each hour of the window, in one environment if it is named.

    issue_ids: of these shown issues alone, and what is merged into them. Projects being removed are left out.
    """
    pieces = list(pieces_of(reach, window, environment=environment))
    heads = merged()
    if issue_ids is not None:
        pieces = narrowed(pieces, issue_ids, heads)
    layout = Layout(pieces, heads)
    table: Integers = np.zeros((window.hours, layout.width), dtype=np.int64)
    for piece in pieces:
        rows = table[piece.first_hour : piece.first_hour + piece.counts.shape[1]]
        places = layout.places(piece)
        if places is None:
            rows += piece.counts.T
        else:
            rows[:, places] += piece.counts.T
    own = len(layout.own)
    np.add.at(table.T, layout.head_places, table[:, own:].T)
    return HourCounts(window, layout.own, table[:, :own].T)


def issues_by_environment(reach: Reach, window: Window, *, environment: str = "") -> dict[str, int]:
    """How many shown issues have events in each environment in the window."""
    found: defaultdict[str, list[Integers]] = defaultdict(list)
    for piece in pieces_of(reach, window, environment=environment):
        kept = found[piece.environment]
        if not kept or not np.array_equal(kept[-1], piece.issue_ids):
            kept.append(piece.issue_ids)
    heads = merged()
    return {name: len(np.unique(to_heads(distinct(parts), heads))) for name, parts in found.items()}


class Layout:
    """Which column of a table is which issue: `own` first, ascending; then what is merged into some of those."""

    def __init__(self, pieces: Sequence[Piece], heads: dict[int, int]) -> None:
        ids = distinct([piece.issue_ids for piece in sorted(pieces, key=attrgetter("environment"))])
        is_merged = np.isin(ids, np.fromiter(heads, dtype=np.int64, count=len(heads)))
        self.merged = ids[is_merged]
        shown_by = to_heads(self.merged, heads)
        self.own = np.union1d(ids[~is_merged], shown_by) if len(shown_by) else ids
        self.head_places = np.searchsorted(self.own, shown_by)
        self.width = len(self.own) + len(self.merged)
        self.last: dict[str, tuple[Integers, Integers]] = {}

    def places(self, piece: Piece) -> Integers | None:
        """The columns of a piece's issues; None for: all there are, in their order.

        An environment mostly has events of the same issues hour after hour; then nothing is looked up.
        """
        issue_ids = piece.issue_ids
        if len(issue_ids) == self.width and not len(self.merged):
            return None
        last = self.last.get(piece.environment)
        if last is not None and np.array_equal(last[0], issue_ids):
            return last[1]
        places = np.searchsorted(self.own, issue_ids)
        if len(self.merged):
            at = np.minimum(np.searchsorted(self.merged, issue_ids), len(self.merged) - 1)
            places = np.where(self.merged[at] == issue_ids, len(self.own) + at, places)
        self.last[piece.environment] = (issue_ids, places)
        return places


def merged() -> dict[int, int]:
    """Every issue that is merged into another, to that one."""
    rows = Issue.objects.filter(merged_into__isnull=False).values_list("pk", "merged_into_id")
    return {pk: int(head or 0) for pk, head in rows}


def to_heads(issue_ids: Integers, heads: dict[int, int]) -> Integers:
    """Each id, or that of the issue that shows it."""
    if not heads:
        return issue_ids
    return np.array([heads.get(each, each) for each in issue_ids.tolist()], dtype=np.int64)


def distinct(parts: Sequence[Integers]) -> Integers:
    """All ids of some arrays, once, ascending. Cheap where one array after the other is the same."""
    different = [part for index, part in enumerate(parts) if not index or not np.array_equal(part, parts[index - 1])]
    return np.unique(np.concatenate(different)) if different else np.zeros(0, dtype=np.int64)


def narrowed(pieces: Sequence[Piece], issue_ids: Integers, heads: dict[int, int]) -> list[Piece]:
    """What the pieces have of these issues and of those merged into them."""
    shown = set(issue_ids.tolist())
    wanted = np.array(sorted(shown | {pk for pk, head in heads.items() if head in shown}), dtype=np.int64)
    found = []
    for piece in pieces:
        is_wanted = np.isin(piece.issue_ids, wanted, assume_unique=True)
        found.append(piece._replace(issue_ids=piece.issue_ids[is_wanted], counts=piece.counts[is_wanted]))
    return found


# --- Where they stand -----------------------------------------------------------------------------------------------


def pieces_of(reach: Reach, window: Window, *, environment: str = "") -> Iterator[Piece]:
    """The window's counts, each hour of each project from where it stands. With an environment, of that one alone."""
    gaps: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for project_id, start_ms, hours, environments, data in packs(reach, window):
        if start_ms + hours * HOUR_MS < window.end_ms and hours < SPAN_HOURS:
            gaps[start_ms, hours].append(project_id)
        if environment in {"", *environments}:
            yield from packed_pieces(unpacked(data), environments, window, start_ms=start_ms, environment=environment)
    for (start_ms, hours), project_ids in gaps.items():
        low, high = max(start_ms + hours * HOUR_MS, window.start_ms), min(start_ms + SPAN_MS, window.end_ms)
        if low < high:
            stored = stored_counts(project_ids=project_ids, start_ms=low, end_ms=high, environment=environment)
            yield from stored_pieces(stored, window, start_ms=low, hours=(high - low) // HOUR_MS)


def packs(reach: Reach, window: Window) -> Iterator[tuple[str, int, int, list[str], bytes | memoryview]]:
    """The rows of PackedHours that have hours of the window; projects that are being removed have none."""
    rows = PackedHours.objects.filter(
        start_ms__gt=window.start_ms - SPAN_MS, start_ms__lt=window.end_ms, project__removing_at=None
    )
    if reach.project_ids is not None:
        rows = rows.filter(project__in=reach.project_ids)
    return rows.order_by("start_ms").values_list("project_id", "start_ms", "hours", "environments", "data").iterator(16)


def packed_pieces(
    records: Records, environments: Sequence[str], window: Window, *, start_ms: int, environment: str
) -> Iterator[Piece]:
    """What a pack has of the window."""
    offset = (start_ms - window.start_ms) // HOUR_MS
    low, high = max(0, -offset), min(SPAN_HOURS, window.hours - offset)
    for place, found in by_environment(records):
        own = found
        if high - low < SPAN_HOURS:  # a record has events in some of its six hours, but in these?
            own = found[found["counts"][:, low:high].any(axis=1)]
        if environment in {"", environments[place]}:
            yield Piece(environments[place], offset + low, own["issue_id"], own["counts"][:, low:high])


def stored_pieces(stored: StoredCounts, window: Window, *, start_ms: int, hours: int) -> Iterator[Piece]:
    """The same of hours that are not packed."""
    for place, name in enumerate(stored.environments):
        is_here = stored.rows.environments == place
        ids, rows = np.unique(stored.rows.issue_ids[is_here], return_inverse=True)
        counts: Integers = np.zeros((len(ids), hours), dtype=np.int64)
        np.add.at(counts, (rows, (stored.rows.hours_ms[is_here] - start_ms) // HOUR_MS), stored.rows.counts[is_here])
        yield Piece(name, (start_ms - window.start_ms) // HOUR_MS, ids, counts)

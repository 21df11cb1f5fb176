"""For how long rows are kept, and who removes them then. Apps register in AppConfig.ready(), so this imports none."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings

from bloop_site.lib.clock import DAY_MS, hour_of
from projects.models import PurgeRun, RetentionPolicy

MIN_DAYS, MAX_DAYS = 1, 3650  # contract 5.5
HOURLY_DAYS = 90  # contract 3.4, where no setting says otherwise
RUNS_KEPT = 100


# --- Policies -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GlobalDays:
    """What holds for every project without days of its own."""

    raw_events: int
    hourly_counts: int


def global_days() -> GlobalDays:
    """The setting in the database, else the configuration; hourly counts: else 90 (contract 3.4)."""
    policy = RetentionPolicy.objects.filter(project=None).first() or RetentionPolicy()
    return GlobalDays(
        raw_events=policy.raw_events_days or settings.BLOOP.retention.raw_events_days,
        hourly_counts=policy.hourly_counts_days or HOURLY_DAYS,
    )


def own_days() -> dict[str, int]:
    """For how many days raw events are kept in each project that has a say of its own, by project id."""
    own = RetentionPolicy.objects.filter(project__isnull=False, raw_events_days__isnull=False)
    return {str(project_id): days for project_id, days in own.values_list("project_id", "raw_events_days") if days}


@dataclass(frozen=True)
class Cutoffs:
    """What is older than this goes, by the clock of this server: what was received at the very moment stays.

    A project with days of its own is no concern of the global cutoff. An hour goes when all of it is too old.
    """

    at_ms: int
    raw_ms: int
    hourly_ms: int
    own_raw_ms: Mapping[str, int] = field(default_factory=dict)

    def raw_of(self, project_id: str) -> int:
        """The cutoff for raw events of a project."""
        return self.own_raw_ms.get(project_id, self.raw_ms)


def cutoffs(*, at_ms: int) -> Cutoffs:
    """The cutoffs of a pass that began at `at_ms`, by the policies as they are now."""
    days = global_days()
    return Cutoffs(
        at_ms=at_ms,
        raw_ms=at_ms - days.raw_events * DAY_MS,
        hourly_ms=hour_of(at_ms - days.hourly_counts * DAY_MS),
        own_raw_ms={project_id: at_ms - own * DAY_MS for project_id, own in own_days().items()},
    )


# --- Who removes what ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Rows to remove next. rows: anything true; false when all that was read may stay, and there is more to read.

    place: where to read on, for who keeps some rows and would read them again and again.
    """

    rows: Any
    place: Any = None


class Purger(Protocol):
    """How an app removes its old rows, chunk by chunk."""

    tables: Sequence[str]  # labels of the models it removes rows of, such as "errors.Event"
    words: str  # what these are to people: "raw events"

    def count(self, cutoffs: Cutoffs) -> int:
        """About how many rows are too old, for the progress that people see; told by indexes."""

    def find(self, cutoffs: Cutoffs, *, place: Any, limit: int) -> Batch | None:
        """Up to `limit` rows to remove next, after `place`; None when none is left. Only reads: no lock is held."""

    def remove(self, rows: Any) -> int:
        """Remove what was found, in the caller's transaction. Returns how many rows went; they may be gone already."""


_purgers: dict[str, Purger] = {}


def register(name: str, purger: Purger) -> None:
    """Let `purger` take part in every pass, after those registered before it. A run counts its rows by `name`."""
    _purgers[name] = purger


def purgers() -> dict[str, Purger]:
    """All of them by name, in the order they work in."""
    return dict(_purgers)


def words_of(name: str, *, count: int = 2) -> str:
    """What a purger removes, for people, also when it is registered no more; the plural but for a count of one."""
    words = _purgers[name].words if name in _purgers else name.replace("_", " ")
    return re.sub(r"s\b", "", words, count=1) if count == 1 else words


@dataclass(frozen=True)
class Found:
    """Rows to remove next, and the name of who removes them."""

    name: str
    rows: Any


class Search:
    """Finds what is too old, one purger after the other; who has nothing left is not asked again."""

    def __init__(self, cutoffs: Cutoffs, *, without: Sequence[str] = ()) -> None:
        self.cutoffs = cutoffs
        self.left = [name for name in _purgers if name not in without]
        self.place: Any = None

    @property
    def asked(self) -> str:
        """Whose turn it is."""
        return self.left[0]

    def next_rows(self, *, limit: int) -> Found | None:
        """Up to `limit` rows to remove next, perhaps none of those just read; None when nobody has any."""
        while self.left:
            batch = _purgers[self.asked].find(self.cutoffs, place=self.place, limit=limit)
            if batch is not None:
                self.place = batch.place
                return Found(self.asked, batch.rows)
            self.drop(self.asked)
        return None

    def drop(self, name: str) -> None:
        """Ask this one no more."""
        if name == self.asked:
            self.place = None
        self.left.remove(name)


class OldRuns:
    """Records of passes beyond the last hundred."""

    tables: Sequence[str] = ("projects.PurgeRun",)
    words = "records of purges"

    def old(self) -> list[int]:
        return list(PurgeRun.objects.order_by("-pk").values_list("pk", flat=True)[RUNS_KEPT:])

    def count(self, cutoffs: Cutoffs) -> int:
        """Few: one a pass."""
        return len(self.old())

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """Any of them; the one that is not finished is the last."""
        ids = self.old()[:limit]
        return Batch(ids) if ids else None

    def remove(self, rows: Sequence[int]) -> int:
        """Delete them."""
        return PurgeRun.objects.filter(pk__in=rows).delete()[0]


# --- What there is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Holdings:
    """How much there is of what retention is about; oldest: when the oldest raw event was received (epoch ms)."""

    raw_events: int = 0
    hourly_counts: int = 0
    oldest_ms: int | None = None


_readers: list[Callable[[], Holdings]] = []


def register_holdings(reader: Callable[[], Holdings]) -> None:
    """Ask `reader` from now on; called in AppConfig.ready of the app that keeps events."""
    if reader not in _readers:
        _readers.append(reader)


def holdings() -> Holdings:
    """Summed over all readers."""
    found = [reader() for reader in _readers]
    return Holdings(
        raw_events=sum(each.raw_events for each in found),
        hourly_counts=sum(each.hourly_counts for each in found),
        oldest_ms=min((each.oldest_ms for each in found if each.oldest_ms is not None), default=None),
    )

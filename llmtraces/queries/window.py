"""The window a question is about: projects, whole hours, and a model and provider if they are named."""

from dataclasses import dataclass, replace
from typing import TypeVar

from django.db.models import Model, QuerySet, Sum

from bloop_site.lib.clock import HOUR_MS, hour_of
from llmtraces.models import UsageHour
from projects.access import Reach
from projects.models import Project

MOST_NAMES = 300
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Window:
    """Clock hours: the running one with `hours` before it, or `hours` that end where `ends_ms` says, on the hour.

    model, provider: "" narrows nothing.
    """

    reach: Reach
    hours: int
    now_ms: int
    model: str = ""
    provider: str = ""
    ends_ms: int | None = None

    @property
    def since_ms(self) -> int:
        """The start of the first hour: floored, so that no partial hour is lost (contract 8.4)."""
        if self.ends_ms is not None:
            return self.ends_ms - self.hours * HOUR_MS
        return hour_of(self.now_ms - self.hours * HOUR_MS)

    @property
    def until_ms(self) -> int:
        """The end of the last hour, where the rollups of the window end."""
        return hour_of(self.now_ms) + HOUR_MS if self.ends_ms is None else self.ends_ms

    def before(self) -> "Window":
        """The window of as many clock hours just before this one; no hour lies in both."""
        hours = (self.until_ms - self.since_ms) // HOUR_MS
        return replace(self, hours=hours, ends_ms=self.since_ms)

    @property
    def elapsed(self) -> float:
        """How much of the window is over, of one: its last hour may still run, the window before has all of its own."""
        over = (self.now_ms - self.since_ms) / (self.until_ms - self.since_ms)
        return min(1.0, max(0.0, over))

    @property
    def words(self) -> str:
        """What it is called: "the last 24 hours", or "these 4 hours" when they were chosen."""
        if self.ends_ms is None:
            return f"the last {self.span_words}"
        return f"{'this' if self.hours == 1 else 'these'} {self.span_words}"

    @property
    def span_words(self) -> str:
        """Its length: "24 hours", "7 days"."""
        if self.hours >= 48 and self.hours % 24 == 0:
            return f"{self.hours // 24} days"
        return "hour" if self.hours == 1 else f"{self.hours} hours"

    def own(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The rows of the reachable projects."""
        return rows if self.reach.project_ids is None else rows.filter(project_id__in=self.reach.project_ids)

    def hourly(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The rollup rows of the window."""
        return self.own(rows).filter(hour_ms__gte=self.since_ms, hour_ms__lt=self.until_ms)

    def bounds(self, column: str) -> dict[str, int]:
        """The conditions on a column of instants: from the first hour on and, if it was told where to end, until there.

        A clock that is fast lets things begin after now; the window that goes up to now has them too.
        """
        end = {} if self.ends_ms is None else {f"{column}__lt": self.ends_ms}
        return {f"{column}__gte": self.since_ms, **end}

    def holds(self, at_ms: int) -> bool:
        """Whether the instant is within `bounds`."""
        return self.since_ms <= at_ms and (self.ends_ms is None or at_ms < self.ends_ms)

    def of_model(self, rows: QuerySet[Row], *, model: str = "model", provider: str = "provider") -> QuerySet[Row]:
        """The rollup rows of the window, of the model and provider if they are named."""
        rows = self.hourly(rows)
        if self.model:
            rows = rows.filter(**{model: self.model})
        return rows.filter(**{provider: self.provider}) if self.provider else rows


def in_reach(reach: Reach, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The rows of the reachable projects, each project asked for: what else is asked is found by project and id."""
    every = Project.objects.values("pk")
    return rows.filter(project_id__in=every if reach.project_ids is None else reach.project_ids)


def names_in(window: Window) -> list[tuple[str, str]]:
    """The (model, provider) pairs used in the window, whichever are chosen; "" for none. One query.

    At most 300, the busiest: names are the client's, and a list of thousands to choose from is megabytes on each page.
    """
    rows = window.hourly(UsageHour.objects.exclude(span_count=0)).values("model", "provider")
    busiest = rows.annotate(calls=Sum("span_count")).order_by("-calls", "model", "provider")[:MOST_NAMES]
    return sorted((row["model"], row["provider"]) for row in busiest)

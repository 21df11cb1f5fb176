"""The window a question is about: projects, whole hours, and a model and provider if they are named."""

from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, QuerySet

from bloop_site.lib.clock import HOUR_MS, hour_of
from llmtraces.models import UsageHour
from projects.access import Reach
from projects.models import Project

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Window:
    """Clock hours up to and with the running one. model, provider: "" narrows nothing."""

    reach: Reach
    hours: int
    now_ms: int
    model: str = ""
    provider: str = ""

    @property
    def since_ms(self) -> int:
        """The start of the first hour: floored, so that no partial hour is lost (contract 8.4)."""
        return hour_of(self.now_ms - self.hours * HOUR_MS)

    @property
    def until_ms(self) -> int:
        """The end of the running hour, where the rollups of the window end."""
        return hour_of(self.now_ms) + HOUR_MS

    def before(self) -> "Window":
        """The window of the same length just before this one."""
        return Window(self.reach, self.hours, self.now_ms - self.hours * HOUR_MS, self.model, self.provider)

    def own(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The rows of the reachable projects."""
        return rows if self.reach.project_ids is None else rows.filter(project_id__in=self.reach.project_ids)

    def hourly(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The rollup rows of the window."""
        return self.own(rows).filter(hour_ms__gte=self.since_ms, hour_ms__lte=hour_of(self.now_ms))

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
    """The (model, provider) pairs used in the window, whichever are chosen; "" for none. One query."""
    rows = window.hourly(UsageHour.objects.exclude(span_count=0))
    return list(rows.values_list("model", "provider").distinct().order_by("model", "provider"))

"""Events over time, read from the hourly and minute rollups."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Min, QuerySet, Sum

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, minute_of
from errors.models import Aggregate, HourlyCount, MinuteCount, ProjectHourlyCount
from projects.access import Reach

MAX_MARKS = 12


@dataclass(frozen=True)
class HourCount:
    hour_ms: int
    count: int


@dataclass(frozen=True)
class Window:
    """Clock hours in a row. start_ms: the first one's start, epoch ms."""

    start_ms: int
    hours: int

    @property
    def end_ms(self) -> int:
        """The end of the last hour, which is no part of the window."""
        return self.start_ms + self.hours * HOUR_MS

    def dense(self, sparse: Sequence[HourCount]) -> list[HourCount]:
        """Every hour of the window, gaps as zero."""
        counts = {point.hour_ms: point.count for point in sparse}
        return [HourCount(at, counts.get(at, 0)) for at in range(self.start_ms, self.end_ms, HOUR_MS)]


@dataclass(frozen=True)
class ReleaseMark:
    """A release's first appearance."""

    release: str
    first_seen_ms: int


@dataclass(frozen=True)
class Trend:
    """Events per clock hour, dense, oldest first, the running hour last."""

    hours: list[HourCount]
    releases: list[ReleaseMark]

    @property
    def total(self) -> int:
        return sum(hour.count for hour in self.hours)

    @property
    def span_words(self) -> str:
        """How long it is: "72 hours", "14 days"."""
        count = len(self.hours)
        if count % 24 == 0 and count > 72:
            return f"{count // 24} days"
        return f"{count} hour{'' if count == 1 else 's'}"


def sparse_project_hours(reach: Reach, *, since_ms: int) -> list[HourCount]:
    """Hours with events from `since_ms` on, ascending, over all reachable projects (contract 4.5)."""
    rows = ProjectHourlyCount.objects.filter(hour_ms__gte=since_ms)
    if reach.project_ids is not None:
        rows = rows.filter(project_id__in=reach.project_ids)
    return summed_hours(rows)


def sparse_issue_hours(issue_ids: Sequence[int], *, since_ms: int) -> list[HourCount]:
    """Hours with events of these issues from `since_ms` on, ascending."""
    return summed_hours(HourlyCount.objects.filter(issue_id__in=issue_ids, hour_ms__gte=since_ms))


def summed_hours(rows: QuerySet[HourlyCount] | QuerySet[ProjectHourlyCount]) -> list[HourCount]:
    """Rows summed over everything but the hour, ascending."""
    grouped = rows.values("hour_ms").annotate(total=Sum("count")).order_by("hour_ms")
    return [HourCount(row["hour_ms"], row["total"]) for row in grouped]


def first_hour(*, hours: int, now_ms: int) -> int:
    """The first of the last `hours` clock hours, the running one included."""
    return hour_of(now_ms) - (hours - 1) * HOUR_MS


def project_trend(reach: Reach, window: Window, *, environment: str = "", source: str = "") -> Trend:
    """The trend over all issues within reach, narrowed to an environment and a source if they are given."""
    rows = ProjectHourlyCount.objects.filter(hour_ms__gte=window.start_ms, hour_ms__lt=window.end_ms)
    if reach.project_ids is not None:
        rows = rows.filter(project_id__in=reach.project_ids)
    if environment:
        rows = rows.filter(environment=environment)
    if source:
        rows = rows.filter(source=source)
    return Trend(window.dense(summed_hours(rows)), [])


def issue_trend(issue_ids: Sequence[int], window: Window) -> Trend:
    """The trend of one issue, with the releases that first had it in the window.

    issue_ids: the issue's and those of what is merged into it (`groups.group_ids`).
    """
    rows = HourlyCount.objects.filter(issue_id__in=issue_ids, hour_ms__gte=window.start_ms, hour_ms__lt=window.end_ms)
    firsts = (
        Aggregate.objects.filter(issue__in=issue_ids)
        .values("release")
        .annotate(first=Min("first_seen_ms"))
        .filter(first__gte=window.start_ms, first__lt=window.end_ms)
        .order_by("first", "release")
    )
    marks = [ReleaseMark(row["release"], row["first"]) for row in firsts[:MAX_MARKS]]
    return Trend(window.dense(summed_hours(rows)), marks)


def events_24h(reach: Reach, *, now_ms: int) -> int:
    """Events received in the 1,440 minutes up to and with the running one (contract 4.8, docs/decisions/0004).

    Whole hours come from the hourly rollup; only the hour in which the window begins is read by the minute.
    """
    start = minute_of(now_ms) - DAY_MS + MINUTE_MS
    next_hour = hour_of(start) + HOUR_MS
    hours = ProjectHourlyCount.objects.filter(hour_ms__gte=next_hour)
    minutes = MinuteCount.objects.filter(minute_ms__gte=start, minute_ms__lt=next_hour)
    if reach.project_ids is not None:
        hours = hours.filter(project_id__in=reach.project_ids)
        minutes = minutes.filter(project_id__in=reach.project_ids)
    in_hours = hours.aggregate(total=Sum("count"))["total"] or 0
    in_minutes = minutes.aggregate(total=Sum("count"))["total"] or 0
    return in_hours + in_minutes

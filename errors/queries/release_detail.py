"""One release: its figures, how it began compared with the release before it, its hours and its environments."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from django.db.models import Count, Q, Sum

from bloop_site.lib.clock import HOUR_MS, hour_of
from errors.comparison import MAX_HOURS, Beginning, Change, count_change, hours_to_compare, rate_change, rate_words
from errors.models import Aggregate, Issue, Release, ReleaseHourlyCount
from errors.models.issues import LISTED
from errors.queries.releases import ReleaseRow, older_than, rows_of
from errors.queries.trends import MAX_MARKS, HourCount, ReleaseMark, Trend, Window
from errors.statuses import NO_RELEASE

MAX_ENVIRONMENTS = 20

# Why there is nothing to compare: the first release, less than an hour old, hours that are no longer (or never) kept.
Missing = Literal["", "first", "young", "purged"]


@dataclass(frozen=True)
class Side:
    """The first hours of a release. per_day: events as a rate; new: issues it brought in them."""

    name: str
    events: int
    per_day: float
    new: int

    @property
    def per_day_words(self) -> str:
        return rate_words(self.per_day)


@dataclass(frozen=True)
class Comparison:
    """A release beside the one before it, over the first `hours` of each; or the reason why not in `missing`.

    purged: the name of the one whose hours are missing. newest_ms: how long the one before was the newest.
    """

    missing: Missing
    before: str = ""
    hours: int = 0
    purged: str = ""
    newest_ms: int = 0
    mine: Side | None = None
    theirs: Side | None = None

    @property
    def span_words(self) -> str:
        """The hours compared, as in "the first 5 hours" and "the first 7 days"."""
        if self.hours == MAX_HOURS:
            return "7 days"
        return "hour" if self.hours == 1 else f"{self.hours} hours"

    @property
    def newest_hours(self) -> int:
        """For how many whole hours the one before was the newest."""
        return self.newest_ms // HOUR_MS

    @property
    def events_change(self) -> Change | None:
        return rate_change(self.mine.per_day, self.theirs.per_day) if self.mine and self.theirs else None

    @property
    def new_change(self) -> Change | None:
        return count_change(self.mine.new, self.theirs.new) if self.mine and self.theirs else None


@dataclass(frozen=True)
class EnvironmentRow:
    """Events of a release in one environment; `share` of the release's, 0 to 1."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class ReleaseDetail:
    """comparison is None for events without a release: they are never compared."""

    row: ReleaseRow
    comparison: Comparison | None
    trend: Trend
    environments: list[EnvironmentRow]


def find_release(*, project_id: str, name: str) -> Release | None:
    """The release of this name, its project loaded. `statuses.NO_RELEASE` finds the events without one."""
    return Release.objects.filter(project=project_id, name=name).select_related("project").first()


def release_detail(release: Release, *, window: Window, now_ms: int) -> ReleaseDetail:
    """What the page shows above its issues, in eight queries over rollups at most. window: of the trend."""
    return ReleaseDetail(
        row=rows_of([release])[0],
        comparison=None if release.name == NO_RELEASE else comparison_of(release, now_ms=now_ms),
        trend=release_trend(release, window),
        environments=environments_of(release),
    )


def release_before(release: Release) -> Release | None:
    """The release of the same project that appeared just before it."""
    older = Release.objects.filter(older_than(release.first_seen_ms, release.pk), project=release.project_id)
    return older.exclude(name=NO_RELEASE).order_by("-first_seen_ms", "-pk").first()


def comparison_of(release: Release, *, now_ms: int) -> Comparison:
    """The first hours of the release and the same number of hours of the one before it.

    As many hours as the release is old, by the clock, at most 7 days. Rates count from each one's first event on.
    """
    before = release_before(release)
    if before is None:
        return Comparison("first")
    hours = hours_to_compare(first_ms=release.first_seen_ms, now_ms=now_ms)
    newest_ms = release.first_seen_ms - before.first_seen_ms
    if not hours:
        return Comparison("young", before=before.name, newest_ms=newest_ms)
    pair = [(each, Beginning(each.first_seen_ms, hours)) for each in (release, before)]
    events = events_of(pair)
    purged = next((each.name for each, _ in pair if each.pk not in events), "")
    if purged:
        return Comparison("purged", before=before.name, hours=hours, purged=purged, newest_ms=newest_ms)
    new = new_issues_of(pair)
    mine, theirs = (
        Side(each.name, events[each.pk], beginning.per_day(events[each.pk]), new.get(each.name, 0))
        for each, beginning in pair
    )
    return Comparison("", before=before.name, hours=hours, newest_ms=newest_ms, mine=mine, theirs=theirs)


def events_of(pair: list[tuple[Release, Beginning]]) -> dict[int, int]:
    """Events of both beginnings by release id, in one query; without those whose first hour is not kept.

    A release's first hour holds an event while it is kept: it was counted when the release appeared.
    """
    wanted = Q()
    for release, beginning in pair:
        wanted |= Q(release=release, hour_ms__gte=beginning.hour_ms, hour_ms__lt=beginning.until_ms)
    counts: defaultdict[int, int] = defaultdict(int)
    kept = set()
    firsts = {release.pk: beginning.hour_ms for release, beginning in pair}
    for pk, hour_ms, count in ReleaseHourlyCount.objects.filter(wanted).values_list("release", "hour_ms", "count"):
        counts[pk] += count
        if hour_ms == firsts[pk]:
            kept.add(pk)
    return {pk: count for pk, count in counts.items() if pk in kept}


def new_issues_of(pair: list[tuple[Release, Beginning]]) -> dict[str, int]:
    """Listed issues that each of the two brought in its beginning, by its name, in one query."""
    wanted = Q()
    for release, beginning in pair:
        wanted |= Q(first_release=release.name, first_seen_ms__lt=beginning.until_ms)
    names = [release.name for release, _ in pair]  # follows from `wanted`; an index can be searched by it
    rows = Issue.objects.filter(LISTED, wanted, project=pair[0][0].project_id, first_release__in=names)
    return dict(rows.order_by().values("first_release").annotate(n=Count("pk")).values_list("first_release", "n"))


def release_trend(release: Release, window: Window) -> Trend:
    """Events of the release by the hour, with the releases of its project that appeared in these hours."""
    start, end = window.start_ms, window.end_ms
    rows = ReleaseHourlyCount.objects.filter(release=release, hour_ms__gte=start, hour_ms__lt=end).order_by("hour_ms")
    sparse = [HourCount(hour_ms, count) for hour_ms, count in rows.values_list("hour_ms", "count")]
    siblings = Release.objects.filter(project=release.project_id, first_seen_ms__range=(start, end - 1)).exclude(
        name=NO_RELEASE
    )
    names = siblings.order_by("-first_seen_ms", "-pk").values_list("name", "first_seen_ms")[:MAX_MARKS]
    marks = {ReleaseMark(*row) for row in names}
    if release.name != NO_RELEASE and start <= hour_of(release.first_seen_ms) < end:
        marks.add(ReleaseMark(release.name, release.first_seen_ms))
    ordered = sorted(marks, key=lambda mark: (mark.first_seen_ms, mark.release))
    return Trend(window.dense(sparse), ordered)


def environments_of(release: Release) -> list[EnvironmentRow]:
    """Where the release's events come from, the most first, at most 20."""
    rows = Aggregate.objects.filter(project=release.project_id, release=release.name).order_by().values("environment")
    summed = rows.annotate(n=Sum("total_count")).order_by("-n", "environment").values_list("environment", "n")
    return [EnvironmentRow(name, count, count / release.total_count) for name, count in summed[:MAX_ENVIRONMENTS]]

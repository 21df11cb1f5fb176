"""What Insights asks of errors beside hourly counts: names of issues, environments by the hour, figures of releases."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from bloop_site.lib.db import MAX_PARAMETERS
from errors.models import Aggregate, Issue, ProjectHourlyCount, Release
from errors.models.issues import LISTED
from errors.queries.releases import HEAD, older_than
from errors.queries.trends import Window, first_hour
from errors.statuses import NO_RELEASE
from projects.access import Reach


def last_hours(*, hours: int, now_ms: int) -> Window:
    """The last `hours` clock hours, the running one included."""
    return Window(first_hour(hours=hours, now_ms=now_ms), hours)


# --- Issues ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NamedIssue:
    """What a row says of an issue, and what it links by."""

    issue_id: int
    project_id: str
    project_slug: str
    fingerprint: str
    error_type: str
    message: str
    status: str


def named_issues(issue_ids: Iterable[int]) -> dict[int, NamedIssue]:
    """These issues, few, by id."""
    rows = Issue.objects.filter(pk__in=set(issue_ids)).values_list(
        "pk", "project_id", "project__slug", "fingerprint", "error_type", "message", "status"
    )
    return {row[0]: NamedIssue(*row) for row in rows}


def first_by_fingerprint(issue_ids: Sequence[int], *, limit: int) -> list[int]:
    """The `limit` of these issues, which may be very many, whose fingerprints come first; alike ones by project."""
    found: list[tuple[str, str, int]] = []
    for start in range(0, len(issue_ids), MAX_PARAMETERS):
        some = Issue.objects.filter(pk__in=issue_ids[start : start + MAX_PARAMETERS])
        found += some.order_by("fingerprint", "project_id").values_list("fingerprint", "project_id", "pk")[:limit]
    return [pk for *_, pk in sorted(found)[:limit]]


# --- Environments ---------------------------------------------------------------------------------------------------


def environment_hours(reach: Reach, window: Window, *, environment: str = "") -> list[tuple[str, int, int]]:
    """Environment, hour (epoch ms) and events of the hours that have any; from the rollup of projects."""
    rows = project_hours(reach, window)
    if environment:
        rows = rows.filter(environment=environment)
    summed = rows.order_by().values("environment", "hour_ms").annotate(total=Sum("count"))
    return list(summed.values_list("environment", "hour_ms", "total"))


def environment_totals(reach: Reach, window: Window) -> dict[str, int]:
    """The events of each environment in the window, the most first; from the rollup of projects."""
    summed = project_hours(reach, window).order_by().values("environment").annotate(total=Sum("count"))
    return dict(summed.order_by("-total", "environment").values_list("environment", "total"))


def project_hours(reach: Reach, window: Window) -> QuerySet[ProjectHourlyCount]:
    """The hours of the reachable projects in the window."""
    rows = ProjectHourlyCount.objects.filter(
        hour_ms__gte=window.start_ms, hour_ms__lt=window.end_ms, project__removing_at=None
    )
    return rows if reach.project_ids is None else rows.filter(project__in=reach.project_ids)


# --- Releases -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReleaseFigures:
    """A release over all its events. unique, new: issues that happened in it, and those of them that it brought.

    previous_count: events of the release of the same project that appeared before it; None if it is the first.
    """

    project_id: str
    project_slug: str
    release: str
    first_seen_ms: int
    error_count: int
    unique: int
    new: int
    previous_count: int | None


def release_figures(reach: Reach, *, limit: int) -> list[ReleaseFigures]:
    """The `limit` releases that appeared last, of each project by itself; without events that name no release."""
    named = Release.objects.filter(project__removing_at=None).exclude(name=NO_RELEASE)
    if reach.project_ids is not None:
        named = named.filter(project__in=reach.project_ids)
    before = (
        Release.objects.filter(older_than(OuterRef("first_seen_ms"), OuterRef("pk")), project=OuterRef("project"))
        .exclude(name=NO_RELEASE)
        .order_by("-first_seen_ms", "-pk")
        .values("total_count")
    )
    listed = named.select_related("project").order_by("-first_seen_ms", "-pk")[:limit]
    rows = list(listed.annotate(previous_count=Subquery(before[:1])))
    places = {(row.project_id, row.name) for row in rows}
    unique, new = unique_issues(places), new_issues(places)
    return [
        ReleaseFigures(
            project_id=row.project_id,
            project_slug=row.project.slug,
            release=row.name,
            first_seen_ms=row.first_seen_ms,
            error_count=row.total_count,
            unique=unique[row.project_id, row.name],
            new=new[row.project_id, row.name],
            previous_count=row.previous_count,
        )
        for row in rows
    ]


Place = tuple[str, str]  # project id, release


def of_places(places: Iterable[Place], *, release: str, project: str) -> Q:
    """Rows of these releases, and perhaps of releases of the same names in these projects."""
    listed = list(places)
    return Q((f"{release}__in", {name for _, name in listed}), (f"{project}__in", {pk for pk, _ in listed}))


def unique_issues(places: set[Place]) -> Counter[Place]:
    """How many shown issues happened in each release; from the index of aggregates by release, and issues."""
    rows = Aggregate.objects.filter(of_places(places, release="release", project="issue__project")).order_by()
    counted = rows.values("issue__project_id", "release").annotate(number=Count(HEAD, distinct=True))
    return Counter(
        {
            (project_id, name): number
            for project_id, name, number in counted.values_list("issue__project_id", "release", "number")
        }
    )


def new_issues(places: set[Place]) -> Counter[Place]:
    """How many shown issues happened first in each release: of merged ones, the one among them that came first."""
    rows = Issue.objects.filter(LISTED).filter(of_places(places, release="first_release", project="project"))
    counted = rows.order_by().values("project_id", "first_release").annotate(number=Count("pk"))
    return Counter(
        {
            (project_id, name): number
            for project_id, name, number in counted.values_list("project_id", "first_release", "number")
        }
    )

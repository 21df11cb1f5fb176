"""Releases as a list: what each brought, what came back in it, what was resolved while it was the newest.

The words on the pages (templates/errors/_release_words.html) say the same as the functions here:

- new: the listed issues whose first event came from the release;
- regressed: the issues that were resolved and came back with an event of the release;
- resolved: the issues that people resolved, and did not take back, while the release was the newest of its project;
  and those they resolved "in the next release" while the one before it was the newest.

"Newer" means: appeared later; of two that appeared in one millisecond the one with the higher id. Events without a
release (`statuses.NO_RELEASE`) have a row too, but no place in that order. An issue that is merged into another counts
as the one that shows it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.pagination import Page, page_of
from errors.links import release_url
from errors.models import Issue, Release, ReleaseHourlyCount, Status, Transition
from errors.models.issues import LISTED
from errors.statuses import NO_RELEASE
from projects.access import Reach

SPARK_COLUMNS = 28
SPARK_HOURS = 12  # in each column: 14 days
SPARK_MS = SPARK_HOURS * HOUR_MS
MAX_UNNAMED = 10
NEVER_MS: Final = 2**62  # later than anything
HEAD = Coalesce(F("issue__merged_into_id"), F("issue_id"))  # the issue that shows a Transition's or an Aggregate's


@dataclass(frozen=True)
class Figures:
    """How many issues a release brought, saw again and saw resolved. is_newest: of its project."""

    new: int
    regressed: int
    resolved: int
    is_newest: bool


@dataclass(frozen=True)
class ReleaseRow:
    """A release as one row. spark: events of the last 14 days, 12 hours of UTC each, the running ones last."""

    id: int
    project_id: str
    project_slug: str
    project_name: str
    name: str
    first_seen_ms: int
    last_seen_ms: int
    total_count: int
    figures: Figures
    spark: tuple[int, ...] = ()

    @property
    def is_named(self) -> bool:
        return self.name != NO_RELEASE

    @property
    def url(self) -> str:
        return release_url(self.project_slug, self.name)


@dataclass(frozen=True)
class Unnamed:
    """A project's events that named no release."""

    project_name: str
    total_count: int
    last_seen_ms: int
    url: str


@dataclass(frozen=True)
class ReleasePage:
    rows: list[ReleaseRow]
    page: Page


def releases_in(reach: Reach) -> QuerySet[Release]:
    """Every release of the reachable projects, events without one included."""
    return Release.objects.all() if reach.project_ids is None else Release.objects.filter(project__in=reach.project_ids)


def release_list(reach: Reach, *, q: str = "") -> QuerySet[Release]:
    """The releases with a name, the one that appeared last first. q: a part of the name, whatever its case."""
    rows = releases_in(reach).exclude(name=NO_RELEASE)
    if q:
        rows = rows.filter(name__icontains=q)
    return rows.order_by("-first_seen_ms", "-id")


def release_page(reach: Reach, *, q: str, wanted: str | None, size: int, now_ms: int) -> ReleasePage:
    """One page of the list, in four queries however many rows: count, releases, figures, sparks.

    wanted: the page number as the query string has it.
    """
    found = release_list(reach, q=q)
    page = page_of(wanted=wanted, size=size, total=found.count())
    rows = rows_of(found[page.offset : page.offset + size].select_related("project"))
    sparks = sparks_of([row.id for row in rows], now_ms=now_ms)
    return ReleasePage([replace(row, spark=sparks[row.id]) for row in rows], page)


def unnamed_in(reach: Reach) -> list[Unnamed]:
    """Events without a release, a line for each project that has some, the most first, at most ten."""
    rows = releases_in(reach).filter(name=NO_RELEASE).select_related("project").order_by("-total_count", "-id")
    return [
        Unnamed(row.project.name, row.total_count, row.last_seen_ms, release_url(row.project.slug, row.name))
        for row in rows[:MAX_UNNAMED]
    ]


def rows_of(releases: Iterable[Release]) -> list[ReleaseRow]:
    """Releases with their figures, in one query for all of them. Their projects must be loaded."""
    listed = list(releases)
    figures = figures_of([release.pk for release in listed])
    return [row_of(release, figures[release.pk]) for release in listed]


def row_of(release: Release, figures: Figures) -> ReleaseRow:
    """One release with what was counted for it."""
    return ReleaseRow(
        id=release.pk,
        project_id=release.project_id,
        project_slug=release.project.slug,
        project_name=release.project.name,
        name=release.name,
        first_seen_ms=release.first_seen_ms,
        last_seen_ms=release.last_seen_ms,
        total_count=release.total_count,
        figures=figures,
    )


# --- What is counted ------------------------------------------------------------------------------------------------


def newer_than(first_seen_ms: Any, pk: Any) -> Q:
    """Releases that appeared later. first_seen_ms, pk: values or expressions.

    The first condition follows from the second; an index can be searched by it.
    """
    return Q(first_seen_ms__gte=first_seen_ms) & (Q(first_seen_ms__gt=first_seen_ms) | Q(pk__gt=pk))


def older_than(first_seen_ms: Any, pk: Any) -> Q:
    """Releases that appeared earlier; as `newer_than`."""
    return Q(first_seen_ms__lte=first_seen_ms) & (Q(first_seen_ms__lt=first_seen_ms) | Q(pk__lt=pk))


def neighbours() -> tuple[Subquery, Subquery]:
    """When the release before and the one after the outer row's appeared in its project, epoch ms, or null."""
    named = Release.objects.filter(project=OuterRef("project")).exclude(name=NO_RELEASE)
    outer = (OuterRef("first_seen_ms"), OuterRef("pk"))
    before = named.filter(older_than(*outer)).order_by("-first_seen_ms", "-pk").values("first_seen_ms")
    after = named.filter(newer_than(*outer)).order_by("first_seen_ms", "pk").values("first_seen_ms")
    return Subquery(before[:1]), Subquery(after[:1])


def resolved_while_newest(*, first_ms: Any, before_ms: Any, until_ms: Any) -> Q:
    """Transitions that count as resolved in a release; values or expressions, epoch ms.

    first_ms: when it appeared. before_ms, until_ms: when the one before it and the one after it did; 0 and `NEVER_MS`
    where there is none.
    A resolution belongs to the release that is there at its millisecond: the new one's, when both fall together.
    """
    return Q(
        cause=Transition.Cause.CALL,
        new_status=Status.RESOLVED,
        undone=False,
        changed_ms__gte=before_ms,
        changed_ms__lt=until_ms,
    ) & (Q(in_next_release=False, changed_ms__gte=first_ms) | Q(in_next_release=True, changed_ms__lt=first_ms))


def counted(transitions: QuerySet[Transition]) -> Coalesce:
    """How many issues these transitions of one project are about, as a subquery."""
    grouped = transitions.order_by().values("project_id").annotate(issues=Count(HEAD, distinct=True))
    return Coalesce(Subquery(grouped.values("issues")), Value(0))


def figures_of(release_ids: Sequence[int]) -> dict[int, Figures]:
    """The figures of each release, in one query that reads what its counts need from indexes."""
    before, after = neighbours()
    ours = Transition.objects.filter(project=OuterRef("project"))
    brought = Issue.objects.filter(LISTED, project=OuterRef("project"), first_release=OuterRef("name")).order_by()
    rows = (
        Release.objects.filter(pk__in=release_ids)
        .annotate(before_ms=Coalesce(before, Value(0)), after_ms=after)
        .annotate(until_ms=Coalesce(F("after_ms"), Value(NEVER_MS)))
        .annotate(
            new=Coalesce(Subquery(brought.values("project_id").annotate(n=Count("pk")).values("n")), Value(0)),
            regressed=counted(ours.filter(cause=Transition.Cause.REGRESSION, release=OuterRef("name"))),
            resolved=counted(
                ours.filter(
                    resolved_while_newest(
                        first_ms=OuterRef("first_seen_ms"),
                        before_ms=OuterRef("before_ms"),
                        until_ms=OuterRef("until_ms"),
                    )
                )
            ),
        )
    )
    return {
        pk: Figures(new, regressed, resolved, is_newest=after_ms is None)
        if name != NO_RELEASE
        else Figures(new, regressed, resolved=0, is_newest=False)
        for pk, name, new, regressed, resolved, after_ms in rows.values_list(
            "pk", "name", "new", "regressed", "resolved", "after_ms"
        )
    }


def sparks_of(release_ids: Sequence[int], *, now_ms: int) -> defaultdict[int, tuple[int, ...]]:
    """Events of each release in the last 28 half days of UTC, the running one last, gaps as zero; in one query."""
    start = now_ms - now_ms % SPARK_MS - (SPARK_COLUMNS - 1) * SPARK_MS
    columns: defaultdict[int, list[int]] = defaultdict(lambda: [0] * SPARK_COLUMNS)
    rows = ReleaseHourlyCount.objects.filter(release__in=release_ids, hour_ms__gte=start)
    summed = rows.annotate(at=F("hour_ms") - F("hour_ms") % SPARK_MS).values("release", "at").annotate(n=Sum("count"))
    for pk, at, count in summed.values_list("release", "at", "n"):
        index = (at - start) // SPARK_MS
        if index < SPARK_COLUMNS:  # a clock that was ahead
            columns[pk][index] += count
    return defaultdict(lambda: (0,) * SPARK_COLUMNS, {pk: tuple(values) for pk, values in columns.items()})

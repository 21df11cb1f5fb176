"""The list of issues and one issue, as the dashboard shows them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.db import AmongAll, Beginning, IdAmong, Unindexed
from bloop_site.lib.pagination import Page, page_of
from errors.highlights import Piece
from errors.models import Aggregate, HourlyCount, Issue
from errors.models.issues import LISTED, ROUTE_KEY
from errors.queries import search
from errors.queries.groups import shown, shown_by
from errors.queries.trends import first_hour
from projects.access import Reach

SPARK_HOURS = 24
MAX_NAMES = 50
MOST_LISTED = 2_000
LOOK = 2_500  # issues at the beginning of a list that tell whether most match
SORTS = {"last_seen": "last_seen_ms", "first_seen": "first_seen_ms", "total_count": "total_count"}


@dataclass(frozen=True)
class IssueFilter:
    """What a list is narrowed to; empty texts narrow nothing.

    text: what the page searches for, by words (`errors.queries.search`). q: a part of type or message (contract 4.2).
    """

    status: str = ""
    release: str = ""
    environment: str = ""
    source: str = ""
    route: str = ""
    text: str = ""
    q: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    sort: str = "last_seen"

    @property
    def is_narrow(self) -> bool:
        """Whether more than the status narrows it."""
        return self != IssueFilter(status=self.status, sort=self.sort)


@dataclass(frozen=True)
class Elsewhere:
    """A place that its row does not show, "release" or "stack" for example, where a search found an issue."""

    place: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Found:
    """What a row shows, with what was searched for marked in it; and where the rest was found."""

    error_type: tuple[Piece, ...]
    message: tuple[Piece, ...]
    route: tuple[Piece, ...]
    elsewhere: tuple[Elsewhere, ...]


@dataclass(frozen=True)
class IssueRow:
    """An issue as one row: what it is, where it happens, how often, and its last 24 hours (oldest hour first).

    found: how a search found it.
    """

    id: int
    project_id: str
    project_slug: str
    project_name: str
    fingerprint: str
    error_type: str
    message: str
    status: str
    regressed: bool
    source: str
    route: str | None
    screen: str | None
    total_count: int
    first_seen_ms: int
    last_seen_ms: int
    releases: tuple[str, ...]
    environments: tuple[str, ...]
    hourly: tuple[int, ...]
    found: Found | None = None

    @property
    def url(self) -> str:
        return reverse("errors:detail", args=[self.project_slug, self.fingerprint])

    @property
    def status_url(self) -> str:
        return reverse("errors:status", args=[self.project_slug, self.fingerprint])


@dataclass(frozen=True)
class IssuePage:
    rows: list[IssueRow]
    page: Page


def issues_in(reach: Reach) -> QuerySet[Issue]:
    """The listed issues of the reachable projects: those that are not merged into another."""
    issues = Issue.objects.filter(LISTED)
    return issues if reach.project_ids is None else issues.filter(project_id__in=reach.project_ids)


def filtered_issues(reach: Reach, filters: IssueFilter) -> QuerySet[Issue]:
    """The reachable issues that match: status, first-event columns; text, release and environment by their index.

    On SQLite the matching ids become a set that each issue, read from an index in the order asked for, is looked up
    in: so even a place or word that all issues share costs little. PostgreSQL chooses by its statistics.
    """
    issues = plainly_filtered(reach, filters)
    for condition in by_index(filters):
        issues = issues.filter(condition)
    return issues


def first_issues(reach: Reach, filters: IssueFilter) -> QuerySet[Issue]:
    """The matching issues in the order asked for, of which no more than the first 2,001 are read."""
    issues = in_order(plainly_filtered(reach, filters), filters)
    conditions = by_index(filters)
    if not conditions:
        return issues
    near = issues.values_list("pk", flat=True)
    return issues.filter(AmongAll(F("pk"), conditions, near=near, look=LOOK, enough=MOST_LISTED))


def plainly_filtered(reach: Reach, filters: IssueFilter) -> QuerySet[Issue]:
    """Those that match by their own columns."""
    issues = issues_in(reach).filter(matching(replace(filters, route="")))
    if filters.status:
        issues = issues.filter(status=filters.status)
    if filters.route:
        # SQLite would put the constant into the key as well, and then not know its index again.
        issues = issues.alias(key=Beginning("route", ROUTE_KEY), whole=Unindexed(F("route")))
        issues = issues.filter(key=filters.route[:ROUTE_KEY], whole=filters.route)
    return issues


def by_index(filters: IssueFilter) -> list[IdAmong]:
    """The conditions on what stands in other tables; what mostly leaves the fewest first."""
    conditions = []
    if filters.release or filters.environment:
        conditions.append(search.happened_in(release=filters.release, environment=filters.environment))
    if filters.text:
        conditions.append(search.found_by(filters.text))
    return conditions


def matching(filters: IssueFilter) -> Q:
    """The conditions on columns that issues and aggregates share."""
    condition = Q()
    if filters.source:
        condition &= Q(source=filters.source)
    if filters.route:
        condition &= Q(route=filters.route)
    if filters.q:
        condition &= Q(error_type__icontains=filters.q) | Q(message__icontains=filters.q)
    if filters.since_ms is not None:
        condition &= Q(last_seen_ms__gte=filters.since_ms)
    if filters.until_ms is not None:
        condition &= Q(last_seen_ms__lte=filters.until_ms)
    return condition


def in_order(issues: QuerySet[Issue], filters: IssueFilter) -> QuerySet[Issue]:
    """The issues in the order asked for, which is total."""
    column = F(SORTS[filters.sort])
    # Those of a route are few beside all: they are found by it and sorted, not met while walking all in order.
    return issues.order_by((Unindexed(column) if filters.route else column).desc(), "-id")


def issue_page(reach: Reach, filters: IssueFilter, *, wanted: str | None, size: int, now_ms: int) -> IssuePage:
    """One page of the list, in five queries however many rows: count, issues, merged ones, places, hours.

    wanted: the page number as the query string has it.
    """
    issues = first_issues(reach, filters)
    page, ids = (narrow_page if filters.is_narrow else whole_page)(issues, wanted=wanted, size=size)
    column = SORTS[filters.sort]
    found = Issue.objects.filter(pk__in=ids).select_related("project")
    ordered = sorted(found, key=lambda issue: (getattr(issue, column), issue.pk), reverse=True)
    return IssuePage(rows_of(ordered, now_ms=now_ms), page)


def whole_page(issues: QuerySet[Issue], *, wanted: str | None, size: int) -> tuple[Page, QuerySet[Issue, int]]:
    """The page of a list that only project and status narrow, counted in an index; and the query for its ids.

    The ids alone stand in the index as well, so the rows before a late page are not read.
    """
    page = page_of(wanted=wanted, size=size, total=issues.count())
    return page, issues.values_list("pk", flat=True)[page.offset : page.offset + size]


def narrow_page(issues: QuerySet[Issue], *, wanted: str | None, size: int) -> tuple[Page, list[int]]:
    """The page of a narrower list and its ids, in one query, which stops after 2,000 matches.

    To count on would cost as much as everything else together. So beyond that, the page says "more than", and later
    pages do not exist: who looks for something there narrows further, or asks for another order.
    """
    ids = list(issues.values_list("pk", flat=True)[: MOST_LISTED + 1])
    page = page_of(wanted=wanted, size=size, total=min(len(ids), MOST_LISTED), more=len(ids) > MOST_LISTED)
    return page, ids[page.offset : page.offset + size]


def rows_of(issues: Iterable[Issue], *, now_ms: int) -> list[IssueRow]:
    """Issues with their places and sparkline, three queries for all of them."""
    listed = list(issues)
    owners = shown_by([issue.pk for issue in listed])
    places = places_of(owners)
    hours = hourly_of(owners, hours=SPARK_HOURS, now_ms=now_ms)
    return [row_of(issue, places=places[issue.pk], hourly=hours[issue.pk]) for issue in listed]


@dataclass(frozen=True)
class Places:
    """Where an issue happens, the latest seen first."""

    releases: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


def places_of(owners: Mapping[int, int]) -> defaultdict[int, Places]:
    """Releases and environments of each issue, the latest seen first, at most 50 of each.

    owners: from issue ids to the ids of those that show them (`groups.shown_by`); the latter are answered.
    """
    found: defaultdict[int, tuple[dict[str, None], dict[str, None]]] = defaultdict(lambda: ({}, {}))
    rows = Aggregate.objects.filter(issue_id__in=owners).order_by("-last_seen_ms", "-id")
    for issue_id, release, environment in rows.values_list("issue_id", "release", "environment"):
        releases, environments = found[owners[issue_id]]
        if len(releases) < MAX_NAMES:
            releases[release] = None
        if len(environments) < MAX_NAMES:
            environments[environment] = None
    return defaultdict(Places, {key: Places(tuple(releases), tuple(names)) for key, (releases, names) in found.items()})


def hourly_of(owners: Mapping[int, int], *, hours: int, now_ms: int) -> defaultdict[int, tuple[int, ...]]:
    """Events per hour of each issue over the last `hours` clock hours, the running one last, gaps as zero.

    owners: as `places_of`.
    """
    start = first_hour(hours=hours, now_ms=now_ms)
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0] * hours)
    rows = HourlyCount.objects.filter(issue_id__in=owners, hour_ms__gte=start)
    for issue_id, hour_ms, count in rows.values_list("issue_id", "hour_ms", "count"):
        index = (hour_ms - start) // HOUR_MS
        if index < hours:
            counts[owners[issue_id]][index] += count
    return defaultdict(lambda: (0,) * hours, {key: tuple(values) for key, values in counts.items()})


def row_of(issue: Issue, *, places: Places, hourly: tuple[int, ...]) -> IssueRow:
    """One issue with what was looked up for it. The issue's project must be loaded."""
    return IssueRow(
        id=issue.pk,
        project_id=issue.project_id,
        project_slug=issue.project.slug,
        project_name=issue.project.name,
        fingerprint=issue.fingerprint,
        error_type=issue.error_type,
        message=issue.message,
        status=issue.status,
        regressed=issue.regressed_ms is not None,
        source=issue.source,
        route=issue.route,
        screen=issue.screen,
        total_count=issue.total_count,
        first_seen_ms=issue.first_seen_ms,
        last_seen_ms=issue.last_seen_ms,
        releases=places.releases,
        environments=places.environments,
        hourly=hourly,
    )


def find_issue(*, project_id: str, fingerprint: str) -> Issue | None:
    """The issue with this fingerprint, or the one it is merged into, its project loaded."""
    issues = Issue.objects.select_related("project", "merged_into__project")
    found = issues.filter(project_id=project_id, fingerprint=fingerprint).first()
    return found and (found.merged_into or found)


def has_issue(*, project_slug: str, fingerprint: str) -> bool:
    """Whether a project, whoever may see it, has exactly this fingerprint."""
    return Issue.objects.filter(project__slug=project_slug, fingerprint=fingerprint).exists()


def issues_with(reach: Reach, fingerprint: str) -> list[Issue]:
    """The reachable issues with this fingerprint, at most one a project, the newest project first.

    One that is merged into another stands for that one.
    """
    issues = Issue.objects.filter(fingerprint=fingerprint)
    if reach.project_ids is not None:
        issues = issues.filter(project_id__in=reach.project_ids)
    return shown(
        issues.select_related("project", "merged_into__project").order_by("-project__created_at", "project_id")
    )


def newest_issue(reach: Reach, *, now_ms: int) -> IssueRow | None:
    """The issue that was seen last within reach; None when nothing ever came in."""
    newest = list(issues_in(reach).select_related("project").order_by("-last_seen_ms", "-pk")[:1])
    return rows_of(newest, now_ms=now_ms)[0] if newest else None


def has_any_issue(reach: Reach) -> bool:
    """Whether anything was ever received within reach."""
    return issues_in(reach).exists()

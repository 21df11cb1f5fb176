"""The issues of a release: those it brought, those that came back with it, those it saw resolved, all it had."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Count, F, Max, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse

from bloop_site.lib.pagination import Page, page_of
from errors.models import Aggregate, Issue, Release, Transition
from errors.queries.groups import shown_by
from errors.queries.releases import HEAD, NEVER_MS, ReleaseRow, neighbours, resolved_while_newest
from errors.statuses import NO_RELEASE

TABS = ("new", "regressed", "resolved", "all")


@dataclass(frozen=True)
class ReleaseIssue:
    """An issue as a row of a release. events: those of the release; changed_ms: when it regressed or was resolved."""

    project_slug: str
    fingerprint: str
    error_type: str
    message: str
    status: str
    regressed: bool
    source: str
    route: str | None
    is_new: bool
    events: int
    total_count: int
    last_seen_ms: int
    changed_ms: int | None

    @property
    def url(self) -> str:
        return reverse("errors:detail", args=[self.project_slug, self.fingerprint])


@dataclass(frozen=True)
class Tab:
    """One of the four lists and how many issues are in it."""

    name: str
    count: int


@dataclass(frozen=True)
class IssuesOfRelease:
    tabs: list[Tab]
    rows: list[ReleaseIssue]
    page: Page


def issues_of(release: Release, row: ReleaseRow, *, tab: str, wanted: str | None, size: int) -> IssuesOfRelease:
    """One page of one of `TABS`, in five queries at most however many rows. row: the release with its figures.

    New and all: the most events of this release first, and of all issues the new ones before the others. Regressed and
    resolved: the latest change first. Events without a release see nothing resolved: there is no such tab.
    """
    tabs = tabs_of(release, row)
    total = next(each.count for each in tabs if each.name == tab)
    page = page_of(wanted=wanted, size=size, total=total)
    if tab in {"regressed", "resolved"}:
        found = changed_in(release, tab, page)
    else:
        found = seen_in(release, page, only_new=tab == "new")
    return IssuesOfRelease(tabs, rows_in(release, found), page)


def tabs_of(release: Release, row: ReleaseRow) -> list[Tab]:
    """The lists of a release with their sizes."""
    figures = row.figures
    found = occurring(release).aggregate(n=Count(HEAD, distinct=True))["n"]
    counts = {"new": figures.new, "regressed": figures.regressed, "resolved": figures.resolved, "all": found}
    return [Tab(name, counts[name]) for name in TABS if release.name != NO_RELEASE or name != "resolved"]


def occurring(release: Release) -> QuerySet[Aggregate]:
    """The aggregates of the release."""
    return Aggregate.objects.filter(project=release.project_id, release=release.name).order_by()


def changed_in(release: Release, tab: str, page: Page) -> dict[int, int | None]:
    """A page of the issues that regressed or were resolved, by id with the time of the latest change, latest first."""
    changes = Transition.objects.filter(change_in(release, tab), project=release.project_id).order_by()
    grouped = changes.annotate(head=HEAD).values("head").annotate(latest_ms=Max("changed_ms"))
    rows = grouped.order_by("-latest_ms", "-head").values_list("head", "latest_ms")
    return dict(rows[page.offset : page.offset + page.size])


def seen_in(release: Release, page: Page, *, only_new: bool) -> dict[int, int | None]:
    """A page of the issues that happened in the release, by id: new ones first, then by their events in it."""
    first = Coalesce(F("issue__merged_into__first_release"), F("issue__first_release"))
    seen = occurring(release).annotate(head=HEAD, brought_by=first)
    if only_new:
        seen = seen.filter(brought_by=release.name)
    is_new = Case(When(brought_by=release.name, then=Value(1)), default=Value(0))
    grouped = seen.values("head").annotate(is_new=Max(is_new), events=Sum("total_count"))
    rows = grouped.order_by("-is_new", "-events", "-head").values_list("head", flat=True)
    return dict.fromkeys(rows[page.offset : page.offset + page.size])


def change_in(release: Release, tab: str) -> Q:
    """The Transitions that make an issue regressed, or resolved, in the release."""
    if tab == "regressed":
        return Q(cause=Transition.Cause.REGRESSION, release=release.name)
    before, after = neighbours()
    before_ms, after_ms = (
        Release.objects.filter(pk=release.pk).annotate(before=before, after=after).values_list("before", "after").get()
    )
    until_ms = NEVER_MS if after_ms is None else after_ms
    return resolved_while_newest(first_ms=release.first_seen_ms, before_ms=before_ms or 0, until_ms=until_ms)


def rows_in(release: Release, found: dict[int, int | None]) -> list[ReleaseIssue]:
    """The issues with these ids in their order, in three queries. found: from ids to the time of the change."""
    issues = Issue.objects.in_bulk(list(found))
    events = events_in(release, list(issues))
    return [
        row_of(issues[pk], release, events=events[pk], changed_ms=changed_ms)
        for pk, changed_ms in found.items()
        if pk in issues
    ]


def events_in(release: Release, issue_ids: Sequence[int]) -> defaultdict[int, int]:
    """The release's events of each of these issues, those of what is merged into it included."""
    owners = shown_by(issue_ids)
    summed: defaultdict[int, int] = defaultdict(int)
    rows = Aggregate.objects.filter(issue_id__in=owners, release=release.name).values_list("issue_id", "total_count")
    for issue_id, count in rows:
        summed[owners[issue_id]] += count
    return summed


def row_of(issue: Issue, release: Release, *, events: int, changed_ms: int | None) -> ReleaseIssue:
    """One issue with what was looked up for it."""
    return ReleaseIssue(
        project_slug=release.project.slug,
        fingerprint=issue.fingerprint,
        error_type=issue.error_type,
        message=issue.message,
        status=issue.status,
        regressed=issue.regressed_ms is not None,
        source=issue.source,
        route=issue.route,
        is_new=issue.first_release == release.name,
        events=events,
        total_count=issue.total_count,
        last_seen_ms=issue.last_seen_ms,
        changed_ms=changed_ms,
    )

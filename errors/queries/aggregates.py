"""Aggregates: the rows of the API's error list, and an issue's breakdown by release and environment."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Max, Min, QuerySet, Sum

from errors.models import Aggregate, Issue
from errors.queries.groups import shown_by
from errors.queries.issues import SORTS, IssueFilter, matching
from projects.access import Reach

MAX_BREAKDOWN = 100


@dataclass(frozen=True)
class AggregateRow:
    """One release and environment of an issue; `share` of the issue's events, 0 to 1."""

    release: str
    environment: str
    count: int
    share: float
    first_seen_ms: int
    last_seen_ms: int


def aggregates_in(reach: Reach) -> QuerySet[Aggregate]:
    """The aggregates of the reachable projects, each with its issue."""
    rows = Aggregate.objects.select_related("issue")
    return rows if reach.project_ids is None else rows.filter(project_id__in=reach.project_ids)


def aggregate_list(reach: Reach, filters: IssueFilter) -> QuerySet[Aggregate]:
    """The matching aggregates in a total order (contract 4.2)."""
    rows = aggregates_in(reach).filter(matching(filters))
    if filters.release:
        rows = rows.filter(release=filters.release)
    if filters.environment:
        rows = rows.filter(environment=filters.environment)
    if filters.status:
        rows = rows.filter(issue__status=filters.status)
    return rows.order_by(f"-{SORTS[filters.sort]}", "-id")


def aggregates_of(issues: Sequence[Issue]) -> list[Aggregate]:
    """Every aggregate of the issues, in the order of the issues, of each the latest seen first.

    Those of merged issues stand with the issue that shows them, under their own fingerprint.
    """
    place = {issue.pk: index for index, issue in enumerate(issues)}
    owners = shown_by(list(place))
    rows = Aggregate.objects.filter(issue__in=owners).select_related("issue").order_by("-last_seen_ms", "-id")
    return sorted(rows, key=lambda row: place[owners[row.issue_id]])


def release_errors(reach: Reach, release: str) -> QuerySet[Aggregate]:
    """The aggregates of one release, the most frequent first (contract 4.5)."""
    return aggregates_in(reach).filter(release=release).order_by("-total_count", "-id")


def breakdown(issue: Issue, issue_ids: Sequence[int]) -> list[AggregateRow]:
    """An issue by release and environment, the latest seen first, at most 100 rows.

    issue_ids: the issue's and those of what is merged into it (`groups.group_ids`).
    """
    places = Aggregate.objects.filter(issue__in=issue_ids).values("release", "environment")
    rows = places.annotate(count=Sum("total_count"), first=Min("first_seen_ms"), last=Max("last_seen_ms"))
    return [
        AggregateRow(
            release=row["release"],
            environment=row["environment"],
            count=row["count"],
            share=row["count"] / issue.total_count,
            first_seen_ms=row["first"],
            last_seen_ms=row["last"],
        )
        for row in rows.order_by("-last", "release", "environment")[:MAX_BREAKDOWN]
    ]

"""What the last days would have given alert rules to tell of: for the preview of a rule, each answer bounded."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from bloop_site.lib.clock import HOUR_MS, MINUTE_MS, hour_of, minute_of
from errors.models import Aggregate, Event, HourlyCount, Issue, ProjectHourlyCount, ProjectMinute, Transition
from errors.models.issues import LISTED
from errors.queries.alerting import MAX_READ, QUIET, BusyIssue, Narrowed, hours_of, newest_since

MINUTES_AN_HOUR = HOUR_MS // MINUTE_MS


@dataclass(frozen=True)
class Sighting:
    """An issue was seen for the first time, or came back."""

    at_ms: int
    project_id: str
    issue_id: int
    transition_id: int | None
    fingerprint: str
    error_type: str
    message: str
    environment: str
    source: str
    release: str


def sightings(
    project_ids: Collection[str], *, since_ms: int, environment: str | None, narrowed: Narrowed, limit: int
) -> list[Sighting]:
    """The newest `limit` firsts since then, of issues or (environment) of them there, and comebacks; newest first.

    Issues that are ignored or muted now, or shown by another one, are left out.
    """
    place = Where(project_ids, since_ms, environment, narrowed, limit)
    found = [*(first_issues(place) if environment is None else first_places(place)), *comebacks(place)]
    return sorted(found, key=lambda each: (-each.at_ms, -each.issue_id))[:limit]


@dataclass(frozen=True)
class Where:
    """What `sightings` is asked."""

    project_ids: Collection[str]
    since_ms: int
    environment: str | None
    narrowed: Narrowed
    limit: int

    @property
    def shown(self) -> Q:
        """Of rows that have an issue: it is neither quiet nor shown by another one."""
        return Q(issue__merged_into__isnull=True) & ~Q(issue__status__in=QUIET)


def first_issues(where: Where) -> list[Sighting]:
    """Issues first seen since then, with the environment they were first seen in."""
    first = Aggregate.objects.filter(issue=OuterRef("pk")).order_by("first_seen_ms", "pk").values("environment")[:1]
    rows = Issue.objects.filter(LISTED, project_id__in=where.project_ids, first_seen_ms__gte=where.since_ms)
    rows = rows.exclude(status__in=QUIET).annotate(environment=Subquery(first)).filter(**where.narrowed.columns)
    return [
        Sighting(
            at_ms=issue.first_seen_ms,
            project_id=issue.project_id,
            issue_id=issue.pk,
            transition_id=None,
            fingerprint=issue.fingerprint,
            error_type=issue.error_type,
            message=issue.message,
            environment=issue.environment or "",
            source=issue.source,
            release=issue.first_release,
        )
        for issue in rows.order_by("-first_seen_ms", "-pk")[: where.limit]
    ]


def first_places(where: Where) -> list[Sighting]:
    """Issues first seen since then in the environment that is named."""
    earlier = Aggregate.objects.filter(issue=OuterRef("issue"), environment=where.environment).filter(
        Q(first_seen_ms__lt=OuterRef("first_seen_ms"))
        | Q(first_seen_ms=OuterRef("first_seen_ms"), pk__lt=OuterRef("pk"))
    )
    rows = Aggregate.objects.filter(
        where.shown,
        ~Exists(earlier),
        project_id__in=where.project_ids,
        first_seen_ms__gte=where.since_ms,
        environment=where.environment,
    ).filter(**where.narrowed.columns)
    rows = rows.select_related("issue").order_by("-first_seen_ms", "-pk")[: where.limit]
    return [seen(row.issue, row, at_ms=row.first_seen_ms) for row in rows]


def comebacks(where: Where) -> list[Sighting]:
    """Regressions since then; where they happened is where their release first made the issue happen."""
    place = Aggregate.objects.filter(issue=OuterRef("issue"), release=OuterRef("release"))
    wanted = Narrowed(where.environment or where.narrowed.environment, where.narrowed.source)
    if where.environment is not None and where.narrowed.environment not in (None, where.environment):
        return []
    rows = Transition.objects.filter(
        where.shown, cause=Transition.Cause.REGRESSION, project_id__in=where.project_ids, changed_ms__gte=where.since_ms
    ).annotate(place_id=Subquery(place.filter(**wanted.columns).order_by("first_seen_ms", "pk").values("pk")[:1]))
    changes = list(
        rows.filter(place_id__isnull=False).select_related("issue").order_by("-changed_ms", "-pk")[: where.limit]
    )
    places = Aggregate.objects.in_bulk([change.place_id for change in changes])
    return [
        seen(change.issue, places[change.place_id], at_ms=change.changed_ms, transition_id=change.pk)
        for change in changes
        if change.place_id in places
    ]


def seen(issue: Issue, place: Aggregate, *, at_ms: int, transition_id: int | None = None) -> Sighting:
    """An issue as it was seen in a place."""
    return Sighting(
        at_ms=at_ms,
        project_id=issue.project_id,
        issue_id=issue.pk,
        transition_id=transition_id,
        fingerprint=issue.fingerprint,
        error_type=issue.error_type,
        message=issue.message,
        environment=place.environment,
        source=place.source,
        release=place.release,
    )


# --- Counts by the minute -------------------------------------------------------------------------------------------

Minutes = dict[int, int]  # events by the start of their minute


def busiest_projects(project_ids: Collection[str], *, since_ms: int, limit: int) -> list[str]:
    """The projects with the most events since then, at most `limit`. One query."""
    rows = ProjectHourlyCount.objects.filter(project_id__in=project_ids, hour_ms__gte=hour_of(since_ms))
    summed = rows.values("project_id").annotate(total=Sum("count")).order_by("-total", "project_id")
    return [row["project_id"] for row in summed[:limit]]


def minutes_of_projects(project_ids: Collection[str], *, since_ms: int, narrowed: Narrowed) -> dict[str, Minutes]:
    """What rules counted of each project since then. One query."""
    rows = ProjectMinute.objects.filter(
        project_id__in=project_ids, minute_ms__gte=minute_of(since_ms), **narrowed.columns
    )
    found: defaultdict[str, Minutes] = defaultdict(dict)
    summed = rows.values_list("project_id", "minute_ms").annotate(total=Sum("count"))
    for project_id, minute_ms, total in summed.order_by():
        found[project_id][minute_ms] = total
    return found


def minutes_of_issues(issue_ids: Sequence[int], *, since_ms: int, narrowed: Narrowed) -> tuple[Minutes, bool]:
    """How often these issues happened in each minute of the hours since then, and whether that is exact.

    Of too many events to be read, or events that are gone, the hours are spread evenly over their minutes.
    """
    begin = hour_of(since_ms)
    hours = HourlyCount.objects.filter(issue_id__in=issue_ids, hour_ms__gte=begin)
    totals = dict(hours.values_list("issue_id").annotate(total=Sum("count")).order_by())
    minutes: defaultdict[int, int] = defaultdict(int)
    if sum(totals.values()) <= MAX_READ:
        kept = sum(newest_since(pk, begin, Narrowed(), look=look) for pk, look in totals.items())
        if kept == sum(totals.values()):
            for pk, look in totals.items():
                for minute_ms, count in event_minutes(pk, begin, narrowed, look=look):
                    minutes[minute_ms] += count
            return dict(minutes), True
    for hour_ms, total in hours.filter(**narrowed.columns).values_list("hour_ms", "count"):
        for minute in range(MINUTES_AN_HOUR):
            share = total * (minute + 1) // MINUTES_AN_HOUR - total * minute // MINUTES_AN_HOUR
            minutes[hour_ms + minute * MINUTE_MS] += share
    return dict(minutes), False


def event_minutes(issue_id: int, begin_ms: int, narrowed: Narrowed, *, look: int) -> "QuerySet[Event, tuple[int, int]]":
    """Of an issue's newest `look` events, how many came in each minute since `begin_ms`."""
    newest = Event.objects.filter(issue_id=issue_id).order_by("-pk").values("pk")[:look]
    rows = Event.objects.filter(pk__in=newest, received_ms__gte=begin_ms, **narrowed.columns)
    minute = F("received_ms") - F("received_ms") % MINUTE_MS
    return rows.values_list(minute).annotate(total=Count("pk")).order_by()


# --- Counts by the hour ---------------------------------------------------------------------------------------------


def frequent_issues(
    project_ids: Collection[str], *, since_ms: int, first_ms: int, hours: int, narrowed: Narrowed, limit: int
) -> list[BusyIssue]:
    """The `limit` most frequent issues that were seen since then, each with `hours` hours from `first_ms` on."""
    rows = Issue.objects.filter(LISTED, project_id__in=project_ids, last_seen_ms__gte=since_ms)
    issues = list(rows.exclude(status__in=QUIET).order_by("-total_count", "-pk")[:limit])
    counts = hours_of([issue.pk for issue in issues], since_ms=first_ms, hours=hours, narrowed=narrowed)
    return [
        BusyIssue(
            issue.project_id, issue.pk, issue.fingerprint, issue.error_type, issue.message, tuple(counts[issue.pk])
        )
        for issue in issues
    ]

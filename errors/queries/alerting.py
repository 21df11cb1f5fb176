"""What alert rules count: events of a window, exact where it decides, and bounded whatever the volume (contract 6.3).

A window begins at `since_ms` and has no end: what it counts is no later than the question.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from bloop_site.lib.clock import HOUR_MS, MINUTE_MS, hour_of, minute_of
from bloop_site.lib.db import MAX_PARAMETERS, Beginning
from errors.models import Event, HourlyCount, Issue, ProjectHourlyCount, ProjectMinute, Status
from errors.models.issues import LISTED, ROUTE_KEY
from errors.queries.groups import shown_by
from projects.models import Project

QUIET = (Status.IGNORED, Status.MUTED)
MAX_READ = (
    50_000  # events looked at for one verdict; beyond that a part of a minute or an hour is reckoned by its length
)
MAX_ISSUES = 200  # of a route: those seen last
MAX_QUIETED = 20  # issues that were ignored or muted within a window
MAX_BUSY = 300  # issues whose history is read


class Sums(NamedTuple):
    """Events of a window. whole: since its first whole minute or hour; edge: all of the one that it begins within."""

    whole: int = 0
    edge: int = 0

    @property
    def most(self) -> int:
        return self.whole + self.edge

    def plus(self, other: "Sums") -> "Sums":
        return Sums(self.whole + other.whole, self.edge + other.edge)


@dataclass(frozen=True)
class Narrowed:
    """What is counted of a project; None: whatever it says there."""

    environment: str | None = None
    source: str | None = None

    def of(self, places: "Places") -> Sums:
        """The sums over the places that count."""
        total = Sums()
        for (environment, source), sums in places.items():
            if self.environment in (None, environment) and self.source in (None, source):
                total = total.plus(sums)
        return total

    @property
    def columns(self) -> dict[str, str]:
        """The conditions on a row that has both columns."""
        named = {"environment": self.environment, "source": self.source}
        return {name: value for name, value in named.items() if value is not None}


Places = dict[tuple[str, str], Sums]  # by environment and source


# --- Events of projects -------------------------------------------------------------------------------------------


def active_projects(*, since_ms: int) -> set[str]:
    """The projects that rules counted events of since then. One query."""
    rows = ProjectMinute.objects.filter(minute_ms__gte=since_ms).order_by()
    return set(rows.values_list("project_id", flat=True).distinct())


def minutes_since(project_ids: Collection[str] | None, *, since_ms: int) -> dict[str, Places]:
    """Events of issues that were neither ignored nor muted, by project and place. One query."""
    first = -(-since_ms // MINUTE_MS) * MINUTE_MS
    rows = within(ProjectMinute.objects.filter(minute_ms__gte=minute_of(since_ms)), project_ids)
    sums = rows.values_list("project_id", "environment", "source").annotate(
        whole=Sum("count", filter=Q(minute_ms__gte=first), default=0),
        edge=Sum("count", filter=Q(minute_ms__lt=first), default=0),
    )
    found: defaultdict[str, Places] = defaultdict(dict)
    for project_id, environment, source, whole, edge in sums.order_by():
        found[project_id][environment, source] = Sums(whole, edge)
    return found


def hours_since(project_ids: Collection[str] | None, *, since_ms: int) -> dict[str, Places]:
    """At least as many events as `minutes_since` counts, from a few rows: all of whole hours. One query."""
    rows = within(ProjectHourlyCount.objects.filter(hour_ms__gte=hour_of(since_ms)), project_ids)
    found: defaultdict[str, Places] = defaultdict(dict)
    for project_id, environment, source, total in (
        rows.values_list("project_id", "environment", "source").annotate(total=Sum("count")).order_by()
    ):
        found[project_id][environment, source] = Sums(total)
    return found


def within(
    rows: "QuerySet[ProjectMinute] | QuerySet[ProjectHourlyCount]", project_ids: Collection[str] | None
) -> "QuerySet[ProjectMinute] | QuerySet[ProjectHourlyCount]":
    """The rows of some projects; None: of all."""
    return rows if project_ids is None else rows.filter(project_id__in=project_ids)


def edge_of_minute(project_id: str, *, since_ms: int, narrowed: Narrowed, minute_count: int) -> int:
    """How many of a minute's events came at `since_ms` or later, without those of ignored and muted issues.

    minute_count: how many the minute has. Exact up to MAX_READ; more are taken to be spread evenly.
    """
    end = minute_of(since_ms) + MINUTE_MS
    if minute_count > MAX_READ:
        return minute_count * (end - since_ms) // MINUTE_MS
    came = Event.objects.filter(project_id=project_id, received_ms__gte=since_ms, received_ms__lt=end)
    counted = came.filter(**narrowed.columns).exclude(issue__status__in=QUIET)
    return min(counted.count(), minute_count)


def quieted_since(project_id: str, *, since_ms: int, narrowed: Narrowed) -> int:
    """Events since then that were counted, of issues that somebody ignored or muted afterwards; up to that moment.

    Of the MAX_QUIETED most frequent. A few queries for each.
    """
    rows = Issue.objects.filter(
        project_id=project_id, status__in=QUIET, status_changed_ms__gt=since_ms, last_seen_ms__gte=since_ms
    )
    quieted = rows.order_by("-total_count", "pk").values_list("pk", "status_changed_ms")[:MAX_QUIETED]
    return sum(
        events_between(pk, project_id=project_id, since_ms=since_ms, until_ms=until_ms or 0, narrowed=narrowed)
        for pk, until_ms in quieted
    )


# --- Events of issues ---------------------------------------------------------------------------------------------


def issues_of(
    project_ids: Collection[str] | None, *, fingerprint: str | None, route: str | None, since_ms: int
) -> dict[str, list[int]]:
    """The issues that have this fingerprint, this route or both, by project; what a fingerprint's issue shows with it.

    A route is the one its issue was first seen on, as lists are narrowed by it; of many the last seen. Ignored and
    muted ones are left out, and those not seen since. project_ids: None for all.
    """
    named = named_issues(fingerprint) if fingerprint is not None else on_route(str(route))
    rows = named.filter(last_seen_ms__gte=since_ms).exclude(status__in=QUIET)
    if project_ids is not None:
        rows = rows.filter(project_id__in=project_ids)
    if fingerprint is not None and route is not None:
        rows = rows.filter(route=route)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for project_id, pk in rows.order_by("-last_seen_ms", "-pk").values_list("project_id", "pk"):
        if len(found[project_id]) < MAX_ISSUES:
            found[project_id].append(pk)
    return found


def named_issues(fingerprint: str) -> QuerySet[Issue]:
    """In each project: the issue that shows this fingerprint, and all that it shows."""
    own = Issue.objects.filter(fingerprint=fingerprint).values_list("pk", "merged_into_id")
    return Issue.objects.filter(pk__in=shown_by([merged_into or pk for pk, merged_into in own]))


def on_route(route: str) -> QuerySet[Issue]:
    """Issues first seen on a route, merged ones too."""
    beginning = Issue.objects.alias(beginning=Beginning("route", ROUTE_KEY)).filter(
        LISTED, beginning=route[:ROUTE_KEY], route=route
    )
    merged = Issue.objects.filter(merged_into__isnull=False, route=route)
    return Issue.objects.filter(Q(pk__in=beginning.values("pk")) | Q(pk__in=merged.values("pk")))


def events_of(issue_ids: Sequence[int], *, since_ms: int, narrowed: Narrowed, more_than: int) -> int:
    """How often these issues happened since then: exact where it decides whether that is `more_than` so often.

    Counts by the hour say most; their events are looked at when the hour that the window begins within may decide, the
    newest of each first. Where more than MAX_READ would have to be, that hour's are taken to be spread evenly.
    """
    next_hour = -(-since_ms // HOUR_MS) * HOUR_MS
    rows = HourlyCount.objects.filter(issue_id__in=issue_ids, hour_ms__gte=hour_of(since_ms))
    narrow = Q(**narrowed.columns)
    counts = list(
        rows.values_list("issue_id")
        .annotate(
            all_places=Sum("count"),
            whole=Sum("count", filter=narrow & Q(hour_ms__gte=next_hour), default=0),
            edge=Sum("count", filter=narrow & Q(hour_ms__lt=next_hour), default=0),
        )
        .order_by()
    )
    sums = Sums(sum(row[2] for row in counts), sum(row[3] for row in counts))
    if sums.most <= more_than or not sums.edge:
        return sums.whole
    to_read = sum(row[1] for row in counts)
    if to_read <= MAX_READ:
        seen = sum(newest_since(pk, since_ms, narrowed, look=count) for pk, count, _, _ in counts)
        return max(seen, sums.whole)  # of a long window, the oldest events may be gone
    if more_than < MAX_READ:
        seen = sum(newest_since(pk, since_ms, narrowed, look=MAX_READ * count // to_read) for pk, count, _, _ in counts)
        if seen > more_than:
            return max(seen, sums.whole)
    return sums.whole + sums.edge * (next_hour - since_ms) // HOUR_MS


def events_between(issue_id: int, *, project_id: str, since_ms: int, until_ms: int, narrowed: Narrowed) -> int:
    """How often an issue happened in a time that has passed.

    Exact, unless more than MAX_READ events would have to be looked at: then a part of an hour is reckoned by its
    length, but for no more than rules counted of the project.
    """
    hours = HourlyCount.objects.filter(issue_id=issue_id, hour_ms__gte=hour_of(since_ms)).values_list("hour_ms")
    narrow = Q(**narrowed.columns)
    counts = list(hours.annotate(all_places=Sum("count"), own=Sum("count", filter=narrow, default=0)).order_by())
    total = 0
    for hour_ms, _, own in counts:
        begin_ms, end_ms = max(hour_ms, since_ms), min(hour_ms + HOUR_MS, until_ms)
        to_read = sum(count for other_ms, count, _ in counts if other_ms >= hour_ms)
        if end_ms - begin_ms == HOUR_MS or not own:
            total += own
        elif begin_ms < end_ms and to_read <= MAX_READ:
            after = newest_since(issue_id, end_ms, narrowed, look=to_read)
            total += newest_since(issue_id, begin_ms, narrowed, look=to_read) - after
        elif begin_ms < end_ms:
            minutes = ProjectMinute.objects.filter(
                project_id=project_id, minute_ms__gte=minute_of(begin_ms), minute_ms__lt=end_ms, **narrowed.columns
            )
            counted = minutes.aggregate(total=Sum("count", default=0))["total"]
            total += min(own * (end_ms - begin_ms) // HOUR_MS, counted)
    return total


def newest_since(issue_id: int, since_ms: int, narrowed: Narrowed, *, look: int) -> int:
    """How many of the issue's newest `look` events came since then."""
    newest = Event.objects.filter(issue_id=issue_id).order_by("-pk").values("pk")[:look]
    return Event.objects.filter(pk__in=newest, received_ms__gte=since_ms, **narrowed.columns).count()


def total_counts(named: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """All events of issues, which may be very many, by project and fingerprint."""
    fingerprints = sorted({fingerprint for _, fingerprint in named})
    found: dict[tuple[str, str], int] = {}
    for start in range(0, len(fingerprints), MAX_PARAMETERS):
        rows = Issue.objects.filter(fingerprint__in=fingerprints[start : start + MAX_PARAMETERS])
        for project_id, fingerprint, count in rows.values_list("project_id", "fingerprint", "total_count"):
            found[project_id, fingerprint] = count
    return found


def resolved_at(named: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """When those of these issues that are resolved were, epoch ms, by project and fingerprint."""
    fingerprints = sorted({fingerprint for _, fingerprint in named})
    found: dict[tuple[str, str], int] = {}
    for start in range(0, len(fingerprints), MAX_PARAMETERS):
        rows = Issue.objects.filter(
            fingerprint__in=fingerprints[start : start + MAX_PARAMETERS], status=Status.RESOLVED
        )
        for project_id, fingerprint, changed_ms in rows.values_list("project_id", "fingerprint", "status_changed_ms"):
            found[project_id, fingerprint] = changed_ms or 0
    return found


# --- Hours of the busiest issues ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BusyIssue:
    """A shown issue and how often it happened in each hour, up to and with the hour asked about, oldest first."""

    project_id: str
    issue_id: int
    fingerprint: str
    error_type: str
    message: str
    counts: tuple[int, ...]


def busiest(
    project_ids: Collection[str] | None, *, hour_ms: int, history: int, narrowed: Narrowed, least: int, limit: int
) -> list[BusyIssue]:
    """The issues that happened most often in an hour, `limit` of each project and at least so often. A few queries.

    Of many projects together at most MAX_BUSY, the busiest. history: how many hours before that one. What an issue
    shows counts as its own; ignored and muted ones are left out.
    """
    rows = HourlyCount.objects.filter(hour_ms=hour_ms, **narrowed.columns).exclude(issue__status__in=QUIET)
    if project_ids is not None:
        rows = rows.filter(issue__project_id__in=project_ids)
    summed = rows.values_list("issue__project_id", "issue_id", "issue__merged_into_id").annotate(total=Sum("count"))
    of_heads: defaultdict[tuple[str, int], int] = defaultdict(int)
    for project_id, issue_id, head_id, total in summed.order_by():
        of_heads[project_id, head_id or issue_id] += total
    left: defaultdict[str, int] = defaultdict(lambda: limit)
    chosen: list[int] = []
    for (project_id, head_id), total in sorted(of_heads.items(), key=lambda item: (-item[1], item[0])):
        if total >= least and left[project_id] and len(chosen) < MAX_BUSY:
            left[project_id] -= 1
            chosen.append(head_id)
    hours = hours_of(chosen, since_ms=hour_ms - history * HOUR_MS, hours=history + 1, narrowed=narrowed)
    issues = Issue.objects.in_bulk(chosen)
    return [
        BusyIssue(
            issue.project_id, issue.pk, issue.fingerprint, issue.error_type, issue.message, tuple(hours[issue.pk])
        )
        for head_id in chosen
        if (issue := issues.get(head_id)) is not None
    ]


def hours_of(issue_ids: Sequence[int], *, since_ms: int, hours: int, narrowed: Narrowed) -> dict[int, list[int]]:
    """Events of each shown issue and all it shows in so many hours, none as zero."""
    shown = shown_by(issue_ids)
    found = {pk: [0] * hours for pk in issue_ids}
    rows = HourlyCount.objects.filter(
        issue_id__in=shown, hour_ms__gte=since_ms, hour_ms__lt=since_ms + hours * HOUR_MS, **narrowed.columns
    )
    for issue_id, hour_ms, total in rows.values_list("issue_id", "hour_ms").annotate(total=Sum("count")).order_by():
        found[shown[issue_id]][(hour_ms - since_ms) // HOUR_MS] += total
    return found


def first_hours(project_ids: Collection[str]) -> dict[str, int]:
    """The first hour of each of these projects that has events, epoch ms. One query, a look into an index for each."""
    rows = Project.objects.filter(pk__in=project_ids).annotate(first_ms=first_hour_of(OuterRef("pk"))).order_by()
    return {pk: first_ms for pk, first_ms in rows.values_list("pk", "first_ms") if first_ms is not None}


def first_hours_of_issues(issue_ids: Collection[int]) -> dict[int, int]:
    """The same of the projects of a few issues, by issue."""
    rows = Issue.objects.filter(pk__in=issue_ids).annotate(first_ms=first_hour_of(OuterRef("project"))).order_by()
    return {pk: first_ms for pk, first_ms in rows.values_list("pk", "first_ms") if first_ms is not None}


def first_hour_of(project: OuterRef) -> Subquery:
    """The first hour of an outer row's project."""
    return Subquery(ProjectHourlyCount.objects.filter(project=project).order_by("hour_ms").values("hour_ms")[:1])

"""What the list of projects shows of errors: read from rollups and an index, in three queries for a whole page."""

from collections.abc import Sequence

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, minute_of
from errors.models import Issue, MinuteCount, ProjectHourlyCount
from projects.figures import Figures
from projects.models import Project


def project_figures(project_ids: Sequence[str], now_ms: int) -> dict[str, Figures]:
    """Events of the last 24 hours (as `trends.events_24h` counts them) and the newest event, by project id."""
    start = minute_of(now_ms) - DAY_MS + MINUTE_MS
    next_hour = hour_of(start) + HOUR_MS
    hours = summed(ProjectHourlyCount.objects.filter(project_id__in=project_ids, hour_ms__gte=next_hour))
    minutes = summed(
        MinuteCount.objects.filter(project_id__in=project_ids, minute_ms__gte=start, minute_ms__lt=next_hour)
    )
    newest = Issue.objects.filter(project=OuterRef("pk")).order_by("-last_seen_ms", "-pk").values("last_seen_ms")[:1]
    rows = Project.objects.filter(pk__in=project_ids).annotate(newest=Subquery(newest)).values_list("pk", "newest")
    return {pk: Figures(hours.get(pk, 0) + minutes.get(pk, 0), last) for pk, last in rows}


def summed(rows: QuerySet[ProjectHourlyCount] | QuerySet[MinuteCount]) -> dict[str, int]:
    """Events by project id."""
    grouped = rows.values("project_id").annotate(total=Sum("count")).values_list("project_id", "total")
    return dict(grouped)

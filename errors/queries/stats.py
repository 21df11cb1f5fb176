"""The figures of the stats bar and of `GET /v1/stats`."""

from dataclasses import dataclass

from django.db.models import Sum

from errors.models import Aggregate, Status
from errors.queries.issues import issues_in
from errors.queries.trends import events_24h
from ingest import buffer
from projects.access import Reach

TOP_ROUTES = 10


@dataclass(frozen=True)
class Stats:
    """Issues, open issues, events of the last 24 hours; and how the buffer stands, over all projects."""

    total_errors: int
    unresolved_errors: int
    events_24h: int
    buffer_usage: float
    buffered: int
    dead: int


@dataclass(frozen=True)
class RouteCount:
    route: str
    count: int


def stats(reach: Reach, *, now_ms: int) -> Stats:
    """The stats bar, in seven small queries over rollups."""
    issues = issues_in(reach)
    waiting = buffer.waiting_items()
    return Stats(
        total_errors=issues.count(),
        unresolved_errors=issues.filter(status=Status.UNRESOLVED).count(),
        events_24h=events_24h(reach, now_ms=now_ms),
        buffer_usage=buffer.usage(waiting),
        buffered=waiting,
        dead=buffer.dead_items(),
    )


def top_routes(reach: Reach) -> list[RouteCount]:
    """The up to ten routes with the most events of all time (contract 4.8)."""
    rows = Aggregate.objects.exclude(route=None)
    if reach.project_ids is not None:
        rows = rows.filter(project_id__in=reach.project_ids)
    grouped = rows.values("route").annotate(total=Sum("total_count")).order_by("-total", "route")
    return [RouteCount(row["route"] or "", row["total"]) for row in grouped[:TOP_ROUTES]]

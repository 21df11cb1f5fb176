"""The query API of errors (contract 4)."""

import json
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import PageQuery, checked_query
from bloop_site.lib.clock import HOUR_MS, now_ms
from errors.api import schema, serializers
from errors.models import Event, Issue
from errors.originals import Original
from errors.queries import aggregates, events, groups, history, issues, stats, trends
from errors.queries.issues import SORTS, IssueFilter, IssueRow
from errors.queries.sourcemaps import ReleaseStack, originals_of_each
from errors.services.status import Actor, ChangeInvalid, IssueGone, change_status
from errors.statuses import Change
from projects.models import ApiToken
from projects.views import ScopedView

TREND_HOURS = 24


def page_response(
    request: Request, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]], bounds: dict[str, Any]
) -> Response:
    """A bare array with X-Total-Count and Link (contract 4.1)."""
    limit, offset = bounds["limit"], bounds["offset"]
    total = rows.count()
    data = serializer(rows[offset : offset + limit], many=True).data
    return Response(data, headers=page_headers(request, total=total, limit=limit, offset=offset))


def page_headers(request: Request, *, total: int, limit: int, offset: int) -> dict[str, str]:
    """X-Total-Count, and Link with the next and previous page where there is one."""
    links = []
    for relation, target in (("next", offset + limit), ("prev", offset - limit)):
        if (relation == "next" and target < total) or (relation == "prev" and offset > 0):
            query = request.query_params.copy()
            query["limit"], query["offset"] = str(limit), str(max(0, target))
            links.append(f'<{request.path}?{query.urlencode()}>; rel="{relation}"')
    return {"X-Total-Count": str(total), **({"Link": ", ".join(links)} if links else {})}


class ErrorsView(ScopedView):
    """A read endpoint of errors."""

    scopes: ClassVar[tuple[str, ...]] = ("errors:read",)

    def issues_or_404(self, request: Request, fingerprint: str) -> list[Issue]:
        """The reachable issues with this fingerprint, newest project first. Raises ApiError 404."""
        found = issues.issues_with(self.reach(request), fingerprint)
        if not found:
            raise ApiError(f"no errors with fingerprint {fingerprint}", status=404)
        return found


class ErrorListView(ErrorsView):
    @extend_schema(**schema.read("list_errors", serializers.ListedErrorSerializer(many=True), serializers.ListQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(serializers.ListQuery, request)
        if query["sort"] not in SORTS:
            raise ApiError(f"invalid sort field: {query['sort']}")
        filters = IssueFilter(
            **{name: query[name] for name in ("status", "release", "environment", "source", "route", "q", "sort")},
            since_ms=query["since"],
            until_ms=query["until"],
        )
        with_trend = "trend" in query["include"].split(",")
        if query["group"] == "issue":
            return self.by_issue(request, filters, query, with_trend=with_trend)
        rows = aggregates.aggregate_list(self.reach(request), filters)
        response = page_response(request, rows, serializers.AggregateSerializer, query)
        if with_trend:
            shown = rows[query["offset"] : query["offset"] + query["limit"]]
            add_trends(response.data, [row.issue_id for row in shown])
        return response

    def by_issue(self, request: Request, filters: IssueFilter, query: dict[str, Any], *, with_trend: bool) -> Response:
        """One row for each fingerprint: counts summed, first and last of all its aggregates, releases listed."""
        found = issues.filtered_issues(self.reach(request), filters)
        ordered = found.order_by(f"-{SORTS[filters.sort]}", "-id").select_related("project")
        limit, offset = query["limit"], query["offset"]
        rows = issues.rows_of(ordered[offset : offset + limit], now_ms=now_ms())
        data = [issue_json(row) for row in rows]
        if with_trend:
            add_trends(data, [row.id for row in rows])
        return Response(data, headers=page_headers(request, total=found.count(), limit=limit, offset=offset))


def issue_json(row: IssueRow) -> dict[str, Any]:
    """An issue in the shape of an ErrorAggregate, with `releases`; release and environment are the latest seen."""
    return {
        "project_id": row.project_id,
        "fingerprint": row.fingerprint,
        "release": row.releases[0] if row.releases else "",
        "environment": row.environments[0] if row.environments else "",
        "total_count": row.total_count,
        "first_seen": row.first_seen_ms,
        "last_seen": row.last_seen_ms,
        "error_type": row.error_type,
        "message": row.message,
        "source": row.source,
        "route_or_procedure": row.route,
        "screen": row.screen,
        "status": row.status,
        "releases": list(row.releases),
    }


def add_trends(rows: list[dict[str, Any]], issue_ids: list[int]) -> None:
    """Give each row its issue's last 24 clock hours, dense, in one query."""
    now = now_ms()
    start = trends.first_hour(hours=TREND_HOURS, now_ms=now)
    hourly = issues.hourly_of(groups.shown_by(issue_ids), hours=TREND_HOURS, now_ms=now)
    for row, issue_id in zip(rows, issue_ids, strict=True):
        row["trend"] = [
            {"hour_bucket": start + index * HOUR_MS, "count": count} for index, count in enumerate(hourly[issue_id])
        ]


class ErrorDetailView(ErrorsView):
    @extend_schema(**schema.read("get_error", serializers.ErrorDetailSerializer, found=True))
    def get(self, request: Request, fingerprint: str) -> Response:
        found = self.issues_or_404(request, fingerprint)
        rows = aggregates.aggregates_of(found)
        samples = events.samples_of_all(found)
        data = serializers.SampleSerializer(samples, many=True).data
        add_originals(data, samples)
        return Response({"aggregates": serializers.AggregateSerializer(rows, many=True).data, "samples": data})


def add_originals(rows: Any, samples: list[Event]) -> None:
    """Give each sample whose stack its release's maps know something of `deobfuscated_stack`, a frame for each line."""
    stacks = [ReleaseStack(sample.project_id, sample.release, sample.stack or "") for sample in samples]
    for row, stack, originals in zip(rows, stacks, originals_of_each(stacks), strict=True):
        if originals:
            lines = [line.strip() for line in stack.stack.split("\n") if line.strip()]
            row["deobfuscated_stack"] = [frame_json(line, originals.get(line)) for line in lines]


def frame_json(line: str, original: Original | None) -> dict[str, Any]:
    """A line of a stack in the shape of contract 4.3."""
    return {
        "original_file": original.file if original else None,
        "original_line": original.line if original else None,
        "original_column": original.column if original else None,
        "original_name": original.name if original else None,
        "raw_frame": line,
    }


class OccurrencesView(ErrorsView):
    @extend_schema(**schema.read("list_occurrences", serializers.OccurrenceSerializer(many=True), PageQuery))
    def get(self, request: Request, fingerprint: str) -> Response:
        bounds = checked_query(PageQuery, request)
        rows = events.occurrences(self.reach(request), fingerprint)
        return page_response(request, rows, serializers.OccurrenceSerializer, bounds)


class TrendView(ErrorsView):
    @extend_schema(
        **schema.read("get_error_trend", serializers.TrendPointSerializer(many=True), serializers.TrendQuery)
    )
    def get(self, request: Request, fingerprint: str) -> Response:
        hours = checked_query(serializers.TrendQuery, request)["hours"]
        ids = list(groups.shown_by([issue.pk for issue in issues.issues_with(self.reach(request), fingerprint)]))
        points = trends.sparse_issue_hours(ids, since_ms=now_ms() - hours * HOUR_MS)
        return Response(serializers.TrendPointSerializer(points, many=True).data)


class TrendsView(ErrorsView):
    @extend_schema(**schema.read("get_trends", serializers.TrendPointSerializer(many=True), serializers.TrendQuery))
    def get(self, request: Request) -> Response:
        hours = checked_query(serializers.TrendQuery, request)["hours"]
        points = trends.sparse_project_hours(self.reach(request), since_ms=now_ms() - hours * HOUR_MS)
        return Response(serializers.TrendPointSerializer(points, many=True).data)


class ReleaseErrorsView(ErrorsView):
    @extend_schema(**schema.read("list_release_errors", serializers.AggregateSerializer(many=True), PageQuery))
    def get(self, request: Request, release: str) -> Response:
        bounds = checked_query(PageQuery, request)
        rows = aggregates.release_errors(self.reach(request), release)
        return page_response(request, rows, serializers.AggregateSerializer, bounds)


class HistoryView(ErrorsView):
    @extend_schema(**schema.read("get_error_history", serializers.TransitionSerializer(many=True)))
    def get(self, request: Request, fingerprint: str) -> Response:
        found = issues.issues_with(self.reach(request), fingerprint)
        rows = history.transitions_of(found)
        return Response(serializers.TransitionSerializer(rows, many=True).data)


class StatsView(ErrorsView):
    @extend_schema(**schema.read("get_stats", serializers.StatsSerializer))
    def get(self, request: Request) -> Response:
        reach = self.reach(request)
        figures = stats.stats(reach, now_ms=now_ms())
        routes = stats.top_routes(reach)
        return Response(
            {
                "total_errors": figures.total_errors,
                "unresolved_errors": figures.unresolved_errors,
                "total_events_24h": figures.events_24h,
                "top_routes": serializers.RouteCountSerializer(routes, many=True).data,
            }
        )


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; empty for whatever else clients send with a call that needs none.

    One that is broken is refused: to mute for ever what was to be muted for an hour helps nobody. Raises a 400.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(b"{"):
            raise ApiError("body is not valid JSON") from None
        return {}
    return value if isinstance(value, dict) else {}


class StatusView(ErrorsView):
    """`POST /v1/errors/{fp}/resolve` and its three sisters (contract 4.6)."""

    scopes: ClassVar[tuple[str, ...]] = ("errors:write",)
    status: ClassVar[str]

    def wanted(self, request: Request) -> Change:
        """The status with what a JSON object adds to it; no body is needed (contract 4.6). Raises a 400."""
        body = object_in(request.body)
        if not body:
            return Change(self.status)
        serializer = serializers.ChangeBody(data=body)
        serializer.is_valid(raise_exception=True)
        extra = serializer.validated_data
        try:
            return Change(
                self.status,
                muted_until_ms=extra["until"],
                muted_for_count=extra["until_count"],
                in_next_release=extra["in_next_release"],
            )
        except ValueError as error:
            raise ApiError(str(error)) from None

    def change(self, request: Request, fingerprint: str) -> Response:
        """Set the status on the one issue meant. A session that names no project must mean exactly one."""
        found = self.issues_or_404(request, fingerprint)
        if len(found) > 1:
            raise ApiError("project_id is required")
        issue = found[0]
        try:
            change = self.wanted(request)
            change_status(issue_id=issue.pk, change=change, actor=self.actor(request), now_ms=now_ms())
        except ChangeInvalid as error:
            raise ApiError(str(error)) from None
        except IssueGone:
            raise ApiError(f"no errors with fingerprint {fingerprint}", status=404) from None
        updated = len(aggregates.aggregates_of([issue]))
        return Response({"fingerprint": fingerprint, "status": self.status, "updated": updated})

    def actor(self, request: Request) -> Actor:
        """Who is acting, as the history will tell it."""
        token = request.auth if isinstance(request.auth, ApiToken) else None
        return Actor(user_id=self.actor_id(request), token_name=token.name if token else None)


class ResolveView(StatusView):
    status = "resolved"

    @extend_schema(**schema.change("resolve_error"))
    def post(self, request: Request, fingerprint: str) -> Response:
        return self.change(request, fingerprint)


class IgnoreView(StatusView):
    status = "ignored"

    @extend_schema(**schema.change("ignore_error"))
    def post(self, request: Request, fingerprint: str) -> Response:
        return self.change(request, fingerprint)


class MuteView(StatusView):
    status = "muted"

    @extend_schema(**schema.change("mute_error"))
    def post(self, request: Request, fingerprint: str) -> Response:
        return self.change(request, fingerprint)


class UnresolveView(StatusView):
    status = "unresolved"

    @extend_schema(**schema.change("unresolve_error"))
    def post(self, request: Request, fingerprint: str) -> Response:
        return self.change(request, fingerprint)

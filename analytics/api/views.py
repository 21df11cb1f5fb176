"""Spikes, movers, correlations, releases and environments as JSON (contract 7.1 to 7.5)."""

from math import isfinite
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import cached
from analytics.api.base import InsightsView, LimitQuery, WindowQuery
from analytics.api.serializers import (
    EnvironmentsSerializer,
    MoversSerializer,
    PairsSerializer,
    ReleaseImpactsSerializer,
    SpikesSerializer,
)
from analytics.methods import CLASSIC, METHODS, usual_threshold
from bloop_site.lib.checked import checked_query
from bloop_site.lib.schema import problem

PROJECT = OpenApiParameter("project_id", str, description="Sessions only: one project. Tokens have theirs.")


class SpikesQuery(WindowQuery):
    """A window, how a spike is told, and from which score on."""

    threshold = serializers.FloatField(
        default=None, help_text="The least score. Without it: `analytics.zscore_threshold`, of `seasonal` 4."
    )
    method = serializers.ChoiceField(
        choices=METHODS,
        default=CLASSIC,
        help_text="`classic`: z over the window; `seasonal`: against what the hour usually holds.",
    )

    def validate_threshold(self, value: float | None) -> float | None:
        if value is not None and not isfinite(value):
            raise serializers.ValidationError("A finite number is required.")
        return value


def asked(operation_id: str, summary: str, answer: Any, query: Any) -> dict[str, Any]:
    """The schema of an endpoint."""
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": (
            "Needs the scope analytics:read or errors:read, or a session. Answers are kept for "
            "`analytics.cache_ttl_secs` (60)."
        ),
        "tags": ["analytics"],
        "parameters": [PROJECT, query],
        "responses": {
            200: answer,
            400: problem("A query parameter is wrong."),
            401: problem("No valid token or session."),
            403: problem("The token lacks the scope."),
            404: problem("Insights are switched off."),
        },
    }


class SpikesView(InsightsView):
    @extend_schema(**asked("list_spikes", "Hours that stand out, the most first", SpikesSerializer, SpikesQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(SpikesQuery, request)
        method = query["method"]
        threshold = usual_threshold(method) if query["threshold"] is None else query["threshold"]
        found = cached.spikes(self.ask(request, query), threshold=threshold, method=method)
        told = {"spikes": found.answer, "threshold": threshold, "window_hours": query["hours"]}
        return Response(SpikesSerializer(told).data)


class MoversView(InsightsView):
    @extend_schema(**asked("list_movers", "Issues that changed most", MoversSerializer, WindowQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(WindowQuery, request)
        found = cached.movers(self.ask(request, query))
        return Response(MoversSerializer({"movers": found.answer, "window_hours": query["hours"]}).data)


class CorrelationsView(InsightsView):
    @extend_schema(**asked("list_correlations", "Issues that come together", PairsSerializer, WindowQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(WindowQuery, request)
        found = cached.correlations(self.ask(request, query))
        return Response(PairsSerializer({"pairs": found.answer, "window_hours": query["hours"]}).data)


class ReleasesView(InsightsView):
    @extend_schema(**asked("list_release_impacts", "Releases and what they did", ReleaseImpactsSerializer, LimitQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(LimitQuery, request)
        found = cached.releases(self.ask(request, query))
        return Response(ReleaseImpactsSerializer({"releases": found.answer}).data)


class EnvironmentsView(InsightsView):
    @extend_schema(**asked("list_environments", "Environments, the busiest first", EnvironmentsSerializer, WindowQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(WindowQuery, request)
        found = cached.environments(self.ask(request, query)).answer
        shown = {"environments": found.environments[: query["limit"]], "total_count": found.total_count}
        return Response(EnvironmentsSerializer(shown).data)

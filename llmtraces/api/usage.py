"""What was used and how long it took: overview, usage, latency, models, tools (contract 8.5.1 to 8.5.4, 8.5.9)."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import checked_query
from llmtraces.api.base import LlmView, ModelQuery, WindowQuery
from llmtraces.api.read_schema import read
from llmtraces.queries.latency import latency_by_model
from llmtraces.queries.tools import tools
from llmtraces.queries.usage import overview, usage_by_hour, usage_by_model


class HoursQuery(WindowQuery):
    """A window alone."""

    limit = None  # type: ignore[assignment]
    offset = None  # type: ignore[assignment]


class ListQuery(WindowQuery):
    """A window and how many rows of it."""

    offset = None  # type: ignore[assignment]


class LatencyQuery(ModelQuery):
    """A window of one model or provider."""

    limit = None  # type: ignore[assignment]
    offset = None  # type: ignore[assignment]


class ModelsQuery(ModelQuery):
    """A window of one model or provider, and how many rows of it."""

    offset = None  # type: ignore[assignment]


class OverviewSerializer(serializers.Serializer[Any]):
    """Totals of the window. error_rate in percent of the spans, avg_latency_ms over all spans."""

    total_traces = serializers.IntegerField()
    total_spans = serializers.IntegerField(source="usage.span_count")
    total_input_tokens = serializers.IntegerField(source="usage.input_tokens")
    total_output_tokens = serializers.IntegerField(source="usage.output_tokens")
    total_tokens = serializers.IntegerField(source="usage.total_tokens")
    total_cost_micros = serializers.IntegerField(source="usage.cost_micros")
    error_count = serializers.IntegerField(source="usage.error_count")
    error_rate = serializers.FloatField(source="usage.error_rate", help_text="percent")
    avg_latency_ms = serializers.FloatField(source="usage.avg_latency_ms")


class OverviewAnswerSerializer(OverviewSerializer):
    window_hours = serializers.IntegerField()


class UsageRowSerializer(serializers.Serializer[Any]):
    """Spans of one model and provider ("" for none) in one hour."""

    hour_bucket = serializers.IntegerField(source="hour_ms", help_text="epoch milliseconds")
    model = serializers.CharField()
    provider = serializers.CharField()
    span_count = serializers.IntegerField(source="usage.span_count")
    input_tokens = serializers.IntegerField(source="usage.input_tokens")
    output_tokens = serializers.IntegerField(source="usage.output_tokens")
    total_tokens = serializers.IntegerField(source="usage.total_tokens")
    cost_micros = serializers.IntegerField(source="usage.cost_micros")


class UsageSerializer(serializers.Serializer[Any]):
    usage = UsageRowSerializer(many=True)
    window_hours = serializers.IntegerField()


class LatencyRowSerializer(serializers.Serializer[Any]):
    """Generation spans of one model ("" for none), over all its providers."""

    model = serializers.CharField()
    p50_ms = serializers.FloatField()
    p90_ms = serializers.FloatField()
    p99_ms = serializers.FloatField()
    avg_ttft_ms = serializers.FloatField(help_text="Over the spans that tell it; 0 when none does.")
    span_count = serializers.IntegerField()


class LatencySerializer(serializers.Serializer[Any]):
    latency = LatencyRowSerializer(many=True)
    window_hours = serializers.IntegerField()


class ModelRowSerializer(serializers.Serializer[Any]):
    """Spans of one model and provider ("" for none)."""

    model = serializers.CharField()
    provider = serializers.CharField()
    span_count = serializers.IntegerField(source="usage.span_count")
    input_tokens = serializers.IntegerField(source="usage.input_tokens")
    output_tokens = serializers.IntegerField(source="usage.output_tokens")
    total_tokens = serializers.IntegerField(source="usage.total_tokens")
    cost_micros = serializers.IntegerField(source="usage.cost_micros")
    error_count = serializers.IntegerField(source="usage.error_count")
    error_rate = serializers.FloatField(source="usage.error_rate", help_text="percent")
    avg_latency_ms = serializers.FloatField(source="usage.avg_latency_ms")


class ModelsSerializer(serializers.Serializer[Any]):
    models = ModelRowSerializer(many=True)
    window_hours = serializers.IntegerField()


class ToolRowSerializer(serializers.Serializer[Any]):
    """Tool and retrieval spans of one name."""

    name = serializers.CharField()
    call_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    error_rate = serializers.FloatField(help_text="percent")
    avg_latency_ms = serializers.FloatField()
    p50_latency_ms = serializers.FloatField()
    p99_latency_ms = serializers.FloatField()
    total_cost_micros = serializers.IntegerField()


class ToolsSerializer(serializers.Serializer[Any]):
    tools = ToolRowSerializer(many=True)
    window_hours = serializers.IntegerField()


def alias(operation_id: str, name: str) -> dict[str, Any]:
    """The schema of the overview by another name."""
    return read(operation_id, f"The overview, by the name `{name}`", OverviewAnswerSerializer, HoursQuery)


class OverviewView(LlmView):
    @extend_schema(
        **read("get_llm_overview", "Traces, spans, tokens, cost and errors", OverviewAnswerSerializer, HoursQuery)
    )
    def get(self, request: Request) -> Response:
        query = checked_query(HoursQuery, request)
        found = overview(self.window(request, query))
        return Response({**OverviewSerializer(found).data, "window_hours": query["hours"]})


# Notes of the original know the overview by these names (contract 8.12).
@extend_schema_view(get=extend_schema(**alias("get_llm_dashboard", "dashboard")))
class DashboardView(OverviewView):
    """The overview."""


@extend_schema_view(get=extend_schema(**alias("get_llm_metrics", "metrics")))
class MetricsView(OverviewView):
    """The overview."""


class UsageView(LlmView):
    @extend_schema(
        **read(
            "list_llm_usage", "Tokens and cost by hour, model and provider, newest first", UsageSerializer, ModelQuery
        )
    )
    def get(self, request: Request) -> Response:
        query = checked_query(ModelQuery, request)
        rows = usage_by_hour(self.window(request, query), limit=query["limit"], offset=query["offset"])
        return Response({"usage": UsageRowSerializer(rows, many=True).data, "window_hours": query["hours"]})


class LatencyView(LlmView):
    @extend_schema(
        **read("list_llm_latency", "Latency percentiles by model, the busiest first", LatencySerializer, LatencyQuery)
    )
    def get(self, request: Request) -> Response:
        query = checked_query(LatencyQuery, request)
        rows = latency_by_model(self.window(request, query))
        return Response({"latency": LatencyRowSerializer(rows, many=True).data, "window_hours": query["hours"]})


class ModelsView(LlmView):
    @extend_schema(**read("list_llm_models", "Models, the dearest first", ModelsSerializer, ModelsQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(ModelsQuery, request)
        rows = usage_by_model(self.window(request, query), limit=query["limit"])
        return Response({"models": ModelRowSerializer(rows, many=True).data, "window_hours": query["hours"]})


class ToolsView(LlmView):
    @extend_schema(**read("list_llm_tools", "Tools and retrievals, the most called first", ToolsSerializer, ListQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(ListQuery, request)
        rows = tools(self.window(request, query), limit=query["limit"])
        return Response({"tools": ToolRowSerializer(rows, many=True).data, "window_hours": query["hours"]})

"""`GET /v1/llm/rag`: what retrievals found (contract 8.5.10)."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import checked_query
from bloop_site.lib.schema import problem
from llmtraces.api.base import LlmView, WindowQuery
from llmtraces.queries.rag import rag


class RagQuery(WindowQuery):
    """A window, and how many sources to list."""

    offset = None  # type: ignore[assignment]


class RagSourceSerializer(serializers.Serializer[Any]):
    """Retrievals of one name from one source; averages leave out what was not given."""

    retrieval_name = serializers.CharField(source="name")
    source = serializers.CharField(help_text='"unknown" when the spans name none')  # type: ignore[assignment]
    call_count = serializers.IntegerField(source="of.call_count")
    avg_latency_ms = serializers.FloatField(source="of.avg_latency_ms")
    p50_latency_ms = serializers.FloatField()
    p95_latency_ms = serializers.FloatField()
    error_count = serializers.IntegerField(source="of.error_count")
    error_rate = serializers.FloatField(source="of.error_rate", help_text="percent")
    avg_chunks_retrieved = serializers.FloatField(source="of.avg_chunks_retrieved")
    avg_chunks_used = serializers.FloatField(source="of.avg_chunks_used")
    avg_context_tokens = serializers.FloatField(source="of.avg_context_tokens")
    avg_context_utilization_pct = serializers.FloatField(source="of.avg_context_utilization_pct")


class RagHourSerializer(serializers.Serializer[Any]):
    """Retrievals that began in one hour."""

    hour_bucket = serializers.IntegerField(source="hour_ms", help_text="epoch milliseconds")
    retrieval_count = serializers.IntegerField(source="of.call_count")
    avg_latency_ms = serializers.FloatField(source="of.avg_latency_ms")
    error_count = serializers.IntegerField(source="of.error_count")
    avg_chunks_retrieved = serializers.FloatField(source="of.avg_chunks_retrieved")
    avg_context_tokens = serializers.FloatField(source="of.avg_context_tokens")
    avg_context_utilization_pct = serializers.FloatField(source="of.avg_context_utilization_pct")
    avg_top_k = serializers.FloatField(source="of.avg_top_k")


class RagRelevanceSerializer(serializers.Serializer[Any]):
    """All retrievals of the window together; relevance is that of each retrieval's first chunk."""

    total_retrievals = serializers.IntegerField(source="total.call_count")
    avg_top_relevance = serializers.FloatField(source="total.avg_top_relevance")
    min_top_relevance = serializers.FloatField()
    max_top_relevance = serializers.FloatField()
    avg_chunks_retrieved = serializers.FloatField(source="total.avg_chunks_retrieved")
    avg_chunks_used = serializers.FloatField(source="total.avg_chunks_used")
    chunk_utilization_pct = serializers.FloatField(source="total.chunk_utilization_pct")


class RagSerializer(serializers.Serializer[Any]):
    sources = RagSourceSerializer(many=True)
    metrics = RagHourSerializer(many=True)
    relevance = RagRelevanceSerializer()
    window_hours = serializers.IntegerField()


class RagView(LlmView):
    @extend_schema(
        operation_id="get_llm_rag",
        summary="Retrievals: their sources, hours and relevance",
        description="Needs the scope llm:read or errors:read, or a session.",
        tags=["llm"],
        parameters=[
            OpenApiParameter("project_id", str, description="Sessions only: one project. Tokens have theirs."),
            RagQuery,
        ],
        responses={
            200: RagSerializer,
            400: problem("A query parameter is wrong."),
            401: problem("No valid token or session."),
            403: problem("The token lacks the scope."),
            404: problem("LLM tracing is switched off."),
        },
    )
    def get(self, request: Request) -> Response:
        query = checked_query(RagQuery, request)
        found = rag(self.window(request, query), limit=query["limit"])
        answer = {
            "sources": found.sources,
            "metrics": found.hours,
            "relevance": found,
            "window_hours": query["hours"],
        }
        return Response(RagSerializer(answer).data)

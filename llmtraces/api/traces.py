"""Traces as a list and one by one (contract 8.5.5, 8.5.6)."""

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import checked_query
from llmtraces.api.base import LlmView, ModelQuery
from llmtraces.api.read_schema import read
from llmtraces.models import Span, Trace
from llmtraces.queries.traces import (
    ORDERS,
    Texts,
    TraceFilter,
    find_traces,
    spans_with_texts,
    texts_of,
    trace_ids,
    traces_of,
)
from llmtraces.queries.traces import trace_total as total_of

NUMBERS = 2**63 - 1  # the largest both databases keep


class TraceQuery(ModelQuery):
    """Every filter of the list; empty ones narrow nothing."""

    session_id = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    status = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    user_id = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    prompt_name = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    prompt_version = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    min_cost_micros = serializers.IntegerField(required=False, max_value=NUMBERS, min_value=-NUMBERS)
    min_latency_ms = serializers.IntegerField(
        required=False, max_value=NUMBERS, min_value=-NUMBERS, help_text="From start to end; none of a running trace."
    )
    has_error = serializers.BooleanField(default=False, help_text="true: status `error`, or a span with an error")
    sort = serializers.CharField(default="newest", help_text=f"{', '.join(ORDERS)}; unknown ones are `newest`")


class TraceEntrySerializer(serializers.ModelSerializer[Trace]):
    """A trace in a list."""

    id = serializers.CharField(source="trace_id")
    project_id = serializers.CharField()
    total_cost_micros = serializers.IntegerField(source="cost_micros", help_text="cost_micros, by another name")
    span_count = serializers.IntegerField()  # not the column's: its bounds depend on the database
    started_at = serializers.IntegerField(source="started_ms", help_text="epoch milliseconds")
    ended_at = serializers.IntegerField(source="ended_ms", allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True, help_text="null while it runs")

    class Meta:
        model = Trace
        fields = (
            "id",
            "project_id",
            "session_id",
            "user_id",
            "name",
            "status",
            "total_tokens",
            "cost_micros",
            "total_cost_micros",
            "span_count",
            "started_at",
            "ended_at",
            "latency_ms",
            "prompt_name",
            "prompt_version",
        )


class TracesSerializer(serializers.Serializer[Any]):
    """total: of all that match, before paging."""

    traces = TraceEntrySerializer(many=True)
    total = serializers.IntegerField()
    window_hours = serializers.IntegerField()


class TextsSerializer(serializers.Serializer[Any]):
    """What the project's content policy let through."""

    input = serializers.CharField(allow_null=True)
    output = serializers.CharField(allow_null=True)
    metadata = serializers.JSONField(allow_null=True)


class SpanSerializer(TextsSerializer):
    id = serializers.CharField()
    parent_span_id = serializers.CharField(allow_null=True)
    span_type = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    latency_ms = serializers.IntegerField()
    time_to_first_token_ms = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
    error_message = serializers.CharField(allow_null=True)
    started_at = serializers.IntegerField()
    ended_at = serializers.IntegerField(allow_null=True)


class TraceSerializer(TextsSerializer):
    id = serializers.CharField()
    project_id = serializers.CharField()
    session_id = serializers.CharField(allow_null=True)
    user_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    status = serializers.CharField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    latency_ms = serializers.IntegerField(allow_null=True)
    started_at = serializers.IntegerField()
    ended_at = serializers.IntegerField(allow_null=True)
    prompt_name = serializers.CharField(allow_null=True)
    prompt_version = serializers.CharField(allow_null=True)


class TraceDetailSerializer(TraceSerializer):
    """The trace, its spans by start, and under `trace` the trace again without them."""

    spans = SpanSerializer(many=True)
    trace = TraceSerializer()


class TraceListView(LlmView):
    @extend_schema(**read("list_llm_traces", "Traces, newest first", TracesSerializer, TraceQuery))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    def listed(self, request: Request, *, status: str = "") -> Response:
        """A page of the traces that match, and how many do. status: goes before the one asked for."""
        query = checked_query(TraceQuery, request)
        window = self.window(request, query)
        filters = filter_of(query)
        filters = replace(filters, status=status or filters.status)
        total = total_of(window, filters)
        limit, offset = query["limit"], query["offset"]
        rows = traces_of(trace_ids(window, filters, limit=limit, offset=offset)) if offset < total else ()
        answer = {"traces": TraceEntrySerializer(rows, many=True).data, "total": total}
        return Response({**answer, "window_hours": query["hours"]})


class TraceErrorsView(TraceListView):
    """The list of traces whose status is `error`, under the name notes of the original give it (contract 8.12)."""

    @extend_schema(**read("list_llm_errors", "Traces with an error, newest first", TracesSerializer, TraceQuery))
    def get(self, request: Request) -> Response:
        return self.listed(request, status="error")


def filter_of(query: dict[str, Any]) -> TraceFilter:
    """The filters of a checked query."""
    names = TraceFilter.__dataclass_fields__
    return TraceFilter(**{name: query[name] for name in names if name in query})


class TraceDetailView(LlmView):
    @extend_schema(
        **read("get_llm_trace", "One trace with its spans", TraceDetailSerializer, missing="No such trace within reach")
    )
    def get(self, request: Request, trace_id: str) -> Response:
        found = find_traces(self.reach(request), trace_id)
        if not found:
            raise ApiError(f"trace not found: {trace_id}", status=404)
        trace = trace_json(found[0])
        spans = [span_json(span, texts) for span, texts in spans_with_texts(found[0])]
        return Response({**trace, "spans": spans, "trace": trace})


def trace_json(trace: Trace) -> dict[str, Any]:
    """A trace in the shape of contract 8.5.6, without its spans."""
    return {
        "id": trace.trace_id,
        "project_id": trace.project_id,
        "session_id": trace.session_id,
        "user_id": trace.user_id,
        "name": trace.name,
        "status": trace.status,
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
        "total_tokens": trace.total_tokens,
        "cost_micros": trace.cost_micros,
        "latency_ms": trace.latency_ms,
        **texts_json(texts_of(trace)),
        "started_at": trace.started_ms,
        "ended_at": trace.ended_ms,
        "prompt_name": trace.prompt_name,
        "prompt_version": trace.prompt_version,
    }


def span_json(span: Span, texts: Texts) -> dict[str, Any]:
    """A span in the shape of contract 8.5.6; no model or provider is null, as it came."""
    return {
        "id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "span_type": span.span_type,
        "name": span.name,
        "model": span.model or None,
        "provider": span.provider or None,
        "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens,
        "total_tokens": span.input_tokens + span.output_tokens,
        "cost_micros": span.cost_micros,
        "latency_ms": span.latency_ms,
        "time_to_first_token_ms": span.ttft_ms,
        "status": span.status,
        "error_message": span.error_message,
        **texts_json(texts),
        "started_at": span.started_ms,
        "ended_at": span.ended_ms,
    }


def texts_json(texts: Texts) -> dict[str, Any]:
    """What is kept of the content."""
    return {"input": texts.input, "output": texts.output, "metadata": texts.metadata}

"""Prompts and their versions (contract 8.5.8). Error rates are fractions of 0 to 1 here, unlike everywhere else."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import checked_query
from llmtraces.api.base import LlmView
from llmtraces.api.read_schema import read
from llmtraces.api.usage import HoursQuery, ListQuery
from llmtraces.queries.prompts import Prompt, Version, prompts, version_of, versions_of

FRACTION = "a fraction of 0 to 1"


class CompareQuery(HoursQuery):
    """A window, and the two versions to compare; "" is that of traces without one."""

    v1 = serializers.CharField(allow_blank=True, trim_whitespace=False)
    v2 = serializers.CharField(allow_blank=True, trim_whitespace=False)


class PromptVersionSerializer(serializers.Serializer[Any]):
    """A version as the list of prompts tells of it."""

    prompt_version = serializers.CharField()
    trace_count = serializers.IntegerField()
    avg_latency_ms = serializers.FloatField(help_text="Over the traces that ended.")
    avg_tokens = serializers.FloatField()
    total_cost_micros = serializers.IntegerField()
    error_rate = serializers.FloatField(help_text=FRACTION)
    last_seen = serializers.IntegerField(allow_null=True)


class PromptSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version_count = serializers.IntegerField()
    total_traces = serializers.IntegerField()
    avg_cost_micros = serializers.IntegerField()
    error_rate = serializers.FloatField(help_text=FRACTION)
    error_rate_pct = serializers.FloatField(help_text="The same in percent.")
    last_seen = serializers.IntegerField(allow_null=True)
    versions = PromptVersionSerializer(many=True)


class PromptsSerializer(serializers.Serializer[Any]):
    prompts = PromptSerializer(many=True)
    window_hours = serializers.IntegerField()


class VersionSerializer(serializers.Serializer[Any]):
    """A version; zeros and nulls when the window has no trace of it."""

    version = serializers.CharField()
    trace_count = serializers.IntegerField()
    avg_cost_micros = serializers.IntegerField()
    avg_latency_ms = serializers.FloatField(help_text="Over the traces that ended.")
    error_rate = serializers.FloatField(help_text=FRACTION)
    avg_input_tokens = serializers.FloatField()
    avg_output_tokens = serializers.FloatField()
    first_seen = serializers.IntegerField(source="first_seen_ms", allow_null=True)
    last_seen = serializers.IntegerField(source="last_seen_ms", allow_null=True)


class VersionsSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    versions = VersionSerializer(many=True)
    window_hours = serializers.IntegerField()


class ComparedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    v1 = VersionSerializer()
    v2 = VersionSerializer()
    window_hours = serializers.IntegerField()


class PromptListView(LlmView):
    @extend_schema(**read("list_llm_prompts", "Prompts, the most used first", PromptsSerializer, ListQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(ListQuery, request)
        rows = prompts(self.window(request, query), limit=query["limit"])
        return Response({"prompts": [prompt_json(row) for row in rows], "window_hours": query["hours"]})


class PromptVersionsView(LlmView):
    @extend_schema(
        **read(
            "list_llm_prompt_versions", "The versions of a prompt, the last used first", VersionsSerializer, ListQuery
        )
    )
    def get(self, request: Request, name: str) -> Response:
        query = checked_query(ListQuery, request)
        rows = versions_of(self.window(request, query), name)[: query["limit"]]
        answer = {"name": name, "versions": VersionSerializer(rows, many=True).data}
        return Response({**answer, "window_hours": query["hours"]})


class PromptCompareView(LlmView):
    @extend_schema(
        **read("compare_llm_prompt_versions", "Two versions of a prompt side by side", ComparedSerializer, CompareQuery)
    )
    def get(self, request: Request, name: str) -> Response:
        query = checked_query(CompareQuery, request)
        window = self.window(request, query)
        sides = {side: VersionSerializer(version_of(window, name, query[side])).data for side in ("v1", "v2")}
        return Response({"name": name, **sides, "window_hours": query["hours"]})


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt with its versions, in the shape of contract 8.5.8."""
    total = prompt.total
    return {
        "name": prompt.name,
        "version_count": len(prompt.versions),
        "total_traces": total.trace_count,
        "avg_cost_micros": total.avg_cost_micros,
        "error_rate": total.error_rate,
        "error_rate_pct": round(total.error_rate * 100, 2),
        "last_seen": total.last_seen_ms,
        "versions": [version_json(version) for version in prompt.versions],
    }


def version_json(version: Version) -> dict[str, Any]:
    """A version as the list of prompts tells of it."""
    tokens = version.input_tokens + version.output_tokens
    return {
        "prompt_version": version.version,
        "trace_count": version.trace_count,
        "avg_latency_ms": version.avg_latency_ms,
        "avg_tokens": round(tokens / version.trace_count, 2),
        "total_cost_micros": version.cost_micros,
        "error_rate": version.error_rate,
        "last_seen": version.last_seen_ms,
    }

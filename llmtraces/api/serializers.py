"""The JSON of the trace endpoints (contract 8). Shapes only: rules are in `llmtraces.contract`."""

from typing import Any

from rest_framework import serializers


class SpanInSerializer(serializers.Serializer[Any]):
    """One span as clients send it; explicit null equals absent (T1)."""

    id = serializers.CharField(required=False, allow_null=True, help_text="Unique within its trace.")
    parent_span_id = serializers.CharField(required=False, allow_null=True)
    span_type = serializers.CharField(required=False, allow_null=True, help_text="generation, tool, retrieval, custom")
    name = serializers.CharField(required=False, allow_null=True)
    model = serializers.CharField(required=False, allow_null=True)
    provider = serializers.CharField(required=False, allow_null=True)
    input_tokens = serializers.IntegerField(required=False, allow_null=True)
    output_tokens = serializers.IntegerField(required=False, allow_null=True)
    cached_tokens = serializers.IntegerField(required=False, allow_null=True, help_text="Of the input, from a cache.")
    cache_write_tokens = serializers.IntegerField(required=False, allow_null=True)
    reasoning_tokens = serializers.IntegerField(required=False, allow_null=True, help_text="Of the output.")
    cost = serializers.FloatField(required=False, allow_null=True, help_text="Dollars; 0 or none: by our prices.")
    latency_ms = serializers.IntegerField(required=False, allow_null=True)
    time_to_first_token_ms = serializers.IntegerField(required=False, allow_null=True)
    status = serializers.CharField(required=False, allow_null=True, help_text="error counts as an error")
    error_message = serializers.CharField(required=False, allow_null=True)
    input = serializers.JSONField(required=False, allow_null=True)
    output = serializers.JSONField(required=False, allow_null=True)
    metadata = serializers.JSONField(required=False, allow_null=True)
    started_at = serializers.IntegerField(required=False, allow_null=True)
    ended_at = serializers.IntegerField(required=False, allow_null=True)


class TraceInSerializer(serializers.Serializer[Any]):
    """One trace as clients send it."""

    id = serializers.CharField(required=False, allow_null=True, help_text="Sent again, it replaces; none: random.")
    session_id = serializers.CharField(required=False, allow_null=True)
    user_id = serializers.CharField(required=False, allow_null=True)
    prompt_name = serializers.CharField(required=False, allow_null=True)
    prompt_version = serializers.CharField(required=False, allow_null=True)
    name = serializers.CharField(required=False, allow_null=True)
    status = serializers.CharField(required=False, allow_null=True)
    input = serializers.JSONField(required=False, allow_null=True)
    output = serializers.JSONField(required=False, allow_null=True)
    metadata = serializers.JSONField(required=False, allow_null=True)
    started_at = serializers.IntegerField(required=False, allow_null=True)
    ended_at = serializers.IntegerField(required=False, allow_null=True)
    spans = SpanInSerializer(many=True, required=False)


class TraceBatchInSerializer(serializers.Serializer[Any]):
    traces = TraceInSerializer(many=True)


class TraceUpdateInSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(required=False, allow_null=True)
    output = serializers.JSONField(required=False, allow_null=True)
    ended_at = serializers.IntegerField(required=False, allow_null=True)
    input_tokens = serializers.IntegerField(required=False, allow_null=True)
    output_tokens = serializers.IntegerField(required=False, allow_null=True)
    cost = serializers.FloatField(required=False, allow_null=True)


class TraceAcceptedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    id = serializers.CharField()


class TraceRefusedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    error = serializers.CharField()


class TracesAcceptedSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    dropped = serializers.IntegerField()
    errors = TraceRefusedSerializer(many=True)  # type: ignore[assignment]
    ids = serializers.ListField(child=serializers.CharField(allow_null=True))


class TraceUpdatedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()

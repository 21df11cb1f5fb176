"""The JSON of the error endpoints (contract 4). Shapes only: no rules, nothing saves."""

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from bloop_site.lib.checked import Flag, PageQuery, SecondsField, Whole
from bloop_site.lib.pagination import clamp
from errors.models import Aggregate, Event, SourceMap, Transition

MAX_MAPS = 1_000
INT64 = 2**63 - 1


class IngestEventSerializer(serializers.Serializer[Any]):
    """One event as clients send it; every rule and leniency is in `errors.contract`."""

    error_type = serializers.CharField()
    message = serializers.CharField(required=False, help_text="Missing: the error type.")
    timestamp = serializers.IntegerField(required=False, help_text="Epoch s, ms, µs or ns; missing: time of receipt.")
    source = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="ios, android, api, python, … Missing: api."
    )
    environment = serializers.CharField(required=False, allow_null=True, help_text="Missing: production.")
    release = serializers.CharField(required=False, allow_null=True, help_text="Missing: unknown.")
    app_version = serializers.CharField(required=False, allow_null=True)
    build_number = serializers.CharField(required=False, allow_null=True)
    route_or_procedure = serializers.CharField(required=False, allow_null=True)
    screen = serializers.CharField(required=False, allow_null=True)
    stack = serializers.CharField(required=False, allow_null=True)
    http_status = serializers.IntegerField(required=False, allow_null=True)
    request_id = serializers.CharField(required=False, allow_null=True)
    user_id_hash = serializers.CharField(required=False, allow_null=True)
    device_id_hash = serializers.CharField(required=False, allow_null=True)
    fingerprint = serializers.CharField(required=False, allow_null=True, help_text="Overrides the computed one.")
    metadata = serializers.JSONField(required=False, allow_null=True)
    event_id = serializers.CharField(required=False, allow_null=True, help_text="A repeat is counted once.")


class IngestBatchSerializer(serializers.Serializer[Any]):
    events = IngestEventSerializer(many=True)


class AcceptedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()


class BatchErrorSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    error = serializers.CharField()


class BatchAcceptedSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    dropped = serializers.IntegerField()
    errors = BatchErrorSerializer(many=True)  # type: ignore[assignment]


class TrendPointSerializer(serializers.Serializer[Any]):
    hour_bucket = serializers.IntegerField(source="hour_ms")
    count = serializers.IntegerField()


class AggregateSerializer(serializers.ModelSerializer[Aggregate]):
    fingerprint = serializers.CharField(source="issue.fingerprint")
    status = serializers.CharField(source="issue.status")
    first_seen = serializers.IntegerField(source="first_seen_ms")
    last_seen = serializers.IntegerField(source="last_seen_ms")
    route_or_procedure = serializers.CharField(source="route", allow_null=True)

    class Meta:
        model = Aggregate
        fields = (
            "project_id",
            "fingerprint",
            "release",
            "environment",
            "total_count",
            "first_seen",
            "last_seen",
            "error_type",
            "message",
            "source",
            "route_or_procedure",
            "screen",
            "status",
        )


class ListedErrorSerializer(AggregateSerializer):
    """A row of the list; `releases` with `group=issue`, `trend` with `include=trend`."""

    releases = serializers.ListField(child=serializers.CharField(), required=False)
    trend = TrendPointSerializer(many=True, required=False)

    class Meta(AggregateSerializer.Meta):
        fields = (*AggregateSerializer.Meta.fields, "releases", "trend")  # type: ignore[assignment]


@extend_schema_field(OpenApiTypes.ANY)
class MetadataField(serializers.Field[Any, Any, Any, Any]):
    """Metadata: stored as JSON text, answered as the value."""

    def to_representation(self, value: str) -> Any:
        return json.loads(value)


class EventSerializer(serializers.ModelSerializer[Event]):
    fingerprint = serializers.CharField(source="issue.fingerprint")
    route_or_procedure = serializers.CharField(source="route", allow_null=True)
    metadata = MetadataField(allow_null=True)
    http_status = serializers.IntegerField(  # said here: the column's own bounds differ between the databases
        allow_null=True, min_value=0, max_value=65_535
    )


EVENT_FIELDS = (
    "id",
    "fingerprint",
    "project_id",
    "source",
    "environment",
    "release",
    "error_type",
    "message",
    "stack",
    "http_status",
    "request_id",
    "route_or_procedure",
    "screen",
    "app_version",
    "build_number",
    "user_id_hash",
    "device_id_hash",
    "metadata",
)


class FrameSerializer(serializers.Serializer[Any]):
    """A line of a stack as its source map has it; all null but `raw_frame` where none says anything."""

    original_file = serializers.CharField(allow_null=True)
    original_line = serializers.IntegerField(allow_null=True, help_text="one-based")
    original_column = serializers.IntegerField(allow_null=True, help_text="zero-based")
    original_name = serializers.CharField(allow_null=True)
    raw_frame = serializers.CharField()


class SampleSerializer(EventSerializer):
    captured_at = serializers.IntegerField(source="received_ms")
    deobfuscated_stack = FrameSerializer(
        many=True, required=False, help_text="Only when a source map of the sample's release knows a line of its stack."
    )

    class Meta:
        model = Event
        fields = (*EVENT_FIELDS, "captured_at", "deobfuscated_stack")


class OccurrenceSerializer(EventSerializer):
    timestamp = serializers.IntegerField(source="timestamp_ms")
    received_at = serializers.IntegerField(source="received_ms")

    class Meta:
        model = Event
        fields = (*EVENT_FIELDS, "timestamp", "received_at", "event_id")


class ErrorDetailSerializer(serializers.Serializer[Any]):
    aggregates = AggregateSerializer(many=True)
    samples = SampleSerializer(many=True)


class TransitionSerializer(serializers.ModelSerializer[Transition]):
    project_id = serializers.CharField(source="issue.project_id")
    fingerprint = serializers.CharField(source="issue.fingerprint")
    changed_by = serializers.UUIDField(source="changed_by_id", allow_null=True)
    changed_at = serializers.IntegerField(source="changed_ms")
    muted_until = serializers.IntegerField(source="muted_until_ms", allow_null=True)

    class Meta:
        model = Transition
        fields = (
            "id",
            "project_id",
            "fingerprint",
            "old_status",
            "new_status",
            "changed_by",
            "changed_at",
            "cause",
            "token_name",
            "release",
            "muted_until",
            "muted_until_count",
            "in_next_release",
        )


class ChangeBody(serializers.Serializer[Any]):
    """What a status change may come with; the body may be left out."""

    until = Whole(
        default=None, allow_null=True, min_value=0, max_value=INT64, help_text="mute: epoch ms at which it ends"
    )
    until_count = Whole(
        default=None, allow_null=True, min_value=1, max_value=10**12, help_text="mute: ends after so many more events"
    )
    in_next_release = Flag(default=False, help_text="resolve: only events of later releases reopen it")


class StatusChangedSerializer(serializers.Serializer[Any]):
    fingerprint = serializers.CharField()
    status = serializers.CharField()
    updated = serializers.IntegerField()


class RouteCountSerializer(serializers.Serializer[Any]):
    route = serializers.CharField()
    count = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    total_errors = serializers.IntegerField()
    unresolved_errors = serializers.IntegerField()
    total_events_24h = serializers.IntegerField()
    top_routes = RouteCountSerializer(many=True)


class ListQuery(PageQuery):
    release = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    environment = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    source = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)  # type: ignore[assignment]
    route = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    status = serializers.CharField(default="", allow_blank=True)
    q = serializers.CharField(default="", allow_blank=True, help_text="text within type or message")
    since = serializers.IntegerField(default=None, allow_null=True, help_text="epoch ms, on last_seen, inclusive")
    until = serializers.IntegerField(default=None, allow_null=True)
    sort = serializers.CharField(default="last_seen", help_text="last_seen, first_seen or total_count; descending")
    group = serializers.CharField(default="", allow_blank=True, help_text="issue: one row for each fingerprint")
    include = serializers.CharField(default="", allow_blank=True, help_text="trend: 24 hourly points for each row")

    def validate_since(self, value: int | None) -> int | None:
        return None if value is None else clamp(value, -INT64, INT64)

    def validate_until(self, value: int | None) -> int | None:
        return None if value is None else clamp(value, -INT64, INT64)


class SourceMapSerializer(serializers.ModelSerializer[SourceMap]):
    project_slug = serializers.CharField(source="project.slug")
    uploaded_at = SecondsField(help_text="epoch seconds")
    size_bytes = serializers.IntegerField(help_text="as uploaded, before it is compressed")

    class Meta:
        model = SourceMap
        fields = ("id", "project_id", "project_slug", "release", "filename", "uploaded_at", "size_bytes")


class SourceMapUpload(serializers.Serializer[Any]):
    """A form with a file; both parts are checked by the view (contract 5.6)."""

    release = serializers.CharField(help_text="exactly as events have it")
    file = serializers.FileField(help_text="a source map, version 3, regular or index; may be gzip")


class SourceMapQuery(PageQuery):
    limit = serializers.IntegerField(default=MAX_MAPS, help_text=f"1 to {MAX_MAPS}")
    release = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)

    def validate_limit(self, value: int) -> int:
        return clamp(value, 1, MAX_MAPS)


class DeletedMapSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField(help_text="the id")


class TrendQuery(serializers.Serializer[Any]):
    hours = serializers.IntegerField(default=72, help_text="1 to 720")

    def validate_hours(self, value: int) -> int:
        return clamp(value, 1, 720)

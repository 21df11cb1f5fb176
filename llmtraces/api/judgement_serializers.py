"""The JSON of scores and feedback (contract 8.6). Shapes only: rules are in `llmtraces.judging`."""

from typing import Any

from rest_framework import serializers

from llmtraces.api.base import WindowQuery
from llmtraces.queries.judgements import FIFTHS

USUAL_NAME = "accuracy"


class ScoreInSerializer(serializers.Serializer[Any]):
    """A score as clients send it."""

    name = serializers.CharField(help_text="1 to 128 letters, digits, - and _; sent again, it replaces.")
    value = serializers.FloatField(help_text="0.0 to 1.0")
    source = serializers.CharField(required=False, allow_null=True, help_text="api (default), user or auto")  # type: ignore[assignment]
    comment = serializers.CharField(required=False, allow_null=True, help_text="At most 500 bytes.")


class FeedbackInSerializer(serializers.Serializer[Any]):
    """A thumb as clients send it."""

    value = serializers.IntegerField(help_text="1 (positive) or -1 (negative)")
    user_id = serializers.CharField(required=False, allow_null=True, help_text="Whose; default anonymous.")
    comment = serializers.CharField(required=False, allow_null=True, help_text="At most 500 bytes.")


class JudgedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()


class ScoreSerializer(serializers.Serializer[Any]):
    trace_id = serializers.CharField()
    name = serializers.CharField()
    value = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]
    comment = serializers.CharField(allow_null=True)
    created_at = serializers.IntegerField(source="created_ms")


class ScoresSerializer(serializers.Serializer[Any]):
    """The newest 1,000."""

    scores = ScoreSerializer(many=True)


class FeedbackSerializer(serializers.Serializer[Any]):
    trace_id = serializers.CharField()
    user_id = serializers.CharField()
    value = serializers.IntegerField()
    comment = serializers.CharField(allow_null=True)
    created_at = serializers.IntegerField(source="created_ms")


class FeedbackListSerializer(serializers.Serializer[Any]):
    """The newest 1,000."""

    feedback = FeedbackSerializer(many=True)


class SummaryQuery(WindowQuery):
    """A window, and the score whose percentiles are wanted."""

    name = serializers.CharField(default=USUAL_NAME, allow_blank=True, trim_whitespace=False)

    def validate_name(self, value: str) -> str:
        return value or USUAL_NAME


class FifthsSerializer(serializers.Serializer[Any]):
    """How many values lie in each fifth: lower bounds included, 1.0 in the last."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: serializers.IntegerField() for name in FIFTHS}


class ScoreCardSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    count = serializers.IntegerField()
    avg_value = serializers.FloatField(source="average")
    min_value = serializers.FloatField(source="lowest")
    max_value = serializers.FloatField(source="highest")


class ScoreSummarySerializer(serializers.Serializer[Any]):
    """One name's scores in the window, and every name's in short (the most frequent 200)."""

    name = serializers.CharField()
    count = serializers.IntegerField()
    avg = serializers.FloatField()
    p50 = serializers.FloatField()
    p10 = serializers.FloatField()
    p90 = serializers.FloatField()
    distribution = FifthsSerializer()
    window_hours = serializers.IntegerField()
    scores = ScoreCardSerializer(many=True)


class FeedbackSummarySerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    positive = serializers.IntegerField()
    negative = serializers.IntegerField()
    positive_rate = serializers.FloatField(help_text="percent")
    window_hours = serializers.IntegerField()

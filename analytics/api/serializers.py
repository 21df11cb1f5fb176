"""The shapes of contract 7: names and order of keys are what clients know."""

from typing import Any

from rest_framework import serializers


class SpikeSerializer(serializers.Serializer[Any]):
    """An hour of an issue that stands out."""

    fingerprint = serializers.CharField(source="issue.fingerprint")
    error_type = serializers.CharField(source="issue.error_type")
    message = serializers.CharField(source="issue.message")
    hour_bucket = serializers.IntegerField(source="hour_ms", help_text="epoch milliseconds")
    count = serializers.IntegerField()
    mean = serializers.FloatField(source="expected", help_text="Of the window; `seasonal`: what is usual in that hour.")
    stddev = serializers.FloatField(help_text="Of the sample; `seasonal`: the spread around what is usual.")
    zscore = serializers.FloatField(source="score")


class SpikesSerializer(serializers.Serializer[Any]):
    spikes = SpikeSerializer(many=True)
    threshold = serializers.FloatField()
    window_hours = serializers.IntegerField()


class MoverSerializer(serializers.Serializer[Any]):
    """An issue in the window and in the one before it."""

    fingerprint = serializers.CharField(source="issue.fingerprint")
    error_type = serializers.CharField(source="issue.error_type")
    message = serializers.CharField(source="issue.message")
    count_current = serializers.IntegerField()
    count_previous = serializers.IntegerField()
    delta = serializers.IntegerField()
    delta_pct = serializers.FloatField(help_text="percent; 100 for what was not there before")


class MoversSerializer(serializers.Serializer[Any]):
    movers = MoverSerializer(many=True)
    window_hours = serializers.IntegerField()


class PairSerializer(serializers.Serializer[Any]):
    """Two issues whose hourly counts go together."""

    fingerprint_a = serializers.CharField(source="a.fingerprint")
    fingerprint_b = serializers.CharField(source="b.fingerprint")
    message_a = serializers.CharField(source="a.message")
    message_b = serializers.CharField(source="b.message")
    correlation = serializers.FloatField(help_text="Pearson's r, 0.7 to 1")


class PairsSerializer(serializers.Serializer[Any]):
    pairs = PairSerializer(many=True)
    window_hours = serializers.IntegerField()


class ReleaseImpactSerializer(serializers.Serializer[Any]):
    """A release over all its events."""

    release = serializers.CharField()
    first_seen = serializers.IntegerField(source="first_seen_ms", help_text="epoch milliseconds")
    error_count = serializers.IntegerField()
    unique_fingerprints = serializers.IntegerField()
    new_fingerprints = serializers.IntegerField()
    error_delta = serializers.IntegerField()
    impact_score = serializers.FloatField(help_text="over 50 bad, under 0 good")


class ReleaseImpactsSerializer(serializers.Serializer[Any]):
    releases = ReleaseImpactSerializer(many=True)


class EnvironmentSerializer(serializers.Serializer[Any]):
    """An environment in the window; percentiles over the hours that have events."""

    environment = serializers.CharField()
    total_count = serializers.IntegerField()
    unique_errors = serializers.IntegerField()
    pct_of_total = serializers.FloatField()
    p50_hourly = serializers.FloatField()
    p90_hourly = serializers.FloatField()
    p99_hourly = serializers.FloatField()


class EnvironmentsSerializer(serializers.Serializer[Any]):
    environments = EnvironmentSerializer(many=True)
    total_count = serializers.IntegerField()

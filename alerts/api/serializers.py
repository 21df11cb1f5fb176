"""JSON of alert rules and channels (contract 6.1, 6.2). Instants are seconds since the epoch."""

from typing import Any

from rest_framework import serializers

from alerts.api.bodies import RuleBody
from alerts.channels.registry import FIELDS
from alerts.models import AlertRule, Channel, ChannelType, RuleType

MASK = "••••••••"


class AlertRuleSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    rule_type = serializers.ChoiceField(choices=RuleType.values)
    config = serializers.DictField(help_text="Tagged by `type`; all keys of its type, absent ones null")
    enabled = serializers.BooleanField()
    project_id = serializers.CharField(allow_null=True, help_text="null: of all projects")
    description = serializers.CharField(allow_null=True)
    environment_filter = serializers.CharField(allow_null=True)
    source_filter = serializers.CharField(allow_null=True)
    cooldown_secs = serializers.IntegerField(allow_null=True, help_text="null: the server's `alerting.cooldown_secs`")
    created_at = serializers.IntegerField()
    updated_at = serializers.IntegerField()


class ChannelSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    rule_id = serializers.IntegerField()
    channel_type = serializers.ChoiceField(choices=ChannelType.values)
    config = serializers.DictField(help_text="Tagged by `type`. Secrets are masked for who may not change the rule")
    created_at = serializers.IntegerField()


class NewChannelSerializer(ChannelSerializer):
    secret = serializers.CharField(
        required=False, help_text="Of webhooks: the key of their signatures. Told here only, never again"
    )


class ChannelBody(serializers.Serializer[Any]):
    config = serializers.DictField(help_text="Tagged by `type`")


class DeletedIdSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField()


class TestResultSerializer(serializers.Serializer[Any]):
    channel_id = serializers.IntegerField(allow_null=True, help_text="null: one of the server's own hooks")
    channel_type = serializers.ChoiceField(choices=ChannelType.values)
    ok = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the reply, where there was one")
    detail = serializers.CharField()


class TestedSerializer(serializers.Serializer[Any]):
    sent = serializers.BooleanField()
    results = TestResultSerializer(many=True)


class FlatParameters(serializers.Serializer[Any]):
    """The parameters of the flat form, beside `rule_type`."""

    threshold = serializers.IntegerField(required=False)
    window_secs = serializers.IntegerField(required=False)
    window_hours = serializers.FloatField(required=False, help_text="Instead of window_secs")
    fingerprint = serializers.CharField(required=False, allow_null=True)
    route = serializers.CharField(required=False, allow_null=True)
    environment = serializers.CharField(required=False, allow_null=True)
    multiplier = serializers.FloatField(required=False)
    baseline_window_secs = serializers.IntegerField(required=False)
    compare_window_secs = serializers.IntegerField(required=False)
    method = serializers.ChoiceField(choices=["rate", "seasonal"], required=False)
    threshold_dollars = serializers.FloatField(required=False)
    threshold_percent = serializers.FloatField(required=False)
    min_traces = serializers.IntegerField(required=False)
    percentile = serializers.CharField(required=False)
    threshold_ms = serializers.IntegerField(required=False)
    model_filter = serializers.CharField(required=False, allow_null=True)
    model = serializers.CharField(required=False, allow_null=True, help_text="Instead of model_filter")


class RuleBodySerializer(RuleBody, FlatParameters):
    """Either form: `config`, or `rule_type` and its parameters beside `name`. In a PUT absent and null stay as they
    are, an empty text takes away, and a `cooldown_secs` of -1 is the server's own again.
    """


def rule_json(rule: AlertRule) -> dict[str, Any]:
    """A rule as the contract has it."""
    return {
        "id": rule.pk,
        "name": rule.name,
        "rule_type": rule.rule_type,
        "config": rule.config,
        "enabled": rule.is_enabled,
        "project_id": rule.project_id,
        "description": rule.description,
        "environment_filter": rule.environment_filter,
        "source_filter": rule.source_filter,
        "cooldown_secs": rule.cooldown_secs,
        "created_at": rule.created_ms // 1000,
        "updated_at": rule.updated_ms // 1000,
    }


def channel_json(channel: Channel, *, tells_secrets: bool) -> dict[str, Any]:
    """A channel as the contract has it; without its signing secret, and with what lets anybody post masked or not."""
    return {
        "id": channel.pk,
        "rule_id": channel.rule_id,
        "channel_type": channel.channel_type,
        "config": channel.config if tells_secrets else masked(channel),
        "created_at": channel.created_ms // 1000,
    }


def masked(channel: Channel) -> dict[str, Any]:
    """The config with its secret fields hidden."""
    hidden = {field.name for field in FIELDS.get(channel.channel_type, ()) if field.is_secret}
    return {name: MASK if name in hidden and value else value for name, value in channel.config.items()}

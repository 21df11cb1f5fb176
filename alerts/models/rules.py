"""What people want to be told, and where to."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class RuleType(models.TextChoices):
    """The kinds of contract 6.1."""

    NEW_ISSUE = "new_issue", "New issue"
    THRESHOLD = "threshold", "Many events"
    SPIKE = "spike", "Spike"
    LLM_COST_SPIKE = "llm_cost_spike", "LLM cost"
    LLM_ERROR_RATE = "llm_error_rate", "LLM error rate"
    LLM_LATENCY = "llm_latency", "LLM latency"
    LLM_BUDGET = "llm_budget", "LLM budget"


class ChannelType(models.TextChoices):
    SLACK = "slack", "Slack"
    WEBHOOK = "webhook", "Webhook"
    EMAIL = "email", "E-mail"
    DISCORD = "discord", "Discord"
    TEAMS = "teams", "Microsoft Teams"
    TELEGRAM = "telegram", "Telegram"
    PAGERDUTY = "pagerduty", "PagerDuty"
    NTFY = "ntfy", "ntfy"


class AlertRule(models.Model):
    """One rule, of one project or (null) of every project. config: as `alerts.configs` writes it, with its `type`."""

    name = models.CharField(max_length=200)
    project = models.ForeignKey("projects.Project", null=True, on_delete=models.CASCADE, related_name="+")
    rule_type = models.CharField(max_length=16, choices=RuleType.choices)
    config = models.JSONField()
    is_enabled = models.BooleanField(default=True, db_default=True)
    description = models.TextField(null=True)
    environment_filter = models.TextField(null=True)
    source_filter = models.TextField(null=True)
    cooldown_secs = models.PositiveIntegerField(null=True)  # null: `alerting.cooldown_secs`
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(name="alert_rule_type_known", condition=Q(rule_type__in=RuleType.values)),
            models.CheckConstraint(name="alert_rule_named", condition=~Q(name="")),
        )
        indexes = (
            # What one evaluation asks for.
            models.Index(fields=["rule_type", "project"], name="alert_rule_enabled", condition=Q(is_enabled=True)),
        )

    def __str__(self) -> str:
        return self.name


class Channel(models.Model):
    """Where a rule's alerts go. config: as `alerts.channels` writes it, with its `type`.

    secret: signs what a webhook gets; others have none. failed_in_row: attempts that failed since one arrived.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="channels")
    channel_type = models.CharField(max_length=16, choices=ChannelType.choices)
    config = models.JSONField()
    secret = models.CharField(max_length=64, blank=True, default="", db_default="")
    failed_in_row = models.PositiveIntegerField(default=0, db_default=0)
    last_failed_ms = models.BigIntegerField(null=True)
    last_failure = models.TextField(blank=True, default="", db_default="")
    last_sent_ms = models.BigIntegerField(null=True)
    created_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(name="alert_channel_type_known", condition=Q(channel_type__in=ChannelType.values)),
        )
        indexes = (
            # Broken ones, which the dashboard tells of.
            models.Index(fields=["failed_in_row"], name="alert_channel_broken", condition=Q(failed_in_row__gte=3)),
        )

    def __str__(self) -> str:
        return f"{self.channel_type} of rule {self.rule_id}"

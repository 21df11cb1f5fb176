"""What fired, what was sent of it, and what is told no sooner than later."""

from django.db import models
from django.db.models import F, Q

from alerts.models.rules import AlertRule, Channel, ChannelType


class Firing(models.Model):
    """A rule fired: one row for each cause, however often it is looked at.

    cause: what it fired for, such as "regression:17". key: what the cooldown counts by: a fingerprint or a metric.
    measured: the figure that crossed the line, in the rule's own unit. details: what messages and pages show besides
    (`alerts.messages.Facts`). A held one is told by a digest only; that one's id stands in `digest` when it is made.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="firings", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    cause = models.CharField(max_length=300)
    key = models.CharField(max_length=300)
    title = models.TextField()
    message = models.TextField()
    fingerprint = models.CharField(max_length=256, null=True)
    measured = models.FloatField(null=True)
    details = models.JSONField(default=dict)
    is_held = models.BooleanField(default=False, db_default=False)
    is_digest = models.BooleanField(default=False, db_default=False)
    digest = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="held", db_index=False)
    fired_ms = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(name="firing_once", fields=["rule", "project", "cause"]),)
        indexes = (
            models.Index(F("rule"), F("fired_ms").desc(), F("id").desc(), name="firing_of_rule"),
            models.Index(F("project"), F("fired_ms").desc(), F("id").desc(), name="firing_of_project"),
            models.Index(F("fired_ms").desc(), F("id").desc(), name="firing_by_time"),  # history; retention
            models.Index(fields=["digest"], name="firing_of_digest", condition=Q(digest__isnull=False)),
            models.Index(fields=["rule"], name="firing_held", condition=Q(is_held=True, digest__isnull=True)),
        )

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """One message to one channel: written with its firing, sent by a worker, tried again for a while.

    hook: "slack" or "webhook" when the rule has no channel and the server's own addresses are used, else "". A channel
    that is removed leaves its deliveries. claimed_ms: when a worker took it up; a claim ends by itself, should the
    worker have died. reply: the first bytes of the answer, or what went wrong.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    firing = models.ForeignKey(Firing, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    channel = models.ForeignKey(Channel, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    channel_type = models.CharField(max_length=16, choices=ChannelType.choices)
    hook = models.CharField(max_length=8, blank=True, default="", db_default="")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    due_ms = models.BigIntegerField()
    claimed_ms = models.BigIntegerField(null=True)
    finished_ms = models.BigIntegerField(null=True)
    reply_status = models.PositiveIntegerField(null=True)
    reply = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                name="delivery_once", fields=["firing", "channel"], condition=Q(channel__isnull=False)
            ),
            models.UniqueConstraint(name="delivery_of_hook_once", fields=["firing", "hook"], condition=~Q(hook="")),
            models.CheckConstraint(name="delivery_state_known", condition=Q(state__in=["pending", "sent", "failed"])),
        )
        indexes = (
            models.Index(fields=["due_ms"], name="delivery_due", condition=Q(state="pending")),
            models.Index(fields=["firing"], name="delivery_of_firing"),
        )

    def __str__(self) -> str:
        return f"{self.channel_type} of firing {self.firing_id}"


class Cooldown(models.Model):
    """When a rule last fired for a project and a key (contract 6.5). Claimed by a conditional write: one wins."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=300)
    fired_ms = models.BigIntegerField()
    firing = models.ForeignKey(Firing, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(name="cooldown_once", fields=["rule", "project", "key"]),)
        indexes = (models.Index(fields=["fired_ms"], name="cooldown_by_age"),)  # retention

    def __str__(self) -> str:
        return f"rule {self.rule_id}: {self.key}"

"""What alert rules are judged by: things that happened to issues, and events of the last days by the minute."""

from django.db import models
from django.db.models import Q

from errors.models.issues import Issue, Transition


class Occasion(models.Model):
    """Something a rule may want told, written in the transaction that folded it and removed by who has judged it.

    Issues that were ignored or muted write none (contract 6.3).
    """

    class Kind(models.TextChoices):
        NEW = "new", "Seen for the first time"
        NEW_IN_ENVIRONMENT = "new_env", "Seen for the first time in an environment"
        REGRESSION = "regression", "Came back after it was resolved"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="+", db_index=False)
    transition = models.ForeignKey(Transition, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    # As the event that caused it says.
    environment = models.TextField()
    source = models.CharField(max_length=32)
    release = models.TextField()
    happened_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(name="occasion_kind_known", condition=Q(kind__in=["new", "new_env", "regression"])),
            models.CheckConstraint(
                name="occasion_regression_has_transition",
                condition=Q(kind="regression") ^ Q(transition__isnull=True),
            ),
        )
        indexes = (
            models.Index(fields=["project"], name="occasion_of_project"),  # removal
            models.Index(fields=["issue"], name="occasion_of_issue"),
            models.Index(fields=["happened_ms"], name="occasion_by_age"),  # retention
        )

    def __str__(self) -> str:
        return f"{self.kind} of issue {self.issue_id}"


class ProjectMinute(models.Model):
    """Events received in a minute, of issues that were neither ignored nor muted then. Kept for eight days."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    minute_ms = models.BigIntegerField()
    environment = models.TextField()
    source = models.CharField(max_length=32)
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                name="project_minute_once", fields=["project", "minute_ms", "environment", "source"]
            ),
        )
        indexes = (models.Index(fields=["minute_ms"], name="project_minute_by_age"),)  # retention

    def __str__(self) -> str:
        return f"{self.count} in minute {self.minute_ms}"


class PackedHours(models.Model):
    """A project's hourly counts of six hours that are over, in one row (errors.packing): what Insights reads.

    A flush that comes late counts `version` up; then the row is made again. is_ready: data says what HourlyCount says.
    environments: names, which the records in `data` point to.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    start_ms = models.BigIntegerField()
    version = models.IntegerField(default=0, db_default=0)
    is_ready = models.BooleanField(default=False, db_default=False)
    environments = models.JSONField(default=list)
    data = models.BinaryField(default=b"")

    class Meta:
        constraints = (models.UniqueConstraint(name="packed_hours_once", fields=["project", "start_ms"]),)
        indexes = (models.Index(fields=["start_ms"], name="packed_hours_by_age"),)  # all projects; retention

    def __str__(self) -> str:
        return f"hours from {self.start_ms} of {self.project_id}"

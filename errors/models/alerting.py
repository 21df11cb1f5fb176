"""What alert rules are judged by: things that happened to issues, and events of the last days by the minute."""

from django.db import models
from django.db.models import F, Q

from bloop_site.lib.clock import HOUR_MS
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


SPAN_HOURS = 6
SPAN_MS = SPAN_HOURS * HOUR_MS


def span_of(ms: int) -> int:
    """The start of the six hours, of the four of a UTC day, that hold `ms`; both in epoch milliseconds."""
    return ms - ms % SPAN_MS


class PackedHours(models.Model):
    """A project's hourly counts of six UTC hours in one row (errors.packing): what Insights reads.

    Every six hours that have counts have a row, from the flush that brings the first of them on. The first `hours` of
    them are in `data`; the rest is read from HourlyCount. `asked`: how many someone is packing, or has packed; a flush
    that adds to one of those counts `version` up. environments: names that the records in `data` point to.
    Why all this: docs/decisions/0014.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    start_ms = models.BigIntegerField()
    version = models.IntegerField(default=0, db_default=0)
    asked = models.PositiveSmallIntegerField(default=0, db_default=0)
    hours = models.PositiveSmallIntegerField(default=0, db_default=0)
    environments = models.JSONField(default=list)
    data = models.BinaryField(default=b"")  # the last column: SQLite walks through all of it to those behind

    class Meta:
        constraints = (
            models.UniqueConstraint(name="packed_hours_once", fields=["project", "start_ms"]),
            models.CheckConstraint(
                name="packed_hours_asked", condition=Q(hours__lte=F("asked"), asked__lte=SPAN_HOURS)
            ),
        )
        indexes = (
            models.Index(fields=["start_ms"], name="packed_hours_by_age"),  # all projects; retention
            models.Index(fields=["start_ms"], name="packed_hours_to_do", condition=Q(hours__lt=SPAN_HOURS)),
        )

    def __str__(self) -> str:
        return f"hours from {self.start_ms} of {self.project_id}"

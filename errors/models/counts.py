"""Rollups, written in the transaction that folds the events: what every list, chart and figure reads."""

from django.db import models
from django.db.models import F, Q

from errors.models.issues import Issue


class Aggregate(models.Model):
    """An issue in one release and environment: a row of `GET /v1/errors` (contract 3.1)."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="aggregates", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    release = models.TextField()
    environment = models.TextField()
    error_type = models.TextField()
    message = models.TextField()
    source = models.CharField(max_length=32)
    route = models.TextField(null=True)
    screen = models.TextField(null=True)
    total_count = models.BigIntegerField()
    first_seen_ms = models.BigIntegerField()
    last_seen_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="aggregate_once", fields=["issue", "release", "environment"]),
            models.CheckConstraint(name="aggregate_counted", condition=Q(total_count__gt=0)),
        )
        indexes = (
            models.Index(F("project"), F("last_seen_ms").desc(), F("id").desc(), name="aggregate_by_last_seen"),
            models.Index(F("project"), F("first_seen_ms").desc(), F("id").desc(), name="aggregate_by_first_seen"),
            models.Index(F("project"), F("total_count").desc(), F("id").desc(), name="aggregate_by_count"),
            models.Index(F("last_seen_ms").desc(), F("id").desc(), name="aggregate_all_by_last_seen"),
            models.Index(F("first_seen_ms").desc(), F("id").desc(), name="aggregate_all_by_first_seen"),
            models.Index(F("total_count").desc(), F("id").desc(), name="aggregate_all_by_count"),
            models.Index(F("release"), F("total_count").desc(), F("id").desc(), name="aggregate_by_release"),
            # The issues of a release, and of one in an environment: what the list of issues is narrowed to.
            models.Index(fields=["release", "issue", "environment"], name="aggregate_place"),
        )

    def __str__(self) -> str:
        return f"issue {self.issue_id} in {self.release} {self.environment}"


class HourlyCount(models.Model):
    """Events of an issue in one UTC hour, environment and source: trends and sparklines."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="hours", db_index=False)
    hour_ms = models.BigIntegerField()
    environment = models.TextField()
    source = models.CharField(max_length=32)
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="hourly_once", fields=["issue", "hour_ms", "environment", "source"]),
        )
        indexes = (models.Index(fields=["hour_ms"], name="hourly_by_age"),)  # retention

    def __str__(self) -> str:
        return f"{self.count} in hour {self.hour_ms}"


class ProjectHourlyCount(models.Model):
    """Events of a project in one UTC hour, environment and source: the trend over all issues."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    hour_ms = models.BigIntegerField()
    environment = models.TextField()
    source = models.CharField(max_length=32)
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="project_hourly_once", fields=["project", "hour_ms", "environment", "source"]),
        )
        indexes = (models.Index(fields=["hour_ms"], name="project_hourly_by_age"),)  # all projects; retention

    def __str__(self) -> str:
        return f"{self.count} in hour {self.hour_ms}"


class MinuteCount(models.Model):
    """Events of a project in one minute of the last day, in a ring of 1,440 rows (docs/decisions/0004)."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    slot = models.PositiveSmallIntegerField()
    minute_ms = models.BigIntegerField()
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="minute_slot_once", fields=["project", "slot"]),
            models.CheckConstraint(name="minute_slot_of_day", condition=Q(slot__lt=1440)),
        )

    def __str__(self) -> str:
        return f"{self.count} in minute {self.minute_ms}"

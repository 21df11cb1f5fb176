"""Releases as events name them: rollups, written in the transaction that folds the events."""

from django.db import models
from django.db.models import F, Q


class Release(models.Model):
    """A release of a project, from its first event to its last. "Newer" means: appeared later."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.TextField()
    first_seen_ms = models.BigIntegerField()
    last_seen_ms = models.BigIntegerField()
    total_count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="release_once", fields=["project", "name"]),
            models.CheckConstraint(name="release_counted", condition=Q(total_count__gt=0)),
        )
        indexes = (
            models.Index(F("project"), F("first_seen_ms").desc(), F("id").desc(), name="release_by_first_seen"),
            models.Index(F("first_seen_ms").desc(), F("id").desc(), name="release_all_by_first_seen"),
        )

    def __str__(self) -> str:
        return self.name


class ReleaseHourlyCount(models.Model):
    """Events of a release in one UTC hour."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="hours", db_index=False)
    hour_ms = models.BigIntegerField()
    count = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(name="release_hourly_once", fields=["release", "hour_ms"]),)
        indexes = (models.Index(fields=["hour_ms"], name="release_hourly_by_age"),)  # retention

    def __str__(self) -> str:
        return f"{self.count} in hour {self.hour_ms}"

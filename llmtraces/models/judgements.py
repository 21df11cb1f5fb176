"""What people and programs think of a trace (contract 8.6)."""

from django.db import models
from django.db.models import Q

from llmtraces.models.traces import Trace


class Score(models.Model):
    """A named value from 0 to 1; a trace has one of each name."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="scores", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.TextField()
    value = models.FloatField()
    source = models.CharField(max_length=8)
    comment = models.TextField(null=True)
    created_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="score_once", fields=["trace", "name"]),
            models.CheckConstraint(name="score_in_range", condition=Q(value__gte=0, value__lte=1)),
            models.CheckConstraint(name="score_source_known", condition=Q(source__in=["api", "user", "auto"])),
        )
        indexes = (
            # The newest of a name; with the value in it, the worst of few too.
            models.Index(fields=["project", "name", "created_ms", "value"], name="score_by_name"),
            models.Index(fields=["project", "name", "value", "created_ms"], name="score_by_value"),  # the worst of many
        )

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


class Feedback(models.Model):
    """A person's thumb, up (1) or down (-1); one of each person for a trace."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="feedback", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    user_id = models.TextField()  # as the application knows them
    value = models.SmallIntegerField()
    comment = models.TextField(null=True)
    created_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="feedback_once", fields=["trace", "user_id"]),
            models.CheckConstraint(name="feedback_up_or_down", condition=Q(value__in=[1, -1])),
        )
        indexes = (models.Index(fields=["project", "value", "created_ms"], name="feedback_by_value"),)

    def __str__(self) -> str:
        return f"{self.value:+d} by {self.user_id}"

"""What was accepted and not folded yet, and what could not be folded. `ingest.buffer` and `ingest.dead` write here."""

from django.db import models
from django.db.models import Q


class BufferedPayload(models.Model):
    """One accepted request, in order of arrival. No foreign key: a row must never fail to be written."""

    kind = models.CharField(max_length=16)
    project_id = models.CharField(max_length=36)
    body = models.BinaryField()
    items = models.PositiveIntegerField()
    received_ms = models.BigIntegerField()

    class Meta:
        indexes = (
            models.Index(fields=["kind", "id", "items"], name="buffer_claim"),
        )  # claim in order; sum the backlog

    def __str__(self) -> str:
        return f"{self.items} {self.kind} of {self.project_id}"


class DeadPayload(models.Model):
    """A payload that could not be folded, with the reason, until someone retries or discards it."""

    kind = models.CharField(max_length=16)
    project_id = models.CharField(max_length=36)
    body = models.BinaryField()
    items = models.PositiveIntegerField()
    received_ms = models.BigIntegerField()
    buried_ms = models.BigIntegerField(db_index=True)
    reason = models.TextField()

    def __str__(self) -> str:
        return f"{self.items} {self.kind} of {self.project_id}: {self.reason}"


class RefusedCount(models.Model):
    """Requests of one UTC hour that ingest refused, by project and reason, for clients swallow the answer.

    project_id "": the key named no project. No foreign key: nothing of this may fail for a project that is gone.
    """

    project_id = models.CharField(max_length=36)
    reason = models.CharField(max_length=32)
    hour_ms = models.BigIntegerField()
    count = models.BigIntegerField()
    last_ms = models.BigIntegerField()
    last_text = models.TextField()  # the answer the last one got
    last_address = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.UniqueConstraint(name="refused_once", fields=["project_id", "hour_ms", "reason"]),
            models.CheckConstraint(name="refused_counted", condition=Q(count__gt=0)),
        )
        indexes = (models.Index(fields=["hour_ms"], name="refused_by_age"),)  # retention

    def __str__(self) -> str:
        return f"{self.count} times {self.reason}"

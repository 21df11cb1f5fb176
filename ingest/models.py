"""What was accepted and not folded yet, and what could not be folded. `ingest.buffer` and `ingest.dead` write here."""

from django.db import models


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

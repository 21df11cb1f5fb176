"""Uploaded source maps (contract 5.6)."""

from django.conf import settings
from django.db import models
from django.db.models import F


class SourceMap(models.Model):
    """One map of a release, gzip-compressed. Lists and look-ups of names never read `content`."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    release = models.TextField()
    filename = models.TextField()
    size_bytes = models.PositiveIntegerField()  # as uploaded
    stored_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)  # of the uploaded bytes: what a cache may go by
    uploaded_at = models.DateTimeField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    content = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(name="source_map_once", fields=["project", "release", "filename"]),)
        indexes = (models.Index(F("project"), F("uploaded_at").desc(), F("id").desc(), name="source_map_by_upload"),)

    def __str__(self) -> str:
        return f"{self.filename} of {self.release}"

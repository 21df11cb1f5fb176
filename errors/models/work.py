"""What people do with issues besides changing their status: notes, merges, changes of many at once."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from errors.models.issues import Issue, Status

MAX_NOTE = 10_000


class Note(models.Model):
    """Something a person wrote on an issue."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="notes", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    created_ms = models.BigIntegerField()
    edited_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="note_not_empty", condition=~Q(text="")),)
        indexes = (models.Index(fields=["issue", "-id"], name="note_of_issue"),)

    def __str__(self) -> str:
        return f"note on issue {self.issue_id}"


class Merge(models.Model):
    """One issue merged into another by hand, and perhaps taken apart again. `Issue.merged_into` says what holds now."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="merges", db_index=False)  # the one shown
    merged = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="+", db_index=False)
    old_status = models.CharField(max_length=10, choices=Status.choices)  # of the merged one
    merged_ms = models.BigIntegerField()
    merged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    undone_ms = models.BigIntegerField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(name="merged_once", fields=["merged"], condition=Q(undone_ms__isnull=True)),
            models.CheckConstraint(name="merge_of_two", condition=~Q(issue=F("merged"))),
        )
        indexes = (
            models.Index(fields=["issue", "-id"], name="merge_of_issue"),
            models.Index(fields=["merged", "-id"], name="merge_of_merged"),
        )

    def __str__(self) -> str:
        return f"issue {self.merged_id} into {self.issue_id}"


class BulkChange(models.Model):
    """One status change of many issues, worked off in pieces by ascending issue id; its rows' Transitions name it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    # Which issues: `ids`, or else all that match `filters` within `project_ids` (null: every project).
    project_ids = models.JSONField(null=True)
    filters = models.JSONField(null=True)
    ids = models.JSONField(null=True)
    change = models.JSONField()  # errors.services.status.Change
    is_undo = models.BooleanField(default=False)
    of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")  # what an undo takes back
    total = models.IntegerField()
    looked_at = models.IntegerField(default=0)
    changed = models.IntegerField(default=0)
    cursor = models.BigIntegerField(default=0)  # the last issue (of an undo: Transition) looked at
    last = models.BigIntegerField()  # the last to look at
    created_ms = models.BigIntegerField()
    finished_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["created_ms"], name="bulk_by_age"),  # retention
            models.Index(fields=["id"], name="bulk_open", condition=Q(finished_ms__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.changed} of {self.total} issues"

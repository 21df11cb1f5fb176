"""An issue, its occurrences and its history."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import OrderBy
from django.db.models.functions import Substr

LISTED = Q(merged_into__isnull=True)
ROUTE_KEY = 64  # characters of a route that its index holds


def listed(name: str, *order: F | OrderBy) -> models.Index:
    """An index of listed issues in this order, holding every column that lists are narrowed by but the route.

    `merged_into` is always null in it: there, SQLite need not look at the row to know that.
    """
    rest = (F(name) for name in ("status", "source", "project", "merged_into") if F(name) not in order)
    return models.Index(*order, F("id").desc(), *rest, name=name, condition=LISTED)


class Status(models.TextChoices):
    UNRESOLVED = "unresolved", "Unresolved"
    RESOLVED = "resolved", "Resolved"
    IGNORED = "ignored", "Ignored"
    MUTED = "muted", "Muted"


class Issue(models.Model):
    """All events of a project with one fingerprint; the owner of the status (design.md 5)."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="issues", db_index=False)
    fingerprint = models.CharField(max_length=256)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UNRESOLVED)
    status_changed_ms = models.BigIntegerField(null=True)
    regressed_ms = models.BigIntegerField(null=True)
    # A mute may end by itself: at a time, or with the event that brings the issue's total to a number.
    muted_until_ms = models.BigIntegerField(null=True)
    muted_until_count = models.BigIntegerField(null=True)
    # Resolved "in the next release": only an event of a release that first appeared later is a regression.
    in_next_release = models.BooleanField(default=False, db_default=False)
    # The issue that shows this one's events and owns its status. That one's counts hold both (errors.services.merge).
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="merged", db_index=False)
    first_release = models.TextField(default="", db_default="")
    error_type = models.TextField()
    message = models.TextField()
    source = models.CharField(max_length=32)
    route = models.TextField(null=True)
    screen = models.TextField(null=True)
    first_seen_ms = models.BigIntegerField()
    last_seen_ms = models.BigIntegerField()
    total_count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(name="issue_once", fields=["project", "fingerprint"]),
            models.CheckConstraint(name="issue_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="issue_counted", condition=Q(total_count__gt=0)),
            models.CheckConstraint(name="issue_seen_in_order", condition=Q(last_seen_ms__gte=F("first_seen_ms"))),
            models.CheckConstraint(
                name="issue_regressed_is_open", condition=Q(regressed_ms=None) | Q(status=Status.UNRESOLVED)
            ),
            models.CheckConstraint(
                name="issue_mute_that_ends_is_muted",
                condition=Q(muted_until_ms=None, muted_until_count=None) | Q(status=Status.MUTED),
            ),
            models.CheckConstraint(
                name="issue_in_next_release_is_resolved", condition=Q(in_next_release=False) | Q(status=Status.RESOLVED)
            ),
            models.CheckConstraint(
                name="issue_not_merged_into_itself", condition=Q(merged_into=None) | ~Q(merged_into=F("id"))
            ),
        )
        indexes = (
            # The list, one index for each order, within a project and over all of them; merged issues are not listed.
            # Each also holds what the list is narrowed by, so that a filter reads no row it does not show.
            listed("issue_by_status", F("project"), F("status"), F("last_seen_ms").desc()),
            listed("issue_by_last_seen", F("project"), F("last_seen_ms").desc()),
            listed("issue_by_first_seen", F("project"), F("first_seen_ms").desc()),
            listed("issue_by_count", F("project"), F("total_count").desc()),
            listed("issue_all_by_status", F("status"), F("last_seen_ms").desc()),
            listed("issue_all_by_last_seen", F("last_seen_ms").desc()),
            listed("issue_all_by_first_seen", F("first_seen_ms").desc()),
            listed("issue_all_by_count", F("total_count").desc()),
            # Routes are too long to be a key; on PostgreSQL the longest would not fit into one.
            models.Index(Substr("route", 1, ROUTE_KEY), name="issue_by_route", condition=LISTED),
            models.Index(F("project"), F("first_release"), name="issue_by_first_release", condition=LISTED),
            models.Index(fields=["merged_into"], name="issue_merged", condition=Q(merged_into__isnull=False)),
            models.Index(fields=["muted_until_ms"], name="issue_mute_ends", condition=Q(muted_until_ms__isnull=False)),
            # The API asks for a fingerprint without naming a project.
            models.Index(fields=["fingerprint"], name="issue_by_fingerprint"),
        )

    def __str__(self) -> str:
        return f"{self.error_type}: {self.message[:80]}"


class Event(models.Model):
    """One occurrence as it was received. The newest few of an issue are its samples (docs/decisions/0002)."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="events", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    event_id = models.CharField(max_length=80, null=True)
    timestamp_ms = models.BigIntegerField()
    received_ms = models.BigIntegerField()
    source = models.CharField(max_length=32)
    environment = models.TextField()
    release = models.TextField()
    error_type = models.TextField()
    message = models.TextField()
    stack = models.TextField(null=True)
    route = models.TextField(null=True)
    screen = models.TextField(null=True)
    app_version = models.TextField(null=True)
    build_number = models.TextField(null=True)
    http_status = models.PositiveIntegerField(null=True)
    request_id = models.TextField(null=True)
    user_id_hash = models.TextField(null=True)
    device_id_hash = models.TextField(null=True)
    metadata = models.TextField(null=True)
    trace_id = models.TextField(null=True)  # of the LLM trace it names

    class Meta:
        constraints = (
            # A repeated event_id or Idempotency-Key is counted once (design.md 2).
            models.UniqueConstraint(
                name="event_once", fields=["project", "event_id"], condition=Q(event_id__isnull=False)
            ),
        )
        indexes = (
            models.Index(fields=["issue", "id"], name="event_of_issue"),  # samples: newest by arrival
            models.Index(F("issue"), F("timestamp_ms").desc(), name="event_by_time"),  # occurrences (contract 4.4)
            models.Index(fields=["project", "received_ms"], name="event_by_age"),  # retention
            models.Index(
                fields=["project", "trace_id", "id"], name="event_of_trace", condition=Q(trace_id__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"event {self.pk} of issue {self.issue_id}"


class Transition(models.Model):
    """One change of an issue's status and who made it; a regression was made by an event, so by nobody."""

    class Cause(models.TextChoices):
        CALL = "call", "Someone asked for it"
        UNDO = "undo", "Someone took a change back"
        REGRESSION = "regression", "A new event of a resolved issue"
        MUTE_ENDED = "mute_ended", "The mute ran out"

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="transitions", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    old_status = models.CharField(max_length=10, choices=Status.choices)
    new_status = models.CharField(max_length=10, choices=Status.choices)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    # What the new status was given with; as the issue's own columns.
    muted_until_ms = models.BigIntegerField(null=True)
    muted_until_count = models.BigIntegerField(null=True)
    in_next_release = models.BooleanField(default=False, db_default=False)
    # The same of the old status, for undo.
    was_muted_until_ms = models.BigIntegerField(null=True)
    was_muted_until_count = models.BigIntegerField(null=True)
    was_in_next_release = models.BooleanField(default=False, db_default=False)
    was_regressed_ms = models.BigIntegerField(null=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    token_name = models.CharField(max_length=100, null=True)
    bulk = models.ForeignKey("BulkChange", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    undone = models.BooleanField(default=False, db_default=False)
    release = models.TextField(null=True)
    changed_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="transition_status_known",
                condition=Q(old_status__in=Status.values) & Q(new_status__in=Status.values),
            ),
            models.CheckConstraint(
                name="transition_cause_known", condition=Q(cause__in=["call", "undo", "regression", "mute_ended"])
            ),
        )
        indexes = (
            models.Index(fields=["issue", "-id"], name="transition_of_issue"),  # history, newest first
            models.Index(fields=["project", "changed_ms"], name="transition_by_time"),  # what a release resolved
            models.Index(
                fields=["project", "release", "issue"], name="transition_regressed_in", condition=Q(cause="regression")
            ),
            models.Index(fields=["bulk", "id"], name="transition_of_bulk", condition=Q(bulk__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.old_status} -> {self.new_status}"

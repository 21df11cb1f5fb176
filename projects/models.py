"""Projects, who belongs to them, the keys that sign for them and the tokens that read them."""

import re

from django.conf import settings
from django.db import models

DEFAULT_ID = "default"
SLUG = re.compile(r"[a-z0-9-]{1,64}")  # contract 5.1; that of a project being removed has an underscore


class Grouping(models.TextChoices):
    V1 = "v1", "v1, the original's"
    V2 = "v2", "v2, reads stacks and routes better"


class Project(models.Model):
    """What sends: one application, one key, its own errors and traces."""

    id = models.CharField(primary_key=True, max_length=36, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=64, unique=True)
    grouping = models.CharField(max_length=2, choices=Grouping.choices, default=Grouping.V1)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    # Being removed in the background: gone for everybody, its slug free again.
    removing_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(name="project_name_not_empty", condition=~models.Q(name="")),
            models.CheckConstraint(name="project_slug_not_empty", condition=~models.Q(slug="")),
            models.CheckConstraint(name="project_grouping_known", condition=models.Q(grouping__in=Grouping.values)),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A member sees and acts on their projects only; admins need no row."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = (models.UniqueConstraint(name="membership_once", fields=["project", "user"]),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}"


class InvitedTo(models.Model):
    """A project that an invite opens to whoever accepts it."""

    invite = models.ForeignKey("accounts.Invite", on_delete=models.CASCADE, related_name="projects")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(name="invited_to_once", fields=["invite", "project"]),)

    def __str__(self) -> str:
        return f"invite to {self.project_id}"


class Removal(models.Model):
    """A deleted project whose rows are being removed, chunk by chunk; stays as the record that it was done."""

    project_id = models.CharField(max_length=36, unique=True)
    name = models.CharField(max_length=100)
    slug = models.CharField(max_length=64)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    rows_total = models.BigIntegerField(default=0)
    rows_removed = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"removal of {self.name}"


class RetentionPolicy(models.Model):
    """For how many days rows are kept: a project's own, or, where `project` is null, what holds for all others.

    Null days: not set here (contract 3.4 has the order: project, then global, then the configuration).
    """

    project = models.OneToOneField(Project, null=True, on_delete=models.CASCADE, related_name="retention")
    raw_events_days = models.PositiveIntegerField(null=True)
    hourly_counts_days = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                models.Value(1), name="retention_global_once", condition=models.Q(project__isnull=True)
            ),
            models.CheckConstraint(
                name="retention_raw_in_bounds",
                condition=models.Q(raw_events_days=None) | models.Q(raw_events_days__range=(1, 3650)),
            ),
            models.CheckConstraint(
                name="retention_hourly_in_bounds",
                condition=models.Q(hourly_counts_days=None) | models.Q(hourly_counts_days__range=(1, 3650)),
            ),
            models.CheckConstraint(
                name="retention_hourly_is_global", condition=models.Q(project=None) | models.Q(hourly_counts_days=None)
            ),
        )

    def __str__(self) -> str:
        return f"retention of {self.project_id or 'all'}"


class PurgeRun(models.Model):
    """One pass of retention: what there was to remove, what is gone; `removed` by the name of its purger."""

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    rows_total = models.BigIntegerField(default=0)
    rows_removed = models.BigIntegerField(default=0)
    removed = models.JSONField(default=dict)
    bytes_returned = models.BigIntegerField(default=0)
    failure = models.TextField(default="")

    class Meta:
        constraints = (
            # One at a time, whoever asks.
            models.UniqueConstraint(
                models.Value(1), name="purge_one_at_a_time", condition=models.Q(finished_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return f"purge of {self.started_at}"


class IngestKey(models.Model):
    """A project's API key: identifier and HMAC secret at once (contract 1.1), so it is kept as it is."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="keys")
    key = models.CharField(max_length=512, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="ingest_key_not_empty", condition=~models.Q(key="")),)

    def __str__(self) -> str:
        return f"{self.key[:10]}… of {self.project_id}"


class ApiToken(models.Model):
    """A bearer token: shown once, kept as SHA-256 (contract 5.2)."""

    id = models.CharField(primary_key=True, max_length=36, editable=False)
    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64, unique=True)
    token_prefix = models.CharField(max_length=16)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tokens")
    scopes = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="token_name_not_empty", condition=~models.Q(name="")),)

    def __str__(self) -> str:
        return f"{self.name} ({self.token_prefix}…)"

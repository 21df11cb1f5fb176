"""What a project decides about its traces."""

from django.db import models
from django.db.models import Q


class Policy(models.TextChoices):
    NONE = "none", "Neither texts nor metadata"
    METADATA_ONLY = "metadata_only", "Metadata, no texts"
    FULL = "full", "Everything"


class LlmSettings(models.Model):
    """What one project has decided: content policy and masking (contract 8.2), budget (8.7). No row: the defaults.

    content_storage: "" leaves it to `llm_tracing.default_content_storage`. mask_patterns: names of known kinds of
    text; mask_expressions: regular expressions of the project's own; both are replaced at ingest.
    """

    project = models.OneToOneField(
        "projects.Project", primary_key=True, on_delete=models.CASCADE, related_name="llm_settings"
    )
    content_storage = models.CharField(max_length=16, choices=Policy.choices, blank=True, default="", db_default="")
    mask_patterns = models.JSONField(default=list, blank=True)
    mask_expressions = models.JSONField(default=list, blank=True)
    monthly_budget_micros = models.BigIntegerField(default=0, db_default=0)  # 0: none
    alert_threshold_pct = models.SmallIntegerField(default=80, db_default=80)

    class Meta:
        constraints = (
            models.CheckConstraint(name="llm_policy_known", condition=Q(content_storage__in=["", *Policy.values])),
            models.CheckConstraint(name="llm_budget_not_negative", condition=Q(monthly_budget_micros__gte=0)),
            models.CheckConstraint(
                name="llm_threshold_is_percent", condition=Q(alert_threshold_pct__gte=1, alert_threshold_pct__lte=100)
            ),
        )

    def __str__(self) -> str:
        return f"LLM settings of {self.project_id}"


class PriceOverride(models.Model):
    """The price of a model for one project or (null) for all; goes before the table (contract 8.8)."""

    project = models.ForeignKey("projects.Project", null=True, on_delete=models.CASCADE, related_name="+")
    model = models.TextField()
    provider = models.TextField(default="")
    input_picos = models.BigIntegerField()  # millionths of a microdollar for each token: exact in whole numbers
    output_picos = models.BigIntegerField()
    updated_ms = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                name="price_of_project_once", fields=["project", "model"], condition=Q(project__isnull=False)
            ),
            models.UniqueConstraint(name="price_global_once", fields=["model"], condition=Q(project__isnull=True)),
            models.CheckConstraint(name="price_not_negative", condition=Q(input_picos__gte=0) & Q(output_picos__gte=0)),
        )

    def __str__(self) -> str:
        return f"price of {self.model}"


class Recalculation(models.Model):
    """Pricing the spans of a window anew, in the background. At most one of a project is unfinished."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    since_ms = models.BigIntegerField()
    until_ms = models.BigIntegerField()
    requested_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_ms = models.BigIntegerField()
    finished_ms = models.BigIntegerField(null=True)
    traces_total = models.IntegerField(default=0, db_default=0)
    traces_done = models.IntegerField(default=0, db_default=0)
    spans_changed = models.IntegerField(default=0, db_default=0)
    last_trace = models.BigIntegerField(default=0, db_default=0)  # the row done last: where the next step goes on

    class Meta:
        constraints = (
            models.UniqueConstraint(
                name="recalculation_one_at_a_time", fields=["project"], condition=Q(finished_ms__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return f"recalculation {self.pk} of {self.project_id}"


class SavedView(models.Model):
    """A name for a page of the section with its filters. query: the query string, without its project and page."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    page = models.CharField(max_length=16)
    query = models.TextField(blank=True)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_ms = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(name="saved_view_once", fields=["project", "name"]),)

    def __str__(self) -> str:
        return self.name

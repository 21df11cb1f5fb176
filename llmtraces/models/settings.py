"""What a project decides about its traces."""

from django.db import models
from django.db.models import Q


class Policy(models.TextChoices):
    NONE = "none", "Neither texts nor metadata"
    METADATA_ONLY = "metadata_only", "Metadata, no texts"
    FULL = "full", "Everything"


class LlmSettings(models.Model):
    """One project's content policy; without a row `llm_tracing.default_content_storage` holds (contract 8.2)."""

    project = models.OneToOneField(
        "projects.Project", primary_key=True, on_delete=models.CASCADE, related_name="llm_settings"
    )
    content_storage = models.CharField(max_length=16, choices=Policy.choices)

    class Meta:
        constraints = (models.CheckConstraint(name="llm_policy_known", condition=Q(content_storage__in=Policy.values)),)

    def __str__(self) -> str:
        return f"{self.content_storage} of {self.project_id}"


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

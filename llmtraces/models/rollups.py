"""Rollups: what every tab reads. Each is the sum over traces of `llmtraces.contributions`, kept in one transaction.

A row may fall to zero when its trace is posted again with other values; then it says nothing, and lists leave it out.
The two about judgements are sums over these instead, and a row of theirs goes with the last that it counts.
"""

from django.db import models
from django.db.models import Q


class Hourly(models.Model):
    """What all rollups have: a project and a UTC hour."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    hour_ms = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} of {self.project_id} at {self.hour_ms}"


class UsageHour(Hourly):
    """Spans of a model and provider ("" for none)."""

    model = models.TextField()
    provider = models.TextField()
    span_count = models.BigIntegerField()
    error_count = models.BigIntegerField()
    unpriced_count = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost_micros = models.BigIntegerField()
    latency_ms = models.BigIntegerField()  # summed over spans
    ttft_ms = models.BigIntegerField()  # summed over the generation spans that have one
    ttft_count = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (models.UniqueConstraint(name="usage_once", fields=["project", "hour_ms", "model", "provider"]),)
        indexes = (models.Index(fields=["hour_ms"], name="usage_by_age"),)  # all projects; retention


class TraceHour(Hourly):
    """Traces started in the hour."""

    trace_count = models.BigIntegerField()
    error_count = models.BigIntegerField()  # whose status is "error"
    ended_count = models.BigIntegerField()
    latency_ms = models.BigIntegerField()  # summed over those that ended

    class Meta(Hourly.Meta):
        constraints = (models.UniqueConstraint(name="trace_hour_once", fields=["project", "hour_ms"]),)
        indexes = (models.Index(fields=["hour_ms"], name="trace_hour_by_age"),)


class PromptHour(Hourly):
    """Traces of one version of a prompt."""

    prompt_name = models.TextField()
    prompt_version = models.TextField()
    trace_count = models.BigIntegerField()
    error_count = models.BigIntegerField()
    ended_count = models.BigIntegerField()
    latency_ms = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (
            models.UniqueConstraint(
                name="prompt_hour_once", fields=["project", "prompt_name", "prompt_version", "hour_ms"]
            ),
        )
        indexes = (models.Index(fields=["project", "hour_ms"], name="prompt_hour_by_age"),)


class SessionHour(Hourly):
    """Traces of one session."""

    session_id = models.TextField()
    trace_count = models.BigIntegerField()
    error_count = models.BigIntegerField()
    total_tokens = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (models.UniqueConstraint(name="session_hour_once", fields=["project", "session_id", "hour_ms"]),)
        indexes = (models.Index(fields=["project", "hour_ms"], name="session_hour_by_age"),)


class ToolHour(Hourly):
    """Spans of type tool or retrieval, by name."""

    name = models.TextField()
    call_count = models.BigIntegerField()
    error_count = models.BigIntegerField()
    latency_ms = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (models.UniqueConstraint(name="tool_hour_once", fields=["project", "name", "hour_ms"]),)
        indexes = (models.Index(fields=["project", "hour_ms"], name="tool_hour_by_age"),)


class RetrievalHour(Hourly):
    """Retrieval spans that tell of their chunks, by name and source.

    Each *_count says how many spans gave what is summed beside it; percentages are summed in millionths of a percent.
    """

    name = models.TextField()
    source = models.TextField()
    call_count = models.BigIntegerField()
    error_count = models.BigIntegerField()
    latency_ms = models.BigIntegerField()
    chunks_retrieved = models.BigIntegerField()
    chunks_used = models.BigIntegerField()
    used_count = models.BigIntegerField()
    context_tokens = models.BigIntegerField()
    context_count = models.BigIntegerField()
    context_micropct = models.BigIntegerField()  # of the most that fits
    context_pct_count = models.BigIntegerField()
    chunks_micropct = models.BigIntegerField()  # used, of those retrieved
    chunks_pct_count = models.BigIntegerField()
    top_k = models.BigIntegerField()
    top_k_count = models.BigIntegerField()
    top_relevance_micros = models.BigIntegerField()
    relevance_count = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (
            models.UniqueConstraint(name="retrieval_hour_once", fields=["project", "name", "source", "hour_ms"]),
        )
        indexes = (models.Index(fields=["hour_ms"], name="retrieval_hour_by_age"),)


class Durations(Hourly):
    """Durations of an hour, or of the UTC day that begins with it, in logarithmic buckets (llmtraces.percentiles).

    kind: "latency" or "ttft" of generation spans by model and provider; "tool" by name and ""; "rag" by name and
    source. counts: how many durations each bucket holds (llmtraces.packing): a row for each bucket would be a thousand
    an hour, of which a page of thirty days had to read all.
    """

    is_day = models.BooleanField()
    kind = models.CharField(max_length=8)
    of = models.TextField()
    by = models.TextField()
    counts = models.BinaryField()

    class Meta(Hourly.Meta):
        constraints = (
            # In this order a window is one range of the index, of one project or of all.
            models.UniqueConstraint(name="durations_once", fields=["kind", "is_day", "hour_ms", "project", "of", "by"]),
        )
        indexes = (models.Index(fields=["hour_ms"], name="durations_by_age"),)


class ScoreSums(Hourly):
    """Scores of a name that were made in an hour, or in the UTC day that begins with it.

    fifth1 to fifth5: how many lie in each fifth from 0 to 1. counts: how many lie at each place (llmtraces.places,
    packed), for what no sum tells. total_nanos: values in billionths, whole so that what is taken back leaves nothing.
    """

    is_day = models.BooleanField()
    name = models.TextField()
    fifth1 = models.BigIntegerField()
    fifth2 = models.BigIntegerField()
    fifth3 = models.BigIntegerField()
    fifth4 = models.BigIntegerField()
    fifth5 = models.BigIntegerField()
    total_nanos = models.BigIntegerField()
    lowest = models.FloatField()
    highest = models.FloatField()
    counts = models.BinaryField()

    class Meta(Hourly.Meta):
        constraints = (
            # As of `Durations`: a window is one range of the index, of one project or of all.
            models.UniqueConstraint(name="score_sums_once", fields=["is_day", "hour_ms", "project", "name"]),
            models.CheckConstraint(name="score_sums_in_order", condition=Q(lowest__lte=models.F("highest"))),
        )


class FeedbackHour(Hourly):
    """Thumbs, up and down."""

    positive = models.BigIntegerField()
    negative = models.BigIntegerField()

    class Meta(Hourly.Meta):
        constraints = (models.UniqueConstraint(name="feedback_hour_once", fields=["hour_ms", "project"]),)

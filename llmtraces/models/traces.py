"""Traces and their spans: what lists, filters and rollups need in typed columns, texts in tables that no list reads."""

from django.db import models
from django.db.models import F, Q


def by_value(column: str, name: str) -> models.Index:
    """Known traces of any projects from the greatest value on, with what lists ask beside it: nothing is looked up.

    A trace is known when its figures are, so its entry is written once.
    """
    return models.Index(
        F(column).desc(),
        F("id").desc(),
        F("project"),
        F("started_ms"),
        F("is_known"),
        name=name,
        condition=Q(is_known=True),
    )


# What lists of traces are narrowed and sorted by.
ASKED = tuple(map(F, ("is_known", "status", "error_count", "cost_micros", "latency_ms", "total_tokens", "used_models")))


class Trace(models.Model):
    """One trace of a project. Its totals are derived from its spans when these are folded, never incremented."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    trace_id = models.TextField()
    # False: only an update or spans have come so far; lists leave it out until the trace itself does.
    is_known = models.BooleanField(default=True, db_default=True)
    session_id = models.TextField(null=True)
    user_id = models.TextField(null=True)
    prompt_name = models.TextField(null=True)
    prompt_version = models.TextField(null=True)
    name = models.TextField()
    posted_status = models.TextField()
    posted_ended_ms = models.BigIntegerField(null=True)
    started_ms = models.BigIntegerField()
    received_ms = models.BigIntegerField()
    # What a PUT said, which no later POST takes back (contract 8.1.3).
    put_status = models.TextField(null=True)
    put_ended_ms = models.BigIntegerField(null=True)
    put_input_tokens = models.BigIntegerField(null=True)
    put_output_tokens = models.BigIntegerField(null=True)
    put_cost_micros = models.BigIntegerField(null=True)
    # Derived, of the spans and the above.
    status = models.TextField()
    ended_ms = models.BigIntegerField(null=True)
    latency_ms = models.BigIntegerField(null=True)
    span_count = models.IntegerField(default=0, db_default=0)
    error_count = models.IntegerField(default=0, db_default=0)
    input_tokens = models.BigIntegerField(default=0, db_default=0)
    output_tokens = models.BigIntegerField(default=0, db_default=0)
    total_tokens = models.BigIntegerField(default=0, db_default=0)
    cost_micros = models.BigIntegerField(default=0, db_default=0)
    used_models = models.TextField(null=True, default="", db_default="")  # llmtraces.used_models; None: the spans tell

    class Meta:
        constraints = (models.UniqueConstraint(name="trace_once", fields=["project", "trace_id"]),)
        indexes = (
            # With what lists are narrowed and sorted by beside it, so that a whole window of it is read in no time.
            models.Index(F("project"), F("started_ms").desc(), F("id").desc(), *ASKED, name="trace_by_start"),
            by_value("cost_micros", "trace_by_cost"),
            by_value("latency_ms", "trace_by_latency"),
            by_value("total_tokens", "trace_by_tokens"),
            models.Index(
                F("project"),
                F("session_id"),
                F("started_ms"),
                name="trace_by_session",
                condition=Q(session_id__isnull=False),
            ),
            models.Index(
                F("project"),
                F("prompt_name"),
                F("prompt_version"),
                F("started_ms"),
                name="trace_by_prompt",
                condition=Q(prompt_name__isnull=False),
            ),
            models.Index(
                F("user_id"),
                F("started_ms").desc(),
                F("id").desc(),
                F("project"),
                name="trace_by_user",
                condition=Q(user_id__isnull=False),
            ),
            # All projects; retention
            models.Index(F("started_ms").desc(), F("id").desc(), F("project"), *ASKED, name="trace_by_age"),
            # Hardly any: a list asks the spans of these.
            models.Index(fields=["used_models"], name="trace_of_many_models", condition=Q(used_models__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.trace_id} {self.name}".strip()


class TraceText(models.Model):
    """What the project's content policy let through of a trace (contract 8.2)."""

    trace = models.OneToOneField(Trace, primary_key=True, on_delete=models.CASCADE, related_name="text")
    input = models.TextField(null=True)
    output = models.TextField(null=True)
    put_output = models.TextField(null=True)
    metadata = models.TextField(null=True)

    def __str__(self) -> str:
        return f"text of trace {self.trace_id}"


class Span(models.Model):
    """One step of a trace. Ids are unique within their trace (rule T10)."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="spans", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    span_id = models.TextField()
    parent_span_id = models.TextField(null=True)
    span_type = models.TextField()
    name = models.TextField()
    model = models.TextField()  # "" for none
    provider = models.TextField()
    started_ms = models.BigIntegerField()
    ended_ms = models.BigIntegerField(null=True)
    latency_ms = models.BigIntegerField()
    ttft_ms = models.BigIntegerField(null=True)
    status = models.TextField()
    error_message = models.TextField(null=True)
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()  # of the input, read from the provider's cache
    cache_write_tokens = models.BigIntegerField()  # of the input, written to it
    reasoning_tokens = models.BigIntegerField()  # of the output
    cost_micros = models.BigIntegerField()
    # Who said the cost: the client; our prices; nobody ("": no model or no tokens; "unknown": no price for the model).
    cost_source = models.CharField(max_length=8)

    class Meta:
        constraints = (
            models.UniqueConstraint(name="span_once", fields=["trace", "span_id"]),
            models.CheckConstraint(
                name="span_cost_source_known", condition=Q(cost_source__in=["client", "price", "", "unknown"])
            ),
        )
        indexes = (
            models.Index(fields=["project", "model", "started_ms"], name="span_by_model"),
            models.Index(fields=["project", "span_type", "started_ms"], name="span_by_type"),
        )

    def __str__(self) -> str:
        return f"{self.span_id} {self.name}".strip()


class SpanText(models.Model):
    """What the project's content policy let through of a span."""

    span = models.OneToOneField(Span, primary_key=True, on_delete=models.CASCADE, related_name="text")
    input = models.TextField(null=True)
    output = models.TextField(null=True)
    metadata = models.TextField(null=True)

    def __str__(self) -> str:
        return f"text of span {self.span_id}"


class Session(models.Model):
    """When a session's first and last traces began, and whose it is: derived from its traces whenever one is folded."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    session_id = models.TextField()
    user_id = models.TextField(null=True)  # of its first trace that names one
    first_ms = models.BigIntegerField()
    last_ms = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(name="session_once", fields=["project", "session_id"]),)
        indexes = (
            models.Index(F("project"), F("last_ms").desc(), F("id").desc(), name="session_by_last"),
            models.Index(fields=["last_ms"], name="session_by_age"),  # all projects; retention
        )

    def __str__(self) -> str:
        return self.session_id


class Retrieval(models.Model):
    """What a retrieval span's metadata says of its chunks (contract 8.5.10); None for what it does not say."""

    span = models.OneToOneField(Span, primary_key=True, on_delete=models.CASCADE, related_name="retrieval")
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    started_ms = models.BigIntegerField()  # the span's, to be found by
    source = models.TextField()
    chunks_retrieved = models.BigIntegerField()
    chunks_used = models.BigIntegerField(null=True)
    context_tokens = models.BigIntegerField(null=True)
    max_context_tokens = models.BigIntegerField(null=True)
    top_relevance_micros = models.BigIntegerField(null=True)  # millionths
    top_k = models.BigIntegerField(null=True)

    class Meta:
        indexes = (
            # The least and the greatest of a project: the first from either end that lies within the window.
            models.Index(
                fields=["project", "top_relevance_micros", "started_ms"],
                name="retrieval_by_relevance",
                condition=Q(top_relevance_micros__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"retrieval {self.span_id} from {self.source}"

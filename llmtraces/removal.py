"""Removes the traces of a deleted project, trace by trace: spans and texts are found by their trace."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from llmtraces.models import (
    Durations,
    Feedback,
    FeedbackHour,
    LlmSettings,
    PriceOverride,
    PromptHour,
    Recalculation,
    Retrieval,
    RetrievalHour,
    SavedView,
    Score,
    ScoreSums,
    Session,
    SessionHour,
    Span,
    SpanText,
    ToolHour,
    Trace,
    TraceHour,
    TraceText,
    TraceWords,
    UsageHour,
)

OF_PROJECT = (
    UsageHour,
    TraceHour,
    PromptHour,
    SessionHour,
    ToolHour,
    RetrievalHour,
    Durations,
    ScoreSums,
    FeedbackHour,
    Session,
    PriceOverride,
    LlmSettings,
    Recalculation,
    SavedView,
)
Table: TypeAlias = type[
    SpanText
    | Retrieval
    | Span
    | TraceText
    | TraceWords
    | Score
    | Feedback
    | Trace
    | UsageHour
    | TraceHour
    | PromptHour
    | SessionHour
    | ToolHour
    | RetrievalHour
    | Durations
    | ScoreSums
    | FeedbackHour
    | Session
    | PriceOverride
    | LlmSettings
    | Recalculation
    | SavedView
]
Condition: TypeAlias = tuple[Table, dict[str, object]]
Rows: TypeAlias = list[tuple[Table, list[Any]]]
OF_TRACES = (SpanText, Retrieval, Span, TraceText, TraceWords, Score, Feedback, Trace)


class TracesRemover:
    """Everything `llmtraces` keeps (`projects.removal.Remover`)."""

    tables: Sequence[str] = tuple(f"llmtraces.{model.__name__}" for model in (*OF_TRACES, *OF_PROJECT))
    holds_keys = True

    def count(self, project_id: str) -> int:
        """All rows, counted in indexes."""
        of_traces: list[Condition] = [
            (SpanText, {"span__trace__project_id": project_id}),
            (Retrieval, {"span__trace__project_id": project_id}),
            (Span, {"trace__project_id": project_id}),
            (TraceText, {"trace__project_id": project_id}),
            (TraceWords, {"trace__project_id": project_id}),
            (Score, {"trace__project_id": project_id}),
            (Feedback, {"trace__project_id": project_id}),
            (Trace, {"project_id": project_id}),
        ]
        of_project: list[Condition] = [(model, {"project_id": project_id}) for model in OF_PROJECT]
        conditions = of_traces + of_project
        return sum(model.objects.filter(**condition).count() for model, condition in conditions)

    def find(self, project_id: str, *, limit: int) -> Rows:
        """Up to `limit` rows: what hangs on some traces, then these traces; the project's own tables at the end."""
        traces = list(Trace.objects.filter(project_id=project_id).values_list("pk", flat=True)[:limit])
        if not traces:
            return self.take([(model, {"project_id": project_id}) for model in OF_PROJECT], limit=limit)
        return self.take(
            [
                (SpanText, {"span__trace__in": traces}),
                (Retrieval, {"span__trace__in": traces}),
                (Span, {"trace__in": traces}),
                (TraceText, {"trace__in": traces}),
                (TraceWords, {"trace__in": traces}),
                (Score, {"trace__in": traces}),
                (Feedback, {"trace__in": traces}),
                (Trace, {"pk__in": traces[: max(1, limit // 4)]}),
            ],
            limit=limit,
            whole=True,
        )

    def take(self, sources: Sequence[Condition], *, limit: int, whole: bool = False) -> Rows:
        """The ids of up to `limit` rows of these tables, in their order.

        whole: a table is begun only when all rows of the one before it are among them, for they point to it.
        """
        rows: Rows = []
        for model, condition in sources:
            ids: list[Any] = list(model.objects.filter(**condition).values_list("pk", flat=True)[:limit])
            limit -= len(ids)
            if ids:
                rows.append((model, ids))
            if limit <= 0 or (whole and ids):
                break
        return rows

    def remove(self, found: Rows) -> int:
        """Delete them; with a trace goes whatever a flush added to it since."""
        removed = 0
        for model, ids in found:
            removed += model.objects.filter(pk__in=ids).delete()[0]
        return removed

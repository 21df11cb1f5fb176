"""Removes old traces and their rollups, by the cutoff of hourly counts (`projects.retention.Purger`; contract 3.4).

Of a UTC day all goes at once, for percentiles of long windows are made of days.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from bloop_site.lib.clock import day_of
from llmtraces.contributions import Rollups
from llmtraces.models import (
    Durations,
    Feedback,
    FeedbackHour,
    PromptHour,
    Retrieval,
    RetrievalHour,
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
from llmtraces.queries.facts import spans_of
from llmtraces.services.judgements import remove_feedback, remove_judgements_of, remove_scores
from llmtraces.services.rollups import write_rollups
from llmtraces.services.sessions import SessionKey, write_sessions
from projects import retention
from projects.retention import Batch, Cutoffs

OF_TRACES = (SpanText, Retrieval, Span, TraceText, TraceWords, Score, Feedback, Trace)
OF_JUDGEMENTS = (ScoreSums, FeedbackHour)  # a row of theirs goes with the last judgement it counts
COUNTED = (Span, Trace)
ROLLUPS = (UsageHour, TraceHour, PromptHour, SessionHour, ToolHour, RetrievalHour, Durations)

LATE: Literal["late spans"] = "late spans"
Table: TypeAlias = type[SpanText | Retrieval | Span | TraceText | TraceWords | Score | Feedback | Trace]
Hours: TypeAlias = type[UsageHour | TraceHour | PromptHour | SessionHour | ToolHour | RetrievalHour | Durations]


class OldTraces:
    """Traces that began before the cutoff, with their spans, texts and judgements, and these with their sums."""

    tables: Sequence[str] = tuple(f"llmtraces.{model.__name__}" for model in (*OF_TRACES, *OF_JUDGEMENTS))
    words = "traces"

    def count(self, cutoffs: Cutoffs) -> int:
        """Traces and spans, counted by the index of traces by age."""
        old = {"started_ms__lt": day_of(cutoffs.hourly_ms)}
        spans = Span.objects.filter(trace__started_ms__lt=day_of(cutoffs.hourly_ms)).count()
        return Trace.objects.filter(**old).count() + spans

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """What hangs on the oldest traces, table by table; the traces when nothing hangs on them any more."""
        old = Trace.objects.filter(started_ms__lt=day_of(cutoffs.hourly_ms)).order_by("started_ms", "pk")
        traces = list(old.values_list("pk", flat=True)[: max(1, limit // 4)])
        if not traces:
            return None
        hanging: list[tuple[Table, dict[str, Any]]] = [
            (SpanText, {"span__trace__in": traces}),
            (Retrieval, {"span__trace__in": traces}),
            (Span, {"trace__in": traces}),
            (TraceText, {"trace__in": traces}),
            (TraceWords, {"trace__in": traces}),
            (Score, {"trace__in": traces}),
            (Feedback, {"trace__in": traces}),
        ]
        late = Span.objects.filter(trace__in=traces, started_ms__gte=day_of(cutoffs.hourly_ms))
        for model, condition in hanging:
            if model is Retrieval and (ids := list(late.values_list("pk", flat=True)[:limit])):
                return Batch((LATE, ids))
            ids = list(model.objects.filter(**condition).values_list("pk", flat=True)[:limit])
            if ids:
                return Batch((model, ids))
        return Batch((Trace, traces))

    def remove(self, rows: tuple[Table | Literal["late spans"], list[int]]) -> int:
        """What hangs on spans and traces goes with them; it is not counted. Sessions then begin later, or are gone."""
        model, ids = rows
        if model is Trace:
            return remove_traces(ids)
        if model == LATE:
            return remove_late(ids)
        if model is Score:
            remove_scores(ids)
        elif model is Feedback:
            remove_feedback(ids)
        else:
            removed = int(model.objects.filter(pk__in=ids).delete()[0])
            return removed if model in COUNTED else 0
        return 0


def remove_late(ids: list[int]) -> int:
    """Delete spans that began after the cutoff though their traces did before, and what they add to hours that stay.

    Their traces are locked in the fold's order, so that what comes in meanwhile is folded before or after.
    """
    of_spans = Trace.objects.filter(spans__in=ids).values("pk")
    locked = Trace.objects.filter(pk__in=of_spans).order_by("project_id", "trace_id").select_for_update(no_key=True)
    projects = dict(locked.values_list("pk", "project_id"))
    change, late = Rollups.empty(), set(Span.objects.filter(pk__in=ids).values_list("trace_id", "span_id"))
    for trace, spans in spans_of(list(projects)).items():
        for span_id, facts in spans.items():
            if (trace, span_id) in late:
                change.add_span(projects[trace], facts, sign=-1)
    write_rollups(change)
    Retrieval.objects.filter(pk__in=ids).delete()
    SpanText.objects.filter(pk__in=ids).delete()
    return int(Span.objects.filter(pk__in=ids).delete()[0])


def remove_traces(ids: list[int]) -> int:
    """Delete these traces, with what came to them since they were found."""
    touched = sessions_of(ids)
    remove_judgements_of(ids)
    removed = int(Trace.objects.filter(pk__in=ids).delete()[0])
    write_sessions(touched)
    return removed


def sessions_of(trace_ids: list[int]) -> dict[SessionKey, bool]:
    """The sessions these traces are in, and whether one of the traces names a user."""
    found: dict[SessionKey, bool] = {}
    rows = Trace.objects.filter(pk__in=trace_ids).exclude(session_id=None)
    for project_id, session_id, user_id in rows.values_list("project_id", "session_id", "user_id"):
        key = project_id, str(session_id)
        found[key] = found.get(key, False) or user_id is not None
    return found


class OldSessions:
    """Sessions whose last trace began before the cutoff."""

    tables: Sequence[str] = ("llmtraces.Session",)
    words = "sessions"

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by age."""
        return Session.objects.filter(last_ms__lt=day_of(cutoffs.hourly_ms)).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest."""
        old = Session.objects.filter(last_ms__lt=day_of(cutoffs.hourly_ms)).order_by("last_ms")
        ids = list(old.values_list("pk", flat=True)[:limit])
        return Batch(ids) if ids else None

    def remove(self, rows: list[int]) -> int:
        """Nothing points to a session."""
        return Session.objects.filter(pk__in=rows).delete()[0]


class OldRollups:
    """Hours of every rollup before the cutoff."""

    tables: Sequence[str] = tuple(f"llmtraces.{model.__name__}" for model in ROLLUPS)
    words = "hourly counts of traces"

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the indexes by age."""
        return sum(model.objects.filter(hour_ms__lt=day_of(cutoffs.hourly_ms)).count() for model in ROLLUPS)

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest of the first table that has some."""
        for model in ROLLUPS:
            old = model.objects.filter(hour_ms__lt=day_of(cutoffs.hourly_ms)).order_by("hour_ms")
            ids = list(old.values_list("pk", flat=True)[:limit])
            if ids:
                return Batch((model, ids))
        return None

    def remove(self, rows: tuple[Hours, list[int]]) -> int:
        """Nothing points to a rollup."""
        model, ids = rows
        return model.objects.filter(pk__in=ids).delete()[0]


def register() -> None:
    """Take part in every pass; called once, in AppConfig.ready."""
    retention.register("traces", OldTraces())
    retention.register("sessions", OldSessions())
    retention.register("trace_rollups", OldRollups())

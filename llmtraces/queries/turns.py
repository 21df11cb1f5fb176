"""The turns of a session: its traces in order, each with its model and what it was asked and answered."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Left

from llmtraces.models import Span, SpanText, Trace, TraceText
from llmtraces.queries.sessions import SessionRow, traces_of

MAX_CHARACTERS = 100_000  # of a text; who wants all of a longer one looks at the trace


@dataclass(frozen=True)
class Turn:
    """A trace of a session. models: of its first and last generations; input, output: None where not kept."""

    trace: Trace
    models: tuple[str, ...]
    input: str | None
    output: str | None


@dataclass(frozen=True)
class Texts:
    """The beginning of what is kept."""

    input: str | None = None
    output: str | None = None


def turns_of(session: SessionRow, *, limit: int, offset: int = 0) -> list[Turn]:
    """A part of a session's traces, the oldest first; in four queries.

    Where a trace keeps no text of its own, its first generation's input and its last one's output stand in.
    """
    generations = Span.objects.filter(trace=OuterRef("pk"), span_type="generation").values("pk")
    rows = traces_of(session).annotate(
        opening=Subquery(generations.order_by("started_ms", "id")[:1]),
        closing=Subquery(generations.order_by("-started_ms", "-id")[:1]),
    )
    traces: list[Any] = list(rows[offset : offset + limit])
    ends = {pk for trace in traces for pk in (trace.opening, trace.closing) if pk is not None}
    models = dict(Span.objects.filter(pk__in=ends).values_list("pk", "model"))
    own = texts_of_traces([trace.pk for trace in traces])
    spans = texts_of_spans(ends)
    nothing = Texts()
    return [
        Turn(
            trace,
            tuple(dict.fromkeys(models[pk] for pk in (trace.opening, trace.closing) if pk and models.get(pk))),
            own.get(trace.pk, nothing).input or spans.get(trace.opening, nothing).input,
            own.get(trace.pk, nothing).output or spans.get(trace.closing, nothing).output,
        )
        for trace in traces
    ]


def texts_of_traces(ids: list[int]) -> dict[int, Texts]:
    """The beginnings of these traces' own texts; a PUT's output goes before the posted one."""
    rows = TraceText.objects.filter(pk__in=ids).values_list(
        "pk", Left(F("input"), MAX_CHARACTERS), Left(Coalesce("put_output", "output"), MAX_CHARACTERS)
    )
    return {pk: Texts(asked, answered) for pk, asked, answered in rows}


def texts_of_spans(ids: set[int]) -> dict[int, Texts]:
    """The beginnings of these spans' texts."""
    rows = SpanText.objects.filter(pk__in=ids).values_list(
        "pk", Left(F("input"), MAX_CHARACTERS), Left(F("output"), MAX_CHARACTERS)
    )
    return {pk: Texts(asked, answered) for pk, asked, answered in rows}

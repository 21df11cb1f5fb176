"""The page of a trace: its spans without their texts, and the texts of the one that is looked at."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import F, TextField
from django.db.models.functions import Coalesce, Left, Length

from llmtraces.models import Span, Trace, TraceText
from llmtraces.queries.window import in_reach
from llmtraces.spantree import SpanTimes
from projects.access import Reach

MAX_SPANS = 5_000  # of one trace that its page reads
MAX_SHOWN = 200_000  # characters of one text that its page reads; the raw text has all
PARTS = ("input", "output", "metadata")


class SpanLine(NamedTuple):
    """What a row of the tree shows of a span."""

    span_id: str
    parent_span_id: str | None
    started_ms: int
    ended_ms: int | None
    latency_ms: int
    ttft_ms: int | None
    span_type: str
    name: str
    model: str
    status: str
    total_tokens: int
    cost_micros: int

    @property
    def times(self) -> SpanTimes:
        """What its place in the tree follows from."""
        return SpanTimes(*self[:6])


@dataclass(frozen=True)
class Excerpt:
    """A text, or its beginning. text: None when none is kept; size: of the whole, in characters."""

    text: str | None
    size: int = 0

    @property
    def is_cut(self) -> bool:
        return self.text is not None and len(self.text) < self.size


@dataclass(frozen=True)
class Content:
    """What is kept of a trace or span, each text read no further than a page shows."""

    input: Excerpt
    output: Excerpt
    metadata: Excerpt


NOTHING = Content(Excerpt(None), Excerpt(None), Excerpt(None))


def trace_in(reach: Reach, trace_id: str) -> Trace | None:
    """The reachable trace with this id; None for what is not there. One query."""
    if "\x00" in trace_id:  # PostgreSQL takes none, and ids hold none
        return None
    rows = in_reach(reach, Trace.objects.filter(trace_id=trace_id, is_known=True))
    return rows.select_related("project").first()


def span_lines(trace: Trace, *, limit: int = MAX_SPANS) -> list[SpanLine]:
    """The spans of a trace by start, at most `limit`. One query, and no text is read."""
    rows = Span.objects.filter(trace=trace).order_by("started_ms", "id")
    columns = [name for name in SpanLine._fields if name != "total_tokens"]
    columns.insert(SpanLine._fields.index("total_tokens"), "tokens")
    return [
        SpanLine(*row)
        for row in rows.annotate(tokens=F("input_tokens") + F("output_tokens")).values_list(*columns)[:limit]
    ]


def span_in(trace: Trace, span_id: str) -> Span | None:
    """One span of a trace, its error message read no further than a page shows. One query."""
    if "\x00" in span_id:
        return None
    rows = Span.objects.filter(trace=trace, span_id=span_id).defer("error_message")
    return rows.annotate(error_text=Left("error_message", MAX_SHOWN), error_size=Length("error_message")).first()


def content_of(trace: Trace, span: Span | None) -> Content:
    """What is kept of the span, or of the trace itself; a PUT's output goes before the posted one. One query."""
    if span is None:
        own = TraceText.objects.filter(trace=trace)
        rows: Any = own.annotate(shown_output=Coalesce("put_output", "output", output_field=TextField()))
        columns = {"input": "input", "output": "shown_output", "metadata": "metadata"}
    else:
        rows = Span.objects.filter(pk=span.pk, text__isnull=False)
        columns = {name: f"text__{name}" for name in PARTS}
    cuts = {f"{name}_begins": Left(column, MAX_SHOWN) for name, column in columns.items()}
    sizes = {f"{name}_size": Length(column) for name, column in columns.items()}
    row = rows.annotate(**cuts, **sizes).values_list(*cuts, *sizes).first()
    if row is None:
        return NOTHING
    return Content(*(Excerpt(text, size or 0) for text, size in zip(row[:3], row[3:], strict=True)))


def whole_text(trace: Trace, span_id: str, part: str) -> str | None:
    """A whole text of a span, or of the trace (span_id ""): of PARTS, or "error". None when none is kept. One query."""
    if "\x00" in span_id:
        return None
    if span_id:
        column = "error_message" if part == "error" else f"text__{part}"
        return Span.objects.filter(trace=trace, span_id=span_id).values_list(column, flat=True).first()
    if part == "error":
        return None
    rows = TraceText.objects.filter(trace=trace)
    put_first = Coalesce("put_output", "output", output_field=TextField())
    found: str | None = rows.values_list(put_first if part == "output" else F(part), flat=True).first()
    return found

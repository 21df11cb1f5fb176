"""A trace's spans as the rows of one grid: the tree on its left, the timeline on its right."""

from dataclasses import dataclass

from llmtraces.links import place_of, trace_url
from llmtraces.models import Trace
from llmtraces.queries.trace_page import MAX_SPANS, SpanLine, span_lines
from llmtraces.spantree import Node, Timeline, timeline_of, tree_of

ROWS = 300  # shown at once; the rest when they are scrolled to
MAX_INDENT = 8
TICKS = 4
TYPES = {"generation": "llm", "tool": "tool", "retrieval": "search", "custom": "dot"}
TONES = {"completed": "resolved", "ok": "resolved", "error": "unresolved", "running": "muted"}


@dataclass(frozen=True)
class SpanRow:
    """A row of the grid. tone: the span's type where it is a known one; the bar's numbers are percent as text.

    took_ms: None when nobody said.
    """

    span: SpanLine
    node: Node
    icon: str
    tone: str
    indent: int
    is_error: bool
    took_ms: int | None
    x: str
    width: str
    wait: str
    url: str
    detail_url: str


@dataclass(frozen=True)
class Tree:
    """What the grid shows. start: the index of the first row of `rows`; total: how many there are.

    error_urls: of the spans that failed, in the tree's order, by span id. ticks: ms from the start.
    """

    rows: list[SpanRow]
    start: int
    total: int
    is_cut: bool
    timeline: Timeline
    ticks: list[int]
    errors: list[str]
    url: str
    earlier_url: str | None
    later_url: str | None
    later_part_url: str | None
    selected: str | None

    @property
    def last(self) -> int:
        return self.start + len(self.rows)


def status_tone(status: str) -> str:
    """The colour of a trace's status; free text that is not known is grey."""
    return TONES.get(status, "ignored")


def tree_view(trace: Trace, *, selected: str | None, start: int | None, size: int = ROWS) -> Tree:
    """The tree from row `start`, or (None) the rows that the selected span is among. One query."""
    lines = span_lines(trace, limit=MAX_SPANS + 1)
    is_cut = len(lines) > MAX_SPANS
    lines = lines[:MAX_SPANS]
    times = [line.times for line in lines]
    timeline = timeline_of(times, started_ms=trace.started_ms, ended_ms=trace.ended_ms)
    nodes = tree_of(times, timeline)
    ids = [lines[node.index].span_id for node in nodes]
    if start is None:
        start = ids.index(selected) // size * size if selected in ids else 0
    start = min(max(start, 0), max(len(nodes) - 1, 0) // size * size)
    end = min(start + size, len(nodes))
    slug, trace_id = trace.project.slug, trace.trace_id
    place = {"id": trace_id, "span": selected or ""}
    return Tree(
        rows=[row_of(trace, lines[node.index], node) for node in nodes[start:end]],
        start=start,
        total=len(nodes),
        is_cut=is_cut,
        timeline=timeline,
        ticks=[timeline.width_ms * tick // TICKS for tick in range(TICKS + 1)],
        errors=[lines[node.index].span_id for node in nodes if lines[node.index].status == "error"],
        url=trace_url(slug, trace_id),
        earlier_url=place_of("trace", slug, **place, **{"from": str(max(start - size, 0))}) if start else None,
        later_url=place_of("trace", slug, **place, **{"from": str(end)}) if end < len(nodes) else None,
        later_part_url=place_of("trace-rows", slug, id=trace_id, **{"from": str(end)}) if end < len(nodes) else None,
        selected=selected,
    )


def row_of(trace: Trace, span: SpanLine, node: Node) -> SpanRow:
    """A span as a row."""
    slug = trace.project.slug
    return SpanRow(
        span=span,
        node=node,
        icon=TYPES.get(span.span_type, "dot"),
        tone=span.span_type if span.span_type in TYPES else "custom",
        indent=min(node.depth, MAX_INDENT),
        is_error=span.status == "error",
        took_ms=took(span.latency_ms, span.ended_ms),
        x=f"{node.bar.start:.3f}%",
        width=f"{node.bar.width:.3f}%",
        wait=f"{node.bar.wait:.3f}%" if node.bar.wait else "",
        url=trace_url(slug, trace.trace_id, span.span_id),
        detail_url=place_of("trace-span", slug, id=trace.trace_id, span=span.span_id),
    )


def took(latency_ms: int, ended_ms: int | None) -> int | None:
    """How long a span took; None of one that said neither that nor when it ended: it may be running."""
    return None if ended_ms is None and not latency_ms else latency_ms


def next_error(errors: list[str], selected: str | None) -> str | None:
    """The failed span after the selected one, the first after the last; None when none other failed."""
    others = [each for each in errors if each != selected]
    if not others:
        return None
    if selected in errors:
        return errors[(errors.index(selected) + 1) % len(errors)]
    return errors[0]

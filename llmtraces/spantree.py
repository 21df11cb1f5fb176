"""The tree of a trace's spans and the bars of its timeline, from spans as they were sent. Pure, without recursion.

Parents may be missing, name each other in a circle, or lie two thousand levels up; times may be missing or run
backwards. Whatever they say, every span stands in the tree exactly once and every bar lies within the timeline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

MIN_WIDTH = 0.3  # percent; less could not be seen
Mark = Literal["", "missing", "cycle"]


class SpanTimes(NamedTuple):
    """What the tree and its bars need of a span; times in epoch ms, durations in ms."""

    span_id: str
    parent_id: str | None
    started_ms: int
    ended_ms: int | None
    latency_ms: int
    ttft_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the timeline, in percent of it. wait: of the bar's start, until the first token; 0 when unknown."""

    start: float
    width: float
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Node:
    """A span's place. index: into what was given; depth: 0 for roots; below: how many spans are under it.

    mark: why a span that names a parent stands as a root: the parent is not there, or is below the span itself.
    """

    index: int
    depth: int
    below: int
    bar: Bar
    mark: Mark = ""


@dataclass(frozen=True)
class Timeline:
    """From when to when the bars reach (epoch ms); as wide as the trace and all its spans."""

    start_ms: int
    end_ms: int

    @property
    def width_ms(self) -> int:
        return self.end_ms - self.start_ms


def end_of(span: SpanTimes) -> int:
    """When a span ended: as it says, else by its latency; never before it started."""
    ended = span.started_ms + max(span.latency_ms, 0) if span.ended_ms is None else span.ended_ms
    return max(ended, span.started_ms)


def timeline_of(spans: Sequence[SpanTimes], *, started_ms: int, ended_ms: int | None) -> Timeline:
    """The time the trace and its spans take together."""
    start = min([started_ms, *(span.started_ms for span in spans)])
    end = max([started_ms, ended_ms or started_ms, *(end_of(span) for span in spans)])
    return Timeline(start, end)


def bar_of(span: SpanTimes, timeline: Timeline) -> Bar:
    """The span's bar, at least wide enough to be seen and within 0 to 100 %."""
    if timeline.width_ms <= 0:
        return Bar(0.0, 100.0)
    each = 100 / timeline.width_ms
    lasted = end_of(span) - span.started_ms
    width = min(max(lasted * each, MIN_WIDTH), 100.0)
    start = min(max((span.started_ms - timeline.start_ms) * each, 0.0), 100.0 - width)
    waited = min(max(span.ttft_ms or 0, 0), lasted)
    return Bar(start, width, min(waited * each, width))


def tree_of(spans: Sequence[SpanTimes], timeline: Timeline) -> list[Node]:
    """Every span once: each below its parent, brothers by start. Of spans with one id the first is the parent."""
    parents, marks = parents_of(spans)
    children: list[list[int]] = [[] for _ in spans]
    roots: list[int] = []
    for index in sorted(range(len(spans)), key=lambda each: (spans[each].started_ms, each)):
        parent = parents[index]
        (roots if parent is None else children[parent]).append(index)
    order = walked(roots, children)
    below = [0] * len(spans)
    for index, _ in reversed(order):
        parent = parents[index]
        if parent is not None:
            below[parent] += below[index] + 1
    return [Node(index, depth, below[index], bar_of(spans[index], timeline), marks[index]) for index, depth in order]


def walked(roots: Sequence[int], children: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """(index, depth) from the top down, parents before their children."""
    order: list[tuple[int, int]] = []
    waiting = [(index, 0) for index in reversed(roots)]
    while waiting:
        index, depth = waiting.pop()
        order.append((index, depth))
        waiting.extend((child, depth + 1) for child in reversed(children[index]))
    return order


def parents_of(spans: Sequence[SpanTimes]) -> tuple[list[int | None], list[Mark]]:
    """The parent's index of each span (None: a root) and why it is a root if it names one.

    A circle is opened at the one of its spans that started first.
    """
    by_id: dict[str, int] = {}
    for index, span in enumerate(spans):
        by_id.setdefault(span.span_id, index)
    parents: list[int | None] = []
    marks: list[Mark] = []
    for span in spans:
        parent = by_id.get(span.parent_id) if span.parent_id else None
        parents.append(parent)
        marks.append("missing" if span.parent_id and parent is None else "")
    for circle in circles_in(parents):
        first = min(circle, key=lambda each: (spans[each].started_ms, each))
        parents[first], marks[first] = None, "cycle"
    return parents, marks


def circles_in(parents: Sequence[int | None]) -> list[list[int]]:
    """The circles among parents, each as the indices on it. Every span is looked at once."""
    seen_in = [0] * len(parents)  # the number of the walk that came by; 0: none yet
    circles = []
    for walk, start in enumerate(range(len(parents)), 1):
        at: int | None = start
        while at is not None and not seen_in[at]:
            seen_in[at] = walk
            at = parents[at]
        if at is None or seen_in[at] != walk:
            continue
        circle, next_at = [at], parents[at]
        while next_at is not None and next_at != at:
            circle.append(next_at)
            next_at = parents[next_at]
        circles.append(circle)
    return circles

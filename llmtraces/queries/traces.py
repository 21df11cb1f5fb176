"""Traces as a list and one by one (contract 8.5.5, 8.5.6)."""

import json
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.lookups import In

from bloop_site.lib.db import Unindexed
from llmtraces.models import PromptHour, SessionHour, Span, Trace, TraceHour, TraceText
from llmtraces.queries.window import Row, Window, in_reach
from projects.access import Reach

# The seven names of contract 8.4, and how the list is ordered under each; unknown ones are `newest`.
ORDERS = {
    "newest": F("started_ms").desc(),
    "oldest": F("started_ms").asc(),
    "most_expensive": F("cost_micros").desc(),
    "cost_desc": F("cost_micros").desc(),
    "slowest": F("latency_ms").desc(nulls_last=True),
    "latency_desc": F("latency_ms").desc(nulls_last=True),
    "tokens_desc": F("total_tokens").desc(),
}
BY_COST = ("most_expensive", "cost_desc")


@dataclass(frozen=True)
class TraceFilter:
    """What the list is narrowed to; empty texts and None narrow nothing."""

    status: str = ""
    session_id: str = ""
    user_id: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    min_cost_micros: int | None = None
    min_latency_ms: int | None = None
    has_error: bool = False
    sort: str = "newest"


LONG_HOURS = 168  # from here on the dearest are looked up by cost: that so few lie within the window is unlikely


def trace_list(window: Window, filters: TraceFilter) -> QuerySet[Trace]:
    """The matching traces of the window in a total order."""
    order = ORDERS.get(filters.sort, ORDERS["newest"])
    # Traces of one millisecond stand as they do in the index that is read: by status its rows ascend.
    ascends = (filters.sort == "oldest") != (bool(filters.status) and is_one(window.reach))
    return matching(window, filters).order_by(order, "id" if ascends else "-id")


def matching(window: Window, filters: TraceFilter) -> QuerySet[Trace]:
    """The traces of the window that the filters let through, in no order."""
    rows = Trace.objects.filter(is_known=True)
    if filters.session_id or filters.prompt_name:
        rows = in_reach(window.reach, rows.filter(**window.bounds("started_ms")))  # their indexes begin with it
    elif is_one(window.reach) and filters.sort in BY_COST and window.hours >= LONG_HOURS:
        rows = window.own(rows.alias(at_ms=Unindexed(F("started_ms"))).filter(**window.bounds("at_ms")))
    else:
        rows = within(window, rows.filter(**window.bounds("started_ms")))
    exact = ("status", "session_id", "user_id", "prompt_name", "prompt_version")
    rows = rows.filter(**{name: getattr(filters, name) for name in exact if getattr(filters, name)})
    if filters.min_cost_micros is not None:
        rows = rows.filter(cost_micros__gte=filters.min_cost_micros)
    if filters.min_latency_ms is not None:
        rows = rows.filter(latency_ms__gte=filters.min_latency_ms)
    if filters.has_error:
        rows = rows.filter(Q(status="error") | Q(error_count__gt=0))
    if window.model or window.provider:
        spans = Span.objects.filter(trace=OuterRef("pk"))
        spans = spans.filter(model=window.model) if window.model else spans
        rows = rows.filter(Exists(spans.filter(provider=window.provider) if window.provider else spans))
    return rows


def is_one(reach: Reach) -> bool:
    """Whether one project is asked for, so that the indexes by project are read in their order."""
    return reach.project_ids is not None and len(reach.project_ids) == 1


def narrowed_by(window: Window, filters: TraceFilter) -> set[str]:
    """The names of the filters that are set, those of the window included."""
    chosen = {name for name, usual in vars(TraceFilter()).items() if getattr(filters, name) != usual} - {"sort"}
    return chosen | {name for name in ("model", "provider") if getattr(window, name)}


def within(window: Window, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The rows of the reachable projects. Those of several are read in order of time, which SQLite would not guess."""
    if window.reach.project_ids is None or is_one(window.reach):
        return window.own(rows)
    of_project: Any = In(Unindexed(F("project_id")), window.reach.project_ids)
    return rows.filter(of_project)


def trace_total(window: Window, filters: TraceFilter, *, at_most: int | None = None) -> int:
    """How many traces match. One query; read from the rollups, which are exact, where they know the filters.

    at_most: where to stop counting what must be counted row by row.
    """
    by = counted_by(window, filters)
    if by is not None:
        table, amount, where = by
        rows = window.own(table.objects.filter(**window.bounds("hour_ms"), **where))
        return rows.aggregate(total=Sum(amount))["total"] or 0
    rows = matching(window, replace(filters, sort="newest"))
    return rows.count() if at_most is None else rows.order_by()[:at_most].count()


def counted_by(window: Window, filters: TraceFilter) -> tuple[Any, str, dict[str, str]] | None:
    """The rollup, its column and the condition that count these traces; None when no rollup does."""
    narrowed = narrowed_by(window, filters)
    if not narrowed <= {"status", "session_id", "prompt_name", "prompt_version"} or filters.status not in ("", "error"):
        return None
    amount = "error_count" if filters.status else "trace_count"
    narrowed -= {"status"}
    if not narrowed:
        return TraceHour, amount, {}
    if narrowed == {"session_id"}:
        return SessionHour, amount, {"session_id": filters.session_id}
    if "session_id" not in narrowed and "prompt_name" in narrowed:
        return PromptHour, amount, {name: getattr(filters, name) for name in narrowed}
    return None


def find_traces(reach: Reach, trace_id: str) -> list[Trace]:
    """The reachable traces with this id, one a project at most, the newest first."""
    rows = in_reach(reach, Trace.objects.filter(trace_id=trace_id, is_known=True))
    return list(rows.order_by("-started_ms", "-id"))


@dataclass(frozen=True)
class Texts:
    """What is kept of a trace's or span's content; metadata as its value."""

    input: str | None = None
    output: str | None = None
    metadata: Any = None


def texts_of(trace: Trace) -> Texts:
    """What is kept of a trace; a PUT's output goes before the posted one."""
    row = TraceText.objects.filter(trace=trace).first()
    if row is None:
        return Texts()
    output = row.output if row.put_output is None else row.put_output
    return Texts(row.input, output, json.loads(row.metadata) if row.metadata else None)


def spans_with_texts(trace: Trace) -> list[tuple[Span, Texts]]:
    """The spans of a trace by start, each with what is kept of it."""
    rows = Span.objects.filter(trace=trace).select_related("text").order_by("started_ms", "id")
    return [(span, span_texts(span)) for span in rows]


def span_texts(span: Span) -> Texts:
    """What is kept of a span; its text must be loaded."""
    text = getattr(span, "text", None)
    if text is None:
        return Texts()
    return Texts(text.input, text.output, json.loads(text.metadata) if text.metadata else None)

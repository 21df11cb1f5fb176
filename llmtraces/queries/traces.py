"""Traces as a list and one by one (contract 8.5.5, 8.5.6)."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import BooleanField, Exists, F, Func, OuterRef, QuerySet, Sum
from django.db.models.lookups import In

from bloop_site.lib.db import Unindexed
from llmtraces.models import PromptHour, SessionHour, Span, Trace, TraceHour, TraceText
from llmtraces.queries.window import Row, Window, in_reach
from projects.access import Reach

# The seven names of contract 8.4, and by what each orders the list, descending or not; unknown ones are `newest`.
ORDERS = {
    "newest": ("started_ms", True),
    "oldest": ("started_ms", False),
    "most_expensive": ("cost_micros", True),
    "cost_desc": ("cost_micros", True),
    "slowest": ("latency_ms", True),
    "latency_desc": ("latency_ms", True),
    "tokens_desc": ("total_tokens", True),
}
BY_VALUE = ("cost_micros", "latency_ms", "total_tokens")  # their indexes begin with the greatest of any project
BY_START = ("started_ms", "status", "session_id", "prompt_name", "user_id", "error_count")  # theirs are ordered by time


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


LONG_HOURS = 168  # from here on a window is long: to look through it costs more than to look around its edges
FEW = 2_000  # matches that are read and sorted without a thought
RARE = 15_000  # spans of a model whose traces are listed first: to ask each trace of a window takes longer
COMPLETED = "completed"
FROM = {"latency_ms": "min_latency_ms", "cost_micros": "min_cost_micros"}  # filters from a value on


def trace_list(
    window: Window, filters: TraceFilter, *, few: bool = False, ids: Sequence[int] | None = None
) -> QuerySet[Trace]:
    """The matching traces of the window in a total order.

    few: whether at most FEW are known to match; ids: `ids_of_rare_model`.
    """
    by = found_by(window, filters, few=few, ids=ids)
    column, is_descending = ORDERS.get(filters.sort, ORDERS["newest"])
    in_order = column == by or (column == "started_ms" and by in BY_START and (by != "status" or is_one(window.reach)))
    value = F(column if in_order else f"own_{column}")
    order = value.desc(nulls_last=True if column == "latency_ms" else None) if is_descending else value.asc()
    # Traces of one millisecond stand as they do in the index that is read: by status its rows ascend.
    ascends = (filters.sort == "oldest") != (by == "status" and is_one(window.reach))
    return matching(window, filters, by=by, ids=ids).order_by(order, "id" if ascends else "-id")


def found_by(window: Window, filters: TraceFilter, *, few: bool, ids: Sequence[int] | None) -> str:
    """The column whose index leads to the traces with the fewest others in between.

    Whose traces they are narrows most. Of a long window few are found by what makes them few, many in their order:
    so many match that a page of them is soon together.
    """
    if ids is not None:
        return "id"
    named = [name for name in ("session_id", "prompt_name", "user_id") if getattr(filters, name)]
    if named:
        return named[0]
    if window.hours >= LONG_HOURS:
        column, _ = ORDERS.get(filters.sort, ORDERS["newest"])
        if not few and column in BY_VALUE:
            return column
        if few and (chosen := what_is_rare(filters)):
            return chosen[0]
    return "status" if filters.status and is_one(window.reach) else "started_ms"


def what_is_rare(filters: TraceFilter) -> list[str]:
    """The columns of the filters, beginning with what few traces are likely to have: most are completed."""
    usual = ["status"] * (filters.status == COMPLETED)
    unusual = ["error_count"] * filters.has_error + ["status"] * (filters.status not in ("", COMPLETED))
    return [*unusual, *(column for column, name in FROM.items() if getattr(filters, name) is not None), *usual]


def matching(window: Window, filters: TraceFilter, *, by: str, ids: Sequence[int] | None) -> QuerySet[Trace]:
    """The traces of the window that the filters let through, in no order. by: the column they are found by.

    SQLite, which guesses which index is best, is kept from the others.
    """
    rows = found_in_reach(window, Trace.objects.filter(is_known=True), by=by)
    rows = rows.alias(**{f"own_{name}": Unindexed(F(name)) for name in (*BY_VALUE, "started_ms", "status", "user_id")})
    bounds = [("started_ms", window.since_ms), *((column, getattr(filters, name)) for column, name in FROM.items())]
    for column, least in bounds:
        is_by = by == column or (column == "started_ms" and by in BY_START)
        if least is not None:
            rows = rows.filter(**{f"{column if is_by else f'own_{column}'}__gte": least})
    if window.ends_ms is not None:
        rows = rows.filter(**{f"{'' if by in BY_START else 'own_'}started_ms__lt": window.ends_ms})
    for name in ("status", "user_id"):
        if getattr(filters, name):
            rows = rows.filter(**{name if by == name else f"own_{name}": getattr(filters, name)})
    exact = ("session_id", "prompt_name", "prompt_version")
    rows = rows.filter(**{name: getattr(filters, name) for name in exact if getattr(filters, name)})
    if filters.has_error:
        rows = rows.filter(HasError(F("status"), F("error_count")))
    if ids is not None:
        return rows.filter(pk__in=ids)
    if window.model or window.provider:
        rows = rows.filter(uses_model(window))
    return rows


def found_in_reach(window: Window, rows: QuerySet[Trace], *, by: str) -> QuerySet[Trace]:
    """The traces of the reachable projects, as the index that they are found by has them."""
    if by in ("session_id", "prompt_name") or (by == "status" and not is_one(window.reach)):
        return in_reach(window.reach, rows)  # their indexes begin with the project
    if by in ("started_ms", "status"):
        return within(window, rows)
    return rows if window.reach.project_ids is None else rows.filter(of_projects(window.reach.project_ids))


class HasError(Func):
    """Whether a trace or one of its spans failed, in the words of the index `trace_by_error`: no parameter is one."""

    template = "(%(expressions)s > 0)"
    arg_joiner = " = 'error' OR "
    output_field = BooleanField()


def uses_model(window: Window) -> Exists:
    """Whether a trace has a span of the window's model and provider."""
    return Exists(of_model(window, Span.objects.filter(trace=OuterRef("pk"))))


def of_model(window: Window, spans: QuerySet[Span]) -> QuerySet[Span]:
    """Those of the window's model and provider."""
    spans = spans.filter(model=window.model) if window.model else spans
    return spans.filter(provider=window.provider) if window.provider else spans


def ids_of_rare_model(window: Window) -> list[int] | None:
    """The traces, of any time, with a span of the window's model; None when it has more than RARE, or is not asked for.

    In short windows each trace is asked instead. One query that counts no further, and one for the ids of few.
    """
    if not window.model or window.hours < LONG_HOURS:
        return None
    # Sorted as the index span_by_model is: with statistics, but none of this model, SQLite would read all spans.
    spans = in_reach(window.reach, Span.objects.filter(model=window.model)).order_by(
        "project_id", "model", "started_ms"
    )
    if spans.values("pk")[: RARE + 1].count() > RARE:
        return None
    return sorted(set(of_model(window, spans).values_list("trace_id", flat=True)[:RARE]))


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
    return rows.filter(of_projects(window.reach.project_ids))


def of_projects(project_ids: Collection[str]) -> Any:
    """Whether a row is of one of these projects, which no index is to be chosen for."""
    return In(Unindexed(F("project_id")), project_ids)


def trace_total(
    window: Window, filters: TraceFilter, *, at_most: int | None = None, ids: Sequence[int] | None = None
) -> int:
    """How many traces match. One query; read from the rollups, which are exact, where they know the filters.

    at_most: where to stop counting what must be counted row by row; ids: as for `trace_list`.
    """
    by = counted_by(window, filters)
    if by is not None:
        table, amount, where = by
        rows = window.own(table.objects.filter(**window.bounds("hour_ms"), **where))
        return rows.aggregate(total=Sum(amount))["total"] or 0
    column = found_by(window, replace(filters, sort="newest"), few=True, ids=ids)
    found = matching(window, filters, by=column, ids=ids)
    return found.count() if at_most is None else found[:at_most].count()


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

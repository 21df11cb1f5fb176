"""Traces as a list and one by one (contract 8.5.5, 8.5.6)."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan, In

from bloop_site.lib.db import Unindexed
from llmtraces.models import PromptHour, SessionHour, Span, Trace, TraceHour, TraceText
from llmtraces.queries.window import Row, Window, in_reach
from llmtraces.used_models import sought
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
NAMED = ("session_id", "prompt_name", "user_id")  # theirs with who or what the traces are of, then ordered by time


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


LONG_HOURS = 168  # from here on a window is long: to look through the traces of any time costs less than through it
FROM = {"latency_ms": "min_latency_ms", "cost_micros": "min_cost_micros"}  # filters from a value on
# Two indexes tell all that lists ask but names: trace_by_start and, of all projects in one order, trace_by_age.
BY_TIME = "started_ms"  # found in the second one unless there is one project: in order, so it ends early
WITHIN = "project_id"  # found in the first, project after project: nothing is read of others


def trace_ids(window: Window, filters: TraceFilter, *, limit: int, offset: int = 0) -> list[int]:
    """The keys of the matching traces in a total order, at most `limit` after `offset`. One query, of indexes alone
    but where traces are found by `NAMED`: a window of 200,000 traces is looked through in 30 ms, whatever is asked.
    """
    keys: list[int] = list(trace_list(window, filters).values_list("pk", flat=True)[offset : offset + limit])
    return keys


def traces_of(ids: Sequence[int]) -> list[Trace]:
    """These traces in this order, with their projects; one query."""
    rows = Trace.objects.select_related("project").in_bulk(list(ids))
    return [rows[pk] for pk in ids if pk in rows]


def trace_list(window: Window, filters: TraceFilter) -> QuerySet[Trace]:
    """The matching traces of the window in a total order."""
    by = found_by(window, filters)
    column, is_descending = ORDERS.get(filters.sort, ORDERS["newest"])
    in_order = column == by or (column == BY_TIME and by in (BY_TIME, *NAMED))
    value = F(column) if in_order else F(column) + 0  # neither database then takes another index for its order
    order = value.desc(nulls_last=True if column == "latency_ms" else None) if is_descending else value.asc()
    return matching(window, filters, by=by).order_by(order, "id" if filters.sort == "oldest" else "-id")


def found_by(window: Window, filters: TraceFilter) -> str:
    """The column whose index leads to the traces with the fewest others in between: whose they are narrows most.

    A list that is sorted by a value is read in its order when nothing else narrows it. Else the matches may all be at
    its end, a cheap model's when the most expensive come first, so each trace of the window is asked.
    """
    named = [name for name in NAMED if getattr(filters, name)]
    if named:
        return named[0]
    narrowed = narrowed_by(window, filters)
    column, _ = ORDERS.get(filters.sort, ORDERS["newest"])
    if column in BY_VALUE and window.hours >= LONG_HOURS and narrowed <= {FROM.get(column, "")}:
        return column
    return BY_TIME if column == BY_TIME or is_one(window.reach) else WITHIN


def matching(window: Window, filters: TraceFilter, *, by: str) -> QuerySet[Trace]:
    """The traces of the window that the filters let through, in no order. by: the column they are found by.

    SQLite, which guesses which index is best, is kept from the others.
    """
    rows = found_in_reach(window, Trace.objects.all(), by=by)
    rows = rows if by in NAMED else rows.filter(is_known=True)  # what is not known yet has no names
    rows = rows.alias(**{f"own_{name}": Unindexed(F(name)) for name in (*BY_VALUE, "started_ms", "status", "user_id")})
    # A prompt's index is ordered by version before time: of all versions, SQLite would take one that is by time.
    is_by_time = by not in BY_VALUE and (by != "prompt_name" or filters.prompt_version != "")
    bounds = [("started_ms", window.since_ms), *((column, getattr(filters, name)) for column, name in FROM.items())]
    for column, least in bounds:
        if least is not None:
            is_by = by == column or (column == "started_ms" and is_by_time)
            rows = rows.filter(**{f"{column if is_by else f'own_{column}'}__gte": least})
    if window.ends_ms is not None:
        rows = rows.filter(**{f"{'' if is_by_time else 'own_'}started_ms__lt": window.ends_ms})
    for name in ("status", "user_id"):
        if getattr(filters, name):
            rows = rows.filter(**{name if by == name else f"own_{name}": getattr(filters, name)})
    exact = ("session_id", "prompt_name", "prompt_version")
    rows = rows.filter(**{name: getattr(filters, name) for name in exact if getattr(filters, name)})
    if filters.has_error:
        rows = rows.filter(Q(("own_status", "error")) | Q(error_count__gt=0))
    return rows.filter(uses_model(window)) if window.model or window.provider else rows


def found_in_reach(window: Window, rows: QuerySet[Trace], *, by: str) -> QuerySet[Trace]:
    """The traces of the reachable projects, as the index that they are found by has them."""
    if by in ("session_id", "prompt_name", WITHIN):
        return in_reach(window.reach, rows)  # their indexes begin with the project
    if by == BY_TIME:
        return within(window, rows)
    return rows if window.reach.project_ids is None else rows.filter(of_projects(window.reach.project_ids))


def uses_model(window: Window) -> Q:
    """Whether a span of the trace is of the window's model and provider: its `used_models` say so.

    The few without are asked for as one set: for an EXISTS beside an OR, PostgreSQL reads all spans.
    """
    spans = Span.objects.filter(model=window.model) if window.model else Span.objects.all()
    spans = spans.filter(provider=window.provider) if window.provider else spans
    text = sought(window.model, window.provider)
    if text is None:
        return Q(Exists(spans.filter(trace=OuterRef("pk"))))
    untold = spans.filter(trace__used_models=None).values("trace_id")
    return Q(GreaterThan(StrIndex("used_models", Value(text)), 0)) | Q(pk__in=untold)


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


def trace_total(window: Window, filters: TraceFilter) -> int:
    """How many traces match. One query; read from the rollups, which are exact, where they know the filters."""
    by = counted_by(window, filters)
    if by is not None:
        table, amount, where = by
        rows = window.own(table.objects.filter(**window.bounds("hour_ms"), **where))
        return rows.aggregate(total=Sum(amount))["total"] or 0
    by_name = found_by(window, filters)
    return matching(window, filters, by=by_name if by_name in NAMED else WITHIN).count()


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

"""The rows of the Traces page: a page of what matches, with the models of each trace."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bloop_site.lib.pagination import Page, page_of
from llmtraces.models import Span, Trace
from llmtraces.queries.traces import TraceFilter, trace_ids, traces_of
from llmtraces.queries.window import Window

PAGE_SIZE = 50
MOST_LISTED = 2_000
MOST_EXPORTED = 10_000
MODELS_A_ROW = 5


@dataclass(frozen=True)
class TraceRow:
    """A trace and the models its spans used, by name."""

    trace: Trace
    models: tuple[str, ...]


def trace_rows(window: Window, filters: TraceFilter, *, wanted: str | None) -> tuple[Page, list[TraceRow]]:
    """The page asked for, in three queries.

    Beyond 2,000 matches it says "more than" and later pages do not exist.
    """
    ids = trace_ids(window, filters, limit=MOST_LISTED + 1)
    page = page_of(wanted=wanted, size=PAGE_SIZE, total=min(len(ids), MOST_LISTED), more=len(ids) > MOST_LISTED)
    return page, with_models(traces_of(ids[page.offset : min(page.offset + PAGE_SIZE, MOST_LISTED)]))


def exported_rows(window: Window, filters: TraceFilter) -> Iterator[TraceRow]:
    """The first 10,000 matches, fetched by the thousand."""
    ids = trace_ids(window, filters, limit=MOST_EXPORTED)
    for start in range(0, len(ids), 1_000):
        yield from with_models(traces_of(ids[start : start + 1_000]))


def with_models(traces: Sequence[Trace]) -> list[TraceRow]:
    """The traces with their models, in one query for all of them."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    spans = Span.objects.filter(trace__in=[trace.pk for trace in traces]).exclude(model="")
    for trace_pk, model in spans.order_by("trace_id", "model").values_list("trace_id", "model").distinct():
        if len(found[trace_pk]) < MODELS_A_ROW:
            found[trace_pk].append(model)
    return [TraceRow(trace, tuple(found[trace.pk])) for trace in traces]

"""The rows of the Traces page: a page of what matches, with the models of each trace."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bloop_site.lib.pagination import Page, page_of
from llmtraces.models import Span, Trace
from llmtraces.queries.traces import FEW, TraceFilter, ids_of_rare_model, trace_list, trace_total
from llmtraces.queries.window import Window

PAGE_SIZE = 50
MOST_LISTED = FEW
MOST_EXPORTED = 10_000
MODELS_A_ROW = 5


@dataclass(frozen=True)
class TraceRow:
    """A trace and the models its spans used, by name."""

    trace: Trace
    models: tuple[str, ...]


def trace_rows(window: Window, filters: TraceFilter, *, wanted: str | None) -> tuple[Page, list[TraceRow]]:
    """The page asked for, in three queries; in a long window of a model in up to two more.

    Beyond 2,000 matches it says "more than" and later pages do not exist.
    """
    ids = ids_of_rare_model(window)
    total = trace_total(window, filters, at_most=MOST_LISTED + 1, ids=ids)
    page = page_of(wanted=wanted, size=PAGE_SIZE, total=min(total, MOST_LISTED), more=total > MOST_LISTED)
    found = trace_list(window, filters, few=total <= FEW, ids=ids).select_related("project")
    traces = found[page.offset : page.offset + PAGE_SIZE]
    return page, with_models(list(traces))


def exported_rows(window: Window, filters: TraceFilter) -> Iterator[TraceRow]:
    """The first 10,000 matches, their models fetched by the thousand."""
    traces = list(trace_list(window, filters, ids=ids_of_rare_model(window)).select_related("project")[:MOST_EXPORTED])
    for start in range(0, len(traces), 1_000):
        yield from with_models(traces[start : start + 1_000])


def with_models(traces: Sequence[Trace]) -> list[TraceRow]:
    """The traces with their models, in one query for all of them."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    spans = Span.objects.filter(trace__in=[trace.pk for trace in traces]).exclude(model="")
    for trace_pk, model in spans.order_by("trace_id", "model").values_list("trace_id", "model").distinct():
        if len(found[trace_pk]) < MODELS_A_ROW:
            found[trace_pk].append(model)
    return [TraceRow(trace, tuple(found[trace.pk])) for trace in traces]

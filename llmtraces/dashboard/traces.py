"""The Traces page: all traces that match, each opening in place to its span tree."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from accounts.http import PageRequest
from bloop_site.lib.links import Chip, page_links, with_query
from bloop_site.lib.pages import wants_csv, wants_part
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.dashboard.trace_forms import CONTROLS, SORTS, STATUSES, TraceFilterForm
from llmtraces.dashboard.trace_view import status_tone, tree_view
from llmtraces.dashboard.traced import trace_or_404
from llmtraces.links import place_of, trace_url
from llmtraces.queries.trace_rows import TraceRow, exported_rows, trace_rows

OPENED_ROWS = 50  # of a tree that opens within the list
MORE = ("session_id", "user_id", "prompt_name", "prompt_version", "min_cost", "min_latency")
HEADER = (
    "id",
    "project",
    "name",
    "status",
    "models",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_micros",
    "latency_ms",
    "span_count",
    "error_count",
    "session_id",
    "user_id",
    "prompt_name",
    "prompt_version",
    "started_at",
    "ended_at",
)


@llm_page
def traces(request: PageRequest) -> HttpResponseBase:
    """All traces that match, 50 a page; as CSV the first 10,000."""
    shell = shell_of(request)
    form = TraceFilterForm(request.GET)
    form.is_valid()
    filters = form.filters()
    if wants_csv(request):
        return csv_answer(shell, "traces", HEADER, cells(exported_rows(shell.window, filters)))
    page, rows = trace_rows(shell.window, filters, wanted=request.GET.get("page"))
    context = {
        "rows": [listed(row) for row in rows],
        "page": page_links(request.GET, page),
        "form": form,
        "controls": CONTROLS,
        "statuses": STATUSES if filters.status in dict(STATUSES) else (*STATUSES, (filters.status, filters.status)),
        "status": filters.status,
        "sorts": SORTS,
        "sort": form.order,
        "more_open": any(request.GET.get(name) for name in MORE),
        "chips": chips_of(shell, form),
        "clear_all_url": with_query(shell.query, **dict.fromkeys((*CONTROLS, "model", "provider", "page"))),
    }
    return answer(request, shell, "llm/traces.html", context)


def listed(row: TraceRow) -> dict[str, Any]:
    """What the list shows of a trace."""
    slug, trace_id = row.trace.project.slug, row.trace.trace_id
    return {
        "trace": row.trace,
        "models": row.models,
        "tone": status_tone(row.trace.status),
        "url": trace_url(slug, trace_id),
        "tree_url": place_of("trace-tree", slug, id=trace_id),
    }


def chips_of(shell: Shell, form: TraceFilterForm) -> list[Chip]:
    """One chip for each filter of the page's own in force; the order is none."""
    chips = []
    for name in CONTROLS[:-1]:
        value = form.cleaned_data.get(name)
        if value not in (None, "", False):
            shown = "yes" if value is True else str(value)
            chips.append(Chip(str(form[name].label), shown, with_query(shell.query, **{name: None, "page": None})))
    return chips


def cells(rows: Iterable[TraceRow]) -> Iterator[tuple[object, ...]]:
    """The rows of the download, in the order of HEADER."""
    for trace, models in ((row.trace, row.models) for row in rows):
        yield (
            trace.trace_id,
            trace.project.slug,
            trace.name,
            trace.status,
            " ".join(models),
            trace.input_tokens,
            trace.output_tokens,
            trace.total_tokens,
            trace.cost_micros,
            trace.latency_ms,
            trace.span_count,
            trace.error_count,
            trace.session_id,
            trace.user_id,
            trace.prompt_name,
            trace.prompt_version,
            trace.started_ms,
            trace.ended_ms,
        )


@llm_page
def trace_tree(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """The span tree of a trace for its row in the list; without htmx the page of the trace."""
    trace = trace_or_404(request, project_slug)
    if not wants_part(request):
        return redirect(trace_url(project_slug, trace.trace_id))
    view = tree_view(trace, selected=None, start=0, size=OPENED_ROWS)
    return render(request, "llm/_opened.html", {"trace": trace, "view": view, "url": view.url})

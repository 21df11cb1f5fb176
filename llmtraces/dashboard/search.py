"""The Search page: traces by the words of their names and texts, with the place where these were found."""

from typing import Any

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.clock import HOUR_MS, hour_of
from bloop_site.lib.highlights import Piece
from bloop_site.lib.links import Choice, page_links, with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.pagination import page_of
from llmtraces.dashboard.shell import HOURS, Shell, answer, csv_answer, last_hours_url, llm_page, shell_of
from llmtraces.dashboard.trace_forms import STATUSES
from llmtraces.dashboard.trace_view import status_tone
from llmtraces.dashboard.traces import HEADER, cells
from llmtraces.links import trace_url
from llmtraces.models import Trace
from llmtraces.queries.search import matches
from llmtraces.queries.search_snippets import Find, finds
from llmtraces.queries.trace_rows import with_models
from llmtraces.queries.traces import traces_of

PAGE = 50
LONGEST = 200  # characters that the search box takes


@llm_page
def search(request: PageRequest) -> HttpResponseBase:
    """The traces that the words of `q` find, of `status` if one is named; as CSV all that can be listed."""
    shell = shell_of(request)
    text, status = request.GET.get("q", "").strip()[:LONGEST], request.GET.get("status", "")
    if wants_csv(request):
        found = traces_of(matches(shell.window, text, status=status).ids)
        return csv_answer(shell, "search", HEADER, cells(with_models(found)))
    context: dict[str, Any] = {
        "q": text,
        "status": status,
        "statuses": STATUSES if status in dict(STATUSES) else (*STATUSES, (status, status)),
        "any_status_url": with_query(shell.query, status=None, page=None) if status else None,
        "wider": wider(shell),
    }
    if text:
        context |= results(shell, text, status, wanted=request.GET.get("page"))
    return answer(request, shell, "llm/search.html", context)


def results(shell: Shell, text: str, status: str, *, wanted: str | None) -> dict[str, Any]:
    """A page of what was found."""
    found = matches(shell.window, text, status=status)
    page = page_of(wanted=wanted, size=PAGE, total=len(found.ids), more=found.more)
    traces = traces_of(found.ids[page.offset : page.offset + PAGE])
    how = finds(traces, found.words)
    return {
        "rows": [row_of(trace, how.get(trace.pk)) for trace in traces],
        "page": page_links(shell.query, page),
        "has_words": bool(found.words),
    }


def row_of(trace: Trace, find: Find | None) -> dict[str, Any]:
    """What the list shows of a trace: its name, marked if it was found there, else the place and its text."""
    title = trace.name or trace.trace_id
    in_name = find is not None and find.place == "name"
    return {
        "trace": trace,
        "url": trace_url(trace.project.slug, trace.trace_id),
        "tone": status_tone(trace.status),
        "title": find.pieces if find and in_name else (Piece(title[:300], hit=False),),
        "find": None if in_name else find,
    }


def wider(shell: Shell) -> Choice | None:
    """The next longer window; of chosen hours the shortest that reaches back to them."""
    back = (hour_of(shell.now_ms) - shell.window.since_ms) // HOUR_MS
    for hours, label in HOURS:
        if hours > back:
            return Choice(label, last_hours_url(shell, hours), is_current=False)
    return None

"""What every page of the section shares: projects, window, model and provider from the address, and how it answers."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, wraps
from io import StringIO
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import from_ms, now_ms
from bloop_site.lib.links import Chip, Choice, number_in, with_query
from bloop_site.lib.zoom import MAX_HOURS, Zoom, zoom_in
from llmtraces.queries.views import PAGES, kept_query, saved_views
from llmtraces.queries.window import Window, names_in
from projects.access import Reach, reach_of_slug

HOURS = ((1, "1 h"), (6, "6 h"), (24, "24 h"), (168, "7 d"), (720, "30 d"))
USUAL_HOURS = 24
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run when a cell begins with it
OWN = ("model", "provider", "page", "format")  # controls of the form of filters, and what is about one answer
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Shell:
    """What the page is about. query: the address; window: with the model and provider that were chosen."""

    query: QueryDict
    reach: Reach
    window: Window
    now_ms: int
    zoom: Zoom | None = None

    @property
    def project_slug(self) -> str:
        """Of the chosen project, "" for all."""
        return self.query.get("project", "")

    @property
    def window_query(self) -> dict[str, str]:
        """The parameters that stand for the window in an address."""
        return self.zoom.query if self.zoom else {"hours": str(self.window.hours)}


def when_enabled(view: View) -> View:
    """A view that does not exist while `llm_tracing.enabled` is off."""

    @wraps(view)
    def enabled(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.BLOOP.llm_tracing.enabled:
            msg = "LLM tracing is switched off"
            raise Http404(msg)
        return view(request, *args, **kwargs)

    return enabled


def llm_page(view: View) -> View:
    """A page that is read: GET and HEAD; whole or, to htmx, in part; asked for again before it is shown again."""
    fresh = cache_control(private=True, no_cache=True)(vary_on_headers("HX-Request")(view))
    return when_enabled(require_safe(fresh))


def shell_of(request: PageRequest) -> Shell:
    """Read the address: `project`, `hours` (1 to 720, else 24) or chosen ones, `model`, `provider`.

    Raises Http404 for the project.
    """
    now, zoom = now_ms(), zoom_in(request.GET)
    reach = reach_of_slug(request.user, request.GET.get("project"))
    window = Window(
        reach=reach,
        hours=zoom.hours if zoom else hours_of(request.GET),
        now_ms=now,
        model=request.GET.get("model", ""),
        provider=request.GET.get("provider", ""),
        ends_ms=zoom.end_ms if zoom else None,
    )
    return Shell(request.GET, reach, window, now, zoom)


def hours_of(query: QueryDict) -> int:
    """The hours asked for, held within 1 to 720; nonsense means a day."""
    hours = number_in(query.get("hours"))
    return USUAL_HOURS if hours is None else min(max(hours, 1), MAX_HOURS)


def wants_part(request: PageRequest) -> bool:
    """Whether htmx asks for the part `results` of the page."""
    return bool(request.htmx and not request.htmx.history_restore_request)


def answer(request: PageRequest, shell: Shell, template: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or its partial `results` for htmx. The frame of the section costs one query."""
    if wants_part(request):
        template = f"{template}#results"
    framed = frame_context(shell, page=page_of_request(request), controls=context.get("controls", ()))
    # A page with filters of its own tells their chips after those of the section.
    framed["chips"] += context.get("chips", [])
    return render(request, template, {**context, **framed})


def page_of_request(request: PageRequest) -> str:
    """The page's name among `llm:…`."""
    return request.resolver_match.url_name or "" if request.resolver_match else ""


def chips(shell: Shell, *more: tuple[str, str, str]) -> list[Chip]:
    """The filters in force: model, provider, then `more` as (parameter, label, value); what is empty is left out."""
    known = (("model", "Model", shell.window.model), ("provider", "Provider", shell.window.provider), *more)
    return [
        Chip(label, value, with_query(shell.query, **{name: None, "page": None}))
        for name, label, value in known
        if value
    ]


def kept(shell: Shell, controls: Sequence[str]) -> list[tuple[str, str]]:
    """What the form of filters keeps of the address: all but its own controls, and the number of the page."""
    return [(name, shell.query.get(name, "")) for name in shell.query if name not in {*OWN, *controls}]


def frame_context(shell: Shell, *, page: str = "", controls: Sequence[str] = ()) -> dict[str, Any]:
    """What `llm/base.html` shows around the page. controls: names of the filters that the page adds."""
    names = cache(lambda: names_in(shell.window))  # asked for only where the filters are drawn
    return {
        "shell": shell,
        "chips": chips(shell),
        "kept": kept(shell, controls),
        "views": saved_views(shell.reach) if shell.project_slug and page in PAGES else None,
        "view_page": page,
        "view_query": kept_query(shell.query),
        "zoom_chips": [shell.zoom.chip(shell.query)] if shell.zoom else [],
        "windows": [
            Choice(label, last_hours_url(shell, each), not shell.zoom and each == shell.window.hours)
            for each, label in HOURS
        ],
        "models": lambda: sorted({name for name, _ in names()} | {shell.window.model} - {""}),
        "providers": lambda: sorted({name for _, name in names()} | {shell.window.provider} - {""}),
        "clear_url": with_query(shell.query, model=None, provider=None, page=None),
        "refresh_url": with_query(shell.query),
        "csv_url": with_query(shell.query, format="csv"),
        "show_project": not shell.project_slug,
    }


def last_hours_url(shell: Shell, hours: int) -> str:
    """The page with the last `hours` as its window; chosen ones are given up."""
    return with_query(shell.query, hours=str(hours), **dict.fromkeys(("from", "to", "page")))


def wants_csv(request: PageRequest) -> bool:
    """Whether the address asks for the table as CSV."""
    return request.GET.get("format") == "csv"


def csv_answer(shell: Shell, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A download `bloop-llm-<name>-<date>.csv`, UTF-8. Text that a spreadsheet would take for a formula is quoted."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([plain_cell(cell) for cell in row] for row in rows)
    at = from_ms(shell.now_ms).strftime("%Y-%m-%d")
    disposition = f'attachment; filename="bloop-llm-{name}-{at}.csv"'
    return HttpResponse(
        text.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def plain_cell(cell: object) -> object:
    """The cell, with an apostrophe before text that begins like a formula."""
    if isinstance(cell, str):
        cell = cell.encode(errors="replace").decode()
        return f"'{cell}" if cell.startswith(FORMULA) else cell
    return "" if cell is None else cell


def iso(ms: int | None) -> str | None:
    """An instant for a CSV file: ISO 8601, UTC; nothing of none."""
    return None if ms is None else from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dollars(micros: int) -> str:
    """Microdollars as dollars for a CSV file, exact and without a sign a spreadsheet would have to know."""
    return f"{Decimal(micros).scaleb(-6):.6f}"

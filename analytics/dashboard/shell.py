"""What every page of the section shares: projects, window, environment from the address, and how it answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render

from accounts.http import PageRequest
from accounts.models import User
from analytics import cached
from analytics.answers import MAX_HOURS, MAX_LIMIT, USUAL_HOURS, USUAL_LIMIT, Ask
from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from bloop_site.lib.csv_files import csv_file
from bloop_site.lib.links import Chip, Choice, with_query
from bloop_site.lib.pages import View, kept_fields, read_only, wants_part, whole_in
from bloop_site.lib.zoom import Zoom, zoom_in
from projects.access import reach_of_slug, visible_projects

HOURS = ((24, "24 h"), (72, "72 h"), (168, "7 d"), (336, "14 d"), (720, "30 d"))
MAX_ENVIRONMENT = 128  # characters, as an event may have
OWN = ("environment", "open", "format")  # the control of the form of filters, and what is about one answer


@dataclass(frozen=True)
class Shell:
    """What the page is about. query: the address; ask: what it asks; zoom: the hours, where some were chosen."""

    query: QueryDict
    user: User
    ask: Ask
    zoom: Zoom | None = None

    @property
    def project_slug(self) -> str:
        """Of the chosen project, "" for all."""
        return self.query.get("project", "")

    @property
    def span_words(self) -> str:
        """The window's length: "72 hours", "7 days"."""
        return span_words(self.ask.hours)

    @property
    def window_words(self) -> str:
        """Which hours they are: "the last 72 hours", "these 2 hours"."""
        if self.zoom and self.ask.hours == 1:
            return "this hour"
        return f"{'these' if self.zoom else 'the last'} {self.span_words}"

    @property
    def open_key(self) -> str:
        """The row whose chart is open, as the address names it."""
        return self.query.get("open", "")

    @cached_property
    def project_names(self) -> Mapping[str, str]:
        """Of each project the person may see, by slug."""
        return dict(visible_projects(self.user).values_list("slug", "name"))

    @cached_property
    def environments(self) -> Mapping[str, int]:
        """The events of all environments of the window, whichever is chosen, the busiest first."""
        return cached.environment_totals(self.ask)

    @property
    def events(self) -> int:
        """Events of the window, in the environment if one is chosen."""
        totals = self.environments
        return totals.get(self.ask.environment, 0) if self.ask.environment else sum(totals.values())

    @property
    def environment_names(self) -> list[str]:
        """What the filter offers, by name."""
        return sorted({*list(self.environments)[:MAX_LIMIT], self.ask.environment} - {""})


def span_words(hours: int) -> str:
    """Hours in words: "72 hours", "7 days"."""
    if hours > 72 and hours % 24 == 0:
        return f"{hours // 24} days"
    return "hour" if hours == 1 else f"{hours} hours"


def insights_page(view: View) -> View:
    """A page that is read; it does not exist while `analytics.enabled` is off."""
    page = read_only(view)

    @wraps(view)
    def enabled(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.BLOOP.analytics.enabled:
            msg = "Insights are switched off"
            raise Http404(msg)
        return page(request, *args, **kwargs)

    return enabled


def shell_of(request: PageRequest) -> Shell:
    """Read the address: `project`, `hours` (1 to 720, else 72) or chosen ones, `limit` (1 to 100, else 20).

    And `environment`. Raises Http404 for the project.
    """
    now = now_ms()
    zoom = zoom_of(request.GET, now_ms=now)
    ask = Ask(
        reach=reach_of_slug(request.user, request.GET.get("project")),
        hours=zoom.hours if zoom else whole_in(request.GET, "hours", usual=USUAL_HOURS, most=MAX_HOURS),
        now_ms=now,
        limit=whole_in(request.GET, "limit", usual=USUAL_LIMIT, most=MAX_LIMIT),
        environment=request.GET.get("environment", "").replace("\x00", "\ufffd")[:MAX_ENVIRONMENT],
        ends_ms=zoom.end_ms if zoom else None,
    )
    return Shell(request.GET, request.user, ask, zoom)


def zoom_of(query: QueryDict, *, now_ms: int) -> Zoom | None:
    """The chosen hours of the address, as far as they lie where every page can look; else None."""
    zoom = zoom_in(query)
    if zoom is None:
        return None
    start_ms, end_ms = max(zoom.start_ms, oldest_ms(now_ms)), min(zoom.end_ms, hour_of(now_ms) + HOUR_MS)
    return Zoom(start_ms, end_ms) if start_ms < end_ms else None


def oldest_ms(now_ms: int) -> int:
    """The first hour that can be chosen, that of the longest window: what lies before is kept for comparison only."""
    return hour_of(now_ms) - (MAX_HOURS - 1) * HOUR_MS


def starts_of(hours: int, *, last_ms: int) -> tuple[int, ...]:
    """The starts of so many clock hours, the one that holds `last_ms` the last."""
    last = hour_of(last_ms)
    return tuple(range(last - (hours - 1) * HOUR_MS, last + 1, HOUR_MS))


def answer(
    request: PageRequest, shell: Shell, template: str, context: dict[str, Any], *, at_ms: int, shown: int = 0
) -> HttpResponse:
    """The page, or its partial `results` for htmx. at_ms: when it was worked out; shown: how many rows."""
    if wants_part(request):
        template = f"{template}#results"
    frame = frame_context(shell, at_ms=at_ms, is_cut=shown >= shell.ask.limit < MAX_LIMIT)
    return render(request, template, {**frame, **context})


def frame_context(shell: Shell, *, at_ms: int, is_cut: bool) -> dict[str, Any]:
    """What `analytics/base.html` shows around the page."""
    query, environment = shell.query, shell.ask.environment
    without = with_query(query, environment=None, open=None)
    return {
        "shell": shell,
        "chips": [Chip("Environment", environment, without)] if environment else [],
        "clear_url": without,
        "kept": kept_fields(query, OWN),
        "windows": [
            Choice(label, last_hours_url(shell, each), not shell.zoom and each == shell.ask.hours)
            for each, label in HOURS
        ],
        "zoom_chips": [shell.zoom.chip(query)] if shell.zoom else [],
        "environments": lambda: shell.environment_names,  # asked for only where the filter is drawn
        "csv_url": with_query(query, format="csv"),
        "show_project": not shell.project_slug,
        "at_ms": at_ms,
        "kept_secs": settings.BLOOP.analytics.cache_ttl_secs,
        "more_url": with_query(query, limit=str(MAX_LIMIT), open=None) if is_cut else "",
        "most_rows": MAX_LIMIT,
    }


def last_hours_url(shell: Shell, hours: int) -> str:
    """The page with the last `hours` as its window; chosen ones are given up."""
    return with_query(shell.query, hours=str(hours), **dict.fromkeys(("from", "to", "open")))


def csv_answer(shell: Shell, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A download `bloop-insights-<name>-<date>.csv`."""
    return csv_file(f"insights-{name}", header, rows, at_ms=shell.ask.now_ms)

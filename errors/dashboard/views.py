"""The Errors page: the list of issues and its stats bar."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import Chip, page_links, with_query
from bloop_site.templatetags.ui import visible
from errors.dashboard.bulk import BULK_ACTIONS, change_named, ids_of, list_url, nothing_selected, run, shown_work
from errors.dashboard.forms import DEFAULTS, SORTS, STATUSES, IssueFilterForm
from errors.dashboard.start import refused_notice, start_context
from errors.dashboard.windows import choices_of, window_of, zoom_chips
from errors.queries import issues, stats, trends
from errors.queries.snippets import with_finds
from errors.queries.trends import Trend
from errors.services.bulk import start_bulk
from projects.access import Reach, reach_of_slug

PAGE_SIZE = 25
WINDOW_FIELDS = ("hours", "from", "to")
CHIP_LABELS = {"release": "Release", "environment": "Environment", "source": "Source", "route": "Route", "q": "Text"}


@dataclass(frozen=True)
class Sort:
    """An order of the list and its address."""

    url: str
    is_current: bool


def selected_reach(request: PageRequest, query: QueryDict | None = None) -> Reach:
    """What the page shows: the project of `?project=` (404 if it is not the user's), else all the user may see.

    query: instead of the request's own.
    """
    return reach_of_slug(request.user, (request.GET if query is None else query).get("project"))


def trend_data(trend: Trend) -> dict[str, Any]:
    """The trend as the chart reads it."""
    return {
        "hours": [hour.hour_ms for hour in trend.hours],
        "counts": [hour.count for hour in trend.hours],
        "releases": [{"at": mark.first_seen_ms, "label": visible(mark.release)} for mark in trend.releases],
    }


def chips_of(query: QueryDict, form: IssueFilterForm) -> list[Chip]:
    """One chip for each filter that differs from its default."""
    chips = [
        Chip(label, form.value(name), with_query(query, **{name: None, "page": None}))
        for name, label in CHIP_LABELS.items()
        if form.value(name)
    ]
    status = form.value("status")
    if status != DEFAULTS["status"]:
        chips.insert(0, Chip("Status", dict(STATUSES)[status], with_query(query, status=None, page=None)))
    return chips


# A browser that keeps the page asks before it shows it again: "Dashboard shows stale data" (seed, Troubleshooting).
fresh = cache_control(private=True, no_cache=True)


@require_safe
@fresh
@vary_on_headers("HX-Request")
def issue_list(request: PageRequest) -> HttpResponse:
    """The Errors page; htmx gets the results alone."""
    reach, now = selected_reach(request), now_ms()
    form = filter_form(request.GET)
    context = with_onboarding(request, reach, lambda: results_context(request, request.GET, form, reach, now=now_ms()))
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "errors/issue_list.html#results", context)
    filters = form.filters()
    trend = trends.project_trend(
        reach, window_of(request.GET, now_ms=now), environment=filters.environment, source=filters.source
    )
    context.update(
        stats=stats.stats(reach, now_ms=now),
        stats_url=reverse("errors:stats") + with_query(QueryDict(), project=request.GET.get("project")),
        trend=trend,
        trend_data=trend_data(trend),
        refused=refused_notice(request, reach, now=now),
        windows=choices_of(request.GET),
        zoom_chips=zoom_chips(request.GET),
        window_fields=[(name, request.GET[name]) for name in WINDOW_FIELDS if name in request.GET],
    )
    return render(request, "errors/issue_list.html", context)


def filter_form(query: QueryDict) -> IssueFilterForm:
    """The filters of a query string, validated."""
    form = IssueFilterForm({**DEFAULTS, **{name: value for name, value in query.items() if value}})
    form.is_valid()
    return form


def results_context(
    request: PageRequest, query: QueryDict, form: IssueFilterForm, reach: Reach, *, now: int
) -> dict[str, Any]:
    """The list itself: its rows, what they were narrowed by, its page and orders, what can be done with them."""
    filters = form.filters()
    listed = issues.issue_page(reach, filters, wanted=query.get("page"), size=PAGE_SIZE, now_ms=now)
    chips = chips_of(query, form)
    return {
        "form": form,
        "chips": chips,
        "has_filters": bool(chips),
        "clear_url": with_query(QueryDict(), project=query.get("project")),
        "rows": with_finds(listed.rows, filters.text) if filters.text else listed.rows,
        "page": page_links(query, listed.page),
        "sorts": {name: Sort(with_query(query, sort=name, page=None), name == filters.sort) for name, _ in SORTS},
        "query": query.urlencode(),
        "bulk_actions": BULK_ACTIONS,
        "work": shown_work(request, now=now),
        "show_project": not query.get("project"),
        "project_slug": query.get("project", ""),
        # The frame around a page, and words in it, are those of the address.
        "project_query": with_query(QueryDict(), project=query.get("project")).rstrip("?"),
    }


def with_onboarding(request: PageRequest, reach: Reach, listed: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The list, whether anything ever came in, asked only when it is empty; and if not, how to begin.

    listed: reads the list. It is read again if the first event came in meanwhile.
    """
    context = listed()
    if context["rows"] or issues.has_any_issue(reach):
        return {**context, "any_events": True}
    start = start_context(request, reach, now=now_ms())
    return {**listed(), "any_events": True} if start["arrived"] else {**context, "any_events": False, **start}


@require_safe
@fresh
def stats_bar(request: PageRequest) -> HttpResponse:
    """The stats bar alone, fetched every 30 seconds."""
    figures = stats.stats(selected_reach(request), now_ms=now_ms())
    query = with_query(QueryDict(), project=request.GET.get("project"))
    context = {"stats": figures, "stats_url": reverse("errors:stats") + query}
    return render(request, "errors/issue_list.html#stats", context)


@require_POST
def bulk(request: PageRequest) -> HttpResponse:
    """Change the ticked issues, or all that match; htmx gets the list as it is then, a plain form is led back to it."""
    query = QueryDict(request.POST.get("query", ""))
    reach, form, now = selected_reach(request, query), filter_form(query), now_ms()
    change = change_named(request.POST.get("action"))
    filters = form.filters() if "query" in request.POST and not form.errors else None
    ids = None if filters and "matching" in request.POST else ids_of(request.POST)
    if ids == []:
        return nothing_selected(request, query.urlencode())
    made = start_bulk(user_id=request.user.pk, reach=reach, change=change, now_ms=now, ids=ids, filters=filters)
    run(made.pk)
    if not request.htmx:
        return redirect(list_url(query.urlencode()))
    context = with_onboarding(request, reach, lambda: results_context(request, query, form, reach, now=now_ms()))
    response = render(request, "errors/issue_list.html#results", context)
    response.headers["HX-Trigger"] = "bloop:counts"
    return response

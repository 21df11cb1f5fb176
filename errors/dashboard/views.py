"""The Errors page: the list of issues and its stats bar."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import with_query
from bloop_site.lib.pagination import Page
from errors.dashboard.forms import DEFAULTS, STATUSES, IssueFilterForm
from errors.queries import issues, stats, trends
from errors.queries.trends import Trend
from projects.access import Reach, project_by_slug, reach_of

PAGE_SIZE = 25
TREND_HOURS = 72
CHIP_LABELS = {"release": "Release", "environment": "Environment", "source": "Source", "route": "Route", "q": "Text"}


@dataclass(frozen=True)
class Chip:
    """An active filter and the address without it."""

    label: str
    value: str
    remove_url: str


def selected_reach(request: PageRequest) -> Reach:
    """What the page shows: the project of `?project=` (404 if it is not the user's), else all the user may see."""
    slug = request.GET.get("project")
    project_id = project_by_slug(request.user, slug).pk if slug else None
    return reach_of(request.user, project_id=project_id)


def trend_data(trend: Trend) -> dict[str, Any]:
    """The trend as the chart reads it."""
    return {
        "hours": [hour.hour_ms for hour in trend.hours],
        "counts": [hour.count for hour in trend.hours],
        "releases": [{"at": mark.first_seen_ms, "label": mark.release} for mark in trend.releases],
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


@require_safe
@vary_on_headers("HX-Request")
def issue_list(request: PageRequest) -> HttpResponse:
    """The Errors page; htmx gets the results alone."""
    reach, now = selected_reach(request), now_ms()
    form = IssueFilterForm({**DEFAULTS, **{name: value for name, value in request.GET.items() if value}})
    form.is_valid()
    filters = form.filters()
    listed = issues.issue_page(reach, filters, wanted=request.GET.get("page"), size=PAGE_SIZE, now_ms=now)
    context: dict[str, Any] = {
        "form": form,
        "chips": chips_of(request.GET, form),
        "clear_url": with_query(QueryDict(), project=request.GET.get("project")),
        "rows": listed.rows,
        "page": page_links(request, listed.page),
        "show_project": not request.GET.get("project"),
        "project_slug": request.GET.get("project", ""),
    }
    context["has_filters"] = bool(context["chips"])
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "errors/issue_list.html#results", with_onboarding(context, reach))
    trend = trends.project_trend(
        reach, hours=TREND_HOURS, now_ms=now, environment=filters.environment, source=filters.source
    )
    context.update(
        stats=stats.stats(reach, now_ms=now),
        stats_url=reverse("errors:stats") + with_query(QueryDict(), project=request.GET.get("project")),
        trend=trend,
        trend_data=trend_data(trend),
    )
    return render(request, "errors/issue_list.html", with_onboarding(context, reach))


def with_onboarding(context: dict[str, Any], reach: Reach) -> dict[str, Any]:
    """Whether anything ever came in, asked only when the list is empty; and where to send."""
    any_events = bool(context["rows"]) or issues.has_any_issue(reach)
    return {**context, "any_events": any_events, "ingest_url": f"{settings.BLOOP.auth.rp_origin}/v1/ingest"}


def page_links(request: PageRequest, page: Page) -> dict[str, Any]:
    """The page's figures and the addresses of its neighbours."""
    previous = with_query(request.GET, page=str(page.number - 1)) if page.number > 1 else None
    following = with_query(request.GET, page=str(page.number + 1)) if page.number < page.pages else None
    return {
        "number": page.number,
        "pages": page.pages,
        "total": page.total,
        "more": page.more,
        "first": page.first,
        "last": page.last,
        "previous_url": previous,
        "next_url": following,
    }


@require_safe
def stats_bar(request: PageRequest) -> HttpResponse:
    """The stats bar alone, fetched every 30 seconds."""
    figures = stats.stats(selected_reach(request), now_ms=now_ms())
    query = with_query(QueryDict(), project=request.GET.get("project"))
    context = {"stats": figures, "stats_url": reverse("errors:stats") + query}
    return render(request, "errors/issue_list.html#stats", context)

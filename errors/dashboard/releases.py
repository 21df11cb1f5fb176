"""The pages of releases: the list, and one release with its hours, its issues and the release before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import page_links, with_query
from errors.dashboard.release_forms import ReleaseForm, ReleaseListForm
from errors.dashboard.views import selected_reach, trend_data
from errors.dashboard.windows import choices_of, window_of, zoom_chips
from errors.links import release_url
from errors.models import Release
from errors.queries import release_detail, release_issues, releases
from errors.queries.release_issues import Tab
from errors.queries.releases import ReleaseRow
from errors.statuses import NO_RELEASE
from projects.access import project_by_slug

PAGE_SIZE = 25
USUAL_HOURS = 336
TAB_LABELS = {"new": "New", "regressed": "Regressed", "resolved": "Resolved", "all": "All"}


@dataclass(frozen=True)
class Choice:
    """One of several views of the page, and its address. count: how much is there, if that is known."""

    label: str
    url: str
    active: bool
    count: int | None = None
    name: str = ""


def wants_partial(request: PageRequest) -> bool:
    """Whether htmx asks for a part of the page."""
    return bool(request.htmx and not request.htmx.history_restore_request)


@require_safe
@vary_on_headers("HX-Request")
def release_list(request: PageRequest) -> HttpResponse:
    """The Releases page; htmx gets the results alone."""
    reach, q = selected_reach(request), ReleaseListForm(request.GET).text()
    listed = releases.release_page(reach, q=q, wanted=request.GET.get("page"), size=PAGE_SIZE, now_ms=now_ms())
    context = {
        "q": q,
        "rows": listed.rows,
        "page": page_links(request.GET, listed.page),
        "unnamed": releases.unnamed_in(reach) if listed.page.number == 1 and not q else [],
        "clear_url": with_query(request.GET, q=None, page=None),
        "project_slug": request.GET.get("project", ""),
        "show_project": not request.GET.get("project"),
        "ingest_url": f"{settings.BLOOP.auth.rp_origin}/v1/ingest",
    }
    template = "errors/release_list.html"
    return render(request, f"{template}#results" if wants_partial(request) else template, context)


@require_safe
@vary_on_headers("HX-Request")
def release_page(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """The release of `?name=`; htmx gets its issues alone. Without a name there is only the project's list."""
    project = project_by_slug(request.user, project_slug)
    if "name" not in request.GET:
        return redirect(f"{reverse('errors:releases')}?project={project.slug}")
    release = release_detail.find_release(project_id=project.pk, name=request.GET["name"])
    if release is None:
        msg = "no such release"
        raise Http404(msg)
    form = ReleaseForm(request.GET)
    if wants_partial(request):
        context = issues_context(request, release, releases.rows_of([release])[0], form)
        return render(request, "errors/release_detail.html#issues", context)
    now = now_ms()
    window = window_of(request.GET, now_ms=now, usual=USUAL_HOURS)
    detail = release_detail.release_detail(release, window=window, now_ms=now)
    context = {
        "detail": detail,
        "comparison": detail.comparison,
        "trend": detail.trend,
        "trend_data": trend_data(detail.trend),
        "windows": choices_of(request.GET, usual=USUAL_HOURS),
        "zoom_chips": zoom_chips(request.GET),
        "back_url": f"{reverse('errors:releases')}?project={project.slug}",
        "before_url": release_url(project.slug, detail.comparison.before) if detail.comparison else "",
        **issues_context(request, release, detail.row, form),
    }
    return render(request, "errors/release_detail.html", context)


def issues_context(request: PageRequest, release: Release, row: ReleaseRow, form: ReleaseForm) -> dict[str, Any]:
    """What the card of issues shows: the tabs, and one page of the chosen one."""
    tab = form.value("tab")
    if release.name == NO_RELEASE and (tab == "resolved" or "tab" not in request.GET):
        tab = "all"
    found = release_issues.issues_of(release, row, tab=tab, wanted=request.GET.get("page"), size=PAGE_SIZE)
    return {
        "release": row,
        "tab": tab,
        "tabs": tab_links(request.GET, found.tabs, tab),
        "issues": found.rows,
        "page": page_links(request.GET, found.page),
    }


def tab_links(query: QueryDict, tabs: Sequence[Tab], chosen: str) -> list[Choice]:
    """The tabs with their counts and addresses."""
    return [
        Choice(
            TAB_LABELS[tab.name],
            with_query(query, tab=tab.name, page=None),
            tab.name == chosen,
            count=tab.count,
            name=tab.name,
        )
        for tab in tabs
    ]

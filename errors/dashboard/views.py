"""The pages of errors: the list, its stats bar, one issue, and changing its status."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.pagination import Page
from errors.dashboard.forms import DEFAULTS, STATUSES, IssueFilterForm
from errors.dashboard.start import refused_notice, start_context
from errors.models import Issue, Status
from errors.queries import aggregates, events, groups, history, issues, stats, trends
from errors.queries.trends import Trend
from errors.services.status import Actor, IssueGone, change_status
from errors.statuses import Change
from projects.access import Reach, project_by_slug, reach_of

PAGE_SIZE = 25
TREND_HOURS = 72
CHIP_LABELS = {"release": "Release", "environment": "Environment", "source": "Source", "route": "Route", "q": "Text"}
ACTIONS = (
    ("resolved", "Resolve", "r"),
    ("ignored", "Ignore", "i"),
    ("muted", "Mute", "m"),
    ("unresolved", "Unresolve", "u"),
)
DONE = {"resolved": "Resolved", "ignored": "Ignored", "muted": "Muted", "unresolved": "Unresolved again"}


@dataclass(frozen=True)
class Chip:
    """An active filter and the address without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True)
class Action:
    """A status the issue can be moved to, and its key."""

    status: str
    label: str
    key: str


def with_query(query: QueryDict, **changes: str | None) -> str:
    """`?…` with some parameters set or (None) removed; "?" when nothing is left, so that a link still leads here."""
    copy = query.copy()
    for name, value in changes.items():
        if value is None:
            copy.pop(name, None)
        else:
            copy[name] = value
    return f"?{copy.urlencode()}"


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
        return render(request, "errors/issue_list.html#results", with_onboarding(request, context, reach))
    trend = trends.project_trend(
        reach, hours=TREND_HOURS, now_ms=now, environment=filters.environment, source=filters.source
    )
    context.update(
        stats=stats.stats(reach, now_ms=now),
        stats_url=reverse("errors:stats") + with_query(QueryDict(), project=request.GET.get("project")),
        trend=trend,
        trend_data=trend_data(trend),
        refused=refused_notice(request, reach, now=now),
    )
    return render(request, "errors/issue_list.html", with_onboarding(request, context, reach))


def with_onboarding(request: PageRequest, context: dict[str, Any], reach: Reach) -> dict[str, Any]:
    """Whether anything ever came in, asked only when the list is empty; and if not, how to begin."""
    any_events = bool(context["rows"]) or issues.has_any_issue(reach)
    start = {} if any_events else start_context(request, reach, now=now_ms())
    return {**context, "any_events": any_events, **start}


def page_links(request: PageRequest, page: Page) -> dict[str, Any]:
    """The page's figures and the addresses of its neighbours."""
    previous = with_query(request.GET, page=str(page.number - 1)) if page.number > 1 else None
    following = with_query(request.GET, page=str(page.number + 1)) if page.number < page.pages else None
    return {
        "number": page.number,
        "pages": page.pages,
        "total": page.total,
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


def issue_or_404(request: PageRequest, project_slug: str, fingerprint: str) -> Issue:
    """The user's issue. Raises Http404."""
    project = project_by_slug(request.user, project_slug)
    issue = issues.find_issue(project_id=project.pk, fingerprint=fingerprint)
    if issue is None:
        msg = "no such issue"
        raise Http404(msg)
    return issue


def panel_context(request: PageRequest, issue: Issue) -> dict[str, Any]:
    """What the status panel shows: the row, the other statuses, the timeline."""
    return {
        "issue": issues.rows_of([issue], now_ms=now_ms())[0],
        "grouping": issue.project.grouping,
        "actions": [Action(*action) for action in ACTIONS if action[0] != issue.status],
        "status_url": reverse("errors:status", args=[issue.project.slug, issue.fingerprint]),
        "timeline": history.timeline(issue, groups.group_ids(issue)),
    }


@require_safe
def issue_detail(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """One issue: what, where, when, the newest occurrences, what was done about it."""
    issue = issue_or_404(request, project_slug, fingerprint)
    trend = trends.issue_trend(issue, hours=TREND_HOURS, now_ms=now_ms())
    context = {
        **panel_context(request, issue),
        "back_url": f"{reverse('errors:list')}?project={issue.project.slug}",
        "trend": trend,
        "trend_data": trend_data(trend),
        "aggregates": aggregates.breakdown(issue),
        **sample_context(request, issue),
    }
    return render(request, "errors/issue_detail.html", context)


def sample_context(request: PageRequest, issue: Issue) -> dict[str, Any]:
    """The sample that `?sample=` (1 = newest) asks for, and its neighbours."""
    samples = events.samples_of(issue)
    wanted = request.GET.get("sample", "1")
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted[:9]) <= len(samples) else 1
    sample = samples[number - 1] if samples else None
    metadata = json.loads(sample.metadata) if sample and sample.metadata else None
    return {
        "sample": sample,
        "metadata": metadata,
        "metadata_json": json.dumps(metadata, indent=2, ensure_ascii=False) if metadata is not None else "",
        "sample_number": number,
        "sample_count": len(samples),
        "newer_url": with_query(request.GET, sample=str(number - 1)) if number > 1 else None,
        "older_url": with_query(request.GET, sample=str(number + 1)) if number < len(samples) else None,
    }


@require_POST
def issue_status(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Change the status; htmx gets the panel with a toast, a plain form is led back to the page."""
    issue = issue_or_404(request, project_slug, fingerprint)
    status = request.POST.get("status", "")
    if status not in Status.values:
        raise Http404
    before = issue.status
    try:
        change_status(issue_id=issue.pk, change=Change(status), actor=Actor(request.user.pk), now_ms=now_ms())
    except IssueGone:
        raise Http404 from None
    if not request.htmx:
        messages.success(request, DONE[status])
        return redirect("errors:detail", project_slug=project_slug, fingerprint=fingerprint)
    issue.refresh_from_db()
    response = render(request, "errors/issue_detail.html#status_panel", panel_context(request, issue))
    toast = {"message": DONE[status], "undo": {"url": request.path, "status": before}}
    response.headers["HX-Trigger"] = json.dumps({"toast": toast})
    return response

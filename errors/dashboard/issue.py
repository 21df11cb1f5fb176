"""One issue's page."""

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.templatetags.ui import release_span, utc_words
from errors.dashboard.finding import issue_or_404
from errors.dashboard.occurrences import event_context
from errors.dashboard.panel import panel_context
from errors.dashboard.sourcemaps import map_hint
from errors.dashboard.stack_view import stack_of
from errors.dashboard.views import trend_data
from errors.dashboard.windows import choices_of, window_of, zoom_chips
from errors.models import Event, Issue
from errors.queries import aggregates, groups, issues, trends, work
from errors.queries.aggregates import AggregateRow
from errors.sharing import curl, markdown
from projects import crosslinks

View = Callable[..., HttpResponse]
MAX_NAMES = 50
PANEL = "errors/issue_detail.html#status_panel"


def or_issue(view: View, ending: str) -> View:
    """The view of an address below an issue's. An issue whose own fingerprint ends like that address is shown instead.

    A fingerprint may be anything, "GET /events" too, and WSGI has undone the escapes of its slashes.
    """

    @wraps(view)
    def chosen(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
        whole = f"{fingerprint}/{ending}"
        if request.method in ("GET", "HEAD") and issues.has_issue(project_slug=project_slug, fingerprint=whole):
            return issue_detail(request, project_slug, whole)
        return view(request, project_slug, fingerprint)

    return chosen


@require_safe
def issue_detail(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """One issue: what, where, when, its occurrences one by one, what was done about it."""
    issue = issue_or_404(request, project_slug, fingerprint)
    if issue.fingerprint != fingerprint:
        messages.info(request, "The issue you asked for is merged into this one.")
        return redirect("errors:detail", project_slug=project_slug, fingerprint=issue.fingerprint)
    return detail_response(request, issue)


def detail_response(request: PageRequest, issue: Issue, *, status: int = 200, **panel: Any) -> HttpResponse:
    """The page, its panel as `panel_context` makes it with `panel`."""
    issue_ids = groups.group_ids(issue)
    places = aggregates.breakdown(issue, issue_ids)
    events = event_context(request, issue_ids)
    where = [issue.project.slug, issue.fingerprint]
    context = {
        **panel_context(request, issue, issue_ids=issue_ids, **panel),
        "back_url": f"{reverse('errors:list')}?project={issue.project.slug}",
        "events_url": reverse("errors:events", args=where),
        "unmerge_url": reverse("errors:unmerge", args=where),
        "merged": work.merges_of(issue) if len(issue_ids) > 1 else [],
        "aggregates": places,
        "releases": names_of(place.release for place in places),
        "environments": names_of(place.environment for place in places),
        **trend_context(request, issue_ids),
        **events,
        **stack_context(issue, events["sample"]),
        "trace_url": trace_url_of(events["sample"]),
        "copies": copies(issue, places, events["sample"]),
    }
    return render(request, "errors/issue_detail.html", context, status=status)


def refused(request: PageRequest, issue: Issue, *, status: int, **panel: Any) -> HttpResponse:
    """What was asked for could not be done: the panel says why, for htmx alone, else on the whole page."""
    if request.htmx:
        return render(request, PANEL, panel_context(request, issue, **panel), status=status)
    return detail_response(request, issue, status=status, **panel)


def merged_meanwhile(request: PageRequest, issue: Issue) -> HttpResponse:
    """Lead to the issue that shows the one asked about since somebody merged it. What was asked for is not done."""
    url = reverse("errors:detail", args=[issue.project.slug, issue.fingerprint])
    messages.error(request, "The issue was merged into this one meanwhile. Your change was not made.")
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def done(
    request: PageRequest, issue: Issue, words: str, *, undo: dict[str, str] | None = None, **panel: Any
) -> HttpResponse:
    """What was asked for is done: htmx gets the panel with a toast, a plain form is led back to the page."""
    if not request.htmx:
        messages.success(request, words)
        return redirect("errors:detail", project_slug=issue.project.slug, fingerprint=issue.fingerprint)
    response = render(request, PANEL, panel_context(request, issue, **panel))
    response.headers["HX-Trigger"] = json.dumps({"toast": {"message": words, **({"undo": undo} if undo else {})}})
    return response


def stack_context(issue: Issue, event: Event | None) -> dict[str, Any]:
    """The stack of the event, mapped where its release has maps; and what to do about one that is not."""
    if event is None:
        return {}
    stack = stack_of(event)
    hint = map_hint(issue.project, release=event.release, stack=event.stack, is_mapped=stack.is_mapped)
    return {"stack": stack, "map_hint": hint}


def trace_url_of(event: Event | None) -> str | None:
    """The page of the LLM trace that the event names, if that trace is there."""
    if event is None or not event.trace_id:
        return None
    known = crosslinks.trace_urls(project_id=event.project_id, trace_ids=[event.trace_id])
    return known.get(event.trace_id)


def trend_context(request: PageRequest, issue_ids: list[int]) -> dict[str, Any]:
    """The chart and the windows it can show."""
    trend = trends.issue_trend(issue_ids, window_of(request.GET, now_ms=now_ms()))
    return {
        "trend": trend,
        "trend_data": trend_data(trend),
        "windows": choices_of(request.GET),
        "zoom_chips": zoom_chips(request.GET),
    }


def copies(issue: Issue, places: list[AggregateRow], event: Event | None) -> dict[str, str]:
    """The issue as text for elsewhere: its address, Markdown for a ticket, a command for a shell."""
    origin = settings.BLOOP.auth.rp_origin
    url = origin + reverse("errors:detail", args=[issue.project.slug, issue.fingerprint])
    facts = [
        ("Project", issue.project.name),
        ("Status", issue.get_status_display()),
        ("Events", f"{issue.total_count:,}"),
        ("First seen", utc_words(issue.first_seen_ms)),
        ("Last seen", utc_words(issue.last_seen_ms)),
        ("Releases", release_span(names_of(place.release for place in places))),
        ("Environments", ", ".join(names_of(place.environment for place in places))),
        ("Route", issue.route or ""),
    ]
    return {
        "link": url,
        "markdown": markdown(
            title=issue.error_type,
            facts=[fact for fact in facts if fact[1]],
            message=event.message if event else issue.message,
            stack=event.stack if event else None,
            url=url,
        ),
        "curl": curl(origin=origin, fingerprint=issue.fingerprint, project_id=issue.project_id),
    }


def names_of(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, at most 50, in their order."""
    return tuple(dict.fromkeys(names))[:MAX_NAMES]

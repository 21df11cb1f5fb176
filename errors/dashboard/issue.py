"""One issue's page, and changing its status."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.templatetags.ui import release_span, utc_words
from errors.dashboard.finding import issue_or_404
from errors.dashboard.occurrences import event_context
from errors.dashboard.views import trend_data
from errors.dashboard.windows import choices_of, is_zoomed, window_of
from errors.models import Event, Issue, Status
from errors.queries import aggregates, groups, history, issues, trends
from errors.queries.aggregates import AggregateRow
from errors.services.status import Actor, IssueGone, change_status
from errors.sharing import curl, markdown
from errors.statuses import Change

View = Callable[..., HttpResponse]
MAX_NAMES = 50

ACTIONS = (
    ("resolved", "Resolve", "r"),
    ("ignored", "Ignore", "i"),
    ("muted", "Mute", "m"),
    ("unresolved", "Unresolve", "u"),
)
DONE = {"resolved": "Resolved", "ignored": "Ignored", "muted": "Muted", "unresolved": "Unresolved again"}


@dataclass(frozen=True)
class Action:
    """A status the issue can be moved to, and its key."""

    status: str
    label: str
    key: str


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


def panel_context(request: PageRequest, issue: Issue) -> dict[str, Any]:
    """What the status panel shows: how it stands, the other statuses, the timeline."""
    return {
        "issue": issue,
        "actions": [Action(*action) for action in ACTIONS if action[0] != issue.status],
        "status_url": reverse("errors:status", args=[issue.project.slug, issue.fingerprint]),
        "timeline": history.timeline(issue, groups.group_ids(issue)),
    }


@require_safe
def issue_detail(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """One issue: what, where, when, its occurrences one by one, what was done about it."""
    issue = issue_or_404(request, project_slug, fingerprint)
    if issue.fingerprint != fingerprint:
        messages.info(request, "The issue you asked for is merged into this one.")
        return redirect("errors:detail", project_slug=project_slug, fingerprint=issue.fingerprint)
    issue_ids = groups.group_ids(issue)
    places = aggregates.breakdown(issue, issue_ids)
    events = event_context(request, issue_ids)
    context = {
        **panel_context(request, issue),
        "back_url": f"{reverse('errors:list')}?project={issue.project.slug}",
        "events_url": reverse("errors:events", args=[issue.project.slug, issue.fingerprint]),
        "aggregates": places,
        "releases": names_of(place.release for place in places),
        "environments": names_of(place.environment for place in places),
        **trend_context(request, issue_ids),
        **events,
        "copies": copies(issue, places, events["sample"]),
    }
    return render(request, "errors/issue_detail.html", context)


def trend_context(request: PageRequest, issue_ids: list[int]) -> dict[str, Any]:
    """The chart and the windows it can show."""
    trend = trends.issue_trend(issue_ids, window_of(request.GET, now_ms=now_ms()))
    return {
        "trend": trend,
        "trend_data": trend_data(trend),
        "windows": choices_of(request.GET),
        "is_zoomed": is_zoomed(request.GET),
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

"""One issue's page, and changing its status."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from errors.dashboard.occurrences import sample_context
from errors.dashboard.views import TREND_HOURS, trend_data
from errors.models import Issue, Status
from errors.queries import aggregates, history, issues, trends
from errors.services.status import Actor, IssueGone, change_status
from projects.access import project_by_slug

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
        "timeline": history.timeline(issue),
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


@require_POST
def issue_status(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Change the status; htmx gets the panel with a toast, a plain form is led back to the page."""
    issue = issue_or_404(request, project_slug, fingerprint)
    status = request.POST.get("status", "")
    if status not in Status.values:
        raise Http404
    before = issue.status
    try:
        change_status(issue_id=issue.pk, status=status, actor=Actor(request.user.pk), now_ms=now_ms())
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

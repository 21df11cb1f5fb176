"""Changing the status of an issue on its page, and taking a change back."""

import json

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.http import PageRequest
from bloop_site.lib.clock import SECOND_MS, now_ms
from bloop_site.lib.links import number_in
from bloop_site.templatetags.ui import age_words, thousands, utc_words
from errors.dashboard.finding import issue_or_404
from errors.dashboard.issue import done, merged_meanwhile, refused
from errors.dashboard.issue_forms import StatusForm
from errors.models import Issue, Transition
from errors.queries.history import actor_of
from errors.services.status import Actor, ChangeInvalid, Conflict, IssueGone, change_status, undo_change
from errors.statuses import Change

VERBS = {
    "resolved": "resolved this",
    "ignored": "ignored this",
    "muted": "muted this",
    "unresolved": "made this unresolved",
}
DONE = {"resolved": "Resolved", "ignored": "Ignored", "muted": "Muted", "unresolved": "Unresolved again"}


@require_POST
def issue_status(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Change the status. 409 with the present state when somebody else was faster."""
    issue, now = issue_or_404(request, project_slug, fingerprint), now_ms()
    if issue.fingerprint != fingerprint:
        return merged_meanwhile(request, issue)
    form = StatusForm(request.POST, now_ms=now)
    if not form.is_valid():
        if "status" in form.errors:
            raise Http404
        errors = [str(error) for messages in form.errors.values() for error in messages]
        return refused(request, issue, status=422, status_errors=errors)
    change, was = form.change(issue), form.cleaned_data["was"] or None
    try:
        made = change_status(
            issue_id=issue.pk,
            change=change,
            actor=Actor(request.user.pk),
            now_ms=now,
            seen=form.seen_change(),
            was=was,
        )
    except IssueGone:
        raise Http404 from None
    except ChangeInvalid as error:
        return refused(request, issue, status=422, status_errors=[f"{error}.".capitalize()])
    except Conflict as conflict:
        return conflicting(request, issue, conflict.latest, from_list=was is not None)
    issue.refresh_from_db()
    words = words_of(change, more=form.cleaned_data["more"])
    return done(request, issue, words, undo=undo_of(issue, made) if made else None)


def undo_of(issue: Issue, made: Transition) -> dict[str, str]:
    """What the toast's Undo posts, and where."""
    url = reverse("errors:undo", args=[issue.project.slug, issue.fingerprint])
    return {"url": url, "transition": str(made.pk)}


def words_of(change: Change, *, more: int | None) -> str:
    """What was done, for the toast. more: after how many events a mute ends."""
    if change.muted_until_ms is not None:
        return f"Muted until {utc_words(change.muted_until_ms)}"
    if change.muted_until_count is not None:
        return f"Muted until it happens {thousands(more)} more time{'' if more == 1 else 's'}"
    if change.in_next_release:
        return "Resolved in the next release"
    return DONE[change.status]


def conflicting(request: PageRequest, issue: Issue, latest: Transition, *, from_list: bool = False) -> HttpResponse:
    """The present state, and who came first; a list, which shows no panel, is told in a toast."""
    issue.refresh_from_db()
    words = conflict_words(latest, now_ms=now_ms())
    response = refused(request, issue, status=409, conflict=words)
    if from_list:
        response.headers["HX-Trigger"] = json.dumps({"toast": {"message": words}})
    return response


def conflict_words(latest: Transition, *, now_ms: int) -> str:
    """Who changed what and when, as in "Ana resolved this 20 seconds ago", and that this was all that happened."""
    who = actor_of(latest) or "Bloop"
    words = {
        Transition.Cause.REGRESSION: "A new event brought this back",
        Transition.Cause.MUTE_ENDED: "The mute of this ended",
        Transition.Cause.UNDO: f"{who} took a change of this back",
    }.get(Transition.Cause(latest.cause), f"{who} {VERBS[latest.new_status]}")
    age_ms = now_ms - latest.changed_ms
    seconds = max(1, age_ms // SECOND_MS)
    age = age_words(age_ms) or f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{words} {age} ago. Your change was not made."


@require_POST
def issue_undo(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Take the newest change back; 409 when something has happened since."""
    issue = issue_or_404(request, project_slug, fingerprint)
    if issue.fingerprint != fingerprint:
        return merged_meanwhile(request, issue)
    transition_id = number_in(request.POST.get("transition"))
    if transition_id is None or not issue.transitions.filter(pk=transition_id).exists():
        raise Http404
    try:
        undo_change(transition_id=transition_id, actor=Actor(request.user.pk), now_ms=now_ms())
    except IssueGone:
        raise Http404 from None
    except Conflict as conflict:
        return conflicting(request, issue, conflict.latest)
    issue.refresh_from_db()
    return done(request, issue, f"Back to {issue.status}")

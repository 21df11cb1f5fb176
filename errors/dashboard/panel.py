"""The status panel of an issue's page: how it stands, what can be done, what happened. htmx swaps it as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from accounts.http import PageRequest
from errors.dashboard.issue_forms import NoteForm
from errors.models import Issue
from errors.queries import groups, history, work

ACTIONS = {
    "resolved": ("Resolve", "r"),
    "muted": ("Mute", "m"),
    "ignored": ("Ignore", "i"),
    "unresolved": ("Unresolve", "u"),
}
# What one does next with an issue, the likeliest first.
NEXT = {
    "unresolved": ("resolved", "muted", "ignored"),
    "resolved": ("unresolved", "muted", "ignored"),
    "ignored": ("unresolved", "resolved", "muted"),
    "muted": ("unresolved", "resolved", "ignored"),
}


@dataclass(frozen=True)
class Action:
    """A status the issue can be moved to, and its key."""

    status: str
    label: str
    key: str


@dataclass(frozen=True)
class Standing:
    """What a mute still waits for: a moment (epoch ms), or so many more events."""

    until_ms: int | None
    more: int | None


def panel_context(
    request: PageRequest, issue: Issue, *, issue_ids: Sequence[int] | None = None, **more: Any
) -> dict[str, Any]:
    """What the panel shows. more: what replaces a part of it, such as a form that was refused.

    issue_ids: the issue's and those of what is merged into it, if they are known already.
    """
    where = [issue.project.slug, issue.fingerprint]
    left = None if issue.muted_until_count is None else max(1, issue.muted_until_count - issue.total_count)
    return {
        "issue": issue,
        "standing": Standing(issue.muted_until_ms, left),
        "actions": [Action(status, *ACTIONS[status]) for status in NEXT[issue.status]],
        "timeline": history.timeline(issue, groups.group_ids(issue) if issue_ids is None else issue_ids),
        "seen": work.latest_transition_id(issue),
        "note_form": NoteForm(initial={"note": request.POST.get("note", "")}),
        "status_url": reverse("errors:status", args=where),
        "undo_url": reverse("errors:undo", args=where),
        "notes_url": reverse("errors:notes", args=where),
        "note_url": reverse("errors:note", args=where),
        "merge_url": reverse("errors:merge", args=where),
        **more,
    }

"""Changing many issues from the list: begin, watch, take back."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.http import PageRequest
from bloop_site.lib.clock import MINUTE_MS, now_ms
from bloop_site.lib.links import number_in
from errors.queries import work
from errors.queries.work import BulkProgress
from errors.services.bulk import MAX_IDS, Busy, continue_bulk, undo_bulk
from errors.statuses import Change
from errors.tasks import queue_bulks
from projects.access import reach_of

SECONDS = 0.5  # of work in the request; what takes longer goes on in a worker
SHOWN_MS = 5 * MINUTE_MS  # how long the page offers to take back what is done


@dataclass(frozen=True)
class BulkAction:
    """A change that the list offers for what is selected; key: its letter on the keyboard."""

    name: str
    label: str
    change: Change
    key: str = ""


BULK_ACTIONS = (
    BulkAction("resolve", "Resolve", Change("resolved"), "r"),
    BulkAction("resolve-next", "Resolve in next release", Change("resolved", in_next_release=True)),
    BulkAction("ignore", "Ignore", Change("ignored"), "i"),
    BulkAction("mute", "Mute", Change("muted"), "m"),
    BulkAction("unresolve", "Unresolve", Change("unresolved"), "u"),
)
WORDS = {
    "resolved": ("Resolving", "Resolved"),
    "ignored": ("Ignoring", "Ignored"),
    "muted": ("Muting", "Muted"),
    "unresolved": ("Unresolving", "Unresolved"),
}


@dataclass(frozen=True)
class Work:
    """A change of many issues as the page tells it. left: those that were looked at and not changed."""

    id: int
    is_running: bool
    is_undo: bool
    doing: str
    done: str
    total: int
    looked_at: int
    changed: int

    @property
    def left(self) -> int:
        return self.looked_at - self.changed

    @property
    def url(self) -> str:
        return f"{reverse('errors:bulk-work')}?id={self.id}"


def work_of(progress: BulkProgress) -> Work:
    """A change of many issues in words."""
    doing, done = ("Taking back", "Took back the change of") if progress.is_undo else WORDS[progress.change.status]
    return Work(
        id=progress.id,
        is_running=not progress.is_finished,
        is_undo=progress.is_undo,
        doing=doing,
        done=done,
        total=progress.total,
        looked_at=progress.looked_at,
        changed=progress.changed,
    )


def shown_work(request: PageRequest, *, now: int) -> Work | None:
    """The user's change that is running, or was finished a moment ago."""
    progress = work.latest_bulk(user_id=request.user.pk, since_ms=now - SHOWN_MS)
    return None if progress is None else work_of(progress)


def ids_of(posted: QueryDict) -> list[int]:
    """The ids of the ticked rows; nonsense is none of them."""
    numbers = (number_in(each) for each in posted.getlist("ids")[:MAX_IDS])
    return [number for number in numbers if number is not None]


def run(bulk_id: int) -> None:
    """Work on a change for a moment, and leave the rest to a worker."""
    try:
        finished = continue_bulk(bulk_id=bulk_id, now_ms=now_ms(), seconds=SECONDS)
    except Busy:
        finished = False
    if not finished:
        queue_bulks()


def change_named(name: str | None) -> Change:
    """What a button of the bar does. Raises Http404."""
    for action in BULK_ACTIONS:
        if action.name == name:
            return action.change
    raise Http404


@require_safe
def bulk_work(request: PageRequest) -> HttpResponse:
    """How far a change is, asked every second; once it is finished, the list and its counts are fetched anew."""
    bulk_id = number_in(request.GET.get("id"))
    progress = bulk_id is not None and work.bulk_progress(bulk_id=bulk_id, user_id=request.user.pk)
    if not progress:
        raise Http404
    context: dict[str, Any] = {"work": work_of(progress)}
    response = render(request, "errors/_bulk_work.html", context)
    if progress.is_finished:
        response.headers["HX-Trigger"] = "bloop:changed, bloop:counts"
    return response


@require_POST
def bulk_undo(request: PageRequest) -> HttpResponse:
    """Take a change of many back; htmx gets how far that is, a plain form is led back to the list."""
    bulk_id = number_in(request.POST.get("id"))
    if bulk_id is None or work.bulk_progress(bulk_id=bulk_id, user_id=request.user.pk) is None:
        raise Http404
    reach = reach_of(request.user)
    undo = undo_bulk(bulk_id=bulk_id, user_id=request.user.pk, reach=reach, now_ms=now_ms())
    run(undo.pk)
    if not request.htmx:
        return redirect(list_url(request.POST.get("query", "")))
    response = render(request, "errors/_bulk_work.html", {"work": shown_work(request, now=now_ms())})
    response.headers["HX-Trigger"] = "bloop:changed, bloop:counts"
    return response


def list_url(query: str) -> str:
    """The list as it was filtered. Whatever stands in the query, it leads to the list."""
    address = QueryDict(query).urlencode()
    return reverse("errors:list") + (f"?{address}" if address else "")


def nothing_selected(request: PageRequest, query: str) -> HttpResponse:
    """Back to the list with a word about it."""
    messages.error(request, "Select at least one issue first.")
    return redirect(list_url(query))

"""What the Errors page says before the first event, and of events that never came in."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import PageRequest
from bloop_site.lib.clock import HOUR_MS, SECOND_MS, now_ms
from bloop_site.lib.network import client_address
from errors.queries import issues
from ingest import buffer
from ingest.queries import nobodys_lately, refused_within
from projects.access import Reach, project_by_slug, reach_of
from projects.dashboard.snippets import PLACEHOLDER, snippets
from projects.refused import Refusals

BEHIND_MS = 6 * SECOND_MS  # three flushes


def refused_notice(request: PageRequest, reach: Reach, *, now: int) -> Refusals:
    """What was refused of the projects shown; for an admin who looks at all of them also what was nobody's."""
    all_of_it = request.user.is_admin and not request.GET.get("project")
    return refused_within(reach, now_ms=now, nobodys=nobodys_lately() if all_of_it else None)


def start_context(request: PageRequest, reach: Reach, *, now: int) -> dict[str, Any]:
    """How to send the first event, and what the fragment that waits for it shows."""
    ingest_url = f"{settings.BLOOP.auth.rp_origin}/v1/ingest"
    return {
        **waiting_context(request, reach, now=now),
        "snippets": snippets(url=ingest_url, key=None),
        "placeholder": PLACEHOLDER,
    }


def waiting_context(request: PageRequest, reach: Reach, *, now: int) -> dict[str, Any]:
    """Whether the first event is there; if not, what was refused meanwhile, and whether the worker is behind.

    state: changes when there is something new to show.
    """
    slug = request.GET.get("project", "")
    query = f"?project={slug}" if slug else ""
    newest = issues.newest_issue(reach, now_ms=now)
    refused = Refusals() if newest else refused_while_waiting(request, reach, now=now)
    behind = 0.0 if newest else buffer_behind(now)
    state = "arrived" if newest else f"{refused.total}.{behind:.2f}"
    return {
        "arrived": newest,
        "refused": refused,
        "behind": behind,
        "list_url": reverse("errors:list") + query,
        "state": state,
        "first_url": f"{reverse('errors:first')}{query}{'&' if query else '?'}state={state}",
    }


def refused_while_waiting(request: PageRequest, reach: Reach, *, now: int) -> Refusals:
    """What was refused of these projects and, as a key with a typo names none, lately of nobody's.

    Of that an admin sees all, others what came from the address they come from.
    """
    address = None if request.user.is_admin else client_address(request)
    return refused_within(reach, now_ms=now, nobodys=nobodys_lately(since_ms=now - HOUR_MS, address=address))


def buffer_behind(now: int) -> float:
    """How full the buffer is (0 to 1) if what was accepted waits longer than it should; else 0."""
    oldest = buffer.oldest_received_ms()
    if oldest is None or now - oldest < BEHIND_MS:
        return 0.0
    return buffer.usage(buffer.waiting_items())


@never_cache
@require_safe
def first_event(request: PageRequest) -> HttpResponse:
    """The fragment that waits, fetched every 2 seconds; 204 while there is nothing new to show."""
    slug = request.GET.get("project")
    reach = reach_of(request.user, project_id=project_by_slug(request.user, slug).pk if slug else None)
    context = waiting_context(request, reach, now=now_ms())
    if request.GET.get("state") == context["state"]:
        return HttpResponse(status=204)
    return render(request, "errors/_waiting.html", context)

"""The occurrences of an issue: one on its page, and all of them in a list."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.json_view import indented, tree_of
from bloop_site.lib.links import number_in, with_query
from errors.dashboard.finding import issue_or_404
from errors.dashboard.issue_forms import EventFilterForm
from errors.queries import aggregates, groups, occurrences
from errors.queries.aggregates import AggregateRow
from errors.queries.occurrences import Cursor

EVENTS_A_PAGE = 50
MAX_OPTIONS = 50


def event_context(request: PageRequest, issue_ids: list[int]) -> dict[str, Any]:
    """The occurrence that `?event=` asks for, else the newest, and the addresses of its neighbours."""
    wanted = number_in(request.GET.get("event"))
    found = occurrences.occurrence(issue_ids, wanted=wanted)
    event = found.event
    metadata = event.metadata if event and event.metadata else ""
    return {
        "sample": event,
        "is_newest": found.newer_id is None,
        "is_gone": wanted is not None and event is not None and event.pk != wanted,
        "newer_url": with_query(request.GET, event=str(found.newer_id)) if found.newer_id else None,
        "older_url": with_query(request.GET, event=str(found.older_id)) if found.older_id else None,
        "metadata_json": indented(metadata),
        "metadata_tree": tree_of(metadata),
    }


@require_safe
@vary_on_headers("HX-Request")
def issue_events(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """All events of an issue, 50 a page, newest first; htmx gets the results alone."""
    issue = issue_or_404(request, project_slug, fingerprint)
    issue_ids = groups.group_ids(issue)
    form = EventFilterForm(request.GET)
    form.is_valid()
    found = occurrences.event_page(
        issue_ids, form.filters(), cursor_of(request), project_id=issue.project_id, size=EVENTS_A_PAGE
    )
    places = aggregates.breakdown(issue, issue_ids)
    detail_url = reverse("errors:detail", args=[project_slug, issue.fingerprint])
    context = {
        "issue": issue,
        "issue_url": detail_url,
        "page": found,
        "newest_url": with_query(request.GET, before=None, after=None),
        "newer_url": page_url(request, found.newer),
        "older_url": page_url(request, found.older),
        "options": options_of(places, form),
        "filters": form.filters(),
        "is_filtered": bool(form.filters().conditions()),
        "is_first": cursor_of(request) == Cursor(),
    }
    is_part = request.htmx and not request.htmx.history_restore_request
    return render(request, "errors/events.html#results" if is_part else "errors/events.html", context)


def cursor_of(request: PageRequest) -> Cursor:
    """Where the page begins; nonsense means at the newest."""
    after = number_in(request.GET.get("after"))
    return Cursor(newer_than=after) if after is not None else Cursor(older_than=number_in(request.GET.get("before")))


def page_url(request: PageRequest, cursor: Cursor | None) -> str | None:
    """The address of a page beside this one."""
    if cursor is None:
        return None
    before, after = cursor.older_than, cursor.newer_than
    return with_query(
        request.GET, before=None if before is None else str(before), after=None if after is None else str(after)
    )


def options_of(places: list[AggregateRow], form: EventFilterForm) -> dict[str, list[str]]:
    """What the filters offer: where the issue was seen, the latest first, and what is chosen."""
    chosen = form.filters()
    releases = dict.fromkeys([*filter(None, [chosen.release]), *(place.release for place in places)])
    environments = dict.fromkeys([*filter(None, [chosen.environment]), *(place.environment for place in places)])
    return {"releases": list(releases)[:MAX_OPTIONS], "environments": list(environments)[:MAX_OPTIONS]}

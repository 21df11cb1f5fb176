"""The pages of errors."""

from django.urls import URLPattern, path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from errors.dashboard import bulk, issue, occurrences, views

app_name = "errors"
ISSUE = "errors/<slug:project_slug>/<text:fingerprint>"


def below(ending: str, view: issue.View, *, name: str) -> URLPattern:
    """A route below an issue's own."""
    return path(f"{ISSUE}/{ending}", issue.or_issue(view, ending), name=name)


urlpatterns = [
    path("errors", views.issue_list, name="list"),
    path("errors/stats", views.stats_bar, name="stats"),
    # One segment each: two belong to a project's slug and a fingerprint.
    path("errors/bulk", views.bulk, name="bulk"),
    path("errors/bulk-work", bulk.bulk_work, name="bulk-work"),
    path("errors/bulk-undo", bulk.bulk_undo, name="bulk-undo"),
    below("status", issue.issue_status, name="status"),
    below("events", occurrences.issue_events, name="events"),
    path(ISSUE, issue.issue_detail, name="detail"),
]

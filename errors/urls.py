"""The pages of errors."""

from django.urls import URLPattern, path

from bloop_site.lib import paths  # noqa: F401  registers the converter `pagetext`
from errors.dashboard import bulk, issue, occurrences, releases, sourcemaps, start, status, views, work

app_name = "errors"
ISSUE = "errors/<slug:project_slug>/<pagetext:fingerprint>"


def below(ending: str, view: issue.View, *, name: str) -> URLPattern:
    """A route below an issue's own."""
    return path(f"{ISSUE}/{ending}", issue.or_issue(view, ending), name=name)


urlpatterns = [
    path("errors", views.issue_list, name="list"),
    path("errors/stats", views.stats_bar, name="stats"),
    # One segment each: two belong to a project's slug and a fingerprint.
    path("errors/first", start.first_event, name="first"),
    path("errors/bulk", views.bulk, name="bulk"),
    path("errors/bulk-work", bulk.bulk_work, name="bulk-work"),
    path("errors/bulk-undo", bulk.bulk_undo, name="bulk-undo"),
    below("status", status.issue_status, name="status"),
    below("undo", status.issue_undo, name="undo"),
    below("notes", work.issue_notes, name="notes"),
    below("note", work.issue_note, name="note"),
    below("merge", work.issue_merge, name="merge"),
    below("unmerge", work.issue_unmerge, name="unmerge"),
    below("events", occurrences.issue_events, name="events"),
    path(ISSUE, issue.issue_detail, name="detail"),
    path("settings/projects/<slug:slug>/sourcemaps", sourcemaps.source_maps, name="source-maps"),
    path("settings/projects/<slug:slug>/sourcemaps/release/delete", sourcemaps.delete_release, name="delete-maps"),
    path("settings/projects/<slug:slug>/sourcemaps/<int:map_id>/delete", sourcemaps.delete_one, name="delete-map"),
    path("releases", releases.release_list, name="releases"),
    path("releases/<slug:project_slug>", releases.release_page, name="release"),
]

"""The pages of errors."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from errors.dashboard import sourcemaps, views

app_name = "errors"
urlpatterns = [
    path("errors", views.issue_list, name="list"),
    path("errors/stats", views.stats_bar, name="stats"),
    path("settings/projects/<slug:slug>/sourcemaps", sourcemaps.source_maps, name="source-maps"),
    path("settings/projects/<slug:slug>/sourcemaps/release/delete", sourcemaps.delete_release, name="delete-maps"),
    path("settings/projects/<slug:slug>/sourcemaps/<int:map_id>/delete", sourcemaps.delete_one, name="delete-map"),
    path("errors/<slug:project_slug>/<text:fingerprint>/status", views.issue_status, name="status"),
    path("errors/<slug:project_slug>/<text:fingerprint>", views.issue_detail, name="detail"),
]

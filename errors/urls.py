"""The pages of errors."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from errors.dashboard import start, views

app_name = "errors"
urlpatterns = [
    path("errors", views.issue_list, name="list"),
    path("errors/stats", views.stats_bar, name="stats"),
    path("errors/first", start.first_event, name="first"),
    path("errors/<slug:project_slug>/<text:fingerprint>/status", views.issue_status, name="status"),
    path("errors/<slug:project_slug>/<text:fingerprint>", views.issue_detail, name="detail"),
]

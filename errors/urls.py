"""The pages of errors."""

from django.urls import path

from errors.dashboard import views

app_name = "errors"
urlpatterns = [
    path("errors", views.issue_list, name="list"),
    path("errors/stats", views.stats_bar, name="stats"),
    path("errors/<slug:project_slug>/<path:fingerprint>/status", views.issue_status, name="status"),
    path("errors/<slug:project_slug>/<path:fingerprint>", views.issue_detail, name="detail"),
]

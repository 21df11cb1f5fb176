"""Every route, mounted from the apps."""

from django.contrib import admin
from django.urls import include, path

from bloop_site import health, views
from bloop_site.docs import DocsView, SchemaView

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("health", health.health, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("v1/schema", SchemaView.as_view(), name="schema"),
    path("v1/docs", DocsView.as_view(url_name="schema"), name="schema-docs"),
    path("admin", views.admin_front, name="admin-front"),
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("accounts.api.urls")),
    path("", include("errors.urls")),
    path("", include("analytics.urls")),
    path("", include("llmtraces.urls")),
    path("", include("alerts.urls")),
    path("settings", views.settings_front, name="settings-front"),
    path("settings/", views.settings_front, name="settings-index"),
    path("settings/", include("projects.urls")),
    path("", include("projects.api.urls")),
    path("", include("errors.api.urls")),
    path("", include("analytics.api.urls")),
    path("", include("llmtraces.api.urls")),
    path("", include("alerts.api.urls")),
]

handler400 = "bloop_site.views.bad_request"
handler404 = "bloop_site.views.not_found"
handler500 = "bloop_site.views.server_error"

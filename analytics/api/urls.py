"""Routes of the endpoints of Insights."""

from django.urls import path

from analytics.api import views

urlpatterns = [
    path("v1/analytics/spikes", views.SpikesView.as_view(), name="api-spikes"),
    path("v1/analytics/movers", views.MoversView.as_view(), name="api-movers"),
    path("v1/analytics/correlations", views.CorrelationsView.as_view(), name="api-correlations"),
    path("v1/analytics/releases", views.ReleasesView.as_view(), name="api-release-impacts"),
    path("v1/analytics/environments", views.EnvironmentsView.as_view(), name="api-environments"),
]

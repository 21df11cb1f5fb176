"""The pages of Insights."""

from django.urls import path

from analytics.dashboard import correlations, environments, movers, releases, spikes

app_name = "insights"
urlpatterns = [
    path("insights", spikes.spikes, name="spikes"),
    path("insights/movers", movers.movers, name="movers"),
    path("insights/correlations", correlations.correlations, name="correlations"),
    path("insights/releases", releases.releases, name="releases"),
    path("insights/environments", environments.environments, name="environments"),
]

"""Routes of the error endpoints. Fingerprints and releases are `text`: they may hold slashes (contract 0.1)."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from errors.api import ingest, issues, releases, sourcemaps

urlpatterns = [
    path("v1/ingest", ingest.IngestView.as_view(), name="ingest"),
    path("v1/ingest/batch", ingest.IngestBatchView.as_view(), name="ingest-batch"),
    path("v1/errors", issues.ErrorListView.as_view(), name="api-errors"),
    path("v1/errors/<text:fingerprint>/occurrences", issues.OccurrencesView.as_view(), name="api-occurrences"),
    path("v1/errors/<text:fingerprint>/trend", issues.TrendView.as_view(), name="api-trend"),
    path("v1/errors/<text:fingerprint>/history", issues.HistoryView.as_view(), name="api-history"),
    path("v1/errors/<text:fingerprint>/resolve", issues.ResolveView.as_view(), name="api-resolve"),
    path("v1/errors/<text:fingerprint>/ignore", issues.IgnoreView.as_view(), name="api-ignore"),
    path("v1/errors/<text:fingerprint>/mute", issues.MuteView.as_view(), name="api-mute"),
    path("v1/errors/<text:fingerprint>/unresolve", issues.UnresolveView.as_view(), name="api-unresolve"),
    path("v1/errors/<text:fingerprint>", issues.ErrorDetailView.as_view(), name="api-error"),
    path("v1/releases", releases.ReleaseListView.as_view(), name="api-releases"),
    path("v1/releases/<text:release>/errors", issues.ReleaseErrorsView.as_view(), name="api-release-errors"),
    path("v1/trends", issues.TrendsView.as_view(), name="api-trends"),
    path("v1/projects/<str:slug>/sourcemaps", sourcemaps.SourceMapsView.as_view(), name="api-source-maps"),
    path("v1/projects/<str:slug>/sourcemaps/<str:map_id>", sourcemaps.SourceMapView.as_view(), name="api-source-map"),
    path("v1/stats", issues.StatsView.as_view(), name="api-stats"),
]

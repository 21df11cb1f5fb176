"""Routes of the trace endpoints. Trace ids are `text`: they may hold slashes and spaces (contract 0.1)."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from llmtraces.api import ingest, pricing, settings

urlpatterns = [
    path("v1/traces", ingest.TraceView.as_view(), name="traces"),
    path("v1/traces/batch", ingest.TraceBatchView.as_view(), name="traces-batch"),
    path("v1/traces/<text:trace_id>", ingest.TraceUpdateView.as_view(), name="trace-update"),
    path("v1/llm/settings", settings.SettingsView.as_view(), name="llm-settings"),
    path("v1/llm/settings/<text:project_id>", settings.SettingsOfView.as_view(), name="llm-settings-of"),
    path("v1/llm/budget", settings.BudgetView.as_view(), name="llm-budget"),
    path("v1/llm/pricing", pricing.PricingView.as_view(), name="llm-pricing"),
    path("v1/llm/pricing/overrides", pricing.OverridesView.as_view(), name="llm-price-overrides"),
]

"""Routes of the trace endpoints. Trace ids are `text`: they may hold slashes and spaces (contract 0.1)."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from llmtraces.api import ingest, prompts, sessions, traces, usage

urlpatterns = [
    path("v1/traces", ingest.TraceView.as_view(), name="traces"),
    path("v1/traces/batch", ingest.TraceBatchView.as_view(), name="traces-batch"),
    path("v1/traces/<text:trace_id>", ingest.TraceUpdateView.as_view(), name="trace-update"),
    path("v1/llm/overview", usage.OverviewView.as_view(), name="api-llm-overview"),
    path("v1/llm/dashboard", usage.DashboardView.as_view(), name="api-llm-dashboard"),
    path("v1/llm/metrics", usage.MetricsView.as_view(), name="api-llm-metrics"),
    path("v1/llm/usage", usage.UsageView.as_view(), name="api-llm-usage"),
    path("v1/llm/latency", usage.LatencyView.as_view(), name="api-llm-latency"),
    path("v1/llm/models", usage.ModelsView.as_view(), name="api-llm-models"),
    path("v1/llm/tools", usage.ToolsView.as_view(), name="api-llm-tools"),
    path("v1/llm/prompts", prompts.PromptListView.as_view(), name="api-llm-prompts"),
    path("v1/llm/prompts/<text:name>/versions", prompts.PromptVersionsView.as_view(), name="api-llm-prompt-versions"),
    path("v1/llm/prompts/<text:name>/compare", prompts.PromptCompareView.as_view(), name="api-llm-prompt-compare"),
    path("v1/llm/sessions", sessions.SessionListView.as_view(), name="api-llm-sessions"),
    path("v1/llm/sessions/<text:session_id>", sessions.SessionDetailView.as_view(), name="api-llm-session"),
    path("v1/llm/errors", traces.TraceErrorsView.as_view(), name="api-llm-errors"),
    path("v1/llm/traces", traces.TraceListView.as_view(), name="api-llm-traces"),
    # Last: an id may end as another route does.
    path("v1/llm/traces/<text:trace_id>", traces.TraceDetailView.as_view(), name="api-llm-trace"),
]

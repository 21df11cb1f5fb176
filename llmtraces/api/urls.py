"""Routes of the trace endpoints. Trace ids are `text`: they may hold slashes and spaces (contract 0.1)."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from llmtraces.api import ingest, judgements, pricing, prompts, rag, search, sessions, settings, traces, usage

urlpatterns = [
    # What is said of a trace, before the traces whose ids could end like these
    path("v1/llm/scores/summary", judgements.ScoreSummaryView.as_view(), name="scores-summary"),
    path("v1/llm/feedback/summary", judgements.FeedbackSummaryView.as_view(), name="feedback-summary"),
    path("v1/llm/traces/<text:trace_id>/scores", judgements.TraceScoresView.as_view(), name="trace-scores"),
    path("v1/llm/traces/<text:trace_id>/feedback", judgements.TraceFeedbackView.as_view(), name="trace-feedback"),
    path("v1/traces/<text:trace_id>/scores", judgements.TraceScoresAliasView.as_view(), name="trace-scores-alias"),
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
    path("v1/llm/search", search.SearchView.as_view(), name="api-llm-search"),
    path("v1/llm/errors", traces.TraceErrorsView.as_view(), name="api-llm-errors"),
    path("v1/llm/traces", traces.TraceListView.as_view(), name="api-llm-traces"),
    # Last: an id may end as another route does.
    path("v1/llm/traces/<text:trace_id>", traces.TraceDetailView.as_view(), name="api-llm-trace"),
    path("v1/llm/settings", settings.SettingsView.as_view(), name="llm-settings"),
    path("v1/llm/settings/<text:project_id>", settings.SettingsOfView.as_view(), name="llm-settings-of"),
    path("v1/llm/budget", settings.BudgetView.as_view(), name="llm-budget"),
    path("v1/llm/pricing", pricing.PricingView.as_view(), name="llm-pricing"),
    path("v1/llm/pricing/overrides", pricing.OverridesView.as_view(), name="llm-price-overrides"),
    path("v1/llm/rag", rag.RagView.as_view(), name="api-llm-rag"),
]

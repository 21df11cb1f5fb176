"""Routes of the trace endpoints. Trace ids are `text`: they may hold slashes and spaces (contract 0.1)."""

from django.urls import path

from bloop_site.lib import paths  # noqa: F401  registers the converter `text`
from llmtraces.api import ingest, judgements

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
]

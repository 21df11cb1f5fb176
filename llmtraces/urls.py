"""The pages of LLM tracing."""

from django.urls import path

from llmtraces.dashboard import (
    feedback,
    latency,
    models,
    overview,
    prompts,
    rag,
    scores,
    search,
    sessions,
    tools,
    trace,
    traces,
    usage,
)

app_name = "llm"
urlpatterns = [
    path("llm", overview.overview, name="overview"),
    path("llm/usage", usage.usage, name="usage"),
    path("llm/latency", latency.latency, name="latency"),
    path("llm/models", models.models, name="models"),
    path("llm/traces", traces.traces, name="traces"),
    path("llm/trace/<slug:project_slug>", trace.trace_page, name="trace"),
    path("llm/trace/<slug:project_slug>/tree", traces.trace_tree, name="trace-tree"),
    path("llm/trace/<slug:project_slug>/rows", trace.trace_rows, name="trace-rows"),
    path("llm/trace/<slug:project_slug>/span", trace.trace_span, name="trace-span"),
    path("llm/trace/<slug:project_slug>/text", trace.span_text, name="span-text"),
    path("llm/search", search.search, name="search"),
    path("llm/prompts", prompts.prompts, name="prompts"),
    path("llm/scores", scores.scores, name="scores"),
    path("llm/sessions", sessions.sessions, name="sessions"),
    path("llm/tools", tools.tools, name="tools"),
    path("llm/rag", rag.rag, name="rag"),
    path("llm/feedback", feedback.feedback, name="feedback"),
]

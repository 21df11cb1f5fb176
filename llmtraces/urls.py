"""The pages of LLM tracing."""

from django.urls import path

from llmtraces.dashboard import (
    feedback,
    latency,
    models,
    overview,
    prompt,
    prompts,
    rag,
    saved_views,
    scores,
    search,
    sessions,
    tools,
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
    path("llm/search", search.search, name="search"),
    path("llm/prompts", prompts.prompts, name="prompts"),
    path("llm/prompt", prompt.prompt, name="prompt"),
    path("llm/scores", scores.scores, name="scores"),
    path("llm/sessions", sessions.sessions, name="sessions"),
    path("llm/tools", tools.tools, name="tools"),
    path("llm/rag", rag.rag, name="rag"),
    path("llm/views", saved_views.save, name="save-view"),
    path("llm/views/delete", saved_views.delete, name="delete-view"),
    path("llm/feedback", feedback.feedback, name="feedback"),
]

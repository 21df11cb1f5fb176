"""The pages of LLM tracing."""

from django.urls import path

from llmtraces.dashboard import (
    feedback,
    latency,
    models,
    overview,
    prices,
    prompts,
    rag,
    scores,
    search,
    sessions,
    settings,
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
    path("llm/scores", scores.scores, name="scores"),
    path("llm/sessions", sessions.sessions, name="sessions"),
    path("llm/tools", tools.tools, name="tools"),
    path("llm/rag", rag.rag, name="rag"),
    path("llm/feedback", feedback.feedback, name="feedback"),
    path("llm/price", prices.set_model_price, name="set-price"),
    path("llm/price/remove", prices.remove_model_price, name="remove-price"),
    path("settings/projects/<slug:slug>/llm", settings.llm_settings, name="settings"),
    path("settings/projects/<slug:slug>/llm/policy", settings.choose_policy, name="policy"),
    path("settings/projects/<slug:slug>/llm/masking", settings.choose_masking, name="masking"),
    path("settings/projects/<slug:slug>/llm/masking/try", settings.try_masking, name="try-masking"),
    path("settings/projects/<slug:slug>/llm/budget", settings.choose_budget, name="budget"),
    path("settings/projects/<slug:slug>/llm/recalculate", settings.recalculate, name="recalculate"),
    path("settings/projects/<slug:slug>/llm/recalculation", settings.recalculation, name="recalculation"),
]

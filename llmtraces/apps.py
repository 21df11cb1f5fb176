"""LLM tracing as a Django app."""

from django.apps import AppConfig


class LLMTracesConfig(AppConfig):
    name = "llmtraces"
    verbose_name = "LLM traces"

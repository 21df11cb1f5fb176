"""The tables of LLM tracing."""

from llmtraces.models.rollups import DurationHour, PromptHour, SessionHour, ToolHour, TraceHour, UsageHour
from llmtraces.models.settings import LlmSettings, Policy, PriceOverride
from llmtraces.models.traces import Span, SpanText, Trace, TraceText

__all__ = [
    "DurationHour",
    "LlmSettings",
    "Policy",
    "PriceOverride",
    "PromptHour",
    "SessionHour",
    "Span",
    "SpanText",
    "ToolHour",
    "Trace",
    "TraceHour",
    "TraceText",
    "UsageHour",
]

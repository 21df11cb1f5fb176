"""The tables of LLM tracing."""

from llmtraces.models.judgements import Feedback, Score
from llmtraces.models.rollups import (
    Durations,
    FeedbackHour,
    PromptHour,
    RetrievalHour,
    ScoreSums,
    SessionHour,
    ToolHour,
    TraceHour,
    UsageHour,
)
from llmtraces.models.search import TraceWords
from llmtraces.models.settings import LlmSettings, Policy, PriceOverride, Recalculation, SavedView
from llmtraces.models.traces import Retrieval, Session, Span, SpanText, Trace, TraceText

__all__ = [
    "Durations",
    "Feedback",
    "FeedbackHour",
    "LlmSettings",
    "Policy",
    "PriceOverride",
    "PromptHour",
    "Recalculation",
    "Retrieval",
    "RetrievalHour",
    "SavedView",
    "Score",
    "ScoreSums",
    "Session",
    "SessionHour",
    "Span",
    "SpanText",
    "ToolHour",
    "Trace",
    "TraceHour",
    "TraceText",
    "TraceWords",
    "UsageHour",
]

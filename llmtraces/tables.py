"""The rollup tables' columns, in the order of `llmtraces.contributions`' keys and amounts. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RollupTable:
    """One table: its model, the columns of its key, the columns that are summed."""

    model: str
    keys: tuple[str, ...]
    amounts: tuple[str, ...]

    @property
    def name(self) -> str:
        """In the database."""
        return f"llmtraces_{self.model.lower()}"


HOUR = ("project_id", "hour_ms")
TABLES = {
    "usage": RollupTable(
        "UsageHour",
        (*HOUR, "model", "provider"),
        (
            "span_count",
            "error_count",
            "unpriced_count",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "cost_micros",
            "latency_ms",
            "ttft_ms",
            "ttft_count",
        ),
    ),
    "traces": RollupTable("TraceHour", HOUR, ("trace_count", "error_count", "ended_count", "latency_ms")),
    "prompts": RollupTable(
        "PromptHour",
        (*HOUR, "prompt_name", "prompt_version"),
        ("trace_count", "error_count", "ended_count", "latency_ms", "input_tokens", "output_tokens", "cost_micros"),
    ),
    "sessions": RollupTable(
        "SessionHour", (*HOUR, "session_id"), ("trace_count", "error_count", "total_tokens", "cost_micros")
    ),
    "tools": RollupTable("ToolHour", (*HOUR, "name"), ("call_count", "error_count", "latency_ms", "cost_micros")),
    "retrievals": RollupTable(
        "RetrievalHour",
        (*HOUR, "name", "source"),
        (
            "call_count",
            "error_count",
            "latency_ms",
            "chunks_retrieved",
            "chunks_used",
            "used_count",
            "context_tokens",
            "context_count",
            "context_micropct",
            "context_pct_count",
            "chunks_micropct",
            "chunks_pct_count",
            "top_k",
            "top_k_count",
            "top_relevance_micros",
            "relevance_count",
        ),
    ),
}
# Sums over feedback, not over traces: `llmtraces.services.judgement_sums` writes it.
FEEDBACK = RollupTable("FeedbackHour", ("hour_ms", "project_id"), ("positive", "negative"))

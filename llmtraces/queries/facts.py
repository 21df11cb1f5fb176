"""Stored traces and spans as what counts of them: read by the fold before it changes them, and by the check."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from llmtraces.contributions import SpanFacts, TraceFacts
from llmtraces.incoming import COMPLETED, Incoming, TraceKey, status_after, version_after
from llmtraces.models import Span
from llmtraces.retrievals import RetrievalFacts


class StoredTrace(NamedTuple):
    """A trace's row as the fold finds it; one it has just made is not known and has no spans."""

    id: int
    project_id: str
    trace_id: str
    is_known: bool
    session_id: str | None
    user_id: str | None
    prompt_name: str | None
    prompt_version: str | None
    name: str
    posted_status: str
    posted_ended_ms: int | None
    started_ms: int
    put_status: str | None
    put_ended_ms: int | None
    put_input_tokens: int | None
    put_output_tokens: int | None
    put_cost_micros: int | None

    @property
    def key(self) -> TraceKey:
        return self.project_id, self.trace_id

    def facts(self) -> TraceFacts:
        """What counts of it, a PUT's words before the trace's own."""
        return TraceFacts(
            is_known=self.is_known,
            started_ms=self.started_ms,
            ended_ms=self.posted_ended_ms if self.put_ended_ms is None else self.put_ended_ms,
            status=self.put_status or self.posted_status,
            session_id=self.session_id,
            prompt_name=self.prompt_name,
            prompt_version=self.prompt_version,
            put_input_tokens=self.put_input_tokens,
            put_output_tokens=self.put_output_tokens,
            put_cost_micros=self.put_cost_micros,
        )

    def after(self, incoming: Incoming) -> "StoredTrace":
        """The row with what came in. What a later post does not tell stays: it may bring but a span."""
        changed = self
        if (trace := incoming.trace) is not None:
            changed = changed._replace(
                is_known=True,
                session_id=trace.session_id or self.session_id,
                user_id=trace.user_id or self.user_id,
                prompt_name=trace.prompt_name or self.prompt_name,
                prompt_version=version_after(self.prompt_version, trace),
                name=trace.name or self.name,
                posted_status=status_after(self.posted_status if self.is_known else COMPLETED, trace),
                posted_ended_ms=trace.ended_ms or self.posted_ended_ms,
                started_ms=trace.started_ms or (self.started_ms if self.is_known else incoming.received_ms),
            )
        if (update := incoming.update) is not None:
            words: dict[str, Any] = {
                "put_status": update.status,
                "put_ended_ms": update.ended_ms,
                "put_input_tokens": update.input_tokens,
                "put_output_tokens": update.output_tokens,
                "put_cost_micros": update.cost_micros,
            }
            changed = changed._replace(**{name: value for name, value in words.items() if value is not None})
        return changed


TRACE_COLUMNS = StoredTrace._fields


def stored_trace(row: Sequence[Any]) -> StoredTrace:
    """A row of TRACE_COLUMNS, whichever database it comes from."""
    return StoredTrace(row[0], row[1], row[2], bool(row[3]), *row[4:])


def spans_of(trace_ids: Sequence[int]) -> defaultdict[int, dict[str, SpanFacts]]:
    """What counts of the spans stored already, by trace and span id."""
    found: defaultdict[int, dict[str, SpanFacts]] = defaultdict(dict)
    rows = Span.objects.filter(trace__in=trace_ids).values_list(
        "trace_id",
        "span_id",
        "span_type",
        "name",
        "model",
        "provider",
        "started_ms",
        "latency_ms",
        "ttft_ms",
        "status",
        "cost_source",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_micros",
        "retrieval__source",
        "retrieval__chunks_retrieved",
        "retrieval__chunks_used",
        "retrieval__context_tokens",
        "retrieval__max_context_tokens",
        "retrieval__top_relevance_micros",
        "retrieval__top_k",
    )
    for row in rows:
        trace_id, span_id, *described, status, source = row[:11]
        said: list[Any] = list(row[17:])
        retrieval = RetrievalFacts(*said) if said[0] is not None else None
        facts: list[Any] = [*described, status == "error", source == "unknown", *row[11:17], retrieval]
        found[trace_id][span_id] = SpanFacts(*facts)
    return found

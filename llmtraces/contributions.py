"""What one trace adds to every rollup. Pure: the fold adds the difference of two of these, the check sums them all.

So a trace that comes twice, grows, or is updated leaves each rollup as if it had come once as it is now.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields

from bloop_site.lib.clock import hour_of
from llmtraces.percentiles import bucket_of
from llmtraces.retrievals import RetrievalFacts

Key = tuple[str | int, ...]
Amounts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """What counts of a span; "" for no model or provider. retrieval: what a retrieval span says of its chunks."""

    span_type: str
    name: str
    model: str
    provider: str
    started_ms: int
    latency_ms: int
    ttft_ms: int | None
    is_error: bool
    is_unpriced: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_micros: int
    retrieval: RetrievalFacts | None = None


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What counts of a trace besides its spans. put_*: what a PUT said instead of the sum of the spans."""

    is_known: bool
    started_ms: int
    ended_ms: int | None
    status: str
    session_id: str | None
    prompt_name: str | None
    prompt_version: str | None
    put_input_tokens: int | None = None
    put_output_tokens: int | None = None
    put_cost_micros: int | None = None

    @property
    def has_put_totals(self) -> bool:
        """Whether a PUT said a figure."""
        return (self.put_input_tokens, self.put_output_tokens, self.put_cost_micros) != (None, None, None)

    @property
    def latency_ms(self) -> int | None:
        """From start to end; None while it runs, 0 when its clock went backwards."""
        return None if self.ended_ms is None else max(0, self.ended_ms - self.started_ms)


@dataclass(frozen=True, slots=True)
class Totals:
    """A trace's own figures: the sums over its spans, or what a PUT said."""

    span_count: int
    error_count: int
    input_tokens: int
    output_tokens: int
    cost_micros: int

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def totals_of(trace: TraceFacts, spans: Sequence[SpanFacts]) -> Totals:
    """The trace's totals (contract 8.1.1; a PUT's figures win, 8.1.3)."""
    tokens_in, tokens_out, cost = sums_of(spans)
    return Totals(
        span_count=len(spans),
        error_count=sum(span.is_error for span in spans),
        input_tokens=tokens_in if trace.put_input_tokens is None else trace.put_input_tokens,
        output_tokens=tokens_out if trace.put_output_tokens is None else trace.put_output_tokens,
        cost_micros=cost if trace.put_cost_micros is None else trace.put_cost_micros,
    )


def sums_of(spans: Sequence[SpanFacts]) -> tuple[int, int, int]:
    """Input tokens, output tokens and microdollars of the spans together."""
    return (
        sum(span.input_tokens for span in spans),
        sum(span.output_tokens for span in spans),
        sum(span.cost_micros for span in spans),
    )


class Rollup:
    """Sums of amounts by key, for one table: the amounts stand in the order of the table's columns."""

    def __init__(self) -> None:
        self.rows: dict[Key, list[int]] = {}

    def add(self, key: Key, amounts: Sequence[int], *, sign: int = 1) -> None:
        row = self.rows.get(key) or [0] * len(amounts)
        self.rows[key] = list(map(operator.add if sign > 0 else operator.sub, row, amounts))

    def changes(self) -> list[tuple[Key, Amounts]]:
        """The rows that are not all zero, sorted by key: everybody writes them in one order."""
        return [(key, tuple(row)) for key, row in sorted(self.rows.items()) if any(row)]


@dataclass
class Rollups:
    """One Rollup for each table; every key begins with the project and the hour."""

    usage: Rollup
    traces: Rollup
    prompts: Rollup
    sessions: Rollup
    tools: Rollup
    retrievals: Rollup
    durations: Rollup

    @classmethod
    def empty(cls) -> "Rollups":
        return cls(*(Rollup() for _ in fields(cls)))

    def add(self, project_id: str, trace: TraceFacts, spans: Sequence[SpanFacts], *, sign: int = 1) -> Totals:
        """Add (sign 1) or take away (-1) all that the trace contributes. Returns its totals."""
        for span in spans:
            self.add_span(project_id, span, sign=sign)
        totals = totals_of(trace, spans)
        self.add_correction(project_id, trace, spans, totals, sign=sign)
        if trace.is_known:
            self.add_trace(project_id, trace, totals, sign=sign)
        return totals

    def add_span(self, project_id: str, span: SpanFacts, *, sign: int) -> None:
        """Usage, tools, and the buckets of its durations."""
        hour = hour_of(span.started_ms)
        ttft_ms = span.ttft_ms if span.span_type == "generation" else None  # contract 8.5.3
        amounts = (
            1,
            span.is_error,
            span.is_unpriced,
            span.input_tokens,
            span.output_tokens,
            span.cached_tokens,
            span.cache_write_tokens,
            span.reasoning_tokens,
            span.cost_micros,
            span.latency_ms,
            ttft_ms or 0,
            ttft_ms is not None,
        )
        self.usage.add((project_id, hour, span.model, span.provider), amounts, sign=sign)
        if span.span_type == "generation":
            durations = [("latency", span.latency_ms), ("ttft", ttft_ms)]
            for kind, duration in durations:
                if duration is not None:
                    key = (project_id, hour, kind, span.model, span.provider, bucket_of(duration))
                    self.durations.add(key, (1,), sign=sign)
        elif span.span_type in ("tool", "retrieval"):
            self.durations.add((project_id, hour, "tool", span.name, "", bucket_of(span.latency_ms)), (1,), sign=sign)
            tool = (1, span.is_error, span.latency_ms, span.cost_micros)
            self.tools.add((project_id, hour, span.name), tool, sign=sign)
        if span.retrieval is not None:
            self.add_retrieval(project_id, span, span.retrieval, sign=sign)

    def add_retrieval(self, project_id: str, span: SpanFacts, said: RetrievalFacts, *, sign: int) -> None:
        """What a retrieval says of its chunks: each sum with how many gave it, so that averages skip the others."""
        key = (project_id, hour_of(span.started_ms), span.name, said.source)
        amounts: list[int] = [1, span.is_error, span.latency_ms, said.chunks_retrieved]
        for amount in (
            said.chunks_used,
            said.context_tokens,
            said.context_micropct,
            said.chunks_micropct,
            said.top_k,
            said.top_relevance_micros,
        ):
            amounts += (amount or 0, amount is not None)
        self.retrievals.add(key, amounts, sign=sign)
        bucket = (project_id, hour_of(span.started_ms), "rag", span.name, said.source, bucket_of(span.latency_ms))
        self.durations.add(bucket, (1,), sign=sign)

    def add_correction(
        self, project_id: str, trace: TraceFacts, spans: Sequence[SpanFacts], totals: Totals, *, sign: int
    ) -> None:
        """What a PUT said beyond the spans: usage of the trace's hour, under its only model if it has just one."""
        if not trace.has_put_totals:
            return
        tokens_in, tokens_out, cost = sums_of(spans)
        tokens_in, tokens_out = totals.input_tokens - tokens_in, totals.output_tokens - tokens_out
        cost = totals.cost_micros - cost
        if not (tokens_in or tokens_out or cost):
            return
        models = {(span.model, span.provider) for span in spans if span.model}
        model, provider = models.pop() if len(models) == 1 else ("", "")
        amounts = (0, 0, 0, tokens_in, tokens_out, 0, 0, 0, cost, 0, 0, 0)
        self.usage.add((project_id, hour_of(trace.started_ms), model, provider), amounts, sign=sign)

    def add_trace(self, project_id: str, trace: TraceFacts, totals: Totals, *, sign: int) -> None:
        """Traces, prompts and sessions."""
        hour = hour_of(trace.started_ms)
        is_error, latency_ms = trace.status == "error", trace.latency_ms
        ended = (latency_ms is not None, latency_ms or 0)
        self.traces.add((project_id, hour), (1, is_error, *ended), sign=sign)
        if trace.prompt_name is not None:
            tokens = (totals.input_tokens, totals.output_tokens, totals.cost_micros)
            key = (project_id, hour, trace.prompt_name, trace.prompt_version or "")
            self.prompts.add(key, (1, is_error, *ended, *tokens), sign=sign)
        if trace.session_id is not None:
            amounts = (1, is_error, totals.total_tokens, totals.cost_micros)
            self.sessions.add((project_id, hour, trace.session_id), amounts, sign=sign)

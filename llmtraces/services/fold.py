"""Folds buffered traces into their tables and every rollup: the only writer of traces.

A trace's rows are locked, in one order for everybody, by the upsert that makes or finds them. Its rollups change by
the difference between what it contributed before and what it contributes now (llmtraces.contributions), so sending it
again, growing it, and updating it count once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from bloop_site.lib.db import insert_rows
from ingest.registry import Payload
from llmtraces.contract import MAX_MICROS, SpanIn, TraceIn, UpdateIn, decode_entries, encode_entries
from llmtraces.contributions import Rollups, SpanFacts, Totals
from llmtraces.incoming import Incoming, TraceKey, gathered, in_time, span_facts, with_kept_retrieval
from llmtraces.pricing import Price, Tokens, price_of
from llmtraces.queries.facts import TRACE_COLUMNS, StoredTrace, spans_of, stored_trace
from llmtraces.queries.prices import overrides_of
from llmtraces.services.retrievals import Changed, SpanKey, changed_retrievals, write_retrievals
from llmtraces.services.rollups import write_rollups
from llmtraces.services.search_index import Folded, index_words
from llmtraces.services.sessions import SessionKey, write_sessions
from llmtraces.used_models import used_models
from projects.models import Project

ENTRIES = Iterable[tuple[str, int, TraceIn | UpdateIn]]


COLUMNS = ", ".join(TRACE_COLUMNS)
FIND_OR_MAKE = f"""
    ON CONFLICT (project_id, trace_id) DO UPDATE SET is_known = llmtraces_trace.is_known
    RETURNING {COLUMNS}, span_count
"""
MADE = -1  # in place of a number of spans, until the row is updated in the same transaction: it was not there before
UPDATE_TRACE = """
    UPDATE llmtraces_trace SET is_known = %s, session_id = %s, user_id = %s, prompt_name = %s, prompt_version = %s,
        name = %s, posted_status = %s, posted_ended_ms = %s, started_ms = %s, put_status = %s, put_ended_ms = %s,
        put_input_tokens = %s, put_output_tokens = %s, put_cost_micros = %s, status = %s, ended_ms = %s,
        latency_ms = %s, span_count = %s, error_count = %s, input_tokens = %s, output_tokens = %s,
        total_tokens = %s, cost_micros = %s, used_models = %s
    WHERE id = %s
"""
SPAN_COLUMNS = (
    "parent_span_id, span_type, name, model, provider, started_ms, ended_ms, latency_ms, ttft_ms, status,"
    " error_message, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micros,"
    " cost_source"
)
UPSERT_SPANS = f"""
    ON CONFLICT (trace_id, span_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in SPAN_COLUMNS.replace(",", "").split())}
    RETURNING id, trace_id, span_id
"""
# A text that a later post leaves out stays: an update of a running trace need not repeat its input.
UPSERT_TRACE_TEXTS = """
    ON CONFLICT (trace_id) DO UPDATE SET
        input = COALESCE(excluded.input, llmtraces_tracetext.input),
        output = COALESCE(excluded.output, llmtraces_tracetext.output),
        put_output = COALESCE(excluded.put_output, llmtraces_tracetext.put_output),
        metadata = COALESCE(excluded.metadata, llmtraces_tracetext.metadata)
"""
UPSERT_SPAN_TEXTS = """
    ON CONFLICT (span_id) DO UPDATE SET
        input = COALESCE(excluded.input, llmtraces_spantext.input),
        output = COALESCE(excluded.output, llmtraces_spantext.output),
        metadata = COALESCE(excluded.metadata, llmtraces_spantext.metadata)
"""


@dataclass(frozen=True)
class PricedSpan:
    """A span that came in, and what it counts for."""

    span: SpanIn
    facts: SpanFacts
    cost_source: str


class TracesHandler:
    """The owner of buffered `traces` payloads (`ingest.registry.Handler`)."""

    def prepare(self, payloads: Sequence[Payload]) -> dict[TraceKey, Incoming]:
        return gathered(
            (payload.project_id, payload.received_ms, entry)
            for payload in payloads
            for entry in decode_entries(payload.body)
        )

    def write(self, prepared: dict[TraceKey, Incoming]) -> None:
        write_traces(prepared)

    def split(self, payload: Payload) -> Sequence[bytes]:
        return [encode_entries([entry]) for entry in decode_entries(payload.body)]


def record_traces(entries: ENTRIES) -> None:
    """Fold traces and updates of any projects. Must run inside a transaction; repeats add nothing."""
    write_traces(gathered(entries))


def write_traces(batch: dict[TraceKey, Incoming]) -> None:
    """Write a batch; what belongs to projects that were deleted is left out."""
    there = set(Project.objects.filter(pk__in={key[0] for key in batch}, removing_at=None).values_list("pk", flat=True))
    batch = {key: incoming for key, incoming in sorted(batch.items()) if key[0] in there}
    if not batch:
        return
    stored, earlier = find_or_make(batch)
    spans = spans_of(sorted(earlier))
    prices = overrides_of({row.project_id for row in stored})
    change = Rollups.empty()
    rows, new_spans = [], []
    sessions: dict[SessionKey, bool] = {}
    retrievals: list[Changed] = []
    folded: list[Folded] = []
    for row in stored:
        incoming, before = batch[row.key], spans[row.id]
        change.add(row.project_id, row.facts(), list(before.values()), sign=-1)
        after = row.after(incoming)
        began_ms = row.started_ms if row.is_known else incoming.received_ms
        spans_in = in_time(incoming, before, trace_started_ms=began_ms)
        priced = [priced_span(span, prices[row.project_id], prices[None]) for span in spans_in]
        came = {
            each.span.span_id: with_kept_retrieval(each.span, each.facts, before.get(each.span.span_id))
            for each in priced
        }
        now = {**before, **came}
        retrievals += changed_retrievals(row.project_id, row.id, before=before, now=came)
        totals = change.add(row.project_id, after.facts(), list(now.values()))
        note_sessions(sessions, row, after)
        folded.append(Folded(row if row.id in earlier else None, after, before, incoming))
        rows.append(update_row(after, totals, used_models((each.model, each.provider) for each in now.values())))
        new_spans.append((row, priced))
    with connection.cursor() as cursor:
        cursor.executemany(UPDATE_TRACE, rows)
    keys = write_spans(new_spans)
    write_texts([(row, batch[row.key]) for row in stored])
    write_rollups(change)
    write_retrievals(retrievals, keys)
    index_words(folded)
    write_sessions(sessions)


def note_sessions(touched: dict[SessionKey, bool], before: StoredTrace, after: StoredTrace) -> None:
    """Add the sessions a trace was in and is in, and whether it says or said whose they are."""
    for row in (before, after):
        if row.session_id is not None:
            key = row.project_id, row.session_id
            touched[key] = touched.get(key, False) or before.user_id is not None or after.user_id is not None


def find_or_make(batch: dict[TraceKey, Incoming]) -> tuple[list[StoredTrace], set[int]]:
    """The rows of these traces, locked, and the ids of those that were there; the others are made, not known yet."""
    rows = [
        (*key, False, "", "running", "running", started_of(incoming), incoming.received_ms, MADE)
        for key, incoming in batch.items()
    ]
    with connection.cursor() as cursor:
        returned = insert_rows(
            cursor,
            "INSERT INTO llmtraces_trace"
            " (project_id, trace_id, is_known, name, posted_status, status, started_ms, received_ms, span_count)",
            rows,
            then=FIND_OR_MAKE,
            returning=True,
        )
    return [stored_trace(row[:-1]) for row in returned], {row[0] for row in returned if row[-1] != MADE}


def started_of(incoming: Incoming) -> int:
    """When a trace that is new began, as far as is known."""
    return (incoming.trace and incoming.trace.started_ms) or incoming.received_ms


def priced_span(span: SpanIn, own: dict[str, Price], general: dict[str, Price]) -> PricedSpan:
    """The span with its cost: the client's, else by our prices (contract 8.3)."""
    if span.cost_micros is not None:
        return PricedSpan(span, span_facts(span, cost_micros=span.cost_micros, cost_source="client"), "client")
    if not span.model or not (span.input_tokens or span.output_tokens):
        return PricedSpan(span, span_facts(span, cost_micros=0, cost_source=""), "")
    tokens = Tokens(
        span.input_tokens, span.output_tokens, span.cached_tokens, span.cache_write_tokens, span.reasoning_tokens
    )
    cost, source = our_price(span.model, span.provider, tokens, at_ms=span.started_ms, own=own, general=general)
    return PricedSpan(span, span_facts(span, cost_micros=cost, cost_source=source), source)


def our_price(
    model: str, provider: str, tokens: Tokens, *, at_ms: int, own: dict[str, Price], general: dict[str, Price]
) -> tuple[int, str]:
    """What we say the tokens cost, and the cost_source: 0 and "unknown" when nobody knows the model."""
    price = price_of(model, provider, at_ms=at_ms, own=own, general=general)
    return (0, "unknown") if price is None else (min(price.cost_micros(tokens), MAX_MICROS), "price")


def update_row(row: StoredTrace, totals: Totals, models: str | None) -> tuple[Any, ...]:
    """The parameters of UPDATE_TRACE."""
    facts = row.facts()
    return (
        *row[3:],
        facts.status,
        facts.ended_ms,
        facts.latency_ms,
        totals.span_count,
        totals.error_count,
        totals.input_tokens,
        totals.output_tokens,
        totals.total_tokens,
        totals.cost_micros,
        models,
        row.id,
    )


def write_spans(new: Sequence[tuple[StoredTrace, list[PricedSpan]]]) -> dict[SpanKey, int]:
    """Upsert the spans, and the texts of those that have any. Returns the spans' primary keys."""
    rows, texts = [], {}
    for trace, priced in new:
        for each in priced:
            span = each.span
            rows.append((trace.id, trace.project_id, span.span_id, *span_row(each)))
            if span.input is not None or span.output is not None or span.metadata is not None:
                texts[trace.id, span.span_id] = (span.input, span.output, span.metadata)
    with connection.cursor() as cursor:
        returned = insert_rows(
            cursor,
            f"INSERT INTO llmtraces_span (trace_id, project_id, span_id, {SPAN_COLUMNS})",
            rows,
            then=UPSERT_SPANS,
            returning=True,
        )
        keys = {(trace, span): pk for pk, trace, span in returned}
        insert_rows(
            cursor,
            "INSERT INTO llmtraces_spantext (span_id, input, output, metadata)",
            [(keys[key], *said) for key, said in texts.items()],
            then=UPSERT_SPAN_TEXTS,
        )
    return keys


def span_row(priced: PricedSpan) -> tuple[Any, ...]:
    """The columns of a span, in the order of SPAN_COLUMNS."""
    span = priced.span
    return (
        span.parent_span_id,
        span.span_type,
        span.name,
        span.model,
        span.provider,
        span.started_ms,
        span.ended_ms,
        span.latency_ms,
        span.ttft_ms,
        span.status,
        span.error_message,
        span.input_tokens,
        span.output_tokens,
        span.cached_tokens,
        span.cache_write_tokens,
        span.reasoning_tokens,
        priced.facts.cost_micros,
        priced.cost_source,
    )


def write_texts(incoming: Sequence[tuple[StoredTrace, Incoming]]) -> None:
    """Upsert the texts of the traces that have any."""
    rows = []
    for trace, came in incoming:
        own = came.trace
        put = came.update.output if came.update else None
        texts = (own and own.input, own and own.output, put, own and own.metadata)
        if any(text is not None for text in texts):
            rows.append((trace.id, *texts))
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            "INSERT INTO llmtraces_tracetext (trace_id, input, output, put_output, metadata)",
            rows,
            then=UPSERT_TRACE_TEXTS,
        )

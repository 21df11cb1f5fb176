"""Puts together what a trace was and what came of it: the last word on each span, and what a PUT said. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

import msgspec

from llmtraces.contract import SpanIn, TraceIn, UpdateIn, timed
from llmtraces.contributions import SpanFacts
from llmtraces.retrievals import retrieval_of
from llmtraces.search_words import words_of

TraceKey = tuple[str, str]  # project id, trace id
Said = TypeVar("Said", TraceIn, SpanIn)
TEXTS = ("input", "output", "metadata")
OF_TRACE = ("name", "session_id", "user_id", "prompt_name", "started_ms", "ended_ms", *TEXTS)
RUNNING, COMPLETED = "running", "completed"
NAMES = ("trace_id", "name", "session_id", "user_id", "prompt_name")  # by which a trace is found, besides its texts


@dataclass
class Incoming:
    """All that a batch says of one trace, in order of arrival.

    starts: of spans that came without one, when their trace began as the batch had it then; 0: it had not said.
    words: by which its trace is found if this is all there is of it, with spaces between.
    """

    received_ms: int
    trace: TraceIn | None = None
    spans: dict[str, SpanIn] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    update: UpdateIn | None = None
    words: str = ""

    def add(self, entry: TraceIn | UpdateIn) -> None:
        """A later trace replaces an earlier, its spans those with the same ids; updates add up.

        What the later trace does not tell stays, and so do the texts of spans, as when they come in two batches.
        """
        if isinstance(entry, TraceIn):
            self.trace = later_trace(self.trace, entry)
            for span in entry.spans:
                self.spans[span.span_id] = later_span(self.spans.get(span.span_id), span)
                if not span.started_ms:
                    self.starts.setdefault(span.span_id, self.trace.started_ms)
        else:
            self.update = entry if self.update is None else later_update(self.update, entry)

    @property
    def output(self) -> str | None:
        """The trace's output: a PUT's before its own."""
        put = self.update.output if self.update else None
        return self.trace.output if self.trace and put is None else put

    def texts(self) -> Iterator[str | None]:
        """What a trace is found by, of that which came with it; names first, for there is a limit."""
        if self.trace is None:
            return
        spans = self.spans.values()
        yield from (getattr(self.trace, name) for name in NAMES)
        yield from chain.from_iterable((span.name, span.error_message) for span in spans)
        yield self.trace.input
        yield self.output
        yield from chain.from_iterable((span.input, span.output) for span in spans)


def later_trace(earlier: TraceIn | None, later: TraceIn) -> TraceIn:
    """The later of two, with what the earlier told and it does not."""
    if earlier is None:
        return later
    return msgspec.structs.replace(
        completed_by(earlier, later, names=OF_TRACE),
        status=status_after(earlier.status, later),
        prompt_version=version_after(earlier.prompt_version, later),
    )


def status_after(earlier: str, later: TraceIn) -> str:
    """The status of a trace that had one before. One that is not told stays; but who tells an end, runs no more."""
    if later.status:
        return later.status
    return COMPLETED if earlier == RUNNING and later.ended_ms is not None else earlier


def version_after(version: str | None, later: TraceIn) -> str | None:
    """The version of a trace's prompt that had one before. Who tells the prompt tells its version, or none."""
    return later.prompt_version or (None if later.prompt_name else version)


def later_span(earlier: SpanIn | None, later: SpanIn) -> SpanIn:
    """The later of two, with those texts of the earlier that it leaves out, and its start."""
    if earlier is None:
        return later
    return completed_by(earlier, timed(later, started_ms=earlier.started_ms), names=TEXTS)


def completed_by(earlier: Said, later: Said, *, names: Iterable[str]) -> Said:
    """The later, with those fields of the earlier that it does not tell."""
    kept = {name: getattr(earlier, name) for name in names if not getattr(later, name)}
    return msgspec.structs.replace(later, **kept) if kept else later


def later_update(earlier: UpdateIn, later: UpdateIn) -> UpdateIn:
    """Two PUTs as one: of each field the later word."""
    said = {name: value for name, value in msgspec.structs.asdict(later).items() if value is not None}
    return msgspec.structs.replace(earlier, **said)


def gathered(entries: Iterable[tuple[str, int, TraceIn | UpdateIn]]) -> dict[TraceKey, Incoming]:
    """A batch by trace. entries: (project id, received_ms, entry) in order of arrival.

    Words take a third of a fold's time, and are looked for here: before anybody has the turn to write.
    """
    found: dict[TraceKey, Incoming] = {}
    for project_id, received_ms, entry in entries:
        key = (project_id, entry.trace_id)
        incoming = found.get(key)
        if incoming is None:
            incoming = found[key] = Incoming(received_ms)
        incoming.add(entry)
    for incoming in found.values():
        incoming.words = " ".join(words_of(incoming.texts()))
    return found


def in_time(incoming: Incoming, before: dict[str, SpanFacts], *, trace_started_ms: int) -> list[SpanIn]:
    """The spans that came, each with a start: if nobody told it, that which it has already, else its trace's.

    before: the spans that were there; trace_started_ms: when the trace began, as far as was known before the batch.
    """
    spans = []
    for span_id, span in incoming.spans.items():
        if span.started_ms:
            spans.append(span)
        elif span_id in before:
            spans.append(timed(span, started_ms=before[span_id].started_ms))
        else:
            spans.append(timed(span, started_ms=incoming.starts[span_id] or trace_started_ms))
    return spans


def span_facts(span: SpanIn, *, cost_micros: int, cost_source: str) -> SpanFacts:
    """What counts of a span that came in, priced."""
    return SpanFacts(
        span_type=span.span_type,
        name=span.name,
        model=span.model,
        provider=span.provider,
        started_ms=span.started_ms,
        latency_ms=span.latency_ms,
        ttft_ms=span.ttft_ms,
        is_error=span.status == "error",
        is_unpriced=cost_source == "unknown",
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
        cached_tokens=span.cached_tokens,
        cache_write_tokens=span.cache_write_tokens,
        reasoning_tokens=span.reasoning_tokens,
        cost_micros=cost_micros,
        retrieval=retrieval_of(span.metadata) if span.span_type == "retrieval" else None,
    )


def with_kept_retrieval(span: SpanIn, facts: SpanFacts, before: SpanFacts | None) -> SpanFacts:
    """The facts, with the retrieval of a span that comes again without metadata: like its texts, it stays."""
    if before is None or before.retrieval is None or span.metadata is not None or span.span_type != "retrieval":
        return facts
    return replace(facts, retrieval=before.retrieval)

"""Keeps the rows that say what retrieval spans found; the fold calls it within its transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from bloop_site.lib.db import insert_rows
from llmtraces.contributions import SpanFacts
from llmtraces.models import Retrieval
from llmtraces.retrievals import RetrievalFacts

COLUMNS = (
    "project_id",
    "started_ms",
    "source",
    "chunks_retrieved",
    "chunks_used",
    "context_tokens",
    "max_context_tokens",
    "top_relevance_micros",
    "top_k",
)
UPSERT = f"ON CONFLICT (span_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
SpanKey = tuple[int, str]  # the trace's primary key, the span's id
STEP = 10_000  # spans in a statement: well within the parameters SQLite takes


@dataclass(frozen=True, slots=True)
class Changed:
    """A span whose retrieval is not what its row says, and what it is now. trace: the primary key."""

    project_id: str
    trace: int
    span_id: str
    now: SpanFacts


def changed_retrievals(
    project_id: str, trace: int, *, before: Mapping[str, SpanFacts], now: Mapping[str, SpanFacts]
) -> list[Changed]:
    """The spans of one trace whose retrieval came, went, or is another than before."""
    return [
        Changed(project_id, trace, span_id, facts)
        for span_id, facts in now.items()
        if retrieval_at(facts) != retrieval_at(before.get(span_id))
    ]


def retrieval_at(facts: SpanFacts | None) -> tuple[object, int] | None:
    """What a row of Retrieval says: the retrieval, and when it began."""
    return None if facts is None or facts.retrieval is None else (facts.retrieval, facts.started_ms)


def write_retrievals(changed: Sequence[Changed], keys: Mapping[SpanKey, int]) -> None:
    """Upsert and delete rows, after their spans were written. keys: the primary keys these got."""
    gone = [keys[each.trace, each.span_id] for each in changed if each.now.retrieval is None]
    for start in range(0, len(gone), STEP):
        Retrieval.objects.filter(pk__in=gone[start : start + STEP]).delete()
    rows = [
        (keys[each.trace, each.span_id], *row_of(each, said))
        for each in changed
        if (said := each.now.retrieval) is not None
    ]
    with connection.cursor() as cursor:
        insert_rows(cursor, f"INSERT INTO llmtraces_retrieval (span_id, {', '.join(COLUMNS)})", rows, then=UPSERT)


def row_of(changed: Changed, said: RetrievalFacts) -> tuple[object, ...]:
    """The row's values, in the order of COLUMNS."""
    return (
        changed.project_id,
        changed.now.started_ms,
        said.source,
        said.chunks_retrieved,
        said.chunks_used,
        said.context_tokens,
        said.max_context_tokens,
        said.top_relevance_micros,
        said.top_k,
    )

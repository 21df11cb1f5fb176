"""What a retrieval span's metadata says of its chunks, read as leniently as the contract wants (8.5.10). Pure.

Keys have literal dots. A value that is no number, not finite or negative counts as not given; without a usable
`rag.chunks_retrieved` the span tells nothing of a retrieval and is a tool's call only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bloop_site.lib.wire import Unreadable, decode_json, number_in
from llmtraces.contract import MAX_COUNT, MAX_NAME_BYTES, MICROS, as_text

RETRIEVED = "rag.chunks_retrieved"
UNKNOWN = "unknown"
# Scores above a million and shares above a million percent are held there, so that millions of them can be summed.
MAX_RELEVANCE = MAX_PERCENT = 10**6


@dataclass(frozen=True, slots=True)
class RetrievalFacts:
    """What counts of a retrieval; None for what it does not say. top_relevance_micros: the best chunk's, millionths."""

    source: str
    chunks_retrieved: int
    chunks_used: int | None = None
    context_tokens: int | None = None
    max_context_tokens: int | None = None
    top_relevance_micros: int | None = None
    top_k: int | None = None

    @property
    def context_micropct(self) -> int | None:
        """How much of the context was filled, in millionths of a percent."""
        return micropct(self.context_tokens, self.max_context_tokens)

    @property
    def chunks_micropct(self) -> int | None:
        """How many of the chunks retrieved were used, in millionths of a percent."""
        return micropct(self.chunks_used, self.chunks_retrieved)


def micropct(part: int | None, whole: int | None) -> int | None:
    """Part of whole in millionths of a percent, half up; None when either is missing or the whole is nothing."""
    if part is None or not whole:
        return None
    scaled = part * 100 * MICROS
    return min((2 * scaled + whole) // (2 * whole), MAX_PERCENT * MICROS)


def retrieval_of(metadata: str | None) -> RetrievalFacts | None:
    """What a retrieval span's metadata, a JSON text, says; None when it has no number under `rag.chunks_retrieved`."""
    if metadata is None or RETRIEVED not in metadata:
        return None
    said = object_in(metadata)
    retrieved = count_in(said, RETRIEVED)
    if retrieved is None:
        return None
    return RetrievalFacts(
        source=as_text(said.get("rag.source"), limit=MAX_NAME_BYTES) or UNKNOWN,
        chunks_retrieved=retrieved,
        chunks_used=count_in(said, "rag.chunks_used"),
        context_tokens=count_in(said, "rag.context_tokens"),
        max_context_tokens=count_in(said, "rag.max_context_tokens"),
        top_relevance_micros=top_relevance(said.get("rag.relevance_scores")),
        top_k=count_in(said, "rag.top_k"),
    )


def object_in(metadata: str) -> Mapping[str, Any]:
    """The object that a JSON text holds, or that a JSON text within it holds; an empty one for anything else."""
    value: Any = metadata
    for _ in range(2):  # some clients send metadata as a text of JSON
        if type(value) is not str:
            break
        try:
            value = decode_json(value.encode(errors="replace"))
        except Unreadable:
            return {}
    return value if type(value) is dict else {}


def number(value: Any) -> float | int | None:
    """A number, or one in a text, not negative and finite; None for anything else."""
    if type(value) is str:
        try:
            value = number_in(value)
        except Unreadable:
            return None
    if type(value) is not int and type(value) is not float:
        return None
    return value if 0 <= value < float("inf") else None


def count_in(said: Mapping[str, Any], name: str) -> int | None:
    """A whole number of 0 to MAX_COUNT; None when none is given."""
    value = number(said.get(name))
    return None if value is None else round(min(value, MAX_COUNT))


def top_relevance(scores: Any) -> int | None:
    """The first score of the array, or a score that stands alone, in millionths."""
    first = scores[0] if type(scores) is list and scores else scores
    value = number(first)
    return None if value is None else round(min(value, MAX_RELEVANCE) * MICROS)

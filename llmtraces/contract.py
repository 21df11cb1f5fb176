"""From a client's JSON to checked traces, with every leniency of the contract (8.1, rules T1 to T8). Pure.

What the project's content policy forbids is gone when these functions return: nothing behind them ever sees it.
"""

import math
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import xxhash

from bloop_site.lib.wire import Unreadable, cut, is_deeper, milliseconds_of, number_in
from llmtraces.masking import Masking

MAX_ID_BYTES = 128
MAX_NAME_BYTES = 512
MAX_ERROR_BYTES = 8_192
MAX_DEPTH = 64
MICROS = 1_000_000
# Below 2^63 by far (T4), so that millions of such spans can be summed in one row.
MAX_COUNT = 10**12
MAX_MICROS = 10**15

TRACE_FIELDS = frozenset(
    {
        "id",
        "session_id",
        "user_id",
        "prompt_name",
        "prompt_version",
        "name",
        "status",
        "input",
        "output",
        "metadata",
        "started_at",
        "ended_at",
        "spans",
    }
)
SPAN_FIELDS = frozenset(
    {
        "id",
        "parent_span_id",
        "span_type",
        "name",
        "model",
        "provider",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cost",
        "latency_ms",
        "time_to_first_token_ms",
        "status",
        "error_message",
        "input",
        "output",
        "metadata",
        "started_at",
        "ended_at",
    }
)
# Kinds of tokens some clients report, under the names OpenAI's and Anthropic's answers have for them.
CACHED = ("cached_tokens", "cached_input_tokens", "cache_read_tokens", "cache_read_input_tokens")
CACHE_WRITE = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
REASONING = ("reasoning_tokens",)
SPAN_KNOWN = SPAN_FIELDS | {*CACHED, *CACHE_WRITE, *REASONING}


class TraceInvalid(Exception):
    """The trace cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a request: the content policy ("none", "metadata_only", "full"), the most spans of a trace.

    masking: what is replaced in texts that are kept; None: nothing.
    """

    policy: str
    max_spans: int
    masking: Masking | None = None

    @property
    def keeps_texts(self) -> bool:
        return self.policy == "full"

    @property
    def keeps_metadata(self) -> bool:
        return self.policy in ("full", "metadata_only")


class SpanIn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One checked span. cost_micros: as the client says; None leaves it to our prices. "" for no model or provider.

    started_ms: 0 when neither the span nor its trace told it; then end and latency are as told, too (`timed`).
    """

    span_id: str
    parent_span_id: str | None
    span_type: str
    name: str
    model: str
    provider: str
    started_ms: int
    ended_ms: int | None
    latency_ms: int
    ttft_ms: int | None
    status: str
    error_message: str | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_micros: int | None
    input: str | None
    output: str | None
    metadata: str | None


class TraceIn(msgspec.Struct, frozen=True, array_like=True, tag="trace", gc=False):
    """One checked trace as it stands in the buffer; texts and metadata only as the policy lets them.

    None, an empty text and a start of 0 are what the client did not tell.
    """

    trace_id: str
    session_id: str | None
    user_id: str | None
    prompt_name: str | None
    prompt_version: str | None
    name: str
    status: str
    started_ms: int
    ended_ms: int | None
    input: str | None
    output: str | None
    metadata: str | None
    spans: list[SpanIn]


class UpdateIn(msgspec.Struct, frozen=True, array_like=True, tag="update", gc=False):
    """What a PUT says of a trace; None for what it does not."""

    trace_id: str
    status: str | None
    output: str | None
    ended_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None


Entry = TraceIn | UpdateIn
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Entry])


def encode_entries(entries: list[Entry]) -> bytes:
    """Entries as the body of one buffered payload."""
    return _encoder.encode(entries)


def decode_entries(body: bytes) -> list[Entry]:
    """The entries of a buffered payload. Raises msgspec.MsgspecError for anything else."""
    return _decoder.decode(body)


def parse_trace(raw: Any, *, rules: Rules, now_ms: int, default_id: str | None = None) -> TraceIn:
    """Check one decoded trace. Raises TraceInvalid. now_ms: the receive time.

    default_id: the Idempotency-Key's id for it. Without any id the trace gets a random one.
    """
    if type(raw) is not dict:
        raise TraceInvalid("a trace must be a JSON object")
    trace_id = id_of(raw, "trace_id") or default_id or str(uuid.uuid4())
    spans = [] if raw.get("spans") is None else raw["spans"]
    if type(spans) is not list:
        raise TraceInvalid("spans must be an array")
    if len(spans) > rules.max_spans:
        raise TraceInvalid(f"trace has {len(spans)} spans, max is {rules.max_spans}")
    started_ms = time_of(raw, "started_at", now_ms=now_ms) or 0
    twins: Counter[str] = Counter()
    return TraceIn(
        trace_id=trace_id,
        session_id=label(raw, "session_id"),
        user_id=label(raw, "user_id"),
        prompt_name=label(raw, "prompt_name"),
        prompt_version=label(raw, "prompt_version"),
        name=label(raw, "name") or "",
        status=label(raw, "status") or "",
        started_ms=started_ms,
        ended_ms=time_of(raw, "ended_at", now_ms=now_ms),
        input=text_of(raw, "input", rules),
        output=text_of(raw, "output", rules),
        metadata=metadata_of(raw, rules, known=TRACE_FIELDS),
        spans=[
            parse_span(span, trace_id=trace_id, trace_started_ms=started_ms, rules=rules, now_ms=now_ms, twins=twins)
            for span in spans
        ],
    )


def parse_span(
    raw: Any, *, trace_id: str, trace_started_ms: int, rules: Rules, now_ms: int, twins: Counter[str]
) -> SpanIn:
    """Check one decoded span. Raises TraceInvalid. twins: of the trace, as for `derived_id`."""
    if type(raw) is not dict:
        raise TraceInvalid("a span must be a JSON object")
    started_ms = time_of(raw, "started_at", now_ms=now_ms) or trace_started_ms
    ended_ms, latency_ms = time_of(raw, "ended_at", now_ms=now_ms), count_of(raw, "latency_ms")
    if started_ms:
        ended_ms, latency_ms = end_and_latency(started_ms, ended_ms, latency_ms)
    ttft = raw.get("time_to_first_token_ms")
    return SpanIn(
        span_id=id_of(raw, "span_id") or derived_id(trace_id, raw, twins=twins),
        parent_span_id=label(raw, "parent_span_id"),
        span_type=label(raw, "span_type") or "generation",
        name=label(raw, "name") or "",
        model=label(raw, "model") or "",
        provider=label(raw, "provider") or "",
        started_ms=started_ms,
        ended_ms=ended_ms,
        latency_ms=latency_ms,
        ttft_ms=None if ttft is None else count_of(raw, "time_to_first_token_ms"),
        status=label(raw, "status") or "ok",
        error_message=error_of(raw, rules),
        input_tokens=count_of(raw, "input_tokens"),
        output_tokens=count_of(raw, "output_tokens"),
        cached_tokens=first_count(raw, CACHED),
        cache_write_tokens=first_count(raw, CACHE_WRITE),
        reasoning_tokens=first_count(raw, REASONING),
        cost_micros=micros_of(raw, "cost") or None,  # 0 leaves it to our prices (8.3)
        input=text_of(raw, "input", rules),
        output=text_of(raw, "output", rules),
        metadata=metadata_of(raw, rules, known=SPAN_KNOWN),
    )


def end_and_latency(started_ms: int, ended_ms: int | None, latency_ms: int) -> tuple[int | None, int]:
    """A span's end and latency, each from the other where it is missing (T8)."""
    latency_ms = latency_ms or max(0, (ended_ms or started_ms) - started_ms)
    return (started_ms + latency_ms if ended_ms is None and latency_ms else ended_ms), latency_ms


def timed(span: SpanIn, *, started_ms: int) -> SpanIn:
    """The span as one that began then, if its start is not known and this is (not 0)."""
    if span.started_ms or not started_ms:
        return span
    ended_ms, latency_ms = end_and_latency(started_ms, span.ended_ms, span.latency_ms)
    return msgspec.structs.replace(span, started_ms=started_ms, ended_ms=ended_ms, latency_ms=latency_ms)


def parse_update(raw: Any, *, trace_id: str, rules: Rules, now_ms: int) -> UpdateIn:
    """Check what a PUT says of a trace (8.1.3). Raises TraceInvalid."""
    if type(raw) is not dict:
        raise TraceInvalid("an update must be a JSON object")
    return UpdateIn(
        trace_id=trace_id,
        status=label(raw, "status"),
        output=text_of(raw, "output", rules),
        ended_ms=time_of(raw, "ended_at", now_ms=now_ms),
        input_tokens=None if raw.get("input_tokens") is None else count_of(raw, "input_tokens"),
        output_tokens=None if raw.get("output_tokens") is None else count_of(raw, "output_tokens"),
        cost_micros=None if raw.get("cost") is None else micros_of(raw, "cost"),
    )


def id_of(raw: Mapping[str, Any], words: str) -> str | None:
    """The `id` of a trace or span, at most 128 bytes. Raises TraceInvalid naming it."""
    value = as_text(raw.get("id"), limit=None)
    if value is not None and len(value.encode()) > MAX_ID_BYTES:
        raise TraceInvalid(f"{words} exceeds {MAX_ID_BYTES} characters")
    return value


def derived_id(trace_id: str, raw: dict[str, Any], *, twins: Counter[str]) -> str:
    """The id of a span that has none: of what it says, so that sending it again adds nothing.

    twins: counts the spans of the request that say the same; each is one of its own.
    """
    digest = xxhash.xxh3_128_hexdigest(trace_id.encode() + b"\0" + msgspec.json.encode(raw, order="sorted"))
    twins[digest] += 1
    return digest if twins[digest] == 1 else f"{digest}-{twins[digest]}"


def as_text(value: Any, *, limit: int | None) -> str | None:
    """A text as it is, anything else in its string form (T2); None for null and empty, cut to `limit` bytes."""
    if value is None or value == "":
        return None
    if type(value) is bool:
        value = "true" if value else "false"
    text = value if type(value) is str else json_text(value)
    return text.replace("\x00", "\ufffd") if limit is None else cut(text, limit)


def json_text(value: Any) -> str:
    """The value as compact JSON."""
    return msgspec.json.encode(value).decode()


def label(raw: Mapping[str, Any], name: str) -> str | None:
    """A short text: an id of something else, a name, a status."""
    return as_text(raw.get(name), limit=MAX_NAME_BYTES)


def text_of(raw: Mapping[str, Any], name: str, rules: Rules) -> str | None:
    """An input or output, whole, if the policy keeps texts."""
    if not rules.keeps_texts:
        return None
    text = as_text(raw.get(name), limit=None)
    return rules.masking.text(text) if text and rules.masking else text


def error_of(raw: Mapping[str, Any], rules: Rules) -> str | None:
    """A span's error message: kept under every policy (8.1.2), masked first."""
    text = as_text(raw.get("error_message"), limit=None)
    if text and rules.masking:
        text = rules.masking.text(text)
    return text and cut(text, MAX_ERROR_BYTES)


def metadata_of(raw: dict[str, Any], rules: Rules, *, known: frozenset[str]) -> str | None:
    """Metadata as compact JSON if the policy keeps it, with unknown fields under `_extra`. Raises TraceInvalid."""
    if not rules.keeps_metadata:
        return None
    value = raw.get("metadata")
    extra = {name: raw[name] for name in raw if name not in known}
    if extra and (value is None or type(value) is dict):
        value = {**(value or {}), "_extra": extra}
    if value is None or value in ("", {}):
        return None
    if is_deeper(value, MAX_DEPTH):
        raise TraceInvalid(f"metadata is nested deeper than {MAX_DEPTH} levels")
    if rules.masking:
        value = rules.masking.value(value)
    return json_text(value).replace("\\u0000", "\\ufffd")


def time_of(raw: Mapping[str, Any], name: str, *, now_ms: int) -> int | None:
    """A time in epoch milliseconds (T3); None when it is missing or cannot be one. Raises TraceInvalid."""
    try:
        return milliseconds_of(raw.get(name), now_ms=now_ms)
    except Unreadable:
        raise TraceInvalid(f"{name} must be a number") from None


def number_of(raw: Mapping[str, Any], name: str) -> float:
    """A number, or one in a text; negative, missing and not finite are 0 (T1, T4). Raises TraceInvalid."""
    value = raw.get(name)
    if type(value) is str:
        value = number_of_text(value, name)
    if value is None:
        return 0
    if type(value) is int or type(value) is float:
        return max(value, 0)
    raise TraceInvalid(f"{name} must be a number")


def number_of_text(value: str, name: str) -> float | int | None:
    """A numeric text's number, 0 for one that is not finite. Raises TraceInvalid."""
    try:
        return number_in(value)
    except Unreadable:
        if is_not_finite(value):
            return 0
    raise TraceInvalid(f"{name} must be a number")


def is_not_finite(text: str) -> bool:
    """Whether the text is a number, but none that ends: NaN, inf, 1e999."""
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return False


def count_of(raw: Mapping[str, Any], name: str) -> int:
    """A whole number of 0 to MAX_COUNT."""
    return round(min(number_of(raw, name), MAX_COUNT))


def first_count(raw: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first of these that is there and not 0."""
    return next((count for name in names if raw.get(name) and (count := count_of(raw, name))), 0)


def micros_of(raw: Mapping[str, Any], name: str) -> int:
    """Dollars as whole microdollars, half away from zero (contract 0.3)."""
    return int(min(number_of(raw, name) * MICROS, MAX_MICROS) + 0.5)

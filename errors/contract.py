"""From a client's JSON to a checked Event, with every cap and leniency of the contract (1.2, 1.6). Pure.

What a client may get away with: L1 to L7 and L10 of section 1.6. What it may not is an EventInvalid whose text is the
answer. The fingerprint is computed here, before anything is cut (L7).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bloop_site.lib import wire
from bloop_site.lib.wire import Unreadable, cut, is_deeper, milliseconds_of
from errors.fingerprint import fingerprint

SOURCE = re.compile(r"[A-Za-z0-9_.-]{1,32}")
MAX_DEPTH = 64
MAX_KEY_CHARACTERS = 64
MAX_FINGERPRINT_BYTES = 256
MAX_TRACE_BYTES = 128  # as a trace's own id (contract 8.1.1)
TRACE_NAMES = ("llm_trace_id", "trace_id")

# Bytes of the fields that have no setting; what is longer is cut like a message (L7).
CAPS = {
    "environment": 128,
    "release": 256,
    "error_type": 512,
    "route_or_procedure": 1024,
    "screen": 256,
    "app_version": 128,
    "build_number": 128,
    "request_id": 256,
    "user_id_hash": 256,
    "device_id_hash": 256,
}
KNOWN = frozenset(CAPS) | {
    "timestamp",
    "source",
    "message",
    "stack",
    "http_status",
    "fingerprint",
    "metadata",
    "event_id",
}


class EventInvalid(Exception):
    """The event cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The configured sizes in bytes (`ingest.*`), and whether an over-long text is refused rather than cut."""

    message: int = 2048
    stack: int = 8192
    metadata: int = 4096
    strict: bool = False


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One checked event, as it stands in the buffer. Absent optional texts are None; `metadata` is compact JSON."""

    fingerprint: str
    event_id: str | None
    timestamp_ms: int
    source: str
    environment: str
    release: str
    error_type: str
    message: str
    stack: str | None
    route: str | None
    screen: str | None
    app_version: str | None
    build_number: str | None
    http_status: int | None
    request_id: str | None
    user_id_hash: str | None
    device_id_hash: str | None
    metadata: str | None
    trace_id: str | None = None  # of the LLM trace it names; bodies written before it was have none


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Event])


def encode_events(events: Sequence[Event]) -> bytes:
    """Events as the body of one buffered payload."""
    return _encoder.encode(events)


def decode_events(body: bytes) -> list[Event]:
    """The events of a buffered payload. Raises msgspec.MsgspecError for anything else."""
    return _decoder.decode(body)


def decode_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8 (`wire.decode_json`). Raises EventInvalid."""
    try:
        return wire.decode_json(body)
    except Unreadable as error:
        raise EventInvalid(str(error)) from None


def parse_event(raw: Any, *, limits: Limits, grouping: str, now_ms: int, default_id: str | None = None) -> Event:
    """Check one decoded event. Raises EventInvalid; the first failure in the contract's order wins.

    grouping: "v1" or "v2", the project's. now_ms: the receive time. default_id: the Idempotency-Key's id for it.
    """
    if type(raw) is not dict:
        raise EventInvalid("an event must be a JSON object")
    message, stack = text(raw, "message"), text(raw, "stack")
    error_type, route = text(raw, "error_type"), text(raw, "route_or_procedure")
    if limits.strict:
        refuse_long(message, "message", limits.message)
        refuse_long(stack, "stack", limits.stack)
    metadata = metadata_json(raw, limit=limits.metadata)
    environment, release = text(raw, "environment") or "production", text(raw, "release") or "unknown"
    if error_type is None:
        raise EventInvalid("error_type is required")
    message = message or error_type
    source = source_of(raw)
    return Event(
        fingerprint=own_fingerprint(raw)
        or fingerprint(
            grouping=grouping,
            source=source,
            error_type=error_type,
            route=route or "",
            message=message,
            stack=stack or "",
        ),
        event_id=event_id_of(raw) or default_id,
        timestamp_ms=timestamp_of(raw.get("timestamp"), now_ms=now_ms),
        source=source,
        environment=cut(environment, 128),
        release=cut(release, 256),
        error_type=cut(error_type, 512),
        message=cut(message, limits.message),
        stack=stack and cut(stack, limits.stack),
        route=route and cut(route, 1024),
        screen=capped(raw, "screen"),
        app_version=capped(raw, "app_version"),
        build_number=capped(raw, "build_number"),
        http_status=http_status_of(raw.get("http_status")),
        request_id=capped(raw, "request_id"),
        user_id_hash=capped(raw, "user_id_hash"),
        device_id_hash=capped(raw, "device_id_hash"),
        metadata=metadata,
        trace_id=trace_id_in(raw),
    )


def text(raw: dict[str, Any], name: str) -> str | None:
    """The text of a field; absent, null and empty are None (L5)."""
    value = raw.get(name)
    if value is None or value == "":
        return None
    if type(value) is not str:
        raise EventInvalid(f"{name} must be a string")
    return value


def capped(raw: dict[str, Any], name: str) -> str | None:
    """The text of a field, cut to its cap."""
    value = text(raw, name)
    return None if value is None else cut(value, CAPS[name])


def refuse_long(value: str | None, name: str, limit: int) -> None:
    """Strict limits (1.2): refuse what would be cut."""
    if value is not None and len(value.encode()) > limit:
        raise EventInvalid(f"{name} exceeds {limit} bytes")


def source_of(raw: dict[str, Any]) -> str:
    """L2: lower-cased, `api` when missing; outside the pattern it is refused (design.md 3)."""
    value = text(raw, "source")
    if value is None:
        return "api"
    if not SOURCE.fullmatch(value):
        raise EventInvalid("source must be 1 to 32 of A-Z a-z 0-9 _ . -")
    return value.lower()


def own_fingerprint(raw: dict[str, Any]) -> str | None:
    """The client's own group key, used verbatim; empty counts as absent (L5)."""
    value = text(raw, "fingerprint")
    if value is None:
        return None
    if len(value.encode()) > MAX_FINGERPRINT_BYTES:
        raise EventInvalid(f"fingerprint exceeds {MAX_FINGERPRINT_BYTES} bytes")
    return value.replace("\x00", "\ufffd")


def event_id_of(raw: dict[str, Any]) -> str | None:
    """The client's id of this event, up to 64 characters (design.md 2)."""
    value = text(raw, "event_id")
    return None if value is None else idempotency_id(value, "event_id")


def idempotency_id(value: str, name: str) -> str:
    """An `event_id` or `Idempotency-Key` that fits. Raises EventInvalid naming it."""
    if len(value) > MAX_KEY_CHARACTERS:
        raise EventInvalid(f"{name} exceeds {MAX_KEY_CHARACTERS} characters")
    return value.replace("\x00", "\ufffd")


def timestamp_of(value: Any, *, now_ms: int) -> int:
    """L1: epoch seconds, milliseconds, microseconds or nanoseconds by magnitude, as milliseconds.

    Missing, not positive or more than a day ahead of `now_ms`: the receive time.
    """
    try:
        return milliseconds_of(value, now_ms=now_ms) or now_ms
    except Unreadable:
        raise EventInvalid("timestamp must be a number") from None


def http_status_of(value: Any) -> int | None:
    """L10: an integer or a numeric string; out of 0 to 65535 is null."""
    if value is None:
        return None
    if type(value) is str:
        value = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else -1
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise EventInvalid("http_status must be an integer")
    return value if 0 <= value <= 65_535 else None


def metadata_json(raw: dict[str, Any], *, limit: int) -> str | None:
    """Metadata as compact JSON within `limit` bytes (over it: refused by name, design.md 3).

    A string that holds an object or array is taken as that (L6). Unknown fields go under `_extra` if they fit (L4).
    """
    value = unwrapped(raw.get("metadata"))
    encoded = compact(value)
    if encoded is not None and len(encoded) > limit:
        raise EventInvalid(f"metadata exceeds {limit} bytes")
    extra = {name: raw[name] for name in raw if name not in KNOWN}
    if extra and (value is None or type(value) is dict):
        try:
            with_extra = compact({**(value or {}), "_extra": extra})
        except EventInvalid:
            with_extra = None
        if with_extra is not None and len(with_extra) <= limit:
            encoded = with_extra
    return encoded.decode() if encoded is not None else None


def unwrapped(value: Any) -> Any:
    """The object or array inside a string (L6); anything else as it is."""
    if type(value) is str and value.lstrip()[:1] in ("{", "["):
        try:
            return decode_json(value.encode())
        except EventInvalid:
            return value
    return value


def trace_id_in(raw: dict[str, Any]) -> str | None:
    """The LLM trace that the event or its metadata names (design.md); what cannot be a trace's id names none."""
    metadata = unwrapped(raw.get("metadata"))
    for place in (raw, metadata if type(metadata) is dict else {}):
        for name in TRACE_NAMES:
            value = place.get(name)
            if type(value) is str and value and len(value.encode()) <= MAX_TRACE_BYTES:
                return value.replace("\x00", "\ufffd")
    return None


def compact(value: Any) -> bytes | None:
    """The value as JSON without spaces; None, an empty text and an empty object say nothing. Raises EventInvalid."""
    if value is None or value in ("", {}):
        return None
    if is_deeper(value, MAX_DEPTH):
        raise EventInvalid(f"metadata is nested deeper than {MAX_DEPTH} levels")
    return msgspec.json.encode(value)

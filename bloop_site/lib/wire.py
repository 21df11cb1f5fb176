"""Reading what clients send: JSON that may be slightly off, numbers in texts, times in any unit. Pure."""

import math
import re
from typing import Any

import msgspec

from bloop_site.lib.clock import DAY_MS

MAX_INT = 2**63 - 1
# An escape of JSON: a pair of surrogates, or a surrogate alone (group 1), or any other.
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)

# A text of JSON, ended or not; or what stands where JSON has no number (group 1); or a great power of ten (group 2).
NUMBER = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|(-?(?:NaN|Infinity))|((?<![\d.])-?\d++(?:\.\d++)?[eE]\+?\d{3,})', re.DOTALL
)


class Unreadable(ValueError):
    """What came is not what it should be; the text says why."""


def decode_json(body: bytes, *, nan_is_null: bool = False) -> Any:
    """The value of a JSON text in UTF-8. Raises Unreadable.

    A lone surrogate, which JavaScript can produce, becomes U+FFFD instead of costing the payload.
    nan_is_null: NaN and Infinity, which Python writes, and numbers beyond all bounds become null.
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec_value(text)
    except Unreadable:
        repaired = ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], text)
        if nan_is_null:
            repaired = NUMBER.sub(lambda found: b"null" if is_not_finite(found) else found[0], repaired)
        if repaired == text:
            raise
    return msgspec_value(repaired)


def is_not_finite(found: re.Match[bytes]) -> bool:
    """Whether a match of NUMBER is no finite number."""
    return bool(found[1]) or (bool(found[2]) and math.isinf(float(found[2])))


def msgspec_value(text: bytes) -> Any:
    """The value as msgspec reads it; every way of not being JSON is Unreadable."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise Unreadable("JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise Unreadable("JSON is not valid UTF-8") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"invalid JSON: {error}") from None


def cut(value: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, on a character boundary; NUL, which no database column takes, as U+FFFD."""
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    if len(value) * 4 <= limit or (len(value) <= limit and value.isascii()):
        return value
    return value.encode()[:limit].decode(errors="ignore")


def number_in(value: str) -> float | int | None:
    """A numeric text's number, None for an empty one. Raises Unreadable for text that is no finite number."""
    stripped = value.strip()
    if not stripped:
        return None
    try:
        return int(stripped) if stripped.isdecimal() and len(stripped) < 32 else finite(float(stripped))
    except ValueError:
        raise Unreadable("not a number") from None


def finite(value: float) -> float:
    """The value, unless it is NaN or infinite (ValueError)."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN differs from itself
        raise ValueError
    return value


def milliseconds_of(value: Any, *, now_ms: int) -> int | None:
    """Epoch seconds, milliseconds, microseconds or nanoseconds by magnitude, as milliseconds (contract 1.6 L1).

    A number or a text that holds one. None: missing, not positive, or more than a day ahead of `now_ms`.
    Raises Unreadable for anything else.
    """
    if type(value) is str:
        value = number_in(value)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise Unreadable("not a number")
    milliseconds = by_magnitude(value) if value > 0 else 0
    return milliseconds if 0 < milliseconds <= now_ms + DAY_MS else None


def by_magnitude(value: float) -> int:
    """The magnitudes of L1."""
    if value < 1e11:
        return int(value * 1000)
    if value < 1e14:
        return int(value)
    return int(value // 1000) if value < 1e17 else int(value // 1_000_000)


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested more than `depth` levels."""
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for each in level
            if type(each) in (dict, list)
            for inner in (each.values() if type(each) is dict else each)
        ]
        if not level:
            return False
    return any(type(each) in (dict, list) for each in level)

"""From a client's JSON to a checked score or feedback, in the words of contract 8.6; its percentile rule. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bloop_site.lib.wire import cut

MAX_NAME_BYTES = 128
MAX_COMMENT_BYTES = 500
MAX_USER_BYTES = 512  # as a trace's own user
SOURCES = ("api", "user", "auto")
ANONYMOUS = "anonymous"
NAME = re.compile(r"[A-Za-z0-9_-]+")
SURROGATE = re.compile("[\ud800-\udfff]")


class JudgementInvalid(Exception):
    """The score or feedback cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class ScoreIn:
    """A checked score: value 0 to 1."""

    name: str
    value: float
    source: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class FeedbackIn:
    """A checked feedback: value 1 (up) or -1 (down)."""

    user_id: str
    value: int
    comment: str | None


def parse_score(raw: Any) -> ScoreIn:
    """Check a decoded body. Raises JudgementInvalid with the text of contract 8.6."""
    fields = fields_of(raw)
    name = required(fields, "name")
    if not isinstance(name, str) or not 1 <= len(clean(name).encode()) <= MAX_NAME_BYTES:
        raise JudgementInvalid(f"name must be 1-{MAX_NAME_BYTES} characters")
    if not NAME.fullmatch(name):
        raise JudgementInvalid("name must be alphanumeric, underscore, or hyphen")
    value = required(fields, "value")
    if not is_number(value) or not 0 <= value <= 1:  # NaN is not between either
        raise JudgementInvalid("value must be between 0.0 and 1.0")
    source = fields.get("source")
    source = "api" if source is None else source
    if source not in SOURCES:
        raise JudgementInvalid("source must be api, user, or auto")
    return ScoreIn(name, float(value), source, comment_of(fields))


def parse_feedback(raw: Any) -> FeedbackIn:
    """Check a decoded body. Raises JudgementInvalid with the text of contract 8.6."""
    fields = fields_of(raw)
    value = required(fields, "value")
    if not is_number(value) or value not in (1, -1):
        raise JudgementInvalid("value must be 1 (positive) or -1 (negative)")
    return FeedbackIn(user_of(fields), int(value), comment_of(fields))


def fields_of(raw: Any) -> Mapping[str, Any]:
    """The body as an object."""
    if not isinstance(raw, Mapping):
        raise JudgementInvalid("the body must be a JSON object")
    return raw


def required(fields: Mapping[str, Any], name: str) -> Any:
    """A field that has to be there; null is as good as absent."""
    value = fields.get(name)
    if value is None:
        raise JudgementInvalid(f"{name} is required")
    return value


def is_number(value: Any) -> bool:
    """Whether it is a JSON number; Python counts true and false as numbers too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def user_of(fields: Mapping[str, Any]) -> str:
    """Whose feedback it is, as the application knows them: a text, or a number in digits."""
    user = fields.get("user_id")
    if user is None or user == "":
        return ANONYMOUS
    if not isinstance(user, str) and (not isinstance(user, int) or isinstance(user, bool)):
        raise JudgementInvalid("user_id must be a text")
    return cut(clean(str(user)), MAX_USER_BYTES)


def comment_of(fields: Mapping[str, Any]) -> str | None:
    """The comment; None for null and empty."""
    comment = fields.get("comment")
    if comment is None or comment == "":
        return None
    if not isinstance(comment, str):
        raise JudgementInvalid("comment must be a text")
    if len(clean(comment).encode()) > MAX_COMMENT_BYTES:
        raise JudgementInvalid(f"comment must be at most {MAX_COMMENT_BYTES} characters")
    return cut(clean(comment), MAX_COMMENT_BYTES)


def clean(text: str) -> str:
    """The text as a database takes it: a surrogate alone, which JSON can hold, becomes U+FFFD."""
    return SURROGATE.sub("\ufffd", text)


def rank_of(percent: int, count: int) -> int:
    """The place from 0 of a percentile among `count` sorted values: round(p/100 × (count - 1)), halves up (8.6)."""
    return (percent * (count - 1) + 50) // 100 if count else 0

"""Payloads made readable for people. The owner of a kind says how; without its word the bytes are tried as they are."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

Reader = Callable[[bytes], Any]

_readers: dict[str, Reader] = {}


def register(kind: str, reader: Reader) -> None:
    """Let `reader` turn bodies of `kind` into what JSON can say. It may raise anything."""
    _readers[kind] = reader


def readable(*, kind: str, body: bytes, limit: int) -> str:
    """The body as indented JSON if it is any, else as text; at most `limit` characters."""
    readers = (_readers.get(kind, msgspec.json.decode), msgspec.json.decode, msgspec.msgpack.decode)
    texts = (as_json(read, body) for read in readers)
    return cut(next(filter(None, texts), "") or body[: 4 * limit].decode(errors="replace"), limit)


def as_json(read: Reader, body: bytes) -> str:
    """What `read` makes of the body, if it is a list or an object; else nothing."""
    try:
        value = read(body)
        return json.dumps(value, indent=2, ensure_ascii=False, default=str) if isinstance(value, list | dict) else ""
    except Exception:  # noqa: BLE001  it is a dead letter: anything may be wrong with it
        return ""


def cut(text: str, limit: int) -> str:
    """The text, with a word about what was left out."""
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit:,} more characters"

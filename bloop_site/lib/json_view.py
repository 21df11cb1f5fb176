"""JSON as people read it: rows of a foldable tree, and indented text. Pure, and without recursion: any depth is fine.

Both read the text's tokens one after the other; nothing is decoded but single texts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAX_ROWS = 300
MAX_LEVELS = 24  # of the tree; what lies deeper is one row of text
MAX_INDENT = 32  # levels; deeper lines are indented like this one, or a deep tree would be all spaces
MAX_LEAF = 400  # characters of one row
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
PAIRS = {"{": "}", "[": "]"}


@dataclass(slots=True)
class TreeRow:
    """One row of the tree. kind: "open" and "close" stand around what an object or a list holds; "leaf" has `text`.

    key: the name within an object, else None. size: how many an opened one holds. value: "text", "word" (a number,
    true, false, null) or "deep" (a part of the JSON as it stands).
    """

    kind: Literal["open", "close", "leaf"]
    key: str | None = None
    text: str = ""
    value: Literal["", "text", "word", "deep"] = ""
    is_list: bool = False
    size: int = 0


class Unreadable(Exception):
    """The text is no JSON."""


def tree_of(text: str) -> list[TreeRow] | None:
    """The rows of what an object or a list holds.

    None for a single value, for what holds nothing, for more than 300 rows, and for what is no JSON.
    """
    if text.lstrip()[:1] not in PAIRS:
        return None
    rows: list[TreeRow] = []
    try:
        for row in rows_of(text):
            rows.append(row)
            if len(rows) > MAX_ROWS:
                return None
    except Unreadable:
        return None
    return rows[1:-1] or None


def rows_of(text: str) -> Iterator[TreeRow]:
    """The rows in their order. An "open" row learns its size while the rows after it are made."""
    opened: list[TreeRow] = []
    tokens = list(TOKEN.finditer(text))
    at, key = 0, None
    while at < len(tokens):
        mark = tokens[at][0]
        if at + 1 < len(tokens) and tokens[at + 1][0] == ":" and mark.startswith('"'):
            key, at = decoded(mark), at + 2
            continue
        if mark in PAIRS.values():
            if not opened:
                raise Unreadable
            opened.pop()
            yield TreeRow("close")
        elif mark not in (",", ":"):
            if opened:
                opened[-1].size += 1
            end = end_of(tokens, at) if mark in PAIRS and len(opened) >= MAX_LEVELS else at
            row = row_at(text, tokens, at, end, key=key)
            if row.kind == "open":
                opened.append(row)
            at, key = end, None
            yield row
        at += 1
    if opened:
        raise Unreadable


def row_at(text: str, tokens: list[re.Match[str]], at: int, end: int, *, key: str | None) -> TreeRow:
    """The row that the mark opens or is; a whole part of the text when it ends later than it begins."""
    mark = tokens[at][0]
    if end > at:
        return TreeRow("leaf", key, shortened(text[tokens[at].start() : tokens[end].end()]), "deep")
    if mark in PAIRS:
        return TreeRow("open", key, is_list=mark == "[")
    if mark.startswith('"'):
        return TreeRow("leaf", key, shortened(decoded(mark)), "text")
    return TreeRow("leaf", key, shortened(mark), "word")


def end_of(tokens: list[re.Match[str]], at: int) -> int:
    """The index of the mark that closes the one at `at`."""
    level = 0
    for index in range(at, len(tokens)):
        mark = tokens[index][0]
        level += (mark in PAIRS) - (mark in PAIRS.values())
        if level == 0:
            return index
    raise Unreadable


def decoded(mark: str) -> str:
    """The text that a JSON string stands for."""
    try:
        return str(json.loads(mark, strict=False))
    except ValueError:
        raise Unreadable from None


def shortened(text: str) -> str:
    """At most 400 characters; the raw text has the rest."""
    return text if len(text) <= MAX_LEAF else f"{text[:MAX_LEAF]}…"


def indented(text: str) -> str:
    """The JSON on as many lines as it has values, two spaces a level. What is no JSON comes back with other spacing."""
    parts: list[str] = []
    level, before = 0, ""
    for match in TOKEN.finditer(text):
        mark = match[0]
        if mark in PAIRS.values():
            level -= 1
            if before not in PAIRS:
                parts.append(new_line(level))
        elif before in PAIRS or before == ",":
            parts.append(new_line(level))
        parts.append(": " if mark == ":" else mark)
        level += mark in PAIRS
        before = mark
    return "".join(parts)


def new_line(level: int) -> str:
    """A line break and the spaces of a level."""
    return "\n" + "  " * max(0, min(level, MAX_INDENT))

"""Which traces a text finds, the newest first (contract 8.5.7), without ever looking at all that match.

A common word is met often among the newest traces, so these are looked at one by one first. Only when they do not
decide it the index is asked: for few ids, which are then narrowed to the window; or for a set of many, while the
traces of the window are walked in their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func
from django.db.models.sql.compiler import SQLCompiler

from bloop_site.lib.db import Found, IdAmong, words_pattern
from llmtraces.models import Trace
from llmtraces.queries.traces import TraceFilter, trace_list, uses_model
from llmtraces.queries.window import Window
from llmtraces.search_words import query_words

MOST = 2_000  # matches that are counted and can be listed
WALKED = 2_500
MATCHES = {
    "sqlite": "SELECT rowid FROM llmtraces_tracewords WHERE llmtraces_tracewords MATCH %s",
    "postgresql": "SELECT rowid FROM llmtraces_tracewords WHERE words @@ %s::tsquery",
}


@dataclass(frozen=True)
class Matches:
    """The ids (of rows) of the newest matches, 2,000 at most. more: there are others. words: what was asked for."""

    ids: Sequence[int]
    words: Sequence[str]
    more: bool = False


class HasWords(Func):
    """Whether the trace's words satisfy a search; looks at the one row, not in the index."""

    output_field = BooleanField()

    def __init__(self, column: F, words: Sequence[str]) -> None:
        super().__init__(column)
        self.words = tuple(words)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        # FTS5 keeps its rows in this table; to ask for one by its number through FTS5 itself takes far longer.
        each = " AND ".join(["instr(c0, %s) > 0"] * len(self.words))
        sql = f"(SELECT {each} FROM llmtraces_tracewords_content WHERE id = {column})"  # noqa: S608
        return sql, [f" {word}" for word in self.words]

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        sql = f"(SELECT kept.words @@ %s::tsquery FROM llmtraces_tracewords kept WHERE kept.rowid = {column})"  # noqa: S608
        return sql, [words_pattern(self.words)]


def matches(window: Window, text: str, *, status: str = "") -> Matches:
    """The traces of the window, of the status if one is named, in which each word of the text begins some word."""
    words = query_words(text)
    if not words:
        return Matches((), words)
    ids, decided = among_newest(window, words, status)
    if not decided:
        ids = by_index(window, words, status)
    return Matches(ids[:MOST], words, more=len(ids) > MOST)


def among_newest(window: Window, words: Sequence[str], status: str) -> tuple[list[int], bool]:
    """The matches among the newest traces; whether these are all there are, or as many as are counted."""
    rows = trace_list(window, TraceFilter(status=status)).annotate(hit=HasWords(F("pk"), words))
    walked, ids = 0, []
    for pk, hit in rows.values_list("pk", "hit")[:WALKED]:
        walked += 1
        if hit:
            ids.append(pk)
    return ids, walked < WALKED or len(ids) > MOST


def by_index(window: Window, words: Sequence[str], status: str) -> list[int]:
    """The newest matches as the index has them, one more than are counted at most."""
    sql, asked = MATCHES[connection.vendor], (words_pattern(words),)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {MOST + 1}", asked)
        ids = [pk for (pk,) in cursor.fetchall()]
    if len(ids) > MOST:
        rows = trace_list(window, TraceFilter(status=status)).filter(IdAmong(F("pk"), [Found(sql, asked)]))
        return list(rows.values_list("pk", flat=True)[: MOST + 1])
    # By their keys alone: SQLite, which guesses, would walk the window for them.
    rows = Trace.objects.filter(pk__in=ids, is_known=True)
    if window.model or window.provider:
        rows = rows.filter(uses_model(window))
    found = [
        (started_ms, pk)
        for pk, project_id, started_ms, its_status in rows.values_list("pk", "project_id", "started_ms", "status")
        if window.reach.covers(project_id) and window.holds(started_ms) and status in ("", its_status)
    ]
    return [pk for _, pk in sorted(found, reverse=True)]

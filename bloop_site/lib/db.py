"""Where SQLite and PostgreSQL differ."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import BooleanField, F, Func, Model, QuerySet
from django.db.models.functions import Substr
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)
MAX_PARAMETERS = 30_000  # SQLite takes 32,766 in a statement, PostgreSQL 65,535


def skip_locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Lock the rows and skip those locked by others where the database can; SQLite has one writer anyway."""
    return rows.select_for_update(skip_locked=True) if can_skip_locked() else rows


def can_skip_locked() -> bool:
    """Whether claims are row locks inside a transaction (PostgreSQL) rather than one writer at a time (SQLite)."""
    return bool(connection.features.has_select_for_update_skip_locked)


def insert_rows(
    cursor: CursorWrapper, insert: str, rows: Sequence[Sequence[Any]], *, then: str = "", returning: bool = False
) -> list[tuple[Any, ...]]:
    """Run `INSERT … VALUES (…), (…) <then>` in as few statements as the databases' parameter limits allow.

    insert: up to and with the column list. then: ON CONFLICT and RETURNING. Returns the returned rows.
    """
    returned: list[tuple[Any, ...]] = []
    if not rows:
        return returned
    width = len(rows[0])
    step = max(1, MAX_PARAMETERS // width)
    one = f"({', '.join(['%s'] * width)})"
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        cursor.execute(
            f"{insert} VALUES {', '.join([one] * len(part))} {then}",
            [value for row in part for value in row],
        )
        if returning:
            returned.extend(cursor.fetchall())
    return returned


def copy_back() -> None:
    """On SQLite, copy what the WAL holds into the database file, keeping nobody from writing meanwhile.

    Who writes much does so between transactions. Else a COMMIT does it, whosever it is, while it has the turn to write:
    a quarter of a second for the 64 MB that settings allow.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


class Unindexed(Func):
    """A column that SQLite, which guesses without statistics, must not choose an index by. PostgreSQL counts."""

    template = "%(expressions)s"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


class Beginning(Substr):
    """`Substr(column, 1, length)` that finds its index on SQLite too, where a parameter is not the constant in it."""

    def __init__(self, column: str, length: int) -> None:
        super().__init__(column, 1, length)
        self.length = length

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"SUBSTR({column}, 1, {int(self.length)})", parameters


class IdAmong(Func):
    """Whether a column is among the ids that any of some queries select. Every value in those is a parameter.

    On SQLite all ids become one set, and each row is looked up in it: so neither many ids nor few cost much. PostgreSQL
    knows how many there will be, but of a union it does not: there, one EXISTS for each query lets it choose between
    such a set and a look into an index for each row, which ends early where most rows match.
    """

    output_field = BooleanField()

    def __init__(self, column: F, parts: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        super().__init__(column)
        self.parts = tuple(parts)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        # The plus keeps SQLite from reading row by row of the set instead, in no order.
        return f"+{column} IN ({' UNION ALL '.join(sql for sql, _ in self.parts)})", self.parameters

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        each = (f"EXISTS (SELECT 1 FROM ({sql}) found (id) WHERE found.id = {column})" for sql, _ in self.parts)  # noqa: S608
        return f"({' OR '.join(each)})", self.parameters

    @property
    def parameters(self) -> list[Any]:
        return [value for _, values in self.parts for value in values]


def in_order_of(column: str) -> str:
    """What makes SQLite read along the unique index that begins with a column, not another one that has all it needs.

    A set of ids grows at its end then, which is three times as fast.
    """
    return f" GROUP BY {column}" if connection.vendor == "sqlite" else ""


def begins_with(column: str, beginning: str) -> tuple[str, str]:
    """SQL that says a column begins with a text, in whatever case (of ASCII, on SQLite); its parameter."""
    text = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = "LIKE" if connection.vendor == "sqlite" else "ILIKE"
    return f"{column} {like} %s ESCAPE '\\'", f"{text}%"


def with_words(*, table: str, key: str, words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """SQL that selects the `key` of a full-text table's rows in which each of `words` begins some word; its parameters.

    table: as migration 0003 of errors builds it: `<table>_fts` beside it on SQLite, a column `vector` in it on
    PostgreSQL. words: one or more, each letters and digits only, so that none means anything to either's language.
    """
    if not words or not all(word.isalnum() for word in words):
        msg = f"not words: {words!r}"
        raise ValueError(msg)
    if connection.vendor == "sqlite":
        asked = " AND ".join(f'"{word}"*' for word in words)
        return f"SELECT rowid FROM {table}_fts WHERE {table}_fts MATCH %s", (asked,)  # noqa: S608  a table's name
    asked = " & ".join(f"'{word}':*" for word in words)
    return f"SELECT {key} FROM {table} WHERE vector @@ %s::tsquery", (asked,)  # noqa: S608  names of a table's

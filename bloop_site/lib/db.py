"""Where SQLite and PostgreSQL differ."""

import functools
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import BinaryField, BooleanField, F, Func, Model, QuerySet, Value
from django.db.models.functions import Substr
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
MAX_PARAMETERS = 30_000  # SQLite takes 32,766 in a statement, PostgreSQL 65,535
DEADLOCK = "40P01"  # PostgreSQL's code for it
ATTEMPTS = 6


def skip_locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Lock the rows and skip those locked by others where the database can; SQLite has one writer anyway."""
    return rows.select_for_update(skip_locked=True) if can_skip_locked() else rows


def can_skip_locked() -> bool:
    """Whether claims are row locks inside a transaction (PostgreSQL) rather than one writer at a time (SQLite)."""
    return bool(connection.features.has_select_for_update_skip_locked)


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all reads of the block see the database as it was at the first of them; nobody who writes waits for it.

    Within a transaction they see what it sees.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # Django's own transactions take the turn to write
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


def claim_names(names: Collection[str]) -> list[str]:
    """Claim names until the transaction ends: those that nobody else has, or if all are taken, one that is waited for.

    Who claims so must hold nothing else that others wait for. SQLite has one writer anyway: there all of them are ours.
    """
    if not can_skip_locked() or not names:
        return list(names)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0))",
            [sorted(names)],
        )
        if claimed := [name for (name,) in cursor.fetchall()]:
            return claimed
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [min(names)])
        return [min(names)]


def insert_rows(
    cursor: CursorWrapper,
    insert: str,
    rows: Sequence[Sequence[Any]],
    *,
    then: str = "",
    returning: bool = False,
    each: str = "",
) -> list[tuple[Any, ...]]:
    """Run `INSERT … VALUES (…), (…) <then>` in as few statements as the databases' parameter limits allow.

    insert: up to and with the column list. then: ON CONFLICT and RETURNING. each: a row's values, if not plain
    parameters. Returns the returned rows.
    """
    returned: list[tuple[Any, ...]] = []
    if not rows:
        return returned
    width = len(rows[0])
    step = max(1, MAX_PARAMETERS // width)
    # Django turns every %s into the ? that SQLite takes, one by one: 2 ms for 500 spans. Its debug log needs them.
    mark = "?" if connection.vendor == "sqlite" and not connection.queries_logged else "%s"
    one = each or f"({', '.join([mark] * width)})"
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        cursor.execute(
            f"{insert} VALUES {', '.join([one] * len(part))} {then}",
            [value for row in part for value in row],
        )
        if returning:
            returned.extend(cursor.fetchall())
    return returned


def copy_back() -> bool:
    """On SQLite, copy what the WAL holds into the database file, keeping nobody from writing meanwhile.

    Returns whether all of it was copied: only then a file that lost pages is cut. Who reads an earlier state, or writes
    at this moment, leaves something for the next time.

    Who writes much does so between transactions. Else a COMMIT does it, whosever it is, while it has the turn to write:
    a quarter of a second for the 64 MB that settings allow.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            is_busy, pages, copied = cursor.fetchone()
        return not is_busy and pages == copied
    return True


@contextmanager
def copying_back_ourselves() -> Iterator[None]:
    """Keep this connection's COMMITs from doing what `copy_back` is called for within; SQLite only.

    A COMMIT that finds the WAL full copies it back, and waits for the disk, with the turn to write.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        usual = pragma(cursor, "wal_autocheckpoint")
        cursor.execute("PRAGMA wal_autocheckpoint=0")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA wal_autocheckpoint={usual}")


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


class Found(NamedTuple):
    """Some ids, as SQL. each: the same asked of one id, `{id}` in it; without it, one is looked up among the ids."""

    ids: str
    values: tuple[Any, ...]
    each: str = ""
    each_values: tuple[Any, ...] = ()

    def of(self, column: str) -> tuple[str, tuple[Any, ...]]:
        """SQL that says whether the id in a column is found, and its parameters."""
        if self.each:
            return self.each.format(id=column), self.each_values
        return f"{column} IN ({self.ids})", self.values


class HoldsBytes(Func):
    """Whether a column of bytes has `part` somewhere in it."""

    template = "POSITION(%(expressions)s) > 0"
    arg_joiner = " IN "
    output_field = BooleanField()

    def __init__(self, column: str, part: bytes) -> None:
        super().__init__(Value(part, output_field=BinaryField()), F(column))

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        part, column = self.source_expressions
        found, found_in = compiler.compile(part), compiler.compile(column)
        return f"INSTR({found_in[0]}, {found[0]}) > 0", (*found_in[1], *found[1])


class IdAmong(Func):
    """Whether a column is among the ids that any of some queries select. Every value in those is a parameter.

    On SQLite all ids become one set, and each row is looked up in it: so neither many ids nor few cost much. PostgreSQL
    knows how many there will be, but of a union it does not: there, one EXISTS for each query lets it choose between
    such a set and a look into an index for each row, which ends early where most rows match.
    """

    output_field = BooleanField()

    def __init__(self, column: F, parts: Sequence[Found]) -> None:
        super().__init__(column)
        self.parts = tuple(parts)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        return self.in_set(column)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        return self.in_any(column)

    def in_any(self, column: str) -> tuple[str, list[Any]]:
        """The column looked for in each query by itself."""
        each = (f"EXISTS (SELECT 1 FROM ({part.ids}) found (id) WHERE found.id = {column})" for part in self.parts)  # noqa: S608
        return f"({' OR '.join(each)})", self.parameters

    def in_set(self, column: str) -> tuple[str, list[Any]]:
        """The column looked up in the set of all ids."""
        # The plus keeps SQLite from reading row by row of the set instead, in no order.
        return f"+{column} IN ({' UNION ALL '.join(part.ids for part in self.parts)})", self.parameters

    def one_by_one(self, column: str) -> tuple[str, list[Any]]:
        """The column's row asked by itself, without a set."""
        return any_of([part.of(column) for part in self.parts])

    @property
    def parameters(self) -> list[Any]:
        return [value for part in self.parts for value in part.values]


GLANCE = 100  # rows that tell whether a longer look may find enough


class AmongAll(Func):
    """Whether a column is among the ids of each of some IdAmong, for a list that is read in order and ends early.

    On SQLite, which has no statistics of words, the beginning of the list says what is cheapest: when it has enough
    matches for all that is shown, or is the whole list, each row is asked by itself; else sets are made, and of those
    after the first only one by one when the first is small. PostgreSQL chooses for itself.

    near: the ids of the list without these conditions; look: how many of them are its beginning; enough: how many
    matches are shown at most.
    """

    output_field = BooleanField()

    def __init__(
        self, column: F, conditions: Sequence[IdAmong], *, near: QuerySet[Any, Any], look: int, enough: int
    ) -> None:
        super().__init__(column)
        self.conditions = tuple(conditions)
        self.near = near[:look]
        self.look, self.enough = look, enough

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        each = [condition.in_any(column) for condition in self.conditions]
        return " AND ".join(sql for sql, _ in each), [value for _, values in each for value in values]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:
        column, _none = compiler.compile(self.source_expressions[0])
        near, near_values = self.near.query.sql_with_params()
        glance, glance_values = self.hits(GLANCE)
        look, look_values = self.hits(self.look)
        each, each_values = self.one_by_one(column)
        sets, set_values = self.in_sets(column)
        sql = (
            f"CASE WHEN (SELECT COUNT(*) FROM ({near})) < {self.look} THEN {each}"  # noqa: S608  our own SQL
            f" WHEN ({glance}) < {GLANCE * self.enough // self.look} THEN {sets}"
            f" WHEN ({look}) > {self.enough} THEN {each} ELSE {sets} END"
        )
        return sql, [*near_values, *each_values, *glance_values, *set_values, *look_values, *each_values, *set_values]

    def hits(self, rows: int) -> tuple[str, list[Any]]:
        """How many of the first so many rows match."""
        near, near_values = self.near[:rows].query.sql_with_params()
        hit, hit_values = self.one_by_one("near.id")
        sql = f"SELECT SUM(hit) FROM (WITH near (id) AS ({near}) SELECT {hit} AS hit FROM near)"  # noqa: S608
        return sql, [*near_values, *hit_values]

    def one_by_one(self, column: str) -> tuple[str, list[Any]]:
        """Every condition, without sets."""
        return all_of([condition.one_by_one(column) for condition in self.conditions])

    def in_sets(self, column: str) -> tuple[str, list[Any]]:
        """The first condition as a set; the others as sets, or row by row when the first leaves few rows."""
        first, *others = self.conditions
        made = [first.in_set(column)]
        ids = " UNION ALL ".join(part.ids for part in first.parts)
        few = f"SELECT COUNT(*) <= {self.look} FROM (SELECT 1 FROM ({ids}) LIMIT {self.look + 1})"  # noqa: S608
        for condition in others:
            each, each_values = condition.one_by_one(column)
            whole, values = condition.in_set(column)
            made.append((f"CASE WHEN ({few}) THEN {each} ELSE {whole} END", [*first.parameters, *each_values, *values]))
        return all_of(made)


Piece = tuple[str, Sequence[Any]]  # SQL and its parameters


def all_of(pieces: Sequence[Piece]) -> tuple[str, list[Any]]:
    """Whether all pieces are true. SQLite asks every operand of an AND whose value it wants, but ends a CASE early."""
    *earlier, (sql, values) = pieces
    values = list(values)
    for before, before_values in reversed(earlier):
        sql, values = f"CASE WHEN {before} THEN {sql} ELSE 0 END", [*before_values, *values]
    return sql, values


def any_of(pieces: Sequence[Piece]) -> tuple[str, list[Any]]:
    """Whether any piece is true; as `all_of`."""
    *earlier, (sql, values) = pieces
    values = list(values)
    for before, before_values in reversed(earlier):
        sql, values = f"CASE WHEN {before} THEN 1 ELSE {sql} END", [*before_values, *values]
    return sql, values


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
        return f"SELECT rowid FROM {table}_fts WHERE {table}_fts MATCH %s", (words_pattern(words),)  # noqa: S608  a table's name
    return f"SELECT {key} FROM {table} WHERE vector @@ %s::tsquery", (words_pattern(words),)  # noqa: S608  names of a table's


def words_pattern(words: Sequence[str]) -> str:
    """What FTS5's MATCH or a tsquery says when each of `words` must begin some word.

    words: without spaces and what quotes; else ValueError.
    """
    if not words or any(not word or any(letter in "\"'\\\0" or letter.isspace() for letter in word) for word in words):
        msg = f"not words: {words!r}"
        raise ValueError(msg)
    if connection.vendor == "sqlite":
        return " AND ".join(f'"{word}"*' for word in words)
    return " & ".join(f"'{word}':*" for word in words)


@dataclass(frozen=True)
class Space:
    """How much room the database takes. free_bytes: within it, for new rows to use before it grows (SQLite)."""

    db_bytes: int
    free_bytes: int = 0
    page_bytes: int = 0  # 0: not a file of ours
    can_shrink: bool = False  # on SQLite a file made with auto_vacuum=INCREMENTAL; PostgreSQL looks after itself

    @property
    def is_file(self) -> bool:
        return self.page_bytes > 0


def space() -> Space:
    """What the database takes now; on SQLite pages times their size, the WAL left out."""
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute("SELECT pg_database_size(current_database())")
            return Space(int(cursor.fetchone()[0]))
        page_bytes, pages, free, mode = (pragma(cursor, name) for name in SPACE_PRAGMAS)
    return Space(pages * page_bytes, free * page_bytes, page_bytes, can_shrink=mode == INCREMENTAL)


SPACE_PRAGMAS = ("page_size", "page_count", "freelist_count", "auto_vacuum")
INCREMENTAL = 2


def pragma(cursor: CursorWrapper, name: str) -> int:
    """The number that SQLite answers."""
    cursor.execute(f"PRAGMA {name}")
    return int(cursor.fetchone()[0])


def give_back(*, pages: int, seconds: float) -> int:
    """Cut up to `pages` free pages off a SQLite file, for about `seconds`, in the caller's transaction.

    The file itself is shorter after the next copy_back. Returns how many bytes it will be shorter by.
    """
    with connection.cursor() as cursor:
        before = pragma(cursor, "page_count")
        ends = time.monotonic() + seconds
        for _ in range(pages):
            # One at a time: sqlite3 steps a statement without columns once, and a step is one page.
            cursor.execute("PRAGMA incremental_vacuum(1)")
            if time.monotonic() >= ends:
                break
        return (before - pragma(cursor, "page_count")) * pragma(cursor, "page_size")


def survives_deadlock(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run the transaction that `work` is again when PostgreSQL ended it to break a circle of waiting; 6 times at most.

    Inside another transaction, which is lost with it, the error goes on to whoever began that one. SQLite has one
    writer, so no circles.
    """

    @functools.wraps(work)
    def again(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        for attempt in range(1, ATTEMPTS):
            try:
                return work(*args, **options)
            except OperationalError as error:
                if not is_deadlock(error) or connection.in_atomic_block:
                    raise
                time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311  only so that they do not meet again
        return work(*args, **options)

    return again


def is_deadlock(error: OperationalError) -> bool:
    """Whether PostgreSQL ended the transaction because several waited for each other."""
    return getattr(error.__cause__, "sqlstate", None) == DEADLOCK

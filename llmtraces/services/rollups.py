"""Writes changes of rollups: signed amounts, added to what is there."""

from django.db import connection
from django.db.backends.utils import CursorWrapper

from bloop_site.lib.db import insert_rows
from llmtraces.contributions import Rollup, Rollups
from llmtraces.services.durations import write_durations
from llmtraces.tables import TABLES, RollupTable


def write_rollups(change: Rollups) -> None:
    """Add the changes to every table, in the caller's transaction."""
    with connection.cursor() as cursor:
        for name, table in TABLES.items():
            write_rollup(cursor, table, getattr(change, name))
        write_durations(cursor, change.durations)


def write_rollup(cursor: CursorWrapper, table: RollupTable, change: Rollup) -> None:
    """One table's upsert; its unique constraint has exactly the key's columns."""
    added = ", ".join(f'"{name}" = {table.name}."{name}" + excluded."{name}"' for name in table.amounts)
    insert_rows(
        cursor,
        f"INSERT INTO {table.name} ({quoted(table.keys + table.amounts)})",
        [(*key, *row) for key, row in change.changes()],
        then=f"ON CONFLICT ({quoted(table.keys)}) DO UPDATE SET {added}",
    )


def quoted(names: tuple[str, ...]) -> str:
    """Columns for a statement: `by` and `of` are words of SQL."""
    return ", ".join(f'"{name}"' for name in names)

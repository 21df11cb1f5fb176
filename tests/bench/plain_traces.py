"""The yardstick of stored spans: plain sqlite3 writes the rows that Bloop wrote into the same tables and indexes.

The rows lie ready in memory and rollups are written once, as they came out: it parses and adds nothing. Its pragmas
are ours; one transaction for 500 rows.
"""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from tests.bench.plain_sqlite import PER_TRANSACTION, PRAGMAS


def main(*, copy: str) -> dict[str, float]:
    """Write all rows of the traces' tables of the database at hand into a new one at `copy`."""
    with sqlite3.connect(os.environ["BLOOP__DATABASE__PATH"]) as ours:
        schema = ours.execute(
            "SELECT name, sql, type FROM sqlite_master WHERE tbl_name LIKE 'llmtraces_%' AND sql IS NOT NULL"
            " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY type = 'index'"
        ).fetchall()
        names = [name for name, sql, kind in schema if kind == "table" and f"{name}_" not in sql]
        rows = {name: ours.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    Path(copy).unlink(missing_ok=True)
    theirs = sqlite3.connect(copy, isolation_level=None)
    for pragma in PRAGMAS:
        theirs.execute(f"PRAGMA {pragma}")
    theirs.execute("PRAGMA foreign_keys=OFF")  # the projects are not in it
    for _, sql, kind in schema:
        if kind in ("table", "index"):
            theirs.execute(sql)
    begun = time.perf_counter()
    for name, found in rows.items():
        for low in range(0, len(found), PER_TRANSACTION):
            part = found[low : low + PER_TRANSACTION]
            theirs.execute("BEGIN IMMEDIATE")
            theirs.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(part[0]))})", part)
            theirs.execute("COMMIT")
    seconds = time.perf_counter() - begun
    theirs.close()
    return {"spans": len(rows["llmtraces_span"]), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))

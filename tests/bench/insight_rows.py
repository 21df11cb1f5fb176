"""Rows of the table about Insights: each tab at 10,000 issues with events in every hour of 30 days."""

import sqlite3
import time
from pathlib import Path

from tests.bench.release_rows import look
from tests.bench.report import Row, median, percentile
from tests.bench.server import Usage, bloop, new_folder, reader, run_module, sign_in

TABS = {
    "Spikes": "/insights",
    "Movers": "/insights/movers",
    "Correlations": "/insights/correlations",
    "Releases": "/insights/releases",
    "Environments": "/insights/environments",
}
WINDOWS = (72, 720)
UNCACHED_MS, CACHED_MS = 300, 30
SERIES = "SELECT issue_id, hour_ms, SUM(count) AS n FROM errors_hourlycount WHERE hour_ms >= {start} GROUP BY 1, 2"
# What each tab needs at least, asked of the hourly counts in SQL. Correlations stop where SQL does: at the series.
PLAIN = {
    "Spikes": f"SELECT issue_id, AVG(n), MAX(n), SUM(n * n) FROM ({SERIES}) GROUP BY 1",
    "Movers": "SELECT issue_id, SUM(count * (hour_ms >= {middle})), SUM(count) FROM errors_hourlycount"
    " WHERE hour_ms >= {start} GROUP BY 1",
    "Correlations": f"SELECT COUNT(*), MAX(n) FROM ({SERIES})",
    "Releases": "SELECT release, COUNT(DISTINCT issue_id), SUM(total_count) FROM errors_aggregate GROUP BY 1",
    "Environments": "SELECT environment, COUNT(DISTINCT issue_id), SUM(count) FROM errors_hourlycount"
    " WHERE hour_ms >= {start} GROUP BY 1",
}
HOUR_MS = 3_600_000


def insights(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Every tab for 72 and for 720 hours, without and with its cache; the slower of the two windows is the figure."""
    issues, hours, rounds = (1_000, 72, 5) if quick else (10_000, 720, 30)
    folder = new_folder(parent, "insights")
    filled = run_module("insight_fill", folder, issues=issues, hours=hours, releases=500)
    plain = {name: plain_seconds(folder / "bloop.db", sql) for name, sql in PLAIN.items()}
    pages = {f"{name} {window}": (f"{path}?hours={window}", name) for name, path in TABS.items() for window in WINDOWS}
    rows = []
    for ttl, words, bound in (("0", "uncached", UNCACHED_MS), ("3600", "cached", CACHED_MS)):
        with bloop(folder, port=port, BLOOP__ANALYTICS__CACHE_TTL_SECS=ttl) as server:
            cookie = sign_in(server)
            look(server, cookie, pages, times=4)  # both web processes have theirs
            with Usage(server) as usage:
                took = look(server, cookie, pages, times=rounds)
        for name in TABS:
            label = f"Insights, {name}, {words}, at {issues:,} issues x {hours} hours, p95"
            rows.append(row_of(label, [took[f"{name} {window}"] for window in WINDOWS], plain[name], bound, usage))
    rows[0].runs.append(
        f"{filled['rows']:,} hourly counts in {filled['seconds']:.0f} s, packed in {filled['packing_seconds']:.1f} s"
    )
    return rows


def plain_seconds(database: Path, sql: str) -> float:
    """How long plain SQL takes for the longest window, the second time."""
    connection: sqlite3.Connection = reader(database)
    newest = int(connection.execute("SELECT MAX(hour_ms) FROM errors_hourlycount").fetchone()[0])
    middle = newest - (WINDOWS[-1] // 2 - 1) * HOUR_MS
    statement = sql.format(start=newest - (WINDOWS[-1] - 1) * HOUR_MS, middle=middle)
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        connection.execute(statement).fetchall()
    took = time.perf_counter() - began
    connection.close()
    return took


def row_of(name: str, took: list[list[float]], plain: float, bound: float, usage: Usage) -> Row:
    slower = max(took, key=lambda each: percentile(each, 0.95))
    return Row(
        name=name,
        rate=f"{1000 / median(slower):,.0f} requests/s",
        yardstick=f"plain SQL: {1000 * plain:,.0f} ms",
        bound=bound,
        measured=percentile(slower, 0.95),
        at_least=False,
        unit=" ms",
        p50_ms=median(slower),
        p99_ms=percentile(slower, 0.99),
        peak_mb=usage.peak_mb,
        runs=[f"{window} hours: {percentile(each, 0.95):.1f} ms" for window, each in zip(WINDOWS, took, strict=True)],
    )

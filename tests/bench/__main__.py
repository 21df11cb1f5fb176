"""`python -m tests.bench [--quick] [--only single,pages] [--port 5800]`: measure, print one table in markdown."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import (
    alert_rows,
    ingest_rows,
    insight_rows,
    issue_rows,
    list_rows,
    llm_rows,
    page_rows,
    purge_rows,
    release_rows,
    report,
    sourcemap_rows,
)

ROWS = {
    "single": ingest_rows.single,
    "batches": ingest_rows.batches,
    "drain": ingest_rows.drain,
    "visible": ingest_rows.visible,
    "pages": page_rows.pages,
    "issue": issue_rows.issue,
    "sourcemaps": sourcemap_rows.sourcemaps,
    "releases": release_rows.releases,
    "list": list_rows.listed,
    "insights": insight_rows.insights,
    "purge": purge_rows.purge,
    "llm": llm_rows.llm,
    "llm-pages": llm_rows.llm_pages,
    "llm-search": llm_rows.llm_search,
    "llm-trace": llm_rows.llm_trace,
    "alert-round": alert_rows.rounds,
    "alert-new": alert_rows.first_message,
    "idle": page_rows.idle,
}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds a row: to see that it runs")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--port", type=int, default=5810, help="the first of three free ports")
    chosen = parser.parse_args()
    unknown = set(chosen.only.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return chosen


def main() -> int:
    chosen = options()
    print(report.machine(), end="\n\n", flush=True)
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory(prefix="bloop-bench-") as folder:
        for name in chosen.only.split(","):
            begun = time.monotonic()
            rows += ROWS[name](Path(folder), chosen.port, quick=chosen.quick)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    print(report.table(rows))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())

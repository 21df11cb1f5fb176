"""Rows of the table about one issue with very many occurrences: its page, and the list of its events."""

import http.client
import time
from pathlib import Path
from urllib.parse import quote

from tests.bench.page_rows import DAYS
from tests.bench.report import Row, median, percentile
from tests.bench.server import Server, Usage, bloop, new_folder, reader, run_module, sign_in

BOUND_MS = 60


def issue(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """The pages of an issue that has 1,000,000 occurrences (quick: 50,000), for a signed-in person."""
    events, rounds, times = (50_000, 2, 10) if quick else (1_000_000, 10, 20)
    folder = new_folder(parent, "issue")
    filled = run_module("fill", folder, kind="stored", events=events, issues=1, days=DAYS)
    took: dict[str, list[float]] = {}
    with bloop(folder, port=port) as server:
        cookie, pages = sign_in(server), pages_of(server)
        look(server, cookie, pages, {}, times=5)
        with Usage(server) as usage:
            for _ in range(rounds):
                look(server, cookie, pages, took, times=times)
    rows = [
        Row(
            name=f"{name} of an issue with {events:,} occurrences, p95",
            rate=f"{1000 / median(values):,.0f} requests/s",
            yardstick="",
            bound=BOUND_MS,
            measured=percentile(values, 0.95),
            at_least=False,
            unit=" ms",
            p50_ms=median(values),
            p99_ms=percentile(values, 0.99),
            peak_mb=usage.peak_mb,
        )
        for name, values in took.items()
    ]
    rows[0].runs.append(f"{events:,} events recorded in {filled['seconds']:.0f} s")
    return rows


def pages_of(server: Server) -> dict[str, str]:
    """What is looked at: the newest event, one in the middle, the lists from both, and a list with a filter."""
    with reader(server.database) as connection:
        fingerprint, newest = connection.execute("SELECT fingerprint, total_count FROM errors_issue").fetchone()
        middle = connection.execute(
            "SELECT id FROM errors_event ORDER BY id LIMIT 1 OFFSET ?", [newest // 2]
        ).fetchone()
        release = connection.execute("SELECT release FROM errors_event ORDER BY id LIMIT 1").fetchone()
    base = f"/errors/default/{quote(fingerprint, safe='')}"
    return {
        "Page": base,
        "Page at a middle event": f"{base}?event={middle[0]}",
        "Events": f"{base}/events",
        "Events from a middle one": f"{base}/events?before={middle[0]}",
        "Events of one release": f"{base}/events?release={quote(release[0])}",
    }


def look(server: Server, cookie: str, pages: dict[str, str], took: dict[str, list[float]], *, times: int) -> None:
    """Fetch each page so many times, one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for _ in range(times):
        for name, path in pages.items():
            begun = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            body = answer.read()
            took.setdefault(name, []).append(1000 * (time.perf_counter() - begun))
            if answer.status != 200 or b"issue-title" not in body:
                raise SystemExit(f"{path} was answered {answer.status}: {body[:200]!r}")
    connection.close()

"""Rows of the table about releases: their pages beside the Errors page, at many issues and many releases."""

import http.client
import time
from pathlib import Path

from tests.bench.report import Row, median, percentile
from tests.bench.server import Server, Usage, bloop, new_folder, run_module, sign_in

DAYS = 100
BOUND_MS = 100
YARDSTICK = "Errors page"


def releases(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """The list and one release, newest and old, each in turns with the Errors page of the same database."""
    issues, count = (10_000, 50) if quick else (100_000, 500)
    rounds = 20 if quick else 100
    folder = new_folder(parent, "releases")
    filled = run_module("fill_releases", folder, issues=issues, releases=count, days=DAYS)
    newest, middle = f"2026.{count - 1:04}", f"2026.{count // 2:04}"
    pages = {
        YARDSTICK: ("/errors", "TypeError"),
        "Releases page": ("/releases", newest),
        "Releases page, the last one": (f"/releases?page={count // 25}", "2026.0000"),
        "Releases page, searched": ("/releases?q=.00", "2026.00"),
        "One release, newest": (f"/releases/default?name={newest}&tab=all", newest),
        "One release, in the middle": (f"/releases/default?name={middle}&tab=regressed", middle),
        "One release, 30 days by the hour": (f"/releases/default?name={newest}&hours=720&tab=resolved", newest),
    }
    with bloop(folder, port=port) as server:
        cookie = sign_in(server)
        look(server, cookie, pages, times=5)
        with Usage(server) as usage:
            took = look(server, cookie, pages, times=rounds)
    label = f"{issues:,} issues, {count} releases"
    rows = [row_of(name, label, took[name], took[YARDSTICK], usage.peak_mb) for name in pages if name != YARDSTICK]
    rows[0].runs.append(f"{filled['events']:,} events, {filled['transitions']:,} changes in {filled['seconds']:.0f} s")
    return rows


def look(server: Server, cookie: str, pages: dict[str, tuple[str, str]], *, times: int) -> dict[str, list[float]]:
    """Fetch each page so many times in turns on one connection. Returns the milliseconds each took."""
    took: dict[str, list[float]] = {name: [] for name in pages}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for _ in range(times):
        for name, (path, words) in pages.items():
            begun = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            body = answer.read()
            took[name].append(1000 * (time.perf_counter() - begun))
            if answer.status != 200 or words.encode() not in body:
                raise SystemExit(f"{path} was answered {answer.status}: {body[:200]!r}")
    connection.close()
    return took


def row_of(name: str, label: str, mine: list[float], errors_page: list[float], peak_mb: float) -> Row:
    return Row(
        name=f"{name} at {label}, p95",
        rate=f"{1000 / median(mine):,.0f} requests/s",
        yardstick=f"Errors page: {percentile(errors_page, 0.95):.1f} ms",
        bound=BOUND_MS,
        measured=percentile(mine, 0.95),
        at_least=False,
        unit=" ms",
        p50_ms=median(mine),
        p99_ms=percentile(mine, 0.99),
        peak_mb=peak_mb,
    )

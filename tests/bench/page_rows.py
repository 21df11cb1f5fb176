"""Rows of the table about people looking, and about nobody looking: pages, idle."""

import http.client
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.report import Row, median, percentile
from tests.bench.server import (
    Server,
    Usage,
    bare,
    bloop,
    cpu_seconds,
    manage,
    new_folder,
    pss_mb,
    run_module,
    sign_in,
)

PAGES = {"Errors page": "/errors", "GET /v1/errors": "/v1/errors"}
DAYS = 7


@dataclass
class Site:
    """A server with so many events and issues, how to get in, and the milliseconds each page took."""

    label: str
    server: Server
    headers: dict[str, dict[str, str]]
    took: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PAGES})
    usage: Usage | None = None

    def look(self, times: int) -> None:
        """Fetch each page so many times, one after the other on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for _ in range(times):
            for name, path in PAGES.items():
                begun = time.perf_counter()
                connection.request("GET", path, headers=self.headers[name])
                answer = connection.getresponse()
                body = answer.read()
                self.took[name].append(1000 * (time.perf_counter() - begun))
                if answer.status != 200 or b"TypeError" not in body:
                    raise SystemExit(f"{path} was answered {answer.status}: {body[:200]!r}")
        connection.close()

    def forget(self) -> None:
        for values in self.took.values():
            values.clear()


def pages(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """The list for a signed-in person and for a token, in turns on a small and on large databases."""
    large = 100_000 if quick else 1_000_000
    sizes = [(10_000, 500), (large, 500), (large, 500 * large // 10_000)]
    rounds, times = (3, 10) if quick else (10, 20)
    with ExitStack() as stack:
        sites, fills = [], []
        for index, (events, issues) in enumerate(sizes):
            folder = new_folder(parent, f"pages-{index}")
            filled = run_module("fill", folder, kind="stored", events=events, issues=issues, days=DAYS)
            fills.append(f"{events:,} events of {issues:,} issues recorded in {filled['seconds']:.0f} s")
            token = json.loads(manage(folder, "createtoken", "default", "--name", "bench", "--scopes", "errors:read"))
            server = stack.enter_context(bloop(folder, port=port + index))
            api = {"Authorization": f"Bearer {token['token']}"}
            headers = {"Errors page": {"Cookie": sign_in(server)}, "GET /v1/errors": api}
            sites.append(Site(f"{events:,} events, {issues:,} issues", server, headers))
        for site in sites:
            site.look(5)
            site.forget()
        usages = [stack.enter_context(Usage(site.server)) for site in sites]
        for _ in range(rounds):
            for site in sites:
                site.look(times)
        peaks = [usage.peak_mb for usage in usages]
    small = sites[0]
    rows = [
        row
        for site, peak in zip(sites[1:], peaks[1:], strict=True)
        for name in PAGES
        for row in (ratio_row(name, small, site, peak), slowest_row(name, site))
    ]
    rows[0].runs += fills
    return rows


def ratio_row(name: str, small: Site, large: Site, peak_mb: float) -> Row:
    mine, theirs = large.took[name], small.took[name]
    return Row(
        name=f"{name} at {large.label}",
        rate=f"{1000 / median(mine):,.0f} requests/s",
        yardstick=f"the same at {small.label}: {median(theirs):.1f} ms",
        bound=1.5,
        measured=median(mine) / median(theirs),
        at_least=False,
        unit=" times",
        p50_ms=median(mine),
        p99_ms=percentile(mine, 0.99),
        peak_mb=peak_mb,
    )


def slowest_row(name: str, site: Site) -> Row:
    return Row(
        name=f"{name} at {site.label}, p95",
        rate="",
        yardstick="",
        bound=60,
        measured=percentile(site.took[name], 0.95),
        at_least=False,
        unit=" ms",
    )


def idle(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """A server on an existing database that nobody talks to: start, CPU, memory, stop."""
    rounds, seconds = (1, 5.0) if quick else (5, 30.0)
    folder = new_folder(parent, "idle")
    run_module("fill", folder, kind="stored", events=10_000, issues=500, days=DAYS)
    with bare(folder, port=port + 1) as yardstick:
        time.sleep(2)
        bare_mb = pss_mb(yardstick.processes())
    starts, stops = [], []
    for _ in range(rounds):
        with bloop(folder, port=port) as server:
            time.sleep(2)
        starts.append(server.start_seconds)
        stops.append(server.stop_seconds)
    with bloop(folder, port=port) as server:
        time.sleep(5)
        before, begun = cpu_seconds(server.processes()), time.perf_counter()
        time.sleep(seconds)
        percent = 100 * (cpu_seconds(server.processes()) - before) / (time.perf_counter() - begun)
        memory = pss_mb(server.processes())
        each = ", ".join(f"{p.name()} {pss_mb([p]):.0f} MB" for p in server.processes())
    return [
        Row("Idle, CPU of a core", "", "", 1.0, percent, at_least=False, unit=" %", runs=[each]),
        Row("Idle, memory of all processes", "", f"bare Django view {bare_mb:.0f} MB", 300, memory, False, " MB"),
        Row(
            "`serve` to `/health`",
            "",
            f"bare Django view {yardstick.start_seconds:.2f} s",
            3.0,
            median(starts),
            at_least=False,
            unit=" s",
            runs=[", ".join(f"{value:.2f} s" for value in starts)],
        ),
        Row(
            "SIGTERM to the end of all processes",
            "",
            "",
            8.0,
            median(stops),
            at_least=False,
            unit=" s",
            runs=[", ".join(f"{value:.2f} s" for value in stops)],
        ),
    ]

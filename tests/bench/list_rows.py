"""Rows of the table about the list of issues: each kind of filter, and the worst of them together, at 100,000."""

import http.client
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from tests.bench.report import Row, median, percentile
from tests.bench.server import bloop, new_folder, run_module, sign_in

ISSUES = 100_000
BOUND_MS = 100
WORST = 8  # combinations that get a row of their own
PLAIN = "no filter but the status"
# Rare and common values are those of tests.bench.list_fill.
COMBINATIONS: dict[str, dict[str, str]] = {
    PLAIN: {},
    "page 2,000 of all": {"status": "all", "page": "2000"},
    "all, most events first": {"status": "all", "sort": "total_count"},
    "muted (1 %), first seen first": {"status": "muted", "sort": "first_seen"},
    "one of six projects": {"project": "default", "status": "all", "sort": "total_count"},
    "common source": {"source": "web", "status": "all"},
    "rare source, most events first": {"source": "cli", "status": "all", "sort": "total_count"},
    "common route": {"route": "/api/0/Cart", "status": "all"},
    "environment that nearly all have": {"environment": "production", "status": "all"},
    "rare environment": {"environment": "canary", "status": "all"},
    "release": {"release": "3.5.9", "status": "all"},
    "release and environment": {"release": "3.5.9", "environment": "production", "status": "all"},
    "common word": {"q": "TypeError", "status": "all"},
    "rare word": {"q": "ref77777", "status": "all"},
    "word of no issue": {"q": "nosuchword", "status": "all"},
    "one letter, all issues": {"q": "r", "status": "all"},
    "beginning of 3,000 words, all issues": {"q": "noun", "status": "all"},
    "beginning of every release": {"q": "3.", "status": "all"},
    "a message pasted": {"q": "Cannot read properties of undefined (reading 'total') for cart", "status": "all"},
    "release, environment, common word": {"release": "3.5.9", "environment": "production", "q": "st"},
    "environment and word that nearly all have": {"environment": "production", "q": "st", "status": "all"},
    "the same, most events first": {"environment": "production", "q": "st", "status": "all", "sort": "total_count"},
    "the same, page 80": {"environment": "production", "q": "st", "status": "all", "page": "80"},
    "the same, rare source": {"environment": "production", "q": "st", "status": "all", "source": "cli"},
    "everything at once, no match": {
        "project": "default",
        "environment": "production",
        "release": "3.0.0",
        "source": "cli",
        "route": "/api/0/Cart",
        "q": "typeerror noun1",
        "sort": "total_count",
    },
}


@dataclass
class Look:
    """A filtered page and the milliseconds it took, each time."""

    name: str
    path: str
    took: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        return percentile(self.took, 0.95)


def listed(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """The whole page for a signed-in admin, every combination in turns on one connection."""
    issues, rounds = (ISSUES // 10, 5) if quick else (ISSUES, 40)
    folder = new_folder(parent, "list")
    filled = run_module("list_fill", folder, issues=issues)
    looks = [Look(name, f"/errors?{urlencode(query)}") for name, query in COMBINATIONS.items()]
    with ExitStack() as stack:
        server = stack.enter_context(bloop(folder, port=port))
        cookie = sign_in(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for round_number in range(rounds + 1):
            for look in looks:
                begun = time.perf_counter()
                connection.request("GET", look.path, headers={"Cookie": cookie})
                answer = connection.getresponse()
                body = answer.read()
                if round_number:  # the first is for warming up
                    look.took.append(1000 * (time.perf_counter() - begun))
                if answer.status != 200 or b'id="results"' not in body:
                    raise SystemExit(f"{look.path} was answered {answer.status}: {body[:200]!r}")
        connection.close()
    rows = rows_of(looks, issues=issues)
    rows[0].runs.append(f"{issues:,} issues filled in {filled['seconds']:.0f} s")
    return rows


def rows_of(looks: list[Look], *, issues: int) -> list[Row]:
    """The worst combinations, slowest first, beside the plain list; below them what all took."""
    plain = next(look for look in looks if look.name == PLAIN)
    worst = sorted(looks, key=lambda look: look.p95, reverse=True)
    rows = [
        Row(
            name=f"List of {issues:,} issues: {look.name}, p95",
            rate="",
            yardstick=f"{PLAIN}: {plain.p95:.0f} ms",
            bound=BOUND_MS,
            measured=look.p95,
            at_least=False,
            unit=" ms",
            p50_ms=median(look.took),
            p99_ms=percentile(look.took, 0.99),
        )
        for look in worst[:WORST]
    ]
    rows[0].runs = [f"{look.name} {median(look.took):.0f}/{look.p95:.0f} ms (p50/p95)" for look in worst]
    return rows

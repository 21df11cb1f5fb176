"""One table of what was measured, each row with its yardstick and its bound; below it every single run."""

import platform
import sqlite3
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HEAD = "| | Bloop | yardstick | p50 | p99 | CPU s per 1,000 | peak memory | bound | measured | |"
RULE = "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"


@dataclass
class Row:
    """A line of the table. Texts, but for `measured` and `bound`, which are compared: at least, or at most it."""

    name: str
    rate: str
    yardstick: str
    bound: float
    measured: float
    at_least: bool
    unit: str = ""
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_per_1000: float | None = None
    peak_mb: float | None = None
    runs: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        cells = (
            self.name,
            self.rate,
            self.yardstick,
            number(self.p50_ms, " ms"),
            number(self.p99_ms, " ms"),
            "" if self.cpu_per_1000 is None else f"{self.cpu_per_1000:.3f}",
            number(self.peak_mb, " MB"),
            f"{sign} {number(self.bound, self.unit)}",
            number(self.measured, self.unit),
            "ok" if self.holds else "**missed**",
        )
        return f"| {' | '.join(cells)} |"


def number(value: float | None, unit: str) -> str:
    """A figure with as many digits as it deserves."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def machine() -> str:
    """What it ran on, and how busy that was before."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}; "
        f"load average before: {psutil.getloadavg()[0]:.2f}"
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown, then the single runs."""
    runs = [f"- {row.name}: {'; '.join(row.runs)}" for row in rows if row.runs]
    return "\n".join([HEAD, RULE, *(row.line() for row in rows), "", "Single runs:", "", *runs])

"""Prompts and their versions (contract 8.5.8)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Sum

from llmtraces.models import PromptHour
from llmtraces.queries.window import Window

AMOUNTS = (
    "trace_count",
    "error_count",
    "ended_count",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "cost_micros",
)


@dataclass(frozen=True)
class Version:
    """One version of a prompt in the window. first_seen_ms, last_seen_ms: None without traces."""

    version: str
    trace_count: int = 0
    error_count: int = 0
    ended_count: int = 0
    latency_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    first_seen_ms: int | None = None
    last_seen_ms: int | None = None

    @property
    def error_rate(self) -> float:
        """Traces with an error of all, as a fraction of 0 to 1 (the contract's exception)."""
        return self.error_count / self.trace_count if self.trace_count else 0.0

    @property
    def avg_latency_ms(self) -> float:
        """Over the traces that ended."""
        return round(self.latency_ms / self.ended_count, 2) if self.ended_count else 0.0

    @property
    def avg_cost_micros(self) -> int:
        return self.cost_micros // self.trace_count if self.trace_count else 0

    @property
    def avg_input_tokens(self) -> float:
        return round(self.input_tokens / self.trace_count, 2) if self.trace_count else 0.0

    @property
    def avg_output_tokens(self) -> float:
        return round(self.output_tokens / self.trace_count, 2) if self.trace_count else 0.0


@dataclass(frozen=True)
class Prompt:
    """A prompt with its versions, the last used first."""

    name: str
    versions: list[Version]

    @property
    def total(self) -> Version:
        """All versions together."""
        sums: dict[str, Any] = {name: sum(getattr(each, name) for each in self.versions) for name in AMOUNTS}
        return Version("", **sums, last_seen_ms=max((each.last_seen_ms or 0 for each in self.versions), default=None))


def prompts(window: Window, *, limit: int) -> list[Prompt]:
    """The prompts of the window, the most used first; in two queries."""
    found = rows_by_name(window)
    listed = sorted(found, key=lambda name: (-sum(row.amounts["trace_count"] for row in found[name]), name))[:limit]
    seen = seen_of(window, [row for name in listed for row in found[name]])
    return [Prompt(name, versions_from(found[name], seen)) for name in listed]


def versions_of(window: Window, name: str) -> list[Version]:
    """The versions of one prompt, the last used first; in two queries."""
    return versions_by_name(window, name=name)[name]


def versions_by_name(window: Window, *, name: str | None = None) -> defaultdict[str, list[Version]]:
    """Versions in the window by the name of their prompt, the last used first; in two queries."""
    rows = rows_by_name(window, name=name)
    seen = seen_of(window, [row for each in rows.values() for row in each])
    found: defaultdict[str, list[Version]] = defaultdict(list)
    for each, versions in rows.items():
        found[each] = versions_from(versions, seen)
    return found


def version_of(window: Window, name: str, version: str) -> Version:
    """One version of a prompt; zeros when the window has no trace of it. In two queries at most."""
    rows = rows_by_name(window, name=name, version=version)[name]
    return next(iter(versions_from(rows, seen_of(window, rows))), Version(version))


# --- Sums and bounds ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VersionRow:
    """The sums of one version in one project."""

    project_id: str
    name: str
    version: str
    amounts: dict[str, int]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.project_id, self.name, self.version


Seen = dict[tuple[str, str, str], tuple[int, int]]  # by VersionRow.key: first and last start


def rows_by_name(
    window: Window, *, name: str | None = None, version: str | None = None
) -> defaultdict[str, list[VersionRow]]:
    """The sums by project and version, by the name of the prompt. One query."""
    rows = window.hourly(PromptHour.objects.all())
    rows = rows if name is None else rows.filter(prompt_name=name)
    rows = rows if version is None else rows.filter(prompt_version=version)
    sums: dict[str, Any] = {amount: Sum(amount) for amount in AMOUNTS}
    grouped: Any = rows.values("project_id", "prompt_name", "prompt_version").annotate(**sums).exclude(trace_count=0)
    found: defaultdict[str, list[VersionRow]] = defaultdict(list)
    for row in grouped:
        amounts = {amount: row[amount] for amount in AMOUNTS}
        each = VersionRow(row["project_id"], row["prompt_name"], row["prompt_version"], amounts)
        found[each.name].append(each)
    return found


def versions_from(rows: Iterable[VersionRow], seen: Seen) -> list[Version]:
    """The versions of one prompt, each over all its projects, the last used first."""
    by_version: defaultdict[str, list[VersionRow]] = defaultdict(list)
    for row in rows:
        by_version[row.version].append(row)
    found = []
    for version, each in by_version.items():
        sums: dict[str, Any] = {amount: sum(row.amounts[amount] for row in each) for amount in AMOUNTS}
        times = [time for row in each for time in seen.get(row.key, ())]
        found.append(
            Version(version, **sums, first_seen_ms=min(times, default=None), last_seen_ms=max(times, default=None))
        )
    return sorted(found, key=lambda version: (-(version.last_seen_ms or 0), version.version))


# Each bound is one seek in the index `trace_by_prompt`. A trace without a version is counted under "".
SEEK = """
    (SELECT started_ms FROM llmtraces_trace AS trace
     WHERE trace.project_id = listed.project_id AND trace.prompt_name = listed.name AND {version}
         AND trace.started_ms >= %s AND trace.started_ms < %s
     ORDER BY trace.started_ms{order} LIMIT 1)
"""
NAMED, UNNAMED = "trace.prompt_version = listed.version", "trace.prompt_version IS NULL AND listed.version = ''"
SEEKS = [SEEK.format(version=version, order=order) for version in (NAMED, UNNAMED) for order in ("", " DESC")]
SEEN_AT_ONCE = 5_000  # databases take only so many parameters


def seen_of(window: Window, rows: Sequence[VersionRow]) -> Seen:
    """When the first and the last trace of each version began within the window. One query for 5,000 versions."""
    found: Seen = {}
    bounds = [window.since_ms, window.until_ms] * len(SEEKS)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), SEEN_AT_ONCE):
            part = rows[start : start + SEEN_AT_ONCE]
            cursor.execute(
                f"WITH listed (project_id, name, version) AS (VALUES {', '.join(['(%s, %s, %s)'] * len(part))})"  # noqa: S608
                f" SELECT project_id, name, version, {', '.join(SEEKS)} FROM listed",
                [value for row in part for value in row.key] + bounds,
            )
            for project_id, name, version, *times in cursor.fetchall():
                known = [time for time in times if time is not None]
                if known:
                    found[project_id, name, version] = min(known), max(known)
    return found

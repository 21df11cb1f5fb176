"""Prompts and their versions (contract 8.5.8)."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min, Sum

from llmtraces.models import PromptHour, Trace
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
    found = [Prompt(name, versions) for name, versions in versions_by_name(window).items()]
    return sorted(found, key=lambda prompt: (-prompt.total.trace_count, prompt.name))[:limit]


def versions_of(window: Window, name: str) -> list[Version]:
    """The versions of one prompt, the last used first."""
    return versions_by_name(window, name=name)[name]


def versions_by_name(window: Window, *, name: str | None = None) -> defaultdict[str, list[Version]]:
    """Versions in the window by the name of their prompt, the last used first."""
    rows = window.hourly(PromptHour.objects.all())
    traces = window.own(Trace.objects.filter(is_known=True, started_ms__gte=window.since_ms))
    if name is not None:
        rows, traces = rows.filter(prompt_name=name), traces.filter(prompt_name=name)
    seen = {
        (row["prompt_name"], row["prompt_version"] or ""): (row["first"], row["last"])
        for row in traces.exclude(prompt_name=None)
        .values("prompt_name", "prompt_version")
        .annotate(first=Min("started_ms"), last=Max("started_ms"))
    }
    sums: dict[str, Any] = {amount: Sum(amount) for amount in AMOUNTS}
    grouped: Any = rows.values("prompt_name", "prompt_version").annotate(**sums).exclude(trace_count=0)
    found: defaultdict[str, list[Version]] = defaultdict(list)
    for row in grouped:
        first, last = seen.get((row["prompt_name"], row["prompt_version"]), (None, None))
        amounts = {amount: row[amount] for amount in AMOUNTS}
        version = Version(row["prompt_version"], **amounts, first_seen_ms=first, last_seen_ms=last)
        found[row["prompt_name"]].append(version)
    for versions in found.values():
        versions.sort(key=lambda version: (-(version.last_seen_ms or 0), version.version))
    return found

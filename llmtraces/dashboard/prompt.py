"""The page of one prompt: two of its versions side by side, and all of them (contract 8.5.8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from accounts.http import PageRequest
from bloop_site.lib.links import with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.wire import cut
from llmtraces.contract import MAX_NAME_BYTES
from llmtraces.dashboard.prompts import CSV_HEADER, VersionRow, csv_row, prompt_url, version_row
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.queries.prompts import Version, versions_of
from llmtraces.versus import Difference, plain, points, relative


@dataclass(frozen=True)
class Figure:
    """One line of the comparison. kind: how the template writes the two values; None for a value there is none of."""

    label: str
    kind: str
    first: float | None
    second: float | None
    difference: Difference


@dataclass(frozen=True)
class Option:
    """A version in a chooser."""

    version: str
    label: str


@dataclass(frozen=True)
class Listed:
    """A version in the list of all, and the address that compares it with the latest."""

    row: VersionRow
    compare_url: str


@llm_page
def prompt(request: PageRequest) -> HttpResponseBase:
    """The prompt of `?name=`, its versions `v1` and `v2` compared: when not said, the latest with the one before."""
    shell = shell_of(request)
    name = request.GET.get("name", "")
    if not name:
        return redirect(reverse("llm:prompts") + with_query(shell.query, name=None, v1=None, v2=None))
    versions = versions_of(shell.window, name)
    if wants_csv(request):
        return csv_answer(shell, "prompt", CSV_HEADER, (csv_row(name, version) for version in versions))
    context = {
        "name": name,
        "controls": ("v1", "v2"),
        "back_url": reverse("llm:prompts") + with_query(shell.query, name=None, v1=None, v2=None),
        "versions": listed(shell, name, versions),
        **comparison_context(shell, name, versions),
    }
    return answer(request, shell, "llm/prompt.html", context)


def comparison_context(shell: Shell, name: str, versions: Sequence[Version]) -> dict[str, Any]:
    """The two versions side by side, and what else could be chosen; `figures` is empty with fewer than two."""
    chosen = chosen_of(shell.query, versions)
    if chosen is None:
        return {"figures": []}
    known = {version.version: version for version in versions}
    first, second = (known.get(each, Version(each)) for each in chosen)
    names = [*known, *sorted({*chosen} - set(known))]
    return {
        "first": version_row(shell, name, first),
        "second": version_row(shell, name, second),
        "figures": figures_of(first, second),
        "options": [Option(each, label_of(each)) for each in names],
        "swap_url": with_query(shell.query, v1=second.version, v2=first.version),
    }


def chosen_of(query: QueryDict, versions: Sequence[Version]) -> tuple[str, str] | None:
    """The versions asked for, as long as ingest lets a name be; the usual ones for those not said; None: too few."""
    said = {key: cut(query.get(key, ""), MAX_NAME_BYTES) for key in ("v1", "v2") if key in query}
    if len(said) < 2 and (not versions or (len(versions) < 2 and not said)):
        return None
    latest = versions[0].version if versions else ""
    before = versions[1].version if len(versions) > 1 else latest
    return said.get("v1", before), said.get("v2", latest)


def label_of(version: str) -> str:
    return version or "no version"


def listed(shell: Shell, name: str, versions: Sequence[Version]) -> list[Listed]:
    """All versions; each but the latest can be compared with the latest."""
    latest = versions[0].version if versions else ""
    return [
        Listed(
            version_row(shell, name, version),
            prompt_url(shell, name, v1=version.version, v2=latest) if version.version != latest else "",
        )
        for version in versions
    ]


Measure = Callable[[Version], float | None]
Judge = Callable[[float | None, float | None], Difference]
# Fewer errors, less time, fewer tokens and less money are better. Each: label, kind, the value, its judge.
AVERAGES: tuple[tuple[str, str, Measure, Judge], ...] = (
    ("Error rate", "pct", lambda each: each.error_rate * 100 if each.trace_count else None, points),
    (
        "Average latency",
        "duration",
        lambda each: each.avg_latency_ms if each.ended_count else None,
        partial(relative, less="faster", more="slower"),
    ),
    (
        "Average input tokens",
        "count",
        lambda each: each.avg_input_tokens if each.trace_count else None,
        partial(relative, less="fewer", more="more"),
    ),
    (
        "Average output tokens",
        "count",
        lambda each: each.avg_output_tokens if each.trace_count else None,
        partial(relative, less="fewer", more="more"),
    ),
    (
        "Average cost",
        "money",
        lambda each: each.avg_cost_micros if each.trace_count else None,
        partial(relative, less="cheaper", more="dearer"),
    ),
)


def figures_of(first: Version, second: Version) -> list[Figure]:
    """What the two are compared by: how much each was used, its averages, and what was spent in all."""
    used = plain(first.trace_count, second.trace_count)
    averages = [
        Figure(label, kind, value(first), value(second), judge(value(first), value(second)))
        for label, kind, value, judge in AVERAGES
    ]
    return [
        Figure("Traces", "count", first.trace_count, second.trace_count, used),
        *averages,
        Figure("Total cost", "money", first.cost_micros, second.cost_micros, total_cost(first, second)),
    ]


def total_cost(first: Version, second: Version) -> Difference:
    """What was spent in all depends on how often each was used: neither good nor bad."""
    if first.cost_micros == second.cost_micros:
        return Difference("the same", "same")
    return Difference("spent less" if second.cost_micros < first.cost_micros else "spent more", "plain")

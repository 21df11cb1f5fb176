"""The Spikes page: hours of issues that stand out, each with the hours around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponseBase

from accounts.http import PageRequest
from analytics import cached
from analytics.answers import Spike
from analytics.dashboard.rows import ISSUE_HEADER, IssueLink, Opening, hourly, issue_cells, issue_link, opening
from analytics.dashboard.shell import Shell, answer, csv_answer, insights_page, shell_of, starts_of
from analytics.methods import CLASSIC, SEASONAL, least_history_hours, least_window_hours, usual_threshold
from bloop_site.lib.charts import Chart, Series
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.csv_files import iso
from bloop_site.lib.links import Choice, with_query
from bloop_site.lib.pages import wants_csv

HEADER = (*ISSUE_HEADER, "hour", "events", "usual", "stddev", "score", "method")
METHOD_WORDS = ((SEASONAL, "Usual for this hour"), (CLASSIC, "Classic z"))
LEVELS = {  # from which score on; classic as the contract's dashboard (appendix B)
    CLASSIC: (("mild", "Mild", 0.0), ("strong", "Strong", 3.0), ("extreme", "Extreme", 4.0)),
    SEASONAL: (("mild", "Mild", 0.0), ("strong", "Strong", 5.0), ("extreme", "Extreme", 7.0)),
}
FULL_BAR = 2  # times the score of the highest level


@dataclass(frozen=True)
class Level:
    """How far an hour stands out. name: its colour; since: the least score of it that is shown."""

    name: str
    word: str
    since: float


@dataclass(frozen=True)
class SpikeRow:
    """A spike as the table shows it. share: the length of its bar, of one; index: the hour's place in the window."""

    of: Spike
    issue: IssueLink
    level: Level
    share: float
    index: int
    opening: Opening
    chart: Chart | None

    @property
    def end(self) -> int:
        """The place after the hour's."""
        return self.index + 1


@insights_page
def spikes(request: PageRequest) -> HttpResponseBase:
    """The Spikes page, or its table as CSV; `method=classic` tells spikes by z, else by what the hour usually holds."""
    shell = shell_of(request)
    method = CLASSIC if request.GET.get("method") == CLASSIC else SEASONAL
    threshold = usual_threshold(method)
    found = cached.spikes(shell.ask, threshold=threshold, method=method)
    if wants_csv(request):
        return spikes_csv(shell, found.answer, method)
    levels = levels_of(method, threshold)
    context = {
        "rows": rows_of(shell, found.answer, levels, starts_of(shell.ask.hours, last_ms=found.last_ms)),
        "levels": levels,
        "method": method,
        "methods": [
            Choice(words, with_query(shell.query, method=None if name == SEASONAL else name, open=None), name == method)
            for name, words in METHOD_WORDS
        ],
        **limits(shell, method, threshold),
    }
    return answer(request, shell, "analytics/spikes.html", context, at_ms=found.now_ms, shown=len(found.answer))


def levels_of(method: str, threshold: float) -> list[Level]:
    """The levels that can be shown, the mildest first."""
    known = LEVELS[method]
    ends = [*(since for _, _, since in known[1:]), float("inf")]
    return [
        Level(name, word, max(since, threshold))
        for (name, word, since), end in zip(known, ends, strict=True)
        if end > threshold
    ]


def rows_of(
    shell: Shell, found: Sequence[Spike], levels: Sequence[Level], starts_ms: tuple[int, ...]
) -> list[SpikeRow]:
    """The table's rows; of the one that is open with its chart."""
    full = max([FULL_BAR * levels[-1].since, *(spike.score for spike in found)])
    rows = []
    for spike in found:
        level = next((level for level in reversed(levels) if spike.score >= level.since), levels[0])
        index = (spike.hour_ms - starts_ms[0]) // HOUR_MS
        opened, link = opening(shell, spike.issue.issue_id, spike.hour_ms), issue_link(shell, spike.issue)
        chart = (
            hourly(
                [Series("Events", 1, spike.counts)],
                starts_ms,
                kind="bars",
                focus=(index, index + 1),
                note="the spike in colour",
            )
            if opened.is_open
            else None
        )
        rows.append(SpikeRow(spike, link, level, spike.score / full if full else 0.0, index, opened, chart))
    return rows


def limits(shell: Shell, method: str, threshold: float) -> dict[str, Any]:
    """What the method needs before it can find anything. too_short: the window is shorter than that."""
    if method == SEASONAL:
        return {"least_words": f"{least_history_hours()} hours", "too_short": False}
    least = least_window_hours(threshold)
    return {"least_words": f"{least} hours", "too_short": shell.ask.hours < least}


def spikes_csv(shell: Shell, found: Sequence[Spike], method: str) -> HttpResponseBase:
    """The rows shown, the largest score first."""
    rows = (
        (
            *issue_cells(spike.issue),
            *(iso(spike.hour_ms), spike.count, spike.expected, spike.stddev, spike.score, method),
        )
        for spike in found
    )
    return csv_answer(shell, "spikes", HEADER, rows)

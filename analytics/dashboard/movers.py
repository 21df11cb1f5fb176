"""The Movers page: issues that happened more or less than in the window before."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.http import PageRequest
from analytics import cached
from analytics.answers import Mover
from analytics.dashboard.rows import ISSUE_HEADER, IssueLink, Opening, hourly, issue_cells, issue_link, opening
from analytics.dashboard.shell import Shell, answer, csv_answer, insights_page, oldest_ms, shell_of, starts_of
from bloop_site.lib import figures
from bloop_site.lib.charts import Chart, Series
from bloop_site.lib.pages import wants_csv

HEADER = (*ISSUE_HEADER, "events", "events_before", "delta", "delta_pct")


@dataclass(frozen=True)
class MoverRow:
    """A mover as the table shows it. direction: "up" or "down"; words: its change, "200 % more"."""

    of: Mover
    issue: IssueLink
    direction: str
    words: str
    opening: Opening
    chart: Chart | None


@insights_page
def movers(request: PageRequest) -> HttpResponseBase:
    """The Movers page, or its table as CSV."""
    shell = shell_of(request)
    found = cached.movers(shell.ask)
    moved = [mover for mover in found.answer if mover.delta]
    if wants_csv(request):
        return movers_csv(shell, moved)
    hours = shell.ask.hours
    rows = rows_of(shell, moved, starts_of(2 * hours, last_ms=found.last_ms))
    context = {"rows": rows, "hours": hours, "end": 2 * hours}
    return answer(request, shell, "analytics/movers.html", context, at_ms=found.now_ms, shown=len(moved))


def rows_of(shell: Shell, found: Sequence[Mover], starts_ms: tuple[int, ...]) -> list[MoverRow]:
    """The table's rows; of the one that is open with its chart."""
    hours = shell.ask.hours
    rows = []
    for mover in found:
        opened, link = opening(shell, mover.issue.issue_id), issue_link(shell, mover.issue)
        chart = (
            hourly(
                [Series("Events", 1, mover.counts)],
                starts_ms,
                kind="bars",
                focus=(hours, 2 * hours),
                note=f"{shell.window_words} in colour",
                can_zoom=starts_ms[0] >= oldest_ms(shell.ask.now_ms),
            )
            if opened.is_open
            else None
        )
        direction = "up" if mover.delta > 0 else "down"
        rows.append(MoverRow(mover, link, direction, words_of(mover), opened, chart))
    return rows


def words_of(mover: Mover) -> str:
    """The change in words."""
    if not mover.count_previous:
        return "New here"
    return "Gone" if not mover.count_current else figures.change(mover.delta / mover.count_previous)


def movers_csv(shell: Shell, found: Sequence[Mover]) -> HttpResponseBase:
    """The rows shown, the largest change first."""
    rows = (
        (
            *issue_cells(mover.issue),
            *(mover.count_current, mover.count_previous, mover.delta, mover.delta_pct),
        )
        for mover in found
    )
    return csv_answer(shell, "movers", HEADER, rows)

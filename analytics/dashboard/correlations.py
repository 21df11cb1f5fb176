"""The Correlations page: issues that come and go together."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.http import PageRequest
from analytics import cached
from analytics.answers import Pair
from analytics.dashboard.rows import (
    ISSUE_HEADER,
    IssueLink,
    Opening,
    hourly,
    issue_cells,
    issue_link,
    opening,
    short_title,
)
from analytics.dashboard.shell import Shell, answer, csv_answer, insights_page, shell_of, starts_of
from analytics.queries.correlations import MIN_BUSY_HOURS, MIN_CORRELATION
from bloop_site.lib.charts import Chart, Series
from bloop_site.lib.pages import wants_csv

HEADER = (*(f"{name}_a" for name in ISSUE_HEADER), *(f"{name}_b" for name in ISSUE_HEADER), "correlation")
WORDS = ((0.95, "Always together"), (0.85, "Nearly always"), (0.0, "Mostly"))  # from which r on
TONE_A, TONE_B = 1, 2


@dataclass(frozen=True)
class PairRow:
    """A pair as the table shows it. words: how much they go together."""

    of: Pair
    a: IssueLink
    b: IssueLink
    words: str
    opening: Opening
    chart: Chart | None

    @property
    def pair_words(self) -> str:
        """The names of both."""
        return f"{short_title(self.a)} and {short_title(self.b)}"

    @property
    def chart_words(self) -> str:
        """What its curves show."""
        sums = sum(self.of.counts_a), sum(self.of.counts_b)
        return (
            f"{short_title(self.a)}, {sums[0]:,} events, and {short_title(self.b)}, {sums[1]:,}: {self.words.lower()}"
        )


@insights_page
def correlations(request: PageRequest) -> HttpResponseBase:
    """The Correlations page, or its table as CSV."""
    shell = shell_of(request)
    found = cached.correlations(shell.ask)
    if wants_csv(request):
        return pairs_csv(shell, found.answer)
    context = {
        "rows": rows_of(shell, found.answer, starts_of(shell.ask.hours, last_ms=found.last_ms)),
        "least_r": MIN_CORRELATION,
        "least_hours": MIN_BUSY_HOURS,
        "too_short": shell.ask.hours < MIN_BUSY_HOURS,
    }
    return answer(request, shell, "analytics/correlations.html", context, at_ms=found.now_ms, shown=len(found.answer))


def rows_of(shell: Shell, found: Sequence[Pair], starts_ms: tuple[int, ...]) -> list[PairRow]:
    """The table's rows; of the one that is open with its chart."""
    rows = []
    for pair in found:
        a, b = issue_link(shell, pair.a), issue_link(shell, pair.b)
        opened = opening(shell, pair.a.issue_id, pair.b.issue_id)
        series = [Series(short_title(a), TONE_A, pair.counts_a), Series(short_title(b), TONE_B, pair.counts_b)]
        chart = hourly(series, starts_ms, kind="lines") if opened.is_open else None
        words = next(words for least, words in WORDS if pair.correlation >= least)
        rows.append(PairRow(pair, a, b, words, opened, chart))
    return rows


def pairs_csv(shell: Shell, found: Sequence[Pair]) -> HttpResponseBase:
    """The rows shown, the closest pair first."""
    rows = ((*issue_cells(pair.a), *issue_cells(pair.b), pair.correlation) for pair in found)
    return csv_answer(shell, "correlations", HEADER, rows)

"""The Environments page: where events come from, and how many an hour."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase
from django.urls import reverse

from accounts.http import PageRequest
from analytics import cached
from analytics.answers import MAX_LIMIT, EnvironmentShare
from analytics.dashboard.shell import Shell, answer, csv_answer, insights_page, shell_of, starts_of
from bloop_site.lib.charts import GREY, Chart, Series
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.links import with_query
from bloop_site.lib.pages import wants_csv

HEADER = ("environment", "events", "issues", "share_pct", "p50_hourly", "p90_hourly", "p99_hourly")
COLOURS = 7  # the eighth is for all others
LONGEST_BY_HOUR = 168  # hours; a longer window is drawn in slots of six


@dataclass(frozen=True)
class EnvironmentRow:
    """An environment as the table shows it; url: its issues."""

    of: EnvironmentShare
    url: str
    tone: int

    @property
    def share(self) -> float:
        """Of all events, of one."""
        return self.of.pct_of_total / 100


@insights_page
def environments(request: PageRequest) -> HttpResponseBase:
    """The Environments page, or its table as CSV."""
    shell = shell_of(request)
    found = cached.environments(shell.ask)
    listed = found.answer.environments[:MAX_LIMIT]
    if wants_csv(request):
        return environments_csv(shell, listed)
    context = {
        "rows": [
            EnvironmentRow(each, issues_url(shell, each.environment), tone_of(rank)) for rank, each in enumerate(listed)
        ],
        "total": found.answer.total_count,
        "chart": chart_of(listed, starts_of(shell.ask.hours, last_ms=found.last_ms)),
    }
    return answer(request, shell, "analytics/environments.html", context, at_ms=found.now_ms)


def tone_of(rank: int) -> int:
    """The colour of the environment of this rank, from 0: its own, or that of all others."""
    return rank + 1 if rank < COLOURS else GREY


def issues_url(shell: Shell, environment: str) -> str:
    """The issues of the environment, whatever their status."""
    kept = shell.query.copy()
    kept.clear()
    asked = with_query(kept, project=shell.project_slug or None, environment=environment, status="all")
    return reverse("errors:list") + asked


def chart_of(listed: Sequence[EnvironmentShare], starts_ms: tuple[int, ...]) -> Chart:
    """Events over time, stacked by environment; those without a colour of their own together."""
    step = 1 if len(starts_ms) <= LONGEST_BY_HOUR else 6
    first = starts_ms[0] // (step * HOUR_MS)
    slots = starts_ms[-1] // (step * HOUR_MS) - first + 1

    def folded(group: Sequence[EnvironmentShare]) -> tuple[int, ...]:
        sums = [0] * slots
        for each in group:
            for start_ms, count in zip(starts_ms, each.counts, strict=True):
                sums[start_ms // (step * HOUR_MS) - first] += count
        return tuple(sums)

    series = [Series(each.environment, tone_of(rank), folded([each])) for rank, each in enumerate(listed[:COLOURS])]
    if len(listed) > COLOURS:
        series.append(Series("Other", GREY, folded(listed[COLOURS:])))
    return Chart(
        name="environments",
        title="Events",
        kind="bars",
        unit="count",
        series=tuple(series),
        step_ms=step * HOUR_MS,
        starts_ms=tuple((first + slot) * step * HOUR_MS for slot in range(slots)),
    )


def environments_csv(shell: Shell, listed: Sequence[EnvironmentShare]) -> HttpResponseBase:
    """The rows shown, the busiest first."""
    rows = (
        (
            *(each.environment, each.total_count, each.unique_errors, each.pct_of_total),
            *(each.p50_hourly, each.p90_hourly, each.p99_hourly),
        )
        for each in listed
    )
    return csv_answer(shell, "environments", HEADER, rows)

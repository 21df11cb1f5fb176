"""The Latency page: how long models take, and how that is spread and changes."""

from collections.abc import Sequence

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.charts import of_durations, over_time
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.queries.latency import ModelTimes, distribution, times_of
from llmtraces.queries.series import slots_of

MOST_ROWS = 200
HEADER = ("model", "calls", "p50_ms", "p90_ms", "p99_ms", "average_ttft_ms", "p90_ttft_ms", "calls_with_ttft")


@llm_page
def latency(request: PageRequest) -> HttpResponseBase:
    """The Latency page, or its table as CSV."""
    shell = shell_of(request)
    times = times_of(shell.window)
    rows = times.by_model
    if wants_csv(request):
        return latency_csv(shell, rows)
    lines = (
        ("p50", 2, [slot.p50_ms for slot in times.over_time]),
        ("p90", 4, [slot.p90_ms for slot in times.over_time]),
        ("p99", 1, [slot.p99_ms for slot in times.over_time]),
    )
    context = {
        "rows": rows[:MOST_ROWS],
        "left_out": max(0, len(rows) - MOST_ROWS),
        "charts": [
            over_time("times", "Percentiles", slots_of(shell.window), lines, kind="lines", unit="duration"),
            of_durations("spread", "Distribution of latency", distribution(times.everything)),
        ],
    }
    return answer(request, shell, "llm/latency.html", context)


def latency_csv(shell: Shell, rows: Sequence[ModelTimes]) -> HttpResponseBase:
    """Every model, the busiest first. What no span told of is empty."""
    cells = (
        (
            *(row.latency.model, row.latency.span_count),
            *(row.latency.p50_ms, row.latency.p90_ms, row.latency.p99_ms),
            *(row.latency.avg_ttft_ms if row.ttft_count else None, row.p90_ttft_ms, row.ttft_count),
        )
        for row in rows
    )
    return csv_answer(shell, "latency", HEADER, cells)

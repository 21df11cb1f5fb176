"""The Overview page: six figures, each against the window before, and what they were made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf
from typing import Any

from django.http import HttpResponseBase
from django.urls import reverse

from accounts.http import PageRequest
from bloop_site.lib import figures
from bloop_site.lib.charts import Chart
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.csv_files import iso
from bloop_site.lib.links import with_query
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.charts import by_model, over_time, tone_of
from llmtraces.dashboard.shell import Shell, answer, csv_answer, dollars, llm_page, shell_of
from llmtraces.queries.budget import budget_of, budgets_of
from llmtraces.queries.series import leading_models, models_over_time, slots_of, traces_over_time, usage_over_time
from llmtraces.queries.usage import ModelUsage, Usage, usage_by_model
from llmtraces.queries.usage import overview as totals_in

TOP_MODELS = 5
HEADER = (
    *("from", "hours", "traces", "spans", "error_spans", "input_tokens", "output_tokens", "total_tokens"),
    *("cost_micros", "cost_dollars", "average_latency_ms"),
)


@dataclass(frozen=True)
class Card:
    """A figure of the window; value: None for an average of nothing.

    earlier: the same of the window before, None when nothing was there. is_bad: whether growing is bad news (True),
    good news (False) or neither (None).
    """

    label: str
    value: float | None
    earlier: float | None
    unit: str
    is_bad: bool | None
    slots: Sequence[float]

    @property
    def change(self) -> float | None:
        """The part it grew by, endless from zero; None where there is nothing to compare."""
        if self.value is None or self.earlier is None:
            return None
        if self.earlier:
            return self.value / self.earlier - 1
        return inf if self.value else 0.0

    @property
    def direction(self) -> str:
        """The arrow beside the change: "up", "down" or "equal"; "" where there is nothing to compare."""
        if self.change is None:
            return ""
        if abs(self.change) < 0.005:
            return "equal"
        return "up" if self.change > 0 else "down"

    @property
    def change_words(self) -> str:
        """The change as "12 % more"; "" for an average of nothing."""
        if self.value is None:
            return ""
        return "none before" if self.change in (None, inf) else figures.change(self.change or 0.0)

    @property
    def tone(self) -> str:
        """Whether the change is "bad", "good" or "plain"."""
        if self.is_bad is None or self.direction not in ("up", "down"):
            return "plain"
        return "bad" if (self.direction == "up") == self.is_bad else "good"


@dataclass(frozen=True)
class TopModel:
    """A model with its share of the window's cost or, when nothing cost anything, of its spans."""

    row: ModelUsage
    tone: int
    share: float


@llm_page
def overview(request: PageRequest) -> HttpResponseBase:
    """The Overview page, or its slots as CSV."""
    shell = shell_of(request)
    window = shell.window
    usage, traces = usage_over_time(window), traces_over_time(window)
    if wants_csv(request):
        return slots_csv(shell, usage, traces)
    slots, leading = slots_of(window), leading_models(window)
    rows = usage_by_model(window, limit=TOP_MODELS)
    total = total_of(usage)
    context = {
        "cards": cards(shell, usage, traces),
        "charts": [
            by_model("cost", "Cost by model", slots, models_over_time(window, leading=leading), leading, cost=True),
            tokens_chart(shell, usage),
        ],
        "top": [TopModel(row, tone_of(row.model, leading), share_of(row.usage, total)) for row in rows],
        **budget_shown(shell),
        "models_url": reverse("llm:models") + with_query(shell.query, page=None),
        "is_empty": not (total.span_count or total.cost_micros or any(traces)),
    }
    return answer(request, shell, "llm/overview.html", context)


def total_of(slots: Sequence[Usage]) -> Usage:
    """What all slots come to."""
    return reduce(Usage.plus, slots, Usage())


def cards(shell: Shell, usage: Sequence[Usage], traces: Sequence[int]) -> list[Card]:
    """The six figures. Sums before are held to the part of the window that is over, so that like meets like."""
    now, before, over = total_of(usage), totals_in(shell.window.before()), shell.window.elapsed
    past = before.usage
    of_all = " of all models" if shell.window.model or shell.window.provider else ""  # a trace has no model

    def total(label: str, value: int, earlier: int, unit: str, slots: Sequence[float], *, bad: bool | None) -> Card:
        return Card(label, value, earlier * over if past != Usage() else None, unit, bad, slots)

    def average(label: str, value: float, earlier: float, unit: str, slots: Sequence[float]) -> Card:
        now_and_then = (value if now.span_count else None, earlier if past.span_count else None)
        return Card(label, *now_and_then, unit, is_bad=True, slots=slots)

    tokens, costs = [each.total_tokens for each in usage], [each.cost_micros for each in usage]
    spans, waits = [each.span_count for each in usage], [each.avg_latency_ms for each in usage]
    rates = [each.error_rate for each in usage]
    return [
        Card(f"Traces{of_all}", sum(traces), before.total_traces * over or None, "count", None, traces),
        total("Spans", now.span_count, past.span_count, "count", spans, bad=None),
        total("Tokens", now.total_tokens, past.total_tokens, "count", tokens, bad=None),
        total("Cost", now.cost_micros, past.cost_micros, "money", costs, bad=True),
        average("Average latency", now.avg_latency_ms, past.avg_latency_ms, "duration", waits),
        average("Error rate", now.error_rate, past.error_rate, "percent", rates),
    ]


def share_of(usage: Usage, total: Usage) -> float:
    """The part of the window's cost or, when nothing cost anything, of its spans."""
    if total.cost_micros:
        return usage.cost_micros / total.cost_micros
    return usage.span_count / total.span_count if total.span_count else 0.0


def tokens_chart(shell: Shell, usage: Sequence[Usage]) -> Chart:
    """Input and output tokens of each slot, one on the other."""
    series = [
        ("Input", 2, [each.input_tokens for each in usage]),
        ("Output", 4, [each.output_tokens for each in usage]),
    ]
    return over_time("tokens", "Tokens", slots_of(shell.window), series, kind="bars", unit="count")


def budget_shown(shell: Shell) -> dict[str, Any]:
    """The budget of the chosen project, else those of all together, with the lengths of its bars; nothing where none
    is set.
    """
    if shell.project_slug and shell.reach.project_ids:
        budget = budget_of(shell.reach.project_ids[0], now_ms=shell.now_ms)
    else:
        budget = budgets_of(shell.reach, now_ms=shell.now_ms)
    if not budget.monthly_budget_micros:
        return {}
    forecast = budget.forecast_month_end_micros * 100 / budget.monthly_budget_micros
    lengths = {"budget_spent_pct": budget.budget_used_pct, "budget_forecast_pct": forecast}
    return {"budget": budget, **{name: f"{min(100, length):.2f}" for name, length in lengths.items()}}


def slots_csv(shell: Shell, usage: Sequence[Usage], traces: Sequence[int]) -> HttpResponseBase:
    """The slots of the charts, oldest first."""
    slots = slots_of(shell.window)
    rows = [
        (
            *(iso(at), slots.step_ms // HOUR_MS, count, each.span_count, each.error_count),
            *(each.input_tokens, each.output_tokens, each.total_tokens),
            *(each.cost_micros, dollars(each.cost_micros), each.avg_latency_ms),
        )
        for at, count, each in zip(slots.starts_ms, traces, usage, strict=True)
    ]
    return csv_answer(shell, "overview", HEADER, rows)

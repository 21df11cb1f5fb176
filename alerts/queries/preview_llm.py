"""Previews of rules about LLM calls: from hourly rollups of the last seven days and the windows before."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from alerts.configs import LlmBudget, LlmCostSpike, LlmErrorRate, LlmLatency
from alerts.queries.draft import Draft
from alerts.queries.foretelling import MAX_PROJECTS, Hit, Judged, Line, Outlook, among_busiest, hits_of
from alerts.rules import llm_budget, llm_cost, llm_error_rate, llm_latency
from alerts.rules.sliding import steps_of, window_sums
from bloop_site.lib.clock import DAY_MS, HOUR_MS, SECOND_MS
from llmtraces.queries import alerting_past
from llmtraces.queries.alerting import Used
from llmtraces.queries.budget import month_start

NOTE = "Exact to the hour: a window that is shorter, or begins within an hour, counts all of it."
BUDGET_NOTE = "Exact to the hour, with the budget and its threshold as they are now."
SWITCHED_OFF = "LLM tracing is switched off on this server: this rule would not be looked at."
MONTH_MS = 31 * DAY_MS
LlmConfig = LlmCostSpike | LlmErrorRate | LlmLatency | LlmBudget
Hours = Mapping[int, Used]


def of_llm(draft: Draft, config: LlmConfig, project_ids: Sequence[str], *, since_ms: int, now_ms: int) -> Outlook:
    """By the kind of rule."""
    window_ms = MONTH_MS if isinstance(config, LlmBudget) else config.window_secs * SECOND_MS
    line = Line(HOUR_MS, since_ms, now_ms, before_ms=window_ms)
    busy = alerting_past.busiest_projects(project_ids, since_ms=line.first_ms, limit=MAX_PROJECTS + 1)
    is_capped, busy = len(busy) > MAX_PROJECTS, busy[:MAX_PROJECTS]
    if isinstance(config, LlmLatency):
        judged = {project_id: latencies_judged(config, project_id, line) for project_id in busy}
    else:
        model = config.model_filter if isinstance(config, LlmCostSpike) else None
        used = alerting_past.usage_by_hour(busy, since_ms=line.first_ms, now_ms=now_ms, model=model)
        budgets = alerting_past.budgets_set(busy) if isinstance(config, LlmBudget) else {}
        judged = {
            project_id: usage_judged(config, hours, line, budget=budgets.get(project_id, (0, 0)))
            for project_id, hours in used.items()
        }
    hits: list[Hit] = []
    for project_id, each in judged.items():
        hits += hits_of(each, line, project_id, cooldown_ms=draft.cooldown_ms)
    note = BUDGET_NOTE if isinstance(config, LlmBudget) else NOTE
    return Outlook(hits, is_capped, among_busiest(note, is_capped=is_capped))


def usage_judged(
    config: LlmCostSpike | LlmErrorRate | LlmBudget, hours: Hours, line: Line, *, budget: tuple[int, int]
) -> Judged:
    """Rules about what was used. budget: as it is now, in microdollars, and its threshold in percent."""
    if isinstance(config, LlmCostSpike):
        return cost_judged(config, hours, line)
    return (
        errors_judged(config, hours, line) if isinstance(config, LlmErrorRate) else budget_judged(hours, line, budget)
    )


def cost_judged(config: LlmCostSpike, hours: Hours, line: Line) -> Judged:
    """What each window cost."""
    costs = window_sums(column(hours, line, lambda used: used.cost_micros), steps_of(config.window_secs, 3600))
    return Judged(
        costs > config.threshold_dollars * 1_000_000,
        lambda step, name, at_ms: llm_cost.judge(config, int(costs[step]), project_name=name, now_ms=at_ms),
    )


def errors_judged(config: LlmErrorRate, hours: Hours, line: Line) -> Judged:
    """Which part of each window's spans failed."""
    length = steps_of(config.window_secs, 3600)
    spans = window_sums(column(hours, line, lambda used: used.spans), length)
    errors = window_sums(column(hours, line, lambda used: used.errors), length)
    return Judged(
        (spans > 0) & (spans >= config.min_traces) & (errors * 100 > config.threshold_percent * spans),
        lambda step, name, at_ms: llm_error_rate.judge(
            config, errors=int(errors[step]), spans=int(spans[step]), project_name=name, now_ms=at_ms
        ),
    )


def budget_judged(hours: Hours, line: Line, budget: tuple[int, int]) -> Judged:
    """What each month had cost at each hour."""
    costs = column(hours, line, lambda used: used.cost_micros)
    micros, percent = budget
    spent = np.zeros_like(costs)
    for step in range(line.from_step, line.steps):
        begin = max(0, (month_start(line.start_of(step)) - line.first_ms) // line.step_ms)
        spent[step] = costs[begin : step + 1].sum()
    return Judged(
        (spent * 100 >= percent * micros) & (micros > 0),
        lambda step, name, at_ms: llm_budget.judge(
            spent_micros=int(spent[step]),
            budget_micros=micros,
            threshold_pct=percent,
            project_name=name,
            now_ms=at_ms,
        ),
    )


def column(hours: Hours, line: Line, of: Callable[[Used], int]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """One figure of every hour of the line."""
    return line.dense({hour_ms: of(used) for hour_ms, used in hours.items()})


def latencies_judged(config: LlmLatency, project_id: str, line: Line) -> Judged:
    """The percentile of each window: buckets of an hour come in, those of the one that is over go."""
    found = alerting_past.latencies_by_hour(
        project_id, since_ms=line.first_ms, now_ms=line.now_ms, model=config.model_filter
    )
    length = steps_of(config.window_secs, 3600)
    window: Counter[int] = Counter()
    is_true = np.zeros(line.steps, dtype=np.bool_)
    for step in range(line.steps):
        window.update(found.get(line.start_of(step), {}))
        window.subtract(found.get(line.start_of(step - length), {}))
        is_true[step] = step >= line.from_step and llm_latency.may_fire(config, +window, {})

    def counts_at(step: int) -> Counter[int]:
        total: Counter[int] = Counter()
        for each in range(max(0, step - length + 1), step + 1):
            total.update(found.get(line.start_of(each), {}))
        return total

    return Judged(
        is_true,
        lambda step, name, at_ms: llm_latency.judge(config, counts_at(step), project_name=name, now_ms=at_ms),
    )

"""Judges rules of LLM calls: cost, error rate, latency, budget. Rules with the same window share their queries.

Rollups tell first who may fire at all; only then are spans of the hour that the window begins within looked at.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from alerts.configs import LlmBudget, LlmCostSpike, LlmErrorRate, LlmLatency
from alerts.rules import llm_budget, llm_cost, llm_error_rate, llm_latency
from alerts.rules.base import Alert, Rule
from alerts.services.fire import Candidate
from alerts.services.judging import Judging, candidate, projects_of
from llmtraces.queries import alerting
from llmtraces.queries.alerting import Latencies, Usage, Used

UsageRule = tuple[Rule, LlmCostSpike | LlmErrorRate]


def judge_usage(judging: Judging, window_secs: int, rules: Sequence[UsageRule]) -> Iterator[Candidate]:
    """Cost and error rate of the same window."""
    since_ms = judging.since(window_secs)
    found = alerting.usage_since(projects_of([rule for rule, _ in rules]), since_ms=since_ms, now_ms=judging.now_ms)
    for rule, config in rules:
        key = llm_cost.KEY if isinstance(config, LlmCostSpike) else llm_error_rate.KEY
        for project_id, name, models in judging.due(rule, found, key=key):
            if isinstance(config, LlmCostSpike):
                alert = cost_alert(judging, config, project_id, name, models)
            else:
                alert = error_alert(judging, config, project_id, name, models)
            yield from candidate(rule, project_id, alert)


def cost_alert(
    judging: Judging, config: LlmCostSpike, project_id: str, name: str, models: Mapping[str, Usage]
) -> Alert | None:
    """What the window cost, exact to the millisecond, if that is too much."""
    chosen, total = of_model(models, config.model_filter)
    if not llm_cost.fires(config, total.whole.cost_micros + total.edge.cost_micros):
        return None
    edge = alerting.edge_usage(project_id, since_ms=judging.since(config.window_secs), models=chosen)
    cost = total.whole.plus(edge).cost_micros
    return llm_cost.judge(config, cost, project_name=name, now_ms=judging.now_ms)


def error_alert(
    judging: Judging, config: LlmErrorRate, project_id: str, name: str, models: Mapping[str, Usage]
) -> Alert | None:
    """Which part of the window's spans failed, if that is too many."""
    _, total = of_model(models, None)
    whole, edge = total.whole, total.edge
    if not llm_error_rate.may_fire(
        config, errors=whole.errors, spans=whole.spans, more_errors=edge.errors, more_spans=edge.spans
    ):
        return None
    used: Used = whole.plus(alerting.edge_usage(project_id, since_ms=judging.since(config.window_secs), models=models))
    return llm_error_rate.judge(config, errors=used.errors, spans=used.spans, project_name=name, now_ms=judging.now_ms)


def of_model(models: Mapping[str, Usage], name: str | None) -> tuple[Mapping[str, Usage], Usage]:
    """The usage of one model, or of all, and its sum."""
    chosen = models if name is None else {model: usage for model, usage in models.items() if model == name}
    total = Usage()
    for usage in chosen.values():
        total = total.plus(usage)
    return chosen, total


def judge_latency(judging: Judging, window_secs: int, rules: Sequence[tuple[Rule, LlmLatency]]) -> Iterator[Candidate]:
    """Latency of the same window."""
    since_ms = judging.since(window_secs)
    found = alerting.latencies_since(projects_of([rule for rule, _ in rules]), since_ms=since_ms, now_ms=judging.now_ms)
    for rule, config in rules:
        for project_id, name, models in judging.due(rule, found, key=llm_latency.key_of(config)):
            alert = latency_alert(judging, config, project_id, name, models)
            yield from candidate(rule, project_id, alert)


def latency_alert(
    judging: Judging, config: LlmLatency, project_id: str, name: str, models: Mapping[str, Latencies]
) -> Alert | None:
    """The window's percentile, if it is too high."""
    named = config.model_filter
    chosen = models if named is None else {model: each for model, each in models.items() if model == named}
    whole: Counter[int] = Counter()
    edge: Counter[int] = Counter()
    for each in chosen.values():
        whole.update(each.whole)
        edge.update(each.edge)
    if not llm_latency.may_fire(config, whole, edge):
        return None
    whole.update(alerting.edge_latencies(project_id, since_ms=judging.since(config.window_secs), models=chosen))
    return llm_latency.judge(config, whole, project_name=name, now_ms=judging.now_ms)


def judge_budgets(judging: Judging, rules: Sequence[tuple[Rule, LlmBudget]]) -> Iterator[Candidate]:
    """The month of every project that has a budget."""
    found = alerting.budgets(projects_of([rule for rule, _ in rules]), now_ms=judging.now_ms)
    for rule, _ in rules:
        for project_id, name, budget in judging.due(rule, found, key=llm_budget.KEY):
            alert = llm_budget.judge(
                spent_micros=budget.current_month_spend_micros,
                budget_micros=budget.monthly_budget_micros,
                threshold_pct=budget.alert_threshold_pct,
                project_name=name,
                now_ms=judging.now_ms,
            )
            yield from candidate(rule, project_id, alert)

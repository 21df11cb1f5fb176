"""`llm_budget`: a month has used so much of its budget that somebody wants to know (contract 6.4). Pure."""

from alerts.rules.base import Alert, cause_now, dollars

KEY = "budget_monthly"


def judge(*, spent_micros: int, budget_micros: int, threshold_pct: int, project_name: str, now_ms: int) -> Alert | None:
    """The alert of what the month has cost, if that is `threshold_pct` percent of its budget or more. Microdollars."""
    if budget_micros <= 0 or spent_micros * 100 < threshold_pct * budget_micros:
        return None
    used = spent_micros * 100 / budget_micros
    return Alert(
        key=KEY,
        cause=cause_now("llm_budget", KEY, now_ms),
        title=f"LLM budget {used:.1f}% used",
        message=(
            f"LLM budget of {project_name}: {used:.1f}% used, {dollars(spent_micros)} of {dollars(budget_micros)} this"
            f" month (threshold {threshold_pct}%)"
        ),
        page="llm",
        measured=round(used, 2),
        threshold=threshold_pct,
    )

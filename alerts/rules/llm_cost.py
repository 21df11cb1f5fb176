"""`llm_cost_spike`: calls of a window cost more than so many dollars (contract 6.4). Pure."""

from alerts.configs import LlmCostSpike
from alerts.rules.base import Alert, cause_now, dollars
from alerts.sentences import span_words

KEY = "cost_hourly"


def fires(config: LlmCostSpike, cost_micros: int) -> bool:
    """Whether so many microdollars are too many."""
    return cost_micros > config.threshold_dollars * 1_000_000


def judge(config: LlmCostSpike, cost_micros: int, *, project_name: str, now_ms: int) -> Alert | None:
    """The alert of what the window cost, in microdollars, if it is more than the threshold."""
    if not fires(config, cost_micros):
        return None
    of = f" of {config.model_filter}" if config.model_filter else ""
    return Alert(
        key=KEY,
        cause=cause_now(config.type, KEY, now_ms),
        title=f"LLM cost {dollars(cost_micros)}",
        message=(
            f"LLM cost in {project_name}: {dollars(cost_micros)}{of} in the last {span_words(config.window_secs)}"
            f" (threshold {dollars(config.threshold_dollars * 1_000_000)})"
        ),
        page="llm",
        measured=cost_micros / 1_000_000,
        threshold=config.threshold_dollars,
    )

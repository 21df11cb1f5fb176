"""`llm_error_rate`: too large a part of a window's spans failed (contract 6.4). Pure."""

from alerts.configs import LlmErrorRate
from alerts.rules.base import Alert, cause_now
from alerts.sentences import span_words

KEY = "error_rate"


def fires(config: LlmErrorRate, *, errors: int, spans: int) -> bool:
    """Whether there are enough spans, and more than `threshold_percent` of them failed. Of no spans none did."""
    return 0 < spans >= config.min_traces and errors * 100 > config.threshold_percent * spans


def may_fire(config: LlmErrorRate, *, errors: int, spans: int, more_errors: int, more_spans: int) -> bool:
    """Whether the rule may fire when some of more spans, among them some of more errors, count as well."""
    enough = spans + more_spans >= config.min_traces
    worst_errors, worst_spans = errors + more_errors, spans + more_errors
    return enough and worst_errors * 100 > config.threshold_percent * worst_spans


def judge(config: LlmErrorRate, *, errors: int, spans: int, project_name: str, now_ms: int) -> Alert | None:
    """The alert of so many failed spans of all that began in the window, if they are too many."""
    if not fires(config, errors=errors, spans=spans):
        return None
    rate = errors * 100 / spans
    return Alert(
        key=KEY,
        cause=cause_now(config.type, KEY, now_ms),
        title=f"LLM error rate {rate:.1f}%",
        message=(
            f"LLM error rate in {project_name}: {rate:.1f}% of {spans:,} spans in the last"
            f" {span_words(config.window_secs)} (threshold {config.threshold_percent:.1f}%)"
        ),
        page="llm",
        measured=round(rate, 4),
        threshold=config.threshold_percent,
    )

"""`llm_latency`: a percentile of a window's latencies is too high (contract 6.4). Pure."""

from collections import Counter
from collections.abc import Mapping

from alerts.configs import LlmLatency, percentile_of
from alerts.rules.base import Alert, cause_now
from alerts.sentences import span_words
from llmtraces.percentiles import element_at, value_of


def key_of(config: LlmLatency) -> str:
    """What the cooldown counts by."""
    return f"latency_{config.percentile}:{config.model_filter or 'all models'}"[:300]


def may_fire(config: LlmLatency, whole: Mapping[int, int], edge: Mapping[int, int]) -> bool:
    """Whether the rule may fire when some of `edge` count besides `whole`: at most the slow ones, and no others."""
    slow = Counter({bucket: count for bucket, count in edge.items() if value_of(bucket) > config.threshold_ms})
    slow.update(whole)
    return element_at(slow, percentile_of(config.percentile)) > config.threshold_ms


def judge(config: LlmLatency, counts: Mapping[int, int], *, project_name: str, now_ms: int) -> Alert | None:
    """The alert of the window's latencies, by bucket, if their percentile is above the threshold."""
    percent = percentile_of(config.percentile)
    measured = element_at(counts, percent)
    if measured <= config.threshold_ms:
        return None
    key, of = key_of(config), config.model_filter or "all models"
    return Alert(
        key=key,
        cause=cause_now(config.type, key, now_ms),
        title=f"LLM latency p{percent:g} {measured:,.0f} ms",
        message=(
            f"LLM latency in {project_name}: p{percent:g} of {of} is {measured:,.0f} ms over"
            f" {sum(counts.values()):,} spans in the last {span_words(config.window_secs)}"
            f" (threshold {config.threshold_ms:,} ms)"
        ),
        page="llm",
        measured=round(measured, 1),
        threshold=config.threshold_ms,
    )

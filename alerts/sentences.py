"""What a rule says, in plain sentences: "When errors happen more than 100 times in 5 minutes in production". Pure."""

from collections.abc import Sequence

from alerts.configs import Config, LlmBudget, LlmCostSpike, LlmErrorRate, LlmLatency, NewIssue, Spike, Threshold
from bloop_site.lib.figures import NO_BREAK_SPACE, duration

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
SHOWN_FINGERPRINT = 12
NAMED_TARGETS = 2


def span_words(seconds: int) -> str:
    """300 -> "5 minutes", 3600 -> "1 hour", 5400 -> "90 minutes": in the largest unit that says it exactly."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds and seconds % size == 0), (1, "second"))
    number = seconds // size
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def last_words(seconds: int) -> str:
    """As `span_words`, to stand behind "the last": 3600 -> "hour", 7200 -> "2 hours"."""
    return span_words(seconds).removeprefix("1 ")


def number_words(value: float) -> str:
    """1500 -> "1,500", 2.50 -> "2.5": without the zeros at its end."""
    text = f"{value:,.6f}"
    return text.rstrip("0").removesuffix(".")


def sentence_of(config: Config, *, environment: str | None = None, source: str | None = None) -> str:
    """The condition as a sentence without its full stop. environment, source: the rule's filters."""
    return f"When {condition_of(config)}{filter_words(environment, source)}"


def filter_words(environment: str | None, source: str | None) -> str:
    """Where the events have to come from, to stand at the end of a sentence."""
    return (f" in {environment}" if environment else "") + (f", sent by {source}" if source else "")


def condition_of(config: Config) -> str:
    """The condition of a kind, to stand behind "When"."""
    if isinstance(config, NewIssue):
        where = f" in {config.environment}" if config.environment else ""
        return f"an error is seen for the first time{where} or comes back after it was resolved"
    if isinstance(config, Threshold):
        return threshold_words(config)
    if isinstance(config, Spike):
        return spike_words(config)
    if isinstance(config, LlmCostSpike):
        cost = number_words(config.threshold_dollars)
        return f"LLM calls{model_words(config.model_filter)} cost more than ${cost} in {span_words(config.window_secs)}"
    if isinstance(config, LlmErrorRate):
        share, window = number_words(config.threshold_percent), span_words(config.window_secs)
        least = f", of at least {config.min_traces:,}" if config.min_traces > 1 else ""
        return f"more than {share}{NO_BREAK_SPACE}% of LLM calls fail in {window}{least}"
    if isinstance(config, LlmLatency):
        calls = f"LLM calls{model_words(config.model_filter)}"
        limit, window = duration(config.threshold_ms), span_words(config.window_secs)
        return f"the {percentile_words(config.percentile)} latency of {calls} is above {limit} in {window}"
    assert isinstance(config, LlmBudget)  # noqa: S101  the last of the seven
    return "a project has used as much of its monthly LLM budget as it set itself to be warned at"


def threshold_words(config: Threshold) -> str:
    """Of one error, or of all together."""
    what = f"the error {short_fingerprint(config.fingerprint)}" if config.fingerprint else "errors"
    route = f" on {config.route}" if config.route else ""
    happen = "happens" if config.fingerprint else "happen"
    return f"{what}{route} {happen} more than {config.threshold:,} times in {span_words(config.window_secs)}"


def spike_words(config: Spike) -> str:
    """By either method."""
    if config.method == "seasonal":
        return "an error happens unusually often for this hour of the week"
    times, last = number_words(config.multiplier), last_words(config.compare_window_secs)
    before = last_words(config.baseline_window_secs)
    return f"errors come more than {times} times as fast in the last {last} as in the {before} before"


def short_fingerprint(fingerprint: str) -> str:
    """Enough of it to tell issues apart."""
    return fingerprint if len(fingerprint) <= SHOWN_FINGERPRINT else f"{fingerprint[:SHOWN_FINGERPRINT]}…"


def model_words(model: str | None) -> str:
    """The model that calls are narrowed to, nothing for all."""
    return f" to {model}" if model else ""


def percentile_words(percentile: str) -> str:
    """As people write it: "95" and "p95" are "p95"."""
    text = percentile.strip().lower().removeprefix("p")
    return f"p{text}"


def tell_words(targets: Sequence[str], *, hooks: Sequence[str] = ()) -> str:
    """Whom the rule tells: "tell Slack #ops and ann@example.com". hooks: the server's own, when it has no channel."""
    if targets:
        named = list(targets[:NAMED_TARGETS])
        rest = len(targets) - len(named)
        return f"tell {joined([*named, *([f'{rest} more'] if rest else [])])}"
    return f"tell the server’s own {joined(hooks)}" if hooks else "tell nobody yet"


def joined(words: Sequence[str]) -> str:
    """As in: a; a and b; a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

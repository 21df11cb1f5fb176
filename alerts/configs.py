"""What a rule's `config` may say (contract 6.1): seven kinds, each checked here and written with all its keys.

Two forms come in: `config` tagged by `type`, and the documented flat one, `rule_type` and parameters beside `name`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

ALIASES = {"error_new": "new_issue", "error_spike": "spike"}
MAX_WINDOW_SECS = 7 * 86_400  # of error rules: for so long events are counted by the minute
MAX_LLM_WINDOW_SECS = 30 * 86_400
MAX_TEXT = 512
BILLION = 1_000_000_000
# Flat parameters and what they are called in a config; hours become seconds.
FLAT = (
    "threshold",
    "window_secs",
    "fingerprint",
    "route",
    "environment",
    "multiplier",
    "baseline_window_secs",
    "compare_window_secs",
    "method",
    "threshold_dollars",
    "threshold_percent",
    "min_traces",
    "percentile",
    "threshold_ms",
    "model_filter",
)
FLAT_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "llm_latency": {"percentile": "p90"},
    "llm_error_rate": {"min_traces": 10},
}


class ConfigInvalid(ValueError):
    """Says which key is wrong and why, in words for whoever sent it."""


@dataclass(frozen=True, kw_only=True)
class NewIssue:
    """A fingerprint seen for the first time, in an environment if one is named; regressions too."""

    type: ClassVar[str] = "new_issue"
    environment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """More than `threshold` events in the last `window_secs`."""

    type: ClassVar[str] = "threshold"
    threshold: int
    window_secs: int
    fingerprint: str | None = None
    route: str | None = None


@dataclass(frozen=True, kw_only=True)
class Spike:
    """Events come faster than usual.

    method "rate" (the contract's): more in a second of the last `compare_window_secs` than `multiplier` times as in the
    `baseline_window_secs` before. "seasonal": the last whole hour of an issue stands out from the same hours of other
    days (`analytics.seasonal`); the numbers are then not used.
    """

    type: ClassVar[str] = "spike"
    multiplier: float
    baseline_window_secs: int
    compare_window_secs: int
    method: str = "rate"


@dataclass(frozen=True, kw_only=True)
class LlmCostSpike:
    """Calls of the window cost more than `threshold_dollars`."""

    type: ClassVar[str] = "llm_cost_spike"
    threshold_dollars: float
    window_secs: int
    model_filter: str | None = None


@dataclass(frozen=True, kw_only=True)
class LlmErrorRate:
    """More than `threshold_percent` of the window's spans failed, of at least `min_traces`."""

    type: ClassVar[str] = "llm_error_rate"
    threshold_percent: float
    min_traces: int
    window_secs: int


@dataclass(frozen=True, kw_only=True)
class LlmLatency:
    """A percentile of the window's span latencies is above `threshold_ms`."""

    type: ClassVar[str] = "llm_latency"
    percentile: str
    threshold_ms: int
    window_secs: int
    model_filter: str | None = None


@dataclass(frozen=True, kw_only=True)
class LlmBudget:
    """The month has used its project's `alert_threshold_pct` of the budget."""

    type: ClassVar[str] = "llm_budget"


Config: TypeAlias = NewIssue | Threshold | Spike | LlmCostSpike | LlmErrorRate | LlmLatency | LlmBudget
METHODS = ("rate", "seasonal")


def stored(config: Config) -> dict[str, Any]:
    """As it is kept and echoed: its `type` and all of its keys, absent ones as null."""
    return {"type": config.type, **asdict(config)}


def parse_config(raw: object) -> Config:
    """A config tagged by `type`; unknown keys are ignored. Raises ConfigInvalid."""
    if not isinstance(raw, Mapping):
        raise ConfigInvalid("config must be an object")
    kind = raw.get("type")
    if not isinstance(kind, str):
        raise ConfigInvalid("config.type is required")
    read = READERS.get(ALIASES.get(kind, kind))
    if read is None:
        raise ConfigInvalid(f"unknown rule type: {kind[:64].encode(errors='replace').decode()}")
    return read(Keys(raw))


def config_of_flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The documented flat form as a config, unchecked: `rule_type` and the parameters beside it (contract 6.1, ADD)."""
    kind = body.get("rule_type")
    kind = ALIASES.get(kind, kind) if isinstance(kind, str) else kind
    config: dict[str, Any] = {"type": kind, **FLAT_DEFAULTS.get(str(kind), {})}
    config |= {name: body[name] for name in FLAT if body.get(name) is not None}
    hours = body.get("window_hours")
    if hours is not None and "window_secs" not in config:
        config["window_secs"] = (
            hours * 3600 if isinstance(hours, int | float) and not isinstance(hours, bool) else hours
        )
    if body.get("model") is not None and "model_filter" not in config:
        config["model_filter"] = body["model"]
    return config


def percentile_of(text: str) -> float:
    """The number in "p99", "p95", "90": 0 to 100. Unparsable is 99 (contract 6.4)."""
    digits = text.strip().lower().removeprefix("p")
    try:
        number = float(digits)
    except ValueError:
        return 99.0
    return number if 0 <= number <= 100 else 99.0


def is_plain(text: str) -> bool:
    """Whether a database keeps it: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


class Keys:
    """Typed reading of a config's keys. Every method raises ConfigInvalid naming the key."""

    def __init__(self, raw: Mapping[Any, Any]) -> None:
        self.raw = raw

    def required(self, name: str) -> Any:
        value = self.raw.get(name)
        if value is None:
            raise ConfigInvalid(f"config.{name} is required")
        return value

    def whole(self, name: str, *, least: int, most: int) -> int:
        value = self.required(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigInvalid(f"config.{name} must be a whole number")
        if not least <= value <= most:
            raise ConfigInvalid(f"config.{name} must be from {least} to {most}")
        return value

    def number(self, name: str, *, least: float, most: float) -> float:
        value = self.required(name)
        is_finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        if not is_finite or isinstance(value, bool):
            raise ConfigInvalid(f"config.{name} must be a number")
        if not least <= value <= most:
            raise ConfigInvalid(f"config.{name} must be from {least:g} to {most:g}")
        return float(value)

    def text(self, name: str) -> str | None:
        """Absent, null and blank are all None."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ConfigInvalid(f"config.{name} must be a string")
        if len(value) > MAX_TEXT or not is_plain(value):
            raise ConfigInvalid(f"config.{name} must be at most {MAX_TEXT} characters, none of them NUL")
        return value.strip() or None


def read_new_issue(keys: Keys) -> NewIssue:
    return NewIssue(environment=keys.text("environment"))


def read_threshold(keys: Keys) -> Threshold:
    return Threshold(
        threshold=keys.whole("threshold", least=0, most=BILLION),
        window_secs=keys.whole("window_secs", least=1, most=MAX_WINDOW_SECS),
        fingerprint=keys.text("fingerprint"),
        route=keys.text("route"),
    )


def read_spike(keys: Keys) -> Spike:
    method = keys.text("method") or "rate"
    if method not in METHODS:
        raise ConfigInvalid(f"config.method must be one of {', '.join(METHODS)}")
    spike = Spike(
        multiplier=keys.number("multiplier", least=0, most=BILLION),
        baseline_window_secs=keys.whole("baseline_window_secs", least=1, most=MAX_WINDOW_SECS),
        compare_window_secs=keys.whole("compare_window_secs", least=1, most=MAX_WINDOW_SECS),
        method=method,
    )
    if spike.baseline_window_secs + spike.compare_window_secs > MAX_WINDOW_SECS:
        raise ConfigInvalid(f"config: both windows together must be at most {MAX_WINDOW_SECS} seconds")
    return spike


def read_cost(keys: Keys) -> LlmCostSpike:
    return LlmCostSpike(
        threshold_dollars=keys.number("threshold_dollars", least=0, most=BILLION),
        window_secs=keys.whole("window_secs", least=1, most=MAX_LLM_WINDOW_SECS),
        model_filter=keys.text("model_filter"),
    )


def read_error_rate(keys: Keys) -> LlmErrorRate:
    return LlmErrorRate(
        threshold_percent=keys.number("threshold_percent", least=0, most=100),
        min_traces=keys.whole("min_traces", least=0, most=BILLION),
        window_secs=keys.whole("window_secs", least=1, most=MAX_LLM_WINDOW_SECS),
    )


def read_latency(keys: Keys) -> LlmLatency:
    percentile = keys.required("percentile")
    if isinstance(percentile, int | float) and not isinstance(percentile, bool):
        percentile = f"{keys.number('percentile', least=0, most=100):g}"
    if not isinstance(percentile, str) or len(percentile) > 16 or not is_plain(percentile):
        raise ConfigInvalid("config.percentile must be a string such as p99")
    return LlmLatency(
        percentile=percentile,
        threshold_ms=keys.whole("threshold_ms", least=0, most=BILLION),
        window_secs=keys.whole("window_secs", least=1, most=MAX_LLM_WINDOW_SECS),
        model_filter=keys.text("model_filter"),
    )


def read_budget(keys: Keys) -> LlmBudget:
    return LlmBudget()


READERS: Mapping[str, Callable[[Keys], Config]] = {
    "new_issue": read_new_issue,
    "threshold": read_threshold,
    "spike": read_spike,
    "llm_cost_spike": read_cost,
    "llm_error_rate": read_error_rate,
    "llm_latency": read_latency,
    "llm_budget": read_budget,
}

"""`spike`: events come faster than usual (contract 6.3), or an issue's hour stands out from its season. Pure."""

from dataclasses import dataclass

from alerts.configs import Spike
from alerts.rules.base import WHOLE_PROJECT, Alert, cause_now, times
from alerts.sentences import span_words
from bloop_site.lib.clock import from_ms

MIN_EVENTS = 5  # in the compared window: fewer are no spike of anything


def is_spike(config: Spike, *, compared: int, baseline: int) -> bool:
    """Whether the rate of the last window is more than `multiplier` times that of the one before. Counts of events."""
    if compared < MIN_EVENTS or baseline <= 0:
        return False
    return compared * config.baseline_window_secs > config.multiplier * baseline * config.compare_window_secs


def judge(config: Spike, *, compared: int, baseline: int, project_name: str, now_ms: int) -> Alert | None:
    """The alert of so many events in both windows, if they are a spike."""
    if not is_spike(config, compared=compared, baseline=baseline):
        return None
    ratio = (compared / config.compare_window_secs) / (baseline / config.baseline_window_secs)
    window, before = span_words(config.compare_window_secs), span_words(config.baseline_window_secs)
    return Alert(
        key=WHOLE_PROJECT,
        cause=cause_now("spike", WHOLE_PROJECT, now_ms),
        title=f"Errors {ratio:,.1f} times as frequent as usual",
        message=(
            f"Error spike in {project_name}: {times(compared)} in the last {window}, {ratio:,.1f} times the rate of the"
            f" {before} before (threshold {config.multiplier:g} times)"
        ),
        page="errors",
        measured=round(ratio, 2),
        threshold=config.multiplier,
    )


@dataclass(frozen=True, kw_only=True)
class ScoredHour:
    """A whole hour of an issue. expected: events usual in it; score: near a z-score (analytics.seasonal)."""

    issue_id: int
    fingerprint: str
    error_type: str
    message: str
    hour_ms: int
    count: int
    expected: float
    score: float


def judge_hour(hour: ScoredHour, *, threshold: float, project_name: str) -> Alert | None:
    """The alert of an hour that stands out: it scores `threshold` or more and has enough events."""
    if hour.count < MIN_EVENTS or hour.score < threshold:
        return None
    what = f"[{hour.error_type}] {hour.message}"
    return Alert(
        key=hour.fingerprint,
        cause=f"spike:{hour.issue_id}:{hour.hour_ms}",
        title=f"Spike: {what}"[:200],
        message=(
            f"Error spike in {project_name}: {times(hour.count)} in {hour_words(hour.hour_ms)} where"
            f" {hour.expected:,.1f} are usual"
            f" (score {hour.score:.1f}, threshold {threshold:g}): {what} - {hour.fingerprint}"
        ),
        page="issue",
        fingerprint=hour.fingerprint,
        measured=round(hour.score, 1),
        threshold=threshold,
    )


def hour_words(hour_ms: int) -> str:
    """An hour by the clock, for whoever reads of it an hour later."""
    return f"the hour from {from_ms(hour_ms):%H:%M} UTC"

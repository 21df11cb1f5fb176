"""`threshold`: more than so many events in a window (contract 6.3). Pure."""

from alerts.configs import Threshold
from alerts.rules.base import WHOLE_PROJECT, Alert, cause_now, times
from alerts.sentences import span_words


def judge(config: Threshold, count: int, *, project_name: str, now_ms: int) -> Alert | None:
    """The alert of so many events in the window, if they are more than `threshold`."""
    if count <= config.threshold:
        return None
    title = f"{times(count)} in {span_words(config.window_secs)}"
    key = config.fingerprint or WHOLE_PROJECT
    return Alert(
        key=key,
        cause=cause_now("threshold", key, now_ms),
        title=title,
        message=f"{title} in {project_name}{of_what(config)} (threshold {config.threshold:,})",
        page="issue" if config.fingerprint else "errors",
        fingerprint=config.fingerprint,
        measured=count,
        threshold=config.threshold,
    )


def of_what(config: Threshold) -> str:
    """Which events are counted, if not all."""
    of = f" of {config.fingerprint}" if config.fingerprint else ""
    return f"{of} on {config.route}" if config.route else of

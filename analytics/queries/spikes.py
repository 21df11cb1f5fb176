"""Hours in which an issue had far more events than it usually has (contract 7.1)."""

from collections.abc import Sequence
from typing import Final

from analytics.answers import Ask, Spike
from analytics.queries.naming import ranked
from bloop_site.lib.clock import HOUR_MS, hour_of_day
from errors.queries.alerting import first_hours_of_issues
from errors.queries.insights import last_hours
from errors.queries.trends import Window

MAX_CANDIDATES: Final = 200  # issues that the seasonal method, which is slow, looks at


def spikes(ask: Ask, *, threshold: float, method: str = "classic") -> tuple[Spike, ...]:
    """The hours that score at least `threshold`, the highest first; of equal scores the one with the most events.

    method: "classic" for the z-score of the hour among all hours of the window; "seasonal" by what that hour usually
    holds (analytics.seasonal), of the 200 issues with the liveliest hours.
    """
    from analytics.finding import classic_spikes, liveliest, seasonal_spikes  # noqa: PLC0415
    from errors.queries.packed import hour_counts  # noqa: PLC0415

    window = last_hours(hours=ask.hours, now_ms=ask.last_ms)
    found = hour_counts(ask.reach, window, environment=ask.environment)
    counts, issue_ids = found.counts, found.issue_ids
    if method == "seasonal":
        rows = liveliest(counts, limit=MAX_CANDIDATES)
        counts, issue_ids = counts[rows], issue_ids[rows]
        first_hours = first_hours_of_issues(issue_ids.tolist())
        began = [first_hours.get(pk, window.start_ms) for pk in issue_ids.tolist()]
        before = history(window, began)
        earlier = hour_counts(ask.reach, before, environment=ask.environment, issue_ids=issue_ids)
        cells = seasonal_spikes(
            counts,
            history=earlier.of(issue_ids),
            begins=[(began_ms - before.start_ms) // HOUR_MS for began_ms in began],
            hour=hour_of_day(window.start_ms),
            threshold=threshold,
        )
    else:
        cells = classic_spikes(counts, threshold=threshold, limit=ask.limit)
    events = counts[cells.series, cells.hour]
    return tuple(
        Spike(
            issue=issue,
            hour_ms=window.start_ms + int(cells.hour[at]) * HOUR_MS,
            count=int(events[at]),
            expected=float(cells.expected[at]),
            stddev=float(cells.deviation[at]),
            score=float(cells.score[at]),
            counts=tuple(counts[cells.series[at]].tolist()),
        )
        for at, issue in ranked(cells.score, issue_ids[cells.series], limit=ask.limit, weights=events)
    )


def history(window: Window, began: Sequence[int]) -> Window:
    """The hours before the window that say what is usual: as many as the seasonal method looks at, and as there are.

    began: when the projects of the issues did, epoch ms.
    """
    from analytics.seasonal import HISTORY_HOURS  # noqa: PLC0415

    start_ms = max(min(began, default=window.start_ms), window.start_ms - HISTORY_HOURS * HOUR_MS)
    start_ms = min(start_ms, window.start_ms)
    return Window(start_ms, (window.start_ms - start_ms) // HOUR_MS)

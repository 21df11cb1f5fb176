"""The two ways of telling a spike, and what each needs to show one (docs/detection.md)."""

from math import ceil

from django.conf import settings

CLASSIC, SEASONAL = "classic", "seasonal"
METHODS = (CLASSIC, SEASONAL)


def usual_threshold(method: str) -> float:
    """The score from which on an hour is a spike, if nobody says otherwise: `analytics.zscore_threshold` of classic."""
    from analytics.seasonal import THRESHOLD  # noqa: PLC0415  numpy is loaded when Insights are asked

    return THRESHOLD if method == SEASONAL else settings.BLOOP.analytics.zscore_threshold


def least_window_hours(threshold: float) -> int:
    """The shortest window in which a z of `threshold` can be reached.

    Of n hours the largest z there can be is (n - 1) / sqrt(n): when one of them has all events (contract 7.1).
    """
    held = max(threshold, 0.0)
    root = (held + (held**2 + 4) ** 0.5) / 2  # of n: n - threshold * sqrt(n) - 1 = 0
    return max(2, ceil(round(float(root**2), 9)))


def least_history_hours() -> int:
    """With how many hours before an hour the seasonal method begins to know what is usual."""
    from analytics.seasonal import MIN_HISTORY_HOURS  # noqa: PLC0415  likewise

    return MIN_HISTORY_HOURS

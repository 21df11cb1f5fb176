"""The arithmetic of Insights (contract 7), on dense series of events an hour. No result is ever NaN or infinite."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64] | NDArray[np.float64]
BLOCK_HOURS = 24  # of the difference to the mean at a time: it would be as large as all counts


@dataclass(frozen=True)
class Usual:
    """Of each series, in events an hour: mean, and sample standard deviation (n - 1; 0 for a single hour)."""

    mean: Floats
    deviation: Floats


def usual(counts: Numbers) -> Usual:
    """Mean and sample standard deviation of each series [issues, hours], every hour counted, empty ones as well.

    In two passes: the textbook's difference of squares loses all digits where a large count hardly moves.
    """
    series, hours = counts.shape
    mean = counts.sum(axis=1, dtype=np.float64) / max(hours, 1)
    if hours < 2:
        return Usual(mean, np.zeros(series))
    squares = np.zeros(series)
    for start in range(0, hours, BLOCK_HOURS):
        difference = counts[:, start : start + BLOCK_HOURS] - mean[:, None]
        squares += (difference * difference).sum(axis=1)
    return Usual(mean, np.sqrt(squares / (hours - 1)))


def zscores(counts: Numbers, of: Usual) -> Floats:
    """By how many standard deviations each hour [issues, hours] exceeds the mean of its series (contract 7.1).

    0 throughout where a series does not vary. At most (n - 1) / sqrt(n) for n hours.
    """
    varies = of.deviation > 0
    scale = np.where(varies, of.deviation, 1.0)[:, None]
    return np.where(varies[:, None], (counts - of.mean[:, None]) / scale, 0.0)


def relative_change(current: Numbers, previous: Numbers) -> Floats:
    """The change from `previous` to `current`, both events, in percent of `previous` (contract 7.2).

    Where there were none before: 100 if there are some now, else 0.
    """
    had_some = previous > 0
    percent = (current - previous) * 100.0 / np.where(had_some, previous, 1)
    return np.where(had_some, percent, np.where(current > 0, 100.0, 0.0))


def pearson(counts: Numbers) -> Floats:
    """Pearson's r of every two series [issues, hours]: [issues, issues], -1 to 1 (contract 7.3).

    r = sum((x - mean x)(y - mean y)) / sqrt(sum((x - mean x)^2) sum((y - mean y)^2)), over every hour, empty ones as
    well. 0 for a series that does not vary, which has none.
    """
    difference = counts - counts.mean(axis=1, keepdims=True)
    length = np.sqrt((difference * difference).sum(axis=1))
    direction = difference / np.where(length > 0, length, 1.0)[:, None]
    return np.asarray(np.clip(direction @ direction.T, -1.0, 1.0))


def release_impact(*, new_issues: int, errors: int, previous_errors: int | None) -> float:
    """Ten for each issue that a release brought, plus the change of its events to the release before, in percent.

    previous_errors: 1 or more; None for the first release, which changes nothing (contract 7.4).
    """
    change = 0.0 if previous_errors is None else (errors - previous_errors) * 100.0 / previous_errors
    return 10.0 * new_issues + change


def busy_percentiles(counts: NDArray[np.int64], percents: Sequence[float]) -> tuple[float, ...]:
    """Percentiles of the hours that have events, linearly interpolated (contract 7.5): between the two nearest ranks.

    That is Hyndman and Fan's seventh (1996, "Sample Quantiles in Statistical Packages"). Zeros if no hour has any.
    """
    busy = counts[counts > 0]
    if not len(busy):
        return (0.0,) * len(percents)
    return tuple(float(value) for value in np.percentile(busy, percents, method="linear"))

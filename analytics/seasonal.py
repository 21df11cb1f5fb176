"""Scores an hour of an issue by what that hour usually holds: robust, by season, fit for small counts.

What is usual is the median of the same hour of the week over four weeks (with its neighbours), or of the same hour of
the day over seven days, or of the last three days, whichever history there is. Counts of errors are near Poisson:
their spread grows with their level. So medians and deviations are taken on the scale y = 2 sqrt(x + 3/8) (Anscombe
1948, "The transformation of Poisson, binomial and negative-binomial data"), where the spread of a Poisson count is 1
at every level; what a series has above that is its own unrest. Neither the median nor the median absolute deviation
(MAD) sees the spikes.

The score is the deviance residual of a Poisson count (McCullagh and Nelder 1989, "Generalized Linear Models", 2.4.3)
in units of that unrest: near a z-score for four events as for four thousand, where (x - mean) / sqrt(mean) is far too
high for small counts. Only hours before the scored one are looked at, so a page says afterwards what an alert said in
time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY, WEEK = 24, 168  # hours
# What is looked at before an hour: four weeks, with the neighbour of the first and the day whose level counts.
HISTORY_HOURS = 4 * WEEK + DAY + 1
MIN_HISTORY_HOURS = 12  # with less nothing is usual yet
THRESHOLD = 4.0  # docs/detection.md says why
MAD_TO_SIGMA = 1.4826  # of a normal distribution
TAIL, TAIL_SIGMAS = (
    0.98,
    2.054,
)  # the quantile of residuals that says how often a series bursts, and where a normal has it

OTHERWISE = 2.0  # standard deviations
LEAST_EXPECTED = 0.375  # events: where none is usual, it takes five in an hour to stand out

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Of each scored hour, in arrays shaped as the counts asked about.

    expected: events usual in that hour; spread: their standard deviation, in events, at that level; score: near a
    z-score, negative when there were fewer than usual. NaN is never in them: without history the score is 0.
    """

    expected: Floats
    spread: Floats
    score: Floats

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats]:
        return self.expected, self.spread, self.score


def scores(
    counts: NDArray[np.integer] | Floats,
    *,
    first: int,
    hour: int = 0,
    begins: Sequence[int] | None = None,
    least: float = -np.inf,
) -> Scored:
    """Score the hours from column `first` on; the columns before are history only.

    counts: events an hour, [issues, hours], dense, oldest first. Every column from `first` on is scored by the up to
    `HISTORY_HOURS` before it. hour: of the day, of column `first`. begins: of each issue the column that its history
    begins with; the first if nothing is said. least: scores below it need not be exact, only below it.
    Returns arrays [issues, hours - first].
    """
    begin_of = np.clip(np.zeros(len(counts), int) if begins is None else np.asarray(begins, int), 0, counts.shape[1])
    shape = (counts.shape[0], counts.shape[1] - first)
    result = Scored(np.zeros(shape), np.full(shape, LEAST_EXPECTED**0.5), np.zeros(shape))
    for begin in np.unique(begin_of[begin_of < counts.shape[1]]).tolist():
        rows, start = begin_of == begin, max(first, begin)
        found = of_same_age(
            np.asarray(counts)[rows, begin:], first=start - begin, hour=(hour + start - first) % DAY, least=least
        )
        for whole, part in zip(result.arrays, found.arrays, strict=True):
            whole[rows, start - first :] = part
    return result


def of_same_age(counts: NDArray[np.integer] | Floats, *, first: int, hour: int, least: float) -> Scored:
    """As `scores`, of issues whose history all begins with the first column."""
    y = stabilised(np.asarray(counts, dtype=np.float64))
    baseline = seasonal_baseline(y, first=first)
    expected = unstabilised(baseline + level_shift(y, baseline, first=first))
    residual = deviance(np.asarray(counts, dtype=np.float64)[:, first:], np.maximum(expected, LEAST_EXPECTED))
    sigma = spread_of(y, first=first, hour=hour, wanted=residual >= least)
    score = np.where(has_history(y.shape[1], first), residual / sigma, 0.0)
    return Scored(expected, sigma * np.sqrt(np.maximum(expected, LEAST_EXPECTED)), score)


def deviance(counts: Floats, mean: Floats) -> Floats:
    """How far each count lies from a Poisson mean > 0, in standard deviations, with its sign."""
    with_log = counts * np.log(np.where(counts > 0, counts, 1.0) / mean)
    return np.asarray(np.sign(counts - mean) * np.sqrt(np.maximum(2 * (with_log - (counts - mean)), 0.0)))


def stabilised(counts: Floats) -> Floats:
    """2 sqrt(x + 3/8): near standard deviation 1 if x is Poisson."""
    return np.asarray(2.0 * np.sqrt(counts + 0.375))


def unstabilised(y: Floats) -> Floats:
    """Events an hour that `y` stands for; never negative."""
    return np.asarray(np.maximum((y / 2.0) ** 2 - 0.375, 0.0))


def has_history(hours: int, first: int) -> NDArray[np.bool_]:
    """Of each scored column whether enough lies before it."""
    return np.arange(first, hours) >= MIN_HISTORY_HOURS


def seasonal_baseline(y: Floats, *, first: int) -> Floats:
    """The median of the same hours before, on the scale of `y`; [issues, hours - first]."""
    columns = np.arange(first, y.shape[1])
    weekly, daily = columns >= 3 * WEEK + 1, columns >= 3 * DAY
    found = np.zeros((y.shape[0], len(columns)))
    if weekly.any():
        found[:, weekly] = of_season(y, columns[weekly], [WEEK * week for week in range(1, 5)])
    if (chosen := daily & ~weekly).any():
        found[:, chosen] = of_season(y, columns[chosen], [DAY * day for day in range(1, 8)])
    if not daily.all():
        found[:, ~daily] = median_at(y, columns[~daily], list(range(1, 3 * DAY + 1)))
    return found


def of_season(y: Floats, columns: NDArray[np.integer], lags: list[int]) -> Floats:
    """The median with the neighbours of each hour, which is steadier; of the hour alone where that says otherwise.

    It does where something happens each time in that one hour: a job that fails at three every night.
    """
    near = median_at(y, columns, [lag + each for lag in lags for each in (-1, 0, 1)])
    alone = median_at(y, columns, lags)
    return np.where(np.abs(alone - near) > OTHERWISE, alone, near)


def median_at(y: Floats, columns: NDArray[np.integer], lags: list[int]) -> Floats:
    """The median over the columns that lie `lags` before these; lags that reach before the start are left out."""
    at = columns[:, None] - np.asarray(lags)[None, :]
    is_whole = (at >= 0).all(axis=1)
    result = np.zeros((y.shape[0], len(columns)))
    if is_whole.any():
        result[:, is_whole] = np.median(y[:, at[is_whole]], axis=2)
    for number in np.flatnonzero(~is_whole).tolist():
        usable = at[number][at[number] >= 0]
        if len(usable):
            result[:, number] = np.median(y[:, usable], axis=1)
    return result


def spread_of(y: Floats, *, first: int, hour: int, wanted: NDArray[np.bool_]) -> Floats:
    """The standard deviation of `y` around its hour of the day, [issues, hours - first]: at least a Poisson count's 1.

    hour: of the day, of column `first`. wanted: where it matters, shaped as the result; it is slow to find. Each day
    has that of what came before its midnight, whichever hours are asked about: so an hour has the same one always.
    """
    spread = np.ones(wanted.shape)
    for midnight in range(first - hour, y.shape[1], DAY):
        day = slice(max(0, midnight - first), midnight - first + DAY)
        rows = wanted[:, day].any(axis=1)
        if rows.any():
            spread[rows, day] = spread_before(y[rows], max(0, midnight))[:, None]
    return spread


def spread_before(y: Floats, column: int) -> Floats:
    """Of each issue, from the residuals of the four weeks before a column: their MAD, or what their upper tail says.

    Where a series that mostly rests comes in bursts, bursts are its usual way.
    """
    history = y[:, max(0, column - 4 * WEEK) : column]
    days = history.shape[1] // DAY
    if not days:
        return np.ones(y.shape[0])
    table = history[:, history.shape[1] - days * DAY :].reshape(y.shape[0], days, DAY)
    residuals = (table - np.median(table, axis=1, keepdims=True)).reshape(y.shape[0], -1)
    centre = np.median(residuals, axis=1, keepdims=True)
    mad = MAD_TO_SIGMA * np.median(np.abs(residuals - centre), axis=1)
    tail = np.quantile(residuals, TAIL, axis=1) / TAIL_SIGMAS
    return np.asarray(np.maximum(1.0, np.maximum(mad, tail)))


def level_shift(y: Floats, baseline: Floats, *, first: int) -> Floats:
    """By how much the issue has lain above its baseline for most of the last day; 0 where it has not.

    A new level is news when it begins, and no longer when it has held for half a day.
    """
    hours = y.shape[1]
    start = max(0, first - DAY)
    before = seasonal_baseline(y[:, :first], first=start) if start < first else np.zeros((y.shape[0], 0))
    residuals = np.concatenate([y[:, start:first] - before, y[:, first:] - baseline], axis=1)
    lift: Floats = np.zeros_like(baseline)
    offset = first - start
    if offset == DAY:
        windows = np.lib.stride_tricks.sliding_window_view(residuals[:, :-1], DAY, axis=1)
        return np.asarray(np.maximum(np.median(windows, axis=2), 0.0))
    for column in range(hours - first):
        recent = residuals[:, max(0, column + offset - DAY) : column + offset]
        if recent.shape[1] >= MIN_HISTORY_HOURS:
            lift[:, column] = np.maximum(np.median(recent, axis=1), 0.0)
    return lift

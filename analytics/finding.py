"""What stands out among dense series of events an hour: which hours, and which of many values are worth a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.seasonal import scores, stabilised
from analytics.stats import Usual, pearson, usual, zscores

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Indexes: TypeAlias = NDArray[np.intp]
DIGITS = 9  # of scores: what is equal but for the last bits of its arithmetic compares equal


@dataclass(frozen=True)
class Cells:
    """Hours of series that stand out, each array [cells]: which series, which hour of it, and by what measure.

    expected, deviation: events usual in that hour, and their spread; score: in such spreads above it.
    """

    series: Indexes
    hour: Indexes
    expected: Floats
    deviation: Floats
    score: Floats


def contenders(values: Floats | Integers, *, limit: int) -> tuple[Indexes, Indexes]:
    """The indexes of values that are among the `limit` greatest, and of those that contend for the last places.

    The latter are all equal. Together they are all there are, or at least `limit`.
    """
    if len(values) <= limit:
        return np.arange(len(values)), np.zeros(0, dtype=np.intp)
    last = np.partition(values, len(values) - limit)[len(values) - limit]
    return np.flatnonzero(values > last), np.flatnonzero(values == last)


def classic_spikes(counts: Integers, *, threshold: float, limit: int) -> Cells:
    """Hours whose z-score within their series [issues, hours] is at least `threshold` (contract 7.1).

    At least the `limit` highest, with all that equal the last of them; not many more: only series whose highest hour
    comes so far are looked at hour by hour.
    """
    of = usual(counts)
    peaks = np.round(zscores(counts.max(axis=1, initial=0, keepdims=True), of)[:, 0], DIGITS)
    rows = np.flatnonzero((peaks >= threshold) & (of.deviation > 0))
    rows = np.sort(rows[np.concatenate(contenders(peaks[rows], limit=limit))])
    chosen = Usual(of.mean[rows], of.deviation[rows])
    found = np.round(zscores(counts[rows], chosen), DIGITS)
    row, hour = np.nonzero(found >= threshold)
    return Cells(rows[row], hour, chosen.mean[row], chosen.deviation[row], found[row, hour])


def liveliest(counts: Integers, *, limit: int) -> Indexes:
    """The `limit` series [issues, hours] whose highest hour rises most above their mean, ascending.

    Measured where a Poisson count spreads alike at every level (`analytics.seasonal.stabilised`): in what is about its
    standard deviation there.
    """
    mean = counts.sum(axis=1, dtype=np.float64) / max(counts.shape[1], 1)
    rise = stabilised(counts.max(axis=1, initial=0).astype(np.float64)) - stabilised(mean)
    return np.sort(np.argsort(-rise, kind="stable")[:limit])


def seasonal_spikes(
    counts: Integers, *, history: Integers, begins: Sequence[int], hour: int, threshold: float
) -> Cells:
    """Hours with events that `analytics.seasonal` scores at least `threshold`.

    history: the same series in the hours before, which are not looked at for spikes; maybe none. begins: of each the
    column of both together that it begins with. hour: of the day, of the first one looked at.
    """
    if not counts.size:
        return Cells(*(np.zeros(0, dtype=np.intp),) * 2, *(np.zeros(0),) * 3)
    both = np.concatenate([history, counts], axis=1)
    found = scores(both, first=history.shape[1], hour=hour, begins=begins, least=threshold)
    row, hours = np.nonzero((found.score >= threshold) & (counts > 0))
    return Cells(row, hours, found.expected[row, hours], found.spread[row, hours], found.score[row, hours])


def correlated_pairs(
    counts: Integers, names: Sequence[str], *, threshold: float, limit: int
) -> list[tuple[int, int, float]]:
    """Two and two of these series [issues, hours] whose Pearson's r is at least `threshold`, by r, the highest first.

    names: of the series, ascending; series of one name make no pair. Equal ones stand in the order of the series; the
    lower index comes first in each. At most `limit`.
    """
    r = np.round(pearson(counts), DIGITS)
    label = np.cumsum([0, *(after != before for before, after in pairwise(names))]) if names else np.zeros(0)
    a, b = np.nonzero(np.triu(r >= threshold, k=1) & (label[:, None] != label[None, :]))
    chosen = np.sort(np.concatenate(contenders(r[a, b], limit=limit)))
    order = chosen[np.argsort(-r[a, b][chosen], kind="stable")][:limit]
    return list(zip(a[order].tolist(), b[order].tolist(), r[a, b][order].tolist(), strict=True))

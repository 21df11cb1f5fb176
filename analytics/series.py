"""Sparse hourly counts as dense series, gaps as zero."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

HOUR_MS = 3_600_000
Integers = NDArray[np.int64]


def dense_by_name(rows: Iterable[tuple[str, int, int]], *, start_ms: int, hours: int) -> dict[str, Integers]:
    """The events of each name in each of the `hours` hours from `start_ms` (epoch ms) on.

    rows: name, start of an hour within (epoch ms), events; what falls on the same name and hour is summed.
    """
    found: dict[str, Integers] = {}
    for name, hour_ms, count in rows:
        if name not in found:
            found[name] = np.zeros(hours, dtype=np.int64)
        found[name][(hour_ms - start_ms) // HOUR_MS] += count
    return found


def halves(counts: Integers) -> tuple[Integers, Integers]:
    """The events of each series [issues, hours] in the earlier and in the later half of its hours, an even number."""
    middle = counts.shape[1] // 2
    return counts[:, :middle].sum(axis=1), counts[:, middle:].sum(axis=1)

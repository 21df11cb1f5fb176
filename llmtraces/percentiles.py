"""Percentiles from logarithmic buckets that add up (design.md 5). Pure.

bucket = floor(log(ms) / log(1.02)); a value is told by the geometric middle of its bucket, so it is at most 1 % off.
Zero, and what is below one millisecond, has a bucket of its own.
"""

import math
from collections.abc import Mapping

GROWTH = 1.02
LOG_GROWTH = math.log(GROWTH)
ZERO = -1


def bucket_of(ms: int) -> int:
    """The bucket that holds a duration in milliseconds; ZERO for none."""
    if ms < 1:
        return ZERO
    bucket = int(math.log(ms) / LOG_GROWTH)
    # The logarithm may be a hair off at a border: the bounds decide.
    while GROWTH**bucket > ms:
        bucket -= 1
    while GROWTH ** (bucket + 1) <= ms:
        bucket += 1
    return bucket


def value_of(bucket: int) -> float:
    """The milliseconds a bucket stands for: the geometric middle of its bounds."""
    return 0.0 if bucket == ZERO else GROWTH ** (bucket + 0.5)


def percentile(counts: Mapping[int, int], p: float) -> float:
    """The value at place p × (n - 1) of all, ascending, in milliseconds; 0 of none.

    Between two places it lies between their values in proportion (contract 8.5.3: interpolated).
    counts: how many durations each bucket holds. p: 0 to 1.
    """
    place = p * (sum(counts.values()) - 1)
    before, seen = 0.0, 0
    for bucket in sorted(bucket for bucket, count in counts.items() if count):
        value = value_of(bucket)
        if place < seen:  # between the last of the buckets so far and the first of this one
            return before + (value - before) * (place - (seen - 1))
        seen += counts[bucket]
        if place <= seen - 1:
            return value
        before = value
    return 0.0


def element_at(counts: Mapping[int, int], percent: float) -> float:
    """The value at index ceil(percent / 100 × (n - 1)) of all, ascending (contract 6.4), in milliseconds; 0 of none.

    percent: 0 to 100.
    """
    index, seen = math.ceil(percent * (sum(counts.values()) - 1) / 100), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen > index:
            return value_of(bucket)
    return 0.0

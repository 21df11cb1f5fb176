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
    """The value at rank ceil(p × n) of what the buckets count, in milliseconds; 0 when they are empty.

    counts: how many durations each bucket holds. p: 0 to 1.
    """
    total = sum(counts.values())
    rank, seen = max(1, math.ceil(p * total)), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return value_of(bucket)
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

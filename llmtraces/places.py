"""Places of a score between 0 and 1: each hundredth, and each gap between two of them. Pure.

Even places are the hundredths (0.0 is 0, 1.0 is 200), odd ones lie between. So a score in whole hundredths, as yes and
no are too, is known exactly by its place; of others the place tells which rows to look at.
"""

from collections.abc import Mapping

HUNDREDTHS = 100
FIFTHS = 5
NANOS = 1_000_000_000


def place_of(value: float) -> int:
    """The place of a value from 0 to 1."""
    below = int(value * HUNDREDTHS)
    # The product may be a hair off: the quotient decides, as it does in `bounds_of`.
    while below / HUNDREDTHS > value:
        below -= 1
    while (below + 1) / HUNDREDTHS <= value:
        below += 1
    return 2 * below + (below / HUNDREDTHS != value)


def is_exact(place: int) -> bool:
    """Whether all values of the place are the same."""
    return place % 2 == 0


def bounds_of(place: int) -> tuple[float, float]:
    """Between which hundredths the values of a place lie; of an exact one, twice its value."""
    return place // 2 / HUNDREDTHS, (place + 1) // 2 / HUNDREDTHS


def fifths_of(counts: Mapping[int, int]) -> list[int]:
    """How many lie in each fifth of the range: lower bounds are within, and 1.0 is in the last. counts: by place."""
    found = [0] * FIFTHS
    for place, count in counts.items():
        found[min(place * FIFTHS // (2 * HUNDREDTHS), FIFTHS - 1)] += count
    return found


def nanos_of(value: float) -> int:
    """The value in billionths, as sums have it: whole, so that what is taken back leaves nothing."""
    return round(value * NANOS)

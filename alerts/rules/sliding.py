"""Rules over a line of equal steps in the past: what a window held at the end of each, and when that was told. Pure."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Truths = NDArray[np.bool_]


def window_sums(counts: Counts, length: int) -> Counts:
    """At each step, the sum of it and the `length` - 1 before it."""
    until = np.cumsum(counts)
    before = np.zeros_like(until)
    if length < len(counts):
        before[length:] = until[:-length]
    return until - before


def told(is_true: Truths, *, from_step: int, cooldown_steps: float) -> list[int]:
    """The steps at which a rule that is true there fires, from `from_step` on, if it keeps still for a while each time.

    cooldown_steps: after so many it may fire again; a rule fires at most once in a step.
    """
    steps = np.flatnonzero(is_true)
    found: list[int] = []
    at = from_step
    while (place := int(np.searchsorted(steps, at))) < len(steps):
        found.append(int(steps[place]))
        at = found[-1] + max(1, int(np.ceil(cooldown_steps)))
    return found


def steps_of(seconds: int, step_seconds: int) -> int:
    """How many whole steps hold a window."""
    return -(-seconds // step_seconds)


def spikes(
    counts: Counts, *, compared: int, baseline: int, multiplier: float, least: int
) -> tuple[Truths, Counts, Counts]:
    """Where the rate of the last `compared` steps is above `multiplier` times that of the `baseline` ones before.

    Also what both windows held at each step.
    """
    new = window_sums(counts, compared)
    old = window_sums(counts, compared + baseline) - new
    return (new >= least) & (old > 0) & (new * baseline > multiplier * old * compared), new, old

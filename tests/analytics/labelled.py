"""A labelled set of hourly series: errors as they come, and the hours in which something broke.

Made, not recorded, from a fixed seed: seven families, each with quiet series and with series that have spikes of three
sizes. The labels say which hours were raised; they are all in the last two of eight weeks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20_261_129
WEEKS, JUDGED_WEEKS = 8, 2
HOURS = WEEKS * 168
FIRST = HOURS - JUDGED_WEEKS * 168
EACH = 40  # series a family
SIZES = (4.0, 7.0, 12.0)  # how far a spike lies above its hour, in standard deviations of that hour


@dataclass(frozen=True)
class Series:
    """counts: [HOURS]; is_spike: [HOURS], true in raised hours."""

    family: str
    counts: NDArray[np.int64]
    is_spike: NDArray[np.bool_]


def labelled_series() -> list[Series]:
    """All of them, the same at each call."""
    rng = np.random.default_rng(SEED)
    return [series(rng, family, number) for family in LEVELS for number in range(EACH)]


def series(rng: np.random.Generator, family: str, number: int) -> Series:
    """One series; of each four, three have spikes."""
    level, dispersion = LEVELS[family](rng)
    mean = level if dispersion == 0 else rng.gamma(1 / dispersion, level * dispersion)
    counts = rng.poisson(mean).astype(np.int64)
    is_spike = np.zeros(HOURS, dtype=bool)
    if number % 4:
        for size in rng.permutation(SIZES):
            at, length = int(rng.integers(FIRST + 24, HOURS - 4)), int(rng.integers(1, 4))
            hours = slice(at, at + length)
            spread = np.sqrt(level[hours] + dispersion * level[hours] ** 2 + 0.375)
            counts[hours] += np.ceil(np.maximum(size * spread, 4)).astype(np.int64)
            is_spike[hours] = True
    return Series(family, counts, is_spike)


def flat(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """The same all week."""
    return np.full(HOURS, rng.uniform(2, 60)), 0.0


def rare(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """A few a day or a week."""
    return np.full(HOURS, rng.uniform(0.01, 0.5)), 0.0


def by_day(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """Busy by day, quiet by night."""
    hours = np.arange(HOURS)
    wave = 1 + 0.95 * np.sin(2 * np.pi * (hours - rng.integers(24)) / 24)
    return rng.uniform(5, 80) * wave + 0.2, 0.0


def by_week(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """Office hours: nothing at the weekend, a peak on Monday morning."""
    hours = np.arange(HOURS)
    day, hour = hours // 24 % 7, hours % 24
    shape = np.where((day < 5) & (hour >= 8) & (hour < 18), 1.0, 0.04)
    shape = np.where((day == 0) & (hour == 9), 2.5, shape)
    return rng.uniform(20, 120) * shape, 0.0


def nightly_job(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """A job that fails a hundred times at the same hour each night; else little."""
    hours = np.arange(HOURS) % 24
    return np.where(hours == rng.integers(24), rng.uniform(50, 200), rng.uniform(0.1, 3)), 0.0


def growing(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """Twice as many every two to six weeks."""
    hours = np.arange(HOURS)
    return np.asarray(rng.uniform(2, 15) * 2 ** (hours / rng.uniform(336, 1008))), 0.0


def uneven(rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """More spread than Poisson: users retry, one client fails in a row."""
    return np.full(HOURS, rng.uniform(5, 40)), float(rng.uniform(0.2, 0.6))


LEVELS = {
    "flat": flat,
    "rare": rare,
    "by day": by_day,
    "by week": by_week,
    "nightly job": nightly_job,
    "growing": growing,
    "uneven": uneven,
}

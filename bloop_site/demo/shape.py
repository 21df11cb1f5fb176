"""When things happen: the rhythm of days and weeks, and draws on a rate."""

import math
import random

from bloop_site.lib.clock import DAY_MS, HOUR_MS

# When the payment provider was down: days before now, and for how many hours.
OUTAGES = ((9.1, 2), (4.8, 3), (2.4, 1), (1.6, 3), (0.45, 2))


def is_outage(hour_ms: int, *, now_ms: int) -> bool:
    """Whether the payment provider is down in this hour."""
    starts = ((now_ms - days * DAY_MS, hours) for days, hours in OUTAGES)
    return any(start <= hour_ms < start + hours * HOUR_MS for start, hours in starts)


def rhythm(hour_ms: int) -> float:
    """How busy an hour is: quiet nights, two daily peaks, calmer weekends; about 1 on average."""
    hour, weekday = hour_ms // HOUR_MS % 24, (hour_ms // DAY_MS + 3) % 7
    daily = 0.25 + 1.5 * math.exp(-(((hour - 11) / 4.5) ** 2)) + 1.3 * math.exp(-(((hour - 19) / 3.0) ** 2))
    return daily * (0.7 if weekday >= 5 else 1.1)


def poisson(rate: float, chance: random.Random) -> int:
    """A Poisson draw; Knuth's method, in steps, so that large rates do not underflow."""
    count, left = 0, rate
    while left > 0:
        threshold, product = math.exp(-min(left, 30.0)), chance.random()
        while product > threshold:
            count += 1
            product *= chance.random()
        left -= 30.0
    return count

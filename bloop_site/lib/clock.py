"""Time as Bloop stores it: whole milliseconds since the epoch, UTC (contract 0.2)."""

import time
from datetime import UTC, datetime

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def now_ms() -> int:
    """The wall clock in epoch milliseconds. Called at the edges only; everything below takes `now_ms=`."""
    return time.time_ns() // 1_000_000


def hour_of(ms: int) -> int:
    """The start of the UTC hour that holds `ms`, in epoch milliseconds (contract 0.2, hour_bucket)."""
    return ms - ms % HOUR_MS


def day_of(ms: int) -> int:
    """The start of the UTC day that holds `ms`, in epoch milliseconds."""
    return ms - ms % DAY_MS


def hour_of_day(ms: int) -> int:
    """The hour of its UTC day, 0 to 23."""
    return ms % DAY_MS // HOUR_MS


def minute_of(ms: int) -> int:
    """The start of the minute that holds `ms`, in epoch milliseconds."""
    return ms - ms % MINUTE_MS


def from_ms(ms: int) -> datetime:
    """The instant as an aware UTC datetime; outside years 1 to 9999 it is held at the nearest end."""
    return datetime.fromtimestamp(min(max(ms, -62_135_596_800_000), 253_402_300_799_999) / 1000, UTC)


def to_ms(at: datetime) -> int:
    """An aware datetime in epoch milliseconds."""
    return int(at.timestamp() * 1000)

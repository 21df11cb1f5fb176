"""How a release begins beside the release before it: the same hours of both, and the difference in words. Pure."""

from dataclasses import dataclass
from typing import Literal

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of

MAX_HOURS = 7 * 24
MANY_TIMES = 10  # from here on "12 times as many" says more than "1,100 % more"
NO_BREAK_SPACE = "\u00a0"

Direction = Literal["up", "down", "same"]


@dataclass(frozen=True)
class Change:
    """A difference in words, and where it points."""

    words: str
    direction: Direction

    @property
    def icon(self) -> str:
        """The name of an icon that points there."""
        return {"up": "up", "down": "down", "same": "equal"}[self.direction]


@dataclass(frozen=True)
class Beginning:
    """The first `hours` clock hours of a release that appeared at `first_ms`; the first of them is a part of one."""

    first_ms: int
    hours: int

    @property
    def hour_ms(self) -> int:
        """The hour in which the release appeared, epoch ms."""
        return hour_of(self.first_ms)

    @property
    def until_ms(self) -> int:
        """The end of the last hour, epoch ms, not included."""
        return self.hour_ms + self.hours * HOUR_MS

    def per_day(self, count: int) -> float:
        """`count` things of these hours as a rate: by the time from the first event on, not by whole hours."""
        return count * DAY_MS / (self.until_ms - self.first_ms)


def hours_to_compare(*, first_ms: int, now_ms: int) -> int:
    """How many clock hours of a release are over, the one it appeared in included: at most 7 days, in hours.

    0 while it is less than an hour old in them: a rate of minutes says nothing.
    """
    hours = min(MAX_HOURS, (hour_of(now_ms) - hour_of(first_ms)) // HOUR_MS)
    return hours if hour_of(first_ms) + hours * HOUR_MS - first_ms >= HOUR_MS else 0


def rate_words(rate: float) -> str:
    """A rate for the eye: "3,812", "42", and below ten with one digit: "0.3", "7"."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}".removesuffix(".0")


def rate_change(now: float, before: float) -> Change:
    """Two rates: "12 % more", "3 % fewer", "14 times as many", "as many", "none before", "none in either"."""
    if before <= 0:
        return Change("none before", "up") if now > 0 else Change("none in either", "same")
    if now / before >= MANY_TIMES:
        return Change(f"{now / before:,.0f} times as many", "up")
    share = round(100 * (now - before) / before)
    if share == 0:
        return Change("as many", "same")
    word, direction = more_or_fewer(share)
    return Change(f"{abs(share)}{NO_BREAK_SPACE}% {word}", direction)


def count_change(now: int, before: int) -> Change:
    """Two small counts: "2 more", "3 fewer", "as many"."""
    if now == before:
        return Change("as many", "same")
    word, direction = more_or_fewer(now - before)
    return Change(f"{abs(now - before):,} {word}", direction)


def more_or_fewer(difference: int) -> tuple[str, Direction]:
    """The word for a difference that is not zero, and its direction."""
    return ("more", "up") if difference > 0 else ("fewer", "down")

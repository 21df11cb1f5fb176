"""The hours of two releases that are compared, and the difference in words."""

import pytest

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS
from errors.comparison import Beginning, count_change, hours_to_compare, rate_change, rate_words

NOON = 500_000 * HOUR_MS


@pytest.mark.parametrize(
    ("first_ms", "now_ms", "hours"),
    [
        (NOON, NOON, 0),
        (NOON, NOON + HOUR_MS - 1, 0),
        (NOON, NOON + HOUR_MS, 1),
        (NOON + 1, NOON + HOUR_MS, 0),  # its first whole hours hold a millisecond less than one
        (NOON + 59 * MINUTE_MS, NOON + HOUR_MS, 0),
        (NOON + 59 * MINUTE_MS, NOON + 2 * HOUR_MS, 2),
        (NOON, NOON + 5 * HOUR_MS + MINUTE_MS, 5),
        (NOON, NOON + 7 * DAY_MS, 168),
        (NOON, NOON + 700 * DAY_MS, 168),
        (NOON, NOON - DAY_MS, 0),  # a clock that was set back
    ],
)
def test_as_many_whole_clock_hours_as_the_release_is_old(first_ms: int, now_ms: int, hours: int):
    assert hours_to_compare(first_ms=first_ms, now_ms=now_ms) == hours


def test_a_rate_counts_from_the_first_event_on_not_by_whole_hours():
    late = Beginning(first_ms=NOON + 30 * MINUTE_MS, hours=2)

    assert (late.hour_ms, late.until_ms) == (NOON, NOON + 2 * HOUR_MS)
    assert late.per_day(3) == 3 / 1.5 * 24


@pytest.mark.parametrize(
    ("now", "before", "words", "direction"),
    [
        (112, 100, "12\u00a0% more", "up"),
        (97, 100, "3\u00a0% fewer", "down"),
        (0, 100, "100\u00a0% fewer", "down"),
        (100.4, 100, "as many", "same"),
        (999, 100, "899\u00a0% more", "up"),
        (1_000, 100, "10 times as many", "up"),
        (5_000_000, 1_000, "5,000 times as many", "up"),
        (1, 0, "none before", "up"),
        (0, 0, "none in either", "same"),
    ],
)
def test_a_change_of_rate_in_words(now: float, before: float, words: str, direction: str):
    change = rate_change(now, before)

    assert (change.words, change.direction) == (words, direction)


@pytest.mark.parametrize(
    ("now", "before", "words", "icon"),
    [(3, 1, "2 more", "up"), (1, 4, "3 fewer", "down"), (2, 2, "as many", "equal"), (1_500, 0, "1,500 more", "up")],
)
def test_a_change_of_a_count_in_words(now: int, before: int, words: str, icon: str):
    change = count_change(now, before)

    assert (change.words, change.icon) == (words, icon)


@pytest.mark.parametrize(("rate", "words"), [(3812.4, "3,812"), (42, "42"), (9.96, "10"), (7.0, "7"), (0.34, "0.3")])
def test_a_rate_for_the_eye(rate: float, words: str):
    assert rate_words(rate) == words

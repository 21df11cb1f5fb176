"""The schedule of attempts, and what a server may ask for instead."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.backoff import MAX_ATTEMPTS, asked_ms, wait_ms

NOW_MS = 1_780_000_000_000


def wait(attempts: int, retry_after: str | None = None, chance: float = 0.0) -> int | None:
    return wait_ms(attempts=attempts, retry_after=retry_after, now_ms=NOW_MS, chance=chance)


def test_waits_grow_and_end():
    waits = [wait(attempts) for attempts in range(1, 8)]

    assert waits == [5_000, 30_000, 120_000, 600_000, 3_600_000, None, None]
    assert MAX_ATTEMPTS == 6


@given(st.integers(min_value=1, max_value=5), st.floats(min_value=0, max_value=1))
def test_chance_adds_up_to_a_fifth(attempts: int, chance: float):
    plain, made = wait(attempts), wait(attempts, chance=chance)

    assert plain is not None
    assert made is not None
    assert plain <= made <= plain * 1.2


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("120", 120_000),
        ("0", 1_000),
        ("86400", 3_600_000),
        ("9" * 400, 3_600_000),
        (formatdate(NOW_MS / 1000 + 90, usegmt=True), 90_000),
        (formatdate(NOW_MS / 1000 - 90, usegmt=True), 1_000),
        ("soon", 5_000),
        ("-5", 5_000),
        ("", 5_000),
        (None, 5_000),
    ],
)
def test_what_is_asked_for_is_waited_for_within_bounds(asked: str | None, waited: int):
    assert wait(1, asked) == waited


def test_whoever_asks_gets_no_attempt_more():
    assert wait(MAX_ATTEMPTS, "5") is None


@given(st.text())
def test_any_header_can_be_read(text: str):
    found = asked_ms(text, now_ms=NOW_MS)

    assert found is None or isinstance(found, int)

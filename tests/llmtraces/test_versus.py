"""One version of a prompt beside another, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtraces.versus import Difference, plain, points, relative

NBSP = "\u00a0"


def latency(before: float | None, after: float | None) -> Difference:
    return relative(before, after, less="faster", more="slower")


@pytest.mark.parametrize(
    ("before", "after", "words", "tone"),
    [
        (1000, 880, f"12{NBSP}% faster", "better"),
        (1000, 1500, f"50{NBSP}% slower", "worse"),
        (100, 1200, "12 times slower", "worse"),
        (1000, 1000, "the same", "same"),
        (1000, 995, "about the same", "same"),
        (1000, 1009.9, "about the same", "same"),
        (0, 0, "the same", "same"),
        (0, 5, "slower", "worse"),
        (5, 0, f"100{NBSP}% faster", "better"),
        (None, 5, "nothing to compare", "none"),
        (5, None, "nothing to compare", "none"),
    ],
)
def test_averages(before: float | None, after: float | None, words: str, tone: str):
    assert latency(before, after) == Difference(words, tone)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "words", "tone"),
    [
        (5, 3.5, "1.5 points lower", "better"),
        (0, 1, "1 point higher", "worse"),
        (0, 100, "100 points higher", "worse"),
        (1, 1.01, "< 0.1 points higher", "worse"),
        (2, 2, "the same", "same"),
        (None, 2, "nothing to compare", "none"),
    ],
)
def test_percentages(before: float | None, after: float | None, words: str, tone: str):
    assert points(before, after) == Difference(words, tone)  # type: ignore[arg-type]


def test_counts_are_not_judged():
    assert plain(10, 1250) == Difference("1,240 more", "plain")
    assert plain(7, 5) == Difference("2 fewer", "plain")
    assert plain(7, 7) == Difference("the same", "same")


NUMBERS = st.floats(0, 1e15) | st.none()


@given(before=NUMBERS, after=NUMBERS)
def test_the_lower_is_never_the_worse(before: float | None, after: float | None):
    for found in (latency(before, after), points(before, after)):
        assert found.words
        assert found.icon
        if before is not None and after is not None and before != after:
            assert found.tone in ("same", "better" if after < before else "worse")
        assert bool(found.verdict) == (found.tone in ("better", "worse"))

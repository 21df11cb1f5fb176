import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtraces.percentiles import GROWTH, ZERO, bucket_of, percentile, value_of


def exact(values: list[int], p: float) -> float:
    place = p * (len(values) - 1)
    low, high = (sorted(values)[index] for index in (math.floor(place), math.ceil(place)))
    return low + (high - low) * (place - math.floor(place))


def counted(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    return counts


@given(st.integers(1, 10**12))
def test_a_duration_lies_within_its_bucket(ms: int):
    bucket = bucket_of(ms)

    assert GROWTH**bucket <= ms < GROWTH ** (bucket + 1)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_at_most_one_percent_off(values: list[int], p: float):
    assert percentile(counted(values), p) == pytest.approx(exact(values, p), rel=0.01)


def test_between_two_durations_a_percentile_lies_in_proportion():
    counts = counted([100, 1000])

    assert [percentile(counts, p) for p in (0, 0.5, 0.9, 1)] == pytest.approx([100, 550, 910, 1000], rel=0.01)


def test_nothing_has_no_percentile_and_zero_is_zero():
    assert percentile({}, 0.5) == 0
    assert (bucket_of(0), value_of(ZERO)) == (ZERO, 0)

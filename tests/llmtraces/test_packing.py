"""Packed counts: what went in comes out, in few bytes, and sums are those of the counts."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtraces.packing import Sum, packed, unpacked

BUCKETS = st.integers(-1, 1_200)
COUNTS = st.dictionaries(BUCKETS, st.integers(0, 5) | st.integers(0, 2**40), max_size=60)
CLOSE = st.integers(0, 800).flatmap(
    lambda first: st.lists(st.integers(0, 300), max_size=80).map(lambda counts: dict(enumerate(counts, first)))
)


@given(COUNTS | CLOSE)
def test_what_is_packed_comes_back_without_what_is_zero(counts: dict[int, int]):
    assert unpacked(packed(counts)) == {bucket: count for bucket, count in counts.items() if count}


@given(COUNTS | CLOSE)
def test_equal_counts_are_equal_bytes_whatever_their_order(counts: dict[int, int]):
    assert packed(dict(reversed(counts.items()))) == packed(counts)


@given(st.lists(COUNTS | CLOSE, max_size=8))
def test_a_sum_of_packed_counts_is_the_sum_of_the_counts(each: list[dict[int, int]]):
    expected: Counter[int] = Counter()
    total = Sum()
    for counts in each:
        expected.update(counts)
        total.add(packed(counts))

    assert total.counts() == +expected


@pytest.mark.parametrize(
    ("counts", "most_bytes"),
    [
        ({}, 1),
        ({350: 1}, 5),
        ({-1: 1, 900: 2}, 8),
        (dict.fromkeys(range(200, 440), 20), 250),
        (dict.fromkeys(range(200, 440), 300), 490),
        (dict.fromkeys(range(200, 440, 2), 20), 250),
    ],
)
def test_few_buckets_take_few_bytes_and_many_one_or_two_each(counts: dict[int, int], most_bytes: int):
    assert len(packed(counts)) <= most_bytes


def test_rows_of_before_which_are_maps_are_read_and_summed_as_they_are():
    stored = msgspec.msgpack.encode(dict.fromkeys(range(100, 300), 7))
    total = Sum()
    total.add(memoryview(stored))
    total.add(packed(dict.fromkeys(range(150, 400), 1)))

    assert unpacked(memoryview(stored)) == dict.fromkeys(range(100, 300), 7)
    assert (total.counts()[150], total.counts()[399], total.counts().total()) == (8, 1, 1_650)


def test_counts_that_went_below_nothing_are_kept_to_be_seen():
    assert unpacked(packed({3: -1, **dict.fromkeys(range(4, 90), 2)}))[3] == -1

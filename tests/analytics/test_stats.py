"""The arithmetic of Insights, against the statistics module, naive loops and what holds of every series."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.finding import classic_spikes, contenders, correlated_pairs, liveliest
from analytics.series import dense_by_name, halves
from analytics.stats import busy_percentiles, pearson, relative_change, release_impact, usual, zscores

HOUR_MS = 3_600_000
COUNT = st.integers(min_value=0, max_value=50) | st.integers(min_value=0, max_value=10**9)


@st.composite
def tables(draw: st.DrawFn, *, min_hours: int = 1) -> NDArray[np.int64]:
    hours = draw(st.integers(min_value=min_hours, max_value=60))
    series = draw(st.lists(st.lists(COUNT, min_size=hours, max_size=hours), min_size=1, max_size=6))
    return np.array(series, dtype=np.int64)


def by_hours(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same numbers in another order in memory."""
    return np.asfortranarray(counts)


# --- z ------------------------------------------------------------------------------------------------------------


@given(tables(min_hours=2))
def test_mean_and_deviation_are_the_sample_s(counts: NDArray[np.int64]):
    for of in (usual(counts), usual(by_hours(counts))):
        for row, mean, deviation in zip(counts.tolist(), of.mean, of.deviation, strict=True):
            assert mean == pytest.approx(statistics.mean(row))
            assert deviation == pytest.approx(statistics.stdev(row), rel=1e-9, abs=1e-9)


@given(tables())
def test_z_is_how_many_deviations_and_never_beyond_what_so_many_hours_allow(counts: NDArray[np.int64]):
    hours = counts.shape[1]
    found = zscores(counts, usual(counts))

    assert np.isfinite(found).all()
    assert found.max() <= (hours - 1) / math.sqrt(hours) + 1e-9
    for row, scores in zip(counts.tolist(), found, strict=True):
        deviation = statistics.stdev(row) if hours > 1 else 0
        if deviation:
            assert scores == pytest.approx([(count - statistics.mean(row)) / deviation for count in row], abs=1e-6)
        else:
            assert not scores.any()


def test_a_large_count_that_hardly_moves_keeps_its_digits():
    row = [10**9, 10**9 + 1] * 50

    assert usual(np.array([row])).deviation[0] == pytest.approx(statistics.stdev(row), rel=1e-9)


@pytest.mark.parametrize("level", [0, 1, 3, 7, 123_456_789])
def test_a_constant_series_has_no_deviation_at_all(level: int):
    for hours in (1, 2, 3, 7, 72, 719, 720):
        of = usual(np.full((1, hours), level))
        assert (of.mean[0], of.deviation[0]) == (level, 0.0)


@given(tables(), st.floats(min_value=0.5, max_value=6), st.integers(min_value=1, max_value=5))
def test_spikes_found_are_those_of_looking_at_every_hour(counts: NDArray[np.int64], threshold: float, limit: int):
    scores = np.round(zscores(counts, usual(counts)), 9)
    rows, hours = np.nonzero((scores >= threshold) & (scores > 0))
    wanted = sorted(zip(-scores[rows, hours], rows, hours, strict=True))[:limit]

    found = classic_spikes(by_hours(counts), threshold=threshold, limit=limit)

    have = set(zip(found.series.tolist(), found.hour.tolist(), strict=True))
    best = sorted(-found.score)[:limit]
    assert best == pytest.approx([score for score, *_ in wanted], rel=1e-6)
    assert all(found.score >= threshold)
    certain = {(int(row), int(hour)) for score, row, hour in wanted if -score > -wanted[-1][0] + 1e-6}
    assert certain <= have


# --- Change ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "previous", "percent"),
    [(9, 3, 200.0), (3, 9, -66.66666666666667), (5, 0, 100.0), (0, 0, 0.0), (0, 4, -100.0), (4, 4, 0.0)],
)
def test_relative_change_is_in_percent_of_what_was(current: int, previous: int, percent: float):
    assert relative_change(np.array([current]), np.array([previous]))[0] == percent


@given(st.lists(st.tuples(COUNT, COUNT), min_size=1))
def test_relative_change_is_finite_and_has_the_sign_of_the_change(pairs: list[tuple[int, int]]):
    current, previous = np.array(pairs).T
    found = relative_change(current, previous)

    assert np.isfinite(found).all()
    assert (np.sign(found) == np.sign(current - previous)).all()


@pytest.mark.parametrize(
    ("new", "errors", "previous", "score"),
    [(2, 120, 150, 0.0), (0, 50, 100, -50.0), (6, 100, None, 60.0), (1, 300, 100, 210.0), (0, 7, 7, 0.0)],
)
def test_impact_is_ten_for_each_new_issue_plus_the_change_in_percent(
    new: int, errors: int, previous: int | None, score: float
):
    assert release_impact(new_issues=new, errors=errors, previous_errors=previous) == score


# --- Correlation -----------------------------------------------------------------------------------------------------


@given(tables(min_hours=2))
def test_pearson_is_that_of_a_loop_over_every_pair(counts: NDArray[np.int64]):
    found = pearson(counts)

    assert np.isfinite(found).all()
    assert (np.abs(found) <= 1).all()
    rows = counts.tolist()
    for a, first in enumerate(rows):
        for b, second in enumerate(rows):
            if len(set(first)) == 1 or len(set(second)) == 1:
                assert found[a, b] == 0
            else:
                assert found[a, b] == pytest.approx(statistics.correlation(first, second), abs=1e-6)


def test_pairs_are_each_once_and_alike_ones_compare_equal():
    wave = [0, 3, 1, 0, 5, 2, 0, 4] * 3
    counts = np.array([wave, [2 * each for each in wave], [7] * 24, wave, [5 - each for each in wave]])

    found = correlated_pairs(counts, "abcde", threshold=0.7, limit=9)

    assert found == [(0, 1, 1.0), (0, 3, 1.0), (1, 3, 1.0)]
    assert correlated_pairs(counts, "abcde", threshold=0.7, limit=2) == found[:2]
    assert correlated_pairs(counts, "aabbc", threshold=0.7, limit=9) == [(0, 3, 1.0), (1, 3, 1.0)], "of two projects"
    assert correlated_pairs(counts[:0], "", threshold=0.7, limit=9) == []


# --- Percentiles -----------------------------------------------------------------------------------------------------


def naive_percentile(values: list[int], percent: float) -> float:
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@given(st.lists(COUNT, min_size=1, max_size=80))
def test_percentiles_are_interpolated_between_the_hours_that_have_events(counts: list[int]):
    busy = [count for count in counts if count]
    wanted = tuple(naive_percentile(busy, percent) if busy else 0.0 for percent in (50, 90, 99))

    found = busy_percentiles(np.array(counts), (50, 90, 99))

    assert found == pytest.approx(wanted)


def test_the_percentiles_of_the_contract_s_example():
    assert busy_percentiles(np.array([0, 2, 0, 8, 5, 0]), (50, 90, 99)) == pytest.approx((5.0, 7.4, 7.94))


# --- Series and choices ----------------------------------------------------------------------------------------------


def test_sparse_rows_become_dense_series_summed_and_filled_with_zeros():
    rows = [("qa", 2 * HOUR_MS, 3), ("prod", 1 * HOUR_MS, 1), ("qa", 2 * HOUR_MS, 4)]

    found = dense_by_name(rows, start_ms=HOUR_MS, hours=3)

    assert {name: counts.tolist() for name, counts in found.items()} == {"qa": [0, 7, 0], "prod": [1, 0, 0]}


def test_halves_are_the_earlier_and_the_later_hours():
    earlier, later = halves(np.array([[1, 2, 3, 4], [0, 0, 0, 9]]))

    assert (earlier.tolist(), later.tolist()) == ([3, 0], [7, 9])


@given(st.lists(st.integers(min_value=0, max_value=6), max_size=30), st.integers(min_value=1, max_value=8))
def test_contenders_are_the_greatest_and_all_that_equal_the_last(values: list[int], limit: int):
    sure, tied = contenders(np.array(values, dtype=np.int64), limit=limit)

    greatest = sorted(values, reverse=True)[:limit]
    assert sorted((values[at] for at in [*sure, *tied]), reverse=True)[:limit] == greatest
    assert len(sure) <= limit
    assert not set(sure) & set(tied)
    if len(tied):
        assert {values[at] for at in tied} == {greatest[-1]}
        assert values.count(greatest[-1]) == len(tied)


def test_the_liveliest_series_rise_most_for_what_they_are():
    steady, burst, small = [1000, 1040] * 4, [100] * 7 + [400], [0] * 7 + [6]

    assert liveliest(np.array([steady, burst, small]), limit=2).tolist() == [1, 2]

"""Spikes by season: against a labelled set beside the classic z-score, and what holds for every series."""

import statistics
from functools import cache
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.seasonal import DAY, HISTORY_HOURS, MIN_HISTORY_HOURS, THRESHOLD, WEEK, scores
from tests.analytics.labelled import FIRST, LEVELS, Series, labelled_series

CLASSIC_THRESHOLD = 2.5  # contract 7.1


@cache
def judged() -> tuple[list[Series], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """The series, and of their judged hours: the labels, the seasonal score and the classic one."""
    series = labelled_series()
    counts = np.stack([each.counts for each in series])
    labels = np.stack([each.is_spike for each in series])[:, FIRST:]
    window = counts[:, FIRST:].astype(float)
    deviation = window.std(axis=1, ddof=1, keepdims=True)
    classic = (window - window.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, np.inf)
    return series, labels, scores(counts, first=FIRST).score, classic


def precision_recall(found: NDArray[np.bool_], labels: NDArray[np.bool_]) -> tuple[float, float]:
    right = int((found & labels).sum())
    return right / max(1, int(found.sum())), right / max(1, int(labels.sum()))


def test_the_seasonal_score_finds_more_and_is_wrong_less_often_than_the_classic_one():
    _, labels, seasonal, classic = judged()

    precision, recall = precision_recall(seasonal >= THRESHOLD, labels)
    old_precision, old_recall = precision_recall(classic >= CLASSIC_THRESHOLD, labels)

    assert (round(precision, 2), round(recall, 2)) == (0.98, 0.66)  # as docs/detection.md says
    assert (round(old_precision, 2), round(old_recall, 2)) == (0.43, 0.57)


@pytest.mark.parametrize("family", LEVELS)
def test_no_kind_of_series_makes_it_cry_wolf(family):
    series, labels, seasonal, _ = judged()
    rows = [number for number, each in enumerate(series) if each.family == family]

    precision, recall = precision_recall(seasonal[rows] >= THRESHOLD, labels[rows])

    assert precision >= 0.9
    assert recall >= 0.45


def test_a_nightly_job_is_usual_and_the_same_number_at_noon_is_not():
    hours = np.zeros(4 * WEEK, dtype=np.int64)
    hours[3::DAY] = 100
    hours[-DAY + 12] = 100

    scored = scores(hours[None, :], first=len(hours) - DAY)

    assert scored.score[0, 3] == pytest.approx(0, abs=1e-6)
    assert scored.score[0, 12] > 10
    assert scored.expected[0, 3] == pytest.approx(100)


def test_a_new_level_is_news_for_half_a_day():
    hours = np.full(4 * WEEK, 10)
    hours[-2 * DAY :] = 40

    score = scores(hours[None, :], first=len(hours) - 2 * DAY).score[0]

    assert (score[:12] > THRESHOLD).all()
    assert (score[13:] < THRESHOLD).all()


def test_a_series_that_comes_in_bursts_is_not_news_each_time():
    hours = np.zeros(4 * WEEK, dtype=np.int64)
    hours[::29] = 20

    assert (scores(hours[None, :], first=3 * WEEK).score < THRESHOLD).all()


def test_where_none_is_usual_it_takes_five_events_in_an_hour():
    hours = np.zeros(2 * WEEK, dtype=np.int64)
    hours[[-20, -5]] = 4, 5

    score = scores(hours[None, :], first=WEEK).score[0]

    assert score[-20] < THRESHOLD <= score[-5]


def test_a_single_event_is_never_a_spike():
    hours = np.zeros(2 * WEEK, dtype=np.int64)
    hours[-5] = 1

    assert scores(hours[None, :], first=WEEK).score.max() < 1


def test_without_half_a_day_of_history_nothing_is_a_spike():
    hours = np.zeros(30, dtype=np.int64)
    hours[[5, 25]] = 50

    score = scores(hours[None, :], first=0).score[0]

    assert (score[:MIN_HISTORY_HOURS] == 0).all()
    assert score[25] > THRESHOLD


def exact_z(count: int, mean: float) -> float:
    """The z-score with the tail probability of a Poisson count, half of the count's own included (mid-p)."""
    term = exp(-mean)
    below = 0.0
    for number in range(count):
        below += term
        term *= mean / (number + 1)
    return statistics.NormalDist().inv_cdf(below + term / 2)


@pytest.mark.parametrize("mean", [1, 2, 5, 10, 30, 80])
@pytest.mark.parametrize("sigmas", [2, 3, 4])
def test_on_steady_counts_the_score_is_the_z_of_the_poisson_tail(mean, sigmas):
    count = round(mean + sigmas * mean**0.5)
    hours = np.full(4 * WEEK, mean)
    hours[-1] = count

    score = scores(hours[None, :], first=len(hours) - 1).score[0, 0]

    assert score == pytest.approx(exact_z(count, mean), abs=0.35)


SERIES = st.lists(st.integers(0, 10_000), min_size=2, max_size=200)


@given(hours=SERIES, first=st.integers(0, 150))
def test_every_series_gets_finite_figures(hours, first):
    first = min(first, len(hours) - 1)

    scored = scores(np.array([hours]), first=first)

    assert scored.score.shape == scored.expected.shape == scored.spread.shape == (1, len(hours) - first)
    for figures in (scored.score, scored.expected, scored.spread):
        assert np.isfinite(figures).all()
    assert (scored.spread > 0).all()
    assert (scored.expected >= 0).all()


@given(hours=st.lists(st.integers(0, 500), min_size=120, max_size=200), later=st.integers(0, 10_000))
def test_an_hour_is_scored_by_what_came_before_it(hours, later):
    first = 100
    changed = [*hours[:-1], later]

    before = scores(np.array([hours]), first=first).score[0, :-1]
    after = scores(np.array([changed]), first=first).score[0, :-1]

    assert np.array_equal(before, after)


@given(seed=st.integers(0, 1_000), ago=st.integers(1, 60), age=st.integers(1, HISTORY_HOURS + 80))
def test_an_hour_scores_the_same_alone_and_in_any_window(seed, ago, age):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(0.1, 20), (1, HISTORY_HOURS + 60))
    counts[0, : max(0, counts.shape[1] - age)] = 0
    counts[0, -ago] += 30
    begin = max(0, counts.shape[1] - age)
    at = counts.shape[1] - ago

    window = scores(counts, first=HISTORY_HOURS, hour=5, begins=[begin])
    own = counts[:, at - HISTORY_HOURS : at + 1]
    alone = scores(
        own, first=HISTORY_HOURS, hour=(5 + at - HISTORY_HOURS) % DAY, begins=[begin - at + HISTORY_HOURS], least=4.0
    )

    found = window.score[0, at - HISTORY_HOURS]
    assert (alone.score[0, 0] == pytest.approx(found)) if found >= 4 else (alone.score[0, 0] < 4)


def test_before_a_series_begins_nothing_is_scored_and_nothing_was_quiet():
    counts = np.array([[0] * 60 + [20, 21, 19] * 10, [0] * 90, [9] * 90])

    scored = scores(counts, first=20, begins=[60, 90, 0])

    assert np.allclose(scored.score[0], 0, atol=0.5)
    assert (scored.score[0, :52] == 0).all()
    assert (scored.score[1] == 0).all()
    assert scores(counts, first=20).score[0].max() > THRESHOLD


@given(rows=st.lists(st.lists(st.integers(0, 500), min_size=150, max_size=150), min_size=1, max_size=4))
def test_issues_do_not_see_each_other(rows):
    together = scores(np.array(rows), first=100)

    for number, row in enumerate(rows):
        assert np.allclose(together.score[number], scores(np.array([row]), first=100).score[0])


def test_what_lies_longer_ago_than_four_weeks_does_not_count():
    rng = np.random.default_rng(1)
    hours = rng.poisson(10, HISTORY_HOURS + WEEK + DAY)
    older = hours.copy()
    older[:WEEK] = 10_000

    first = len(hours) - DAY

    assert np.array_equal(scores(hours[None, :], first=first).score, scores(older[None, :], first=first).score)

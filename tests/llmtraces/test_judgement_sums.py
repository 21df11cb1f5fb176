"""Sums of scores and feedback are what these add up to, whatever is put, put again, or removed with its trace."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise, product
from typing import TypeVar

import pytest
from django.apps import apps
from django.utils.module_loading import import_string
from hypothesis import given
from hypothesis import strategies as st

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, HOUR_MS
from llmtraces.judging import rank_of
from llmtraces.models import Feedback, FeedbackHour, Score, ScoreSums, Trace
from llmtraces.places import NANOS, bounds_of, fifths_of, is_exact, nanos_of, place_of
from llmtraces.queries import judgements
from llmtraces.queries.judgements import (
    PERCENTS,
    Step,
    Stretch,
    feedback_list,
    score_cards,
    score_percentiles,
    scored_traces,
    stretch_of,
    thumbs,
    thumbs_over_time,
)
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.retention import OldTraces
from llmtraces.services.judgements import remove_judgements_of
from projects.access import Reach
from projects.retention import Cutoffs
from projects.services.projects import NewProject
from projects.services.removal import continue_removal, request_removal
from tests.llmtraces.judging_of import T, make_trace, score, thumb

NOW = T - T % DAY_MS + 10 * HOUR_MS + 25 * 60_000
Shown = TypeVar("Shown")
VALUES = (0.0, 1.0, 0.5, 0.37, 0.123456, 0.1234561, 0.87, 0.999999, 1 / 3, 0.2, 0.19999)

# --- Places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "place"), [(0.0, 0), (0.001, 1), (0.01, 2), (0.29, 58), (0.57, 114), (0.2, 40), (0.995, 199), (1.0, 200)]
)
def test_a_hundredth_has_a_place_of_its_own_and_so_has_what_lies_between(value: float, place: int):
    assert place_of(value) == place


@given(st.floats(0, 1))
def test_a_value_lies_within_the_bounds_of_its_place_and_of_no_other(value: float):
    place = place_of(value)
    low, high = bounds_of(place)

    assert 0 <= place <= 200
    assert (low == value == high) if is_exact(place) else (low < value < high)


@given(st.floats(0, 1), st.floats(0, 1))
def test_places_are_in_the_order_of_their_values(one: float, other: float):
    assert (place_of(one) <= place_of(other)) or one > other


@given(st.lists(st.floats(0, 1)))
def test_fifths_have_their_lower_bounds_and_the_last_has_one(values: list[float]):
    counts = {place: [place_of(value) for value in values].count(place) for place in map(place_of, values)}

    expected = [sum(low <= value < high for value in values) for low, high in pairwise((0, 0.2, 0.4, 0.6, 0.8, 2))]

    assert fifths_of(counts) == expected


def test_billionths_are_whole():
    assert nanos_of(1 / 3) == 333_333_333
    assert nanos_of(1.0) == NANOS


@pytest.mark.parametrize(
    ("offset", "limit", "stretch"),
    [
        (0, 1, Stretch(9, 9, 0)),
        (0, 3, Stretch(9, 7, 0)),
        (2, 1, Stretch(7, 7, 0)),
        (3, 25, Stretch(7, 5, 1)),
        (6, 1, Stretch(5, 5, 0)),
        (7, 1, None),
    ],
)
def test_a_page_stands_in_the_steps_that_hold_it(offset: int, limit: int, stretch: Stretch | None):
    steps = [Step(9, 2), Step(8, 0), Step(7, 4), Step(5, 1)]

    assert stretch_of(steps, offset=offset, limit=limit) == stretch


# --- Writing ----------------------------------------------------------------------------------------------------------


def test_a_score_put_again_is_taken_from_the_hour_and_day_it_was_in(shop: NewProject):
    make_trace(shop.project)
    for value, at in ((0.2, NOW), (0.9, NOW + HOUR_MS), (0.4, NOW + DAY_MS)):
        score(shop.project, "t1", value, at=at)
        assert differences() == []

    rows = ScoreSums.objects.values_list("is_day", "lowest", "highest", "total_nanos")
    assert set(rows) == {(is_day, 0.4, 0.4, 400_000_000) for is_day in (True, False)}


def test_a_thumb_put_again_is_counted_once_and_an_hour_without_any_is_gone(shop: NewProject):
    make_trace(shop.project)
    thumb(shop.project, "t1", 1, at=NOW)
    thumb(shop.project, "t1", -1, at=NOW + HOUR_MS)
    thumb(shop.project, "t1", -1, at=NOW + HOUR_MS + 1, user="u2")

    assert differences() == []
    assert list(FeedbackHour.objects.values_list("positive", "negative")) == [(0, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_put_replaced_and_removed_the_sums_are_right(seed: int, shop: NewProject, other: NewProject):
    chance = random.Random(seed)
    for project, number in product((shop.project, other.project), range(4)):
        make_trace(project, f"t{number}")
    for _ in range(60):
        project, number = chance.choice((shop.project, other.project)), chance.randrange(4)
        at = NOW - chance.choice((0, 1, 26, 50)) * HOUR_MS
        act = chance.random()
        if act < 0.6:
            score(project, f"t{number}", chance.choice(VALUES), name=chance.choice(("a", "b")), at=at)
        elif act < 0.9:
            thumb(project, f"t{number}", chance.choice((1, -1)), user=chance.choice(("u1", "u2")), at=at)
        else:
            remove_judgements_of([Trace.objects.get(project=project, trace_id=f"t{number}").pk])
        assert differences() == []
    remove_judgements_of(list(Trace.objects.values_list("pk", flat=True)))

    assert [model.objects.count() for model in (Score, Feedback, ScoreSums, FeedbackHour)] == [0, 0, 0, 0]


def test_with_an_old_trace_go_its_judgements_from_the_hours_they_were_made_in(shop: NewProject):
    make_trace(shop.project, "old", at=NOW - 100 * DAY_MS)
    make_trace(shop.project, "young", at=NOW)
    for trace_id, value in (("old", 0.111), ("young", 0.5)):
        score(shop.project, trace_id, value, at=NOW)
        thumb(shop.project, trace_id, 1, at=NOW)
    cutoffs = Cutoffs(at_ms=NOW, raw_ms=NOW - 7 * DAY_MS, hourly_ms=NOW - 90 * DAY_MS)

    while (batch := OldTraces().find(cutoffs, place=None, limit=2)) is not None:
        OldTraces().remove(batch.rows)
        assert judgement_differences_only() == []

    assert list(ScoreSums.objects.values_list("lowest", flat=True)) == [0.5, 0.5]
    assert list(FeedbackHour.objects.values_list("positive", flat=True)) == [1]


def judgement_differences_only() -> list[str]:
    return [each for each in differences() if each.startswith(("ScoreSums", "FeedbackHour"))]


def test_what_is_said_between_finding_and_removing_a_trace_is_taken_back_too(shop: NewProject):
    make_trace(shop.project, "old", at=NOW - 100 * DAY_MS)
    batch = OldTraces().find(Cutoffs(NOW, NOW, NOW - 90 * DAY_MS), place=None, limit=2)
    while batch is not None and batch.rows[0] is not Trace:
        OldTraces().remove(batch.rows)
        batch = OldTraces().find(Cutoffs(NOW, NOW, NOW - 90 * DAY_MS), place=None, limit=2)
    score(shop.project, "old", 0.5, at=NOW)
    thumb(shop.project, "old", 1, at=NOW)

    assert batch is not None
    OldTraces().remove(batch.rows)

    assert not Trace.objects.exists()
    assert (ScoreSums.objects.count(), FeedbackHour.objects.count()) == (0, 0)


def test_sums_go_with_their_project_and_no_others(shop: NewProject, other: NewProject):
    for new in (shop, other):
        make_trace(new.project)
        score(new.project, "t1", 0.5, at=NOW)
        thumb(new.project, "t1", 1, at=NOW)
    now = datetime.fromtimestamp(NOW / 1000, UTC)

    requested = request_removal(project=shop.project, actor=COMMAND_LINE, now=now)
    assert continue_removal(removal_id=requested.pk, now=now, seconds=30)

    assert differences() == []
    assert set(ScoreSums.objects.values_list("project_id", flat=True)) == {other.project.pk}
    assert set(FeedbackHour.objects.values_list("project_id", flat=True)) == {other.project.pk}


def test_a_sum_that_is_wrong_is_named(shop: NewProject):
    make_trace(shop.project)
    score(shop.project, "t1", 0.5, at=NOW)
    thumb(shop.project, "t1", 1, at=NOW)

    ScoreSums.objects.filter(is_day=False).update(highest=0.6)
    FeedbackHour.objects.update(negative=1)

    assert [each.split()[0] for each in differences()] == ["ScoreSums", "FeedbackHour"]


# --- Reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def scored(shop: NewProject, other: NewProject) -> list[tuple[str, int, float]]:
    """(project id, time, value) of scores over forty days, at the borders of hours and days too."""
    chance = random.Random(3)
    borders = [NOW - NOW % DAY_MS - days * DAY_MS + shift for days in range(0, 33, 8) for shift in (-1, 0, HOUR_MS)]
    times = [*borders, *(NOW - chance.randrange(40 * DAY_MS) for _ in range(60)), NOW, NOW]
    found = []
    for number, at in enumerate(times):
        project = chance.choice((shop.project, other.project))
        value = chance.choice((*VALUES, chance.random()))
        make_trace(project, f"t{number}")
        score(project, f"t{number}", value, at=at)
        thumb(project, f"t{number}", chance.choice((1, -1)), at=at)
        found.append((project.pk, at, value))
    return found


def windows(shop: NewProject, hours: int) -> list[Window]:
    return [Window(Reach(ids), hours, NOW) for ids in (None, (shop.project.pk,))]


@pytest.mark.parametrize("many", [0, 2_000])
@pytest.mark.parametrize("hours", [1, 24, 49, 720])
def test_a_window_is_told_exactly_by_sums_and_in_whole_by_its_pages(
    hours: int,
    many: int,
    shop: NewProject,
    scored: list[tuple[str, int, float]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(judgements, "MANY", many)
    for window in windows(shop, hours):
        own = [row for row in scored if window.reach.covers(row[0]) and window.since_ms <= row[1] <= NOW]
        values = sorted(value for _, _, value in own)

        card = next(iter(score_cards(window)), None)
        percentiles = score_percentiles(window, "accuracy")
        worst = paged(partial(scored_traces, window, "accuracy", worst=True))
        newest = paged(partial(scored_traces, window, "accuracy", worst=False))

        assert card is not None
        assert (card.count, card.lowest, card.highest) == (len(values), values[0], values[-1])
        assert card.average == pytest.approx(sum(values) / len(values), abs=1e-6)
        assert percentiles == {each: values[rank_of(each, len(values))] for each in PERCENTS}
        rows = list(Score.objects.filter(created_ms__gte=window.since_ms, project_id__in={row[0] for row in own}))
        assert [(row.value, row.created_ms) for row in worst] == [
            (row.value, row.created_ms) for row in sorted(rows, key=lambda row: (row.value, -row.created_ms, -row.pk))
        ]
        assert [row.trace_id for row in newest] == [
            row.trace.trace_id for row in sorted(rows, key=lambda row: (-row.created_ms, -row.pk))
        ]


@pytest.mark.parametrize("hours", [1, 24, 49, 720])
@pytest.mark.usefixtures("scored")
def test_feedback_of_a_window_adds_up_and_its_pages_hold_each_once(hours: int, shop: NewProject):
    for window in windows(shop, hours):
        steps = thumbs_over_time(window)
        rows = window.own(Feedback.objects.filter(created_ms__gte=window.since_ms))
        for value in (None, 1, -1):
            kind = rows if value is None else rows.filter(value=value)
            shown = paged(partial(feedback_list, window, steps, value=value))

            assert thumbs(window).of(value) == sum(step.of(value) for step in steps) == kind.count()
            expected = kind.order_by("-created_ms", "-pk").values_list("trace__trace_id", flat=True)
            assert [row.trace_id for row in shown] == list(expected)


def paged(page: Callable[..., list[Shown]]) -> list[Shown]:
    """All rows, page by page."""
    found: list[Shown] = []
    while rows := page(offset=len(found), limit=7):
        found += rows
    return found


# --- Those of before --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("scored")
def test_judgements_of_before_are_summed_by_the_migration():
    ScoreSums.objects.all().delete()
    FeedbackHour.objects.all().delete()

    for name in ("sum_scores", "sum_feedback"):
        import_string(f"llmtraces.migrations.0005_sums_of_judgements.{name}")(apps, None)

    assert differences() == []

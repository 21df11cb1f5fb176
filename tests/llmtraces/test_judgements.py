"""Scores and feedback in the tables: one of each name and user, in two databases, by several at once."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from ingest.flush import flush_all
from llmtraces.judging import rank_of
from llmtraces.models import Feedback, Score, Trace
from llmtraces.queries.judgements import (
    ScoreCard,
    Thumbs,
    feedback_list,
    judgements_of,
    score_cards,
    score_percentiles,
    scored_traces,
    thumbs,
    thumbs_over_time,
)
from llmtraces.queries.known import owners_of
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.services.judgements import TraceNotFound
from projects.access import Reach
from projects.services.projects import NewProject
from tests.factories import post_signed
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture
from tests.llmtraces.judging_of import T, make_trace, score, thumb


def window(shop: NewProject, *, hours: int = 24, at: int = T) -> Window:
    return Window(Reach((shop.project.pk,)), hours, at)


# --- Writing ----------------------------------------------------------------------------------------------------------


def test_a_second_score_of_a_name_replaces_the_first_with_its_time(shop: NewProject):
    make_trace(shop.project)
    score(shop.project, "t1", 0.2, source="user", comment="poor")
    score(shop.project, "t1", 0.9, at=T + 5)

    row = Score.objects.get()

    assert (row.value, row.source, row.comment, row.created_ms) == (0.9, "api", None, T + 5)
    assert row.project_id == shop.project.pk


def test_a_second_thumb_of_a_user_replaces_the_first_and_another_users_stands_beside_it(shop: NewProject):
    make_trace(shop.project)
    thumb(shop.project, "t1", 1)
    thumb(shop.project, "t1", -1, comment="wrong")
    thumb(shop.project, "t1", 1, user="u2")

    found = set(Feedback.objects.values_list("user_id", "value", "comment"))

    assert found == {("u1", -1, "wrong"), ("u2", 1, None)}


def test_what_nobody_sent_cannot_be_judged_and_another_projects_trace_is_not_there(shop: NewProject, other: NewProject):
    make_trace(other.project)

    with pytest.raises(TraceNotFound):
        score(shop.project, "t1", 1.0)
    with pytest.raises(TraceNotFound):
        thumb(shop.project, "t1", 1)

    assert not Score.objects.exists()
    assert not Trace.objects.filter(project=shop.project).exists()


def test_a_trace_that_still_waits_is_judged_and_the_fold_finds_its_row(client: Client, shop: NewProject):
    post_signed(client, "/v1/traces", b'{"id": "t 1/\xc3\xa9", "name": "chat", "spans": [{}]}', key=shop.api_key)
    score(shop.project, "t 1/é", 0.5)
    thumb(shop.project, "t 1/é", 1)

    before = Trace.objects.get()
    flush_all()
    after = Trace.objects.get()

    assert (before.is_known, before.span_count) == (False, 0)
    assert (after.pk, after.is_known, after.name, after.span_count) == (before.pk, True, "chat", 1)
    said = judgements_of(after.pk)
    assert ([each.value for each in said.scores], [each.value for each in said.feedback]) == ([0.5], [1])
    assert differences() == []


def test_an_id_that_is_only_part_of_a_waiting_one_is_not_known(client: Client, shop: NewProject, other: NewProject):
    post_signed(client, "/v1/traces", b'{"id": "abc", "name": "ab"}', key=shop.api_key)
    both = [shop.project.pk, other.project.pk]

    assert owners_of(project_ids=both, trace_id="abc") == {shop.project.pk}
    assert owners_of(project_ids=both, trace_id="ab") == set()
    with pytest.raises(TraceNotFound):
        score(shop.project, "ab", 1.0)


@pytest.mark.usefixtures("shared_database")
def test_scores_posted_at_once_leave_one_row_whoever_is_first(shop: NewProject):
    make_trace(shop.project)

    errors = at_once([partial(score, shop.project, "t1", value / 10) for value in range(8)])

    assert errors == []
    assert Score.objects.get().value in [value / 10 for value in range(8)]


@pytest.mark.usefixtures("shared_database")
def test_a_waiting_trace_is_judged_by_several_while_it_is_folded(client: Client, shop: NewProject):
    post_signed(client, "/v1/traces", b'{"id": "t1", "name": "chat"}', key=shop.api_key)
    judges: list[Callable[[], object]] = [
        partial(score, shop.project, "t1", 0.5, name=name) for name in ("a", "b", "c")
    ]

    errors = at_once([*judges, flush_all, partial(thumb, shop.project, "t1", 1)])
    flush_all()

    assert errors == []
    trace = Trace.objects.get()
    assert (trace.is_known, trace.scores.count(), trace.feedback.count()) == (True, 3, 1)
    assert differences() == []


def at_once(calls: list[Callable[[], object]]) -> list[Exception]:
    """Run each in a thread of its own, let go together; what they raised."""
    errors: list[Exception] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            start.wait()
            call()
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


# --- Reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "count", "rank"), [(10, 9, 1), (50, 9, 4), (90, 9, 7), (50, 2, 1), (50, 0, 0), (90, 1, 0), (10, 6, 1)]
)
def test_percentiles_stand_at_the_rounded_place_halves_up(percent: int, count: int, rank: int):
    assert rank_of(percent, count) == rank


def test_a_card_counts_a_name_in_fifths_with_lower_bounds_within(shop: NewProject):
    for number, value in enumerate([0.0, 0.19, 0.2, 0.4, 0.6, 0.79, 0.8, 1.0]):
        make_trace(shop.project, f"t{number}")
        score(shop.project, f"t{number}", value)
    score(shop.project, "t0", 0.5, name="tone")

    cards = score_cards(window(shop))

    assert cards == [
        ScoreCard("accuracy", 8, 0.4975, 0.0, 1.0, (2, 1, 1, 2, 2)),
        ScoreCard("tone", 1, 0.5, 0.5, 0.5, (0, 0, 1, 0, 0)),
    ]
    assert score_percentiles(window(shop), "accuracy") == {10: 0.19, 50: 0.6, 90: 0.8}


def test_what_was_judged_outside_the_window_or_elsewhere_is_not_in_it(shop: NewProject, other: NewProject):
    make_trace(shop.project)
    make_trace(other.project)
    score(shop.project, "t1", 0.1, at=T - 2 * DAY_MS)
    thumb(shop.project, "t1", 1, at=T - 2 * DAY_MS)
    score(other.project, "t1", 0.9)
    thumb(other.project, "t1", -1)

    assert score_cards(window(shop)) == []
    assert score_percentiles(window(shop), "accuracy") == {10: 0.0, 50: 0.0, 90: 0.0}
    assert thumbs(window(shop)) == Thumbs()
    assert [card.average for card in score_cards(window(shop, hours=720))] == [0.1]
    everywhere = Window(Reach(None), 24, T)
    assert [card.average for card in score_cards(everywhere)] == [0.9]
    assert score_cards(Window(Reach(None), 720, T)) == [ScoreCard("accuracy", 2, 0.5, 0.1, 0.9, (1, 0, 0, 0, 1))]
    assert thumbs(everywhere) == Thumbs(negative=1)


def test_thumbs_come_by_hour_then_by_day_and_empty_steps_are_there(shop: NewProject):
    for number, age in enumerate([0, HOUR_MS, HOUR_MS, 3 * DAY_MS]):
        make_trace(shop.project, f"t{number}")
        thumb(shop.project, f"t{number}", -1 if number == 1 else 1, at=T - age)

    hours = thumbs_over_time(window(shop))
    days = thumbs_over_time(window(shop, hours=168))

    assert [each.total for each in hours[-3:]] == [0, 2, 1]
    assert (len(hours), hours[-2].positive_rate) == (25, 50.0)
    assert sum(each.total for each in days) == 4
    assert len(days) == 8
    assert all(each.since_ms % DAY_MS == 0 for each in days)


def test_a_scores_traces_come_worst_or_newest_first_page_by_page_with_the_same_queries(shop: NewProject):
    for number in range(6):
        make_trace(shop.project, f"t{number}", name=f"name {number}")
        score(shop.project, f"t{number}", [0.5, 0.1, 0.9, 0.3, 0.7, 0.2][number], at=T - number)
        thumb(shop.project, f"t{number}", 1 if number % 2 else -1, at=T - number)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        worst = scored_traces(window(shop), "accuracy", worst=True, offset=1, limit=3)
    newest = scored_traces(window(shop), "accuracy", worst=False, offset=0, limit=2)
    steps = thumbs_over_time(window(shop))
    negative = feedback_list(window(shop), steps, value=-1, offset=0, limit=2)

    assert len(queries) == 3
    assert [each.value for each in worst] == [0.2, 0.3, 0.5]
    assert [(each.trace_id, each.trace_name, each.project_slug) for each in newest] == [
        ("t0", "name 0", "shop"),
        ("t1", "name 1", "shop"),
    ]
    assert [each.trace_id for each in negative] == ["t0", "t2"]

"""Sessions are what their traces say, whatever is sent, sent again, moved, updated or removed."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from llmtraces.models import Session, Trace
from llmtraces.queries.verify import differences
from llmtraces.retention import OldRollups, OldTraces
from projects.retention import Cutoffs, cutoffs
from projects.services.projects import NewProject
from tests.factories import make_project
from tests.ingest.conftest import at_once, await_a_waiter
from tests.llmtraces.made import make_traces, trace_of, update_trace

HOUR = hour_of(now_ms())


@pytest.fixture(autouse=True)
def all_adds_up(db: None):
    yield
    assert differences() == []


def turn(trace_id: str, *, at: int, **fields: Any) -> dict[str, Any]:
    return trace_of(trace_id, started_at=HOUR + at, **{"session_id": "c1", **fields})


def the_session() -> tuple[int, int, str | None]:
    row = Session.objects.get()
    return row.first_ms - HOUR, row.last_ms - HOUR, row.user_id


def test_a_session_begins_with_its_first_trace_and_ends_with_its_last(shop: NewProject):
    make_traces(shop.project, turn("t2", at=200), turn("t1", at=100))
    make_traces(shop.project, turn("t3", at=300))

    assert the_session() == (100, 300, None)


def test_a_session_is_the_first_users_who_is_named(shop: NewProject):
    make_traces(shop.project, turn("t1", at=100), turn("t3", at=300, user_id="late"))
    make_traces(shop.project, turn("t2", at=200, user_id="early"))

    assert the_session()[2] == "early"


def test_a_trace_sent_again_with_another_session_leaves_the_first(shop: NewProject):
    make_traces(shop.project, turn("t1", at=100, user_id="ann"), turn("t2", at=200, user_id="bob"))

    make_traces(shop.project, turn("t1", at=100, user_id="ann", session_id="c2"))

    rows = Session.objects.order_by("session_id").values_list("session_id", "first_ms", "last_ms", "user_id")
    assert list(rows) == [("c1", HOUR + 200, HOUR + 200, "bob"), ("c2", HOUR + 100, HOUR + 100, "ann")]


def test_a_session_without_a_trace_left_is_gone(shop: NewProject):
    make_traces(shop.project, turn("t1", at=100))

    make_traces(shop.project, turn("t1", at=100, session_id="c2"))

    assert [session.session_id for session in Session.objects.all()] == ["c2"]


def test_an_update_that_comes_before_its_trace_makes_no_session(shop: NewProject):
    update_trace(shop.project, "t1", status="error")
    assert not Session.objects.exists()

    make_traces(shop.project, turn("t1", at=100, user_id="ann"))

    assert the_session() == (100, 100, "ann")


def test_equal_ids_of_two_projects_are_two_sessions(shop: NewProject, other: NewProject):
    make_traces(shop.project, turn("t1", at=100))
    make_traces(other.project, turn("t1", at=200))

    assert sorted(Session.objects.values_list("first_ms", flat=True)) == [HOUR + 100, HOUR + 200]


def test_a_session_begins_later_when_its_old_traces_are_purged(shop: NewProject):
    old = HOUR - 200 * 24 * HOUR_MS
    make_traces(
        shop.project,
        {"id": "old", "session_id": "c1", "user_id": "ann", "started_at": old},
        {"id": "gone", "session_id": "c2", "started_at": old},
        turn("young", at=100, user_id="bob"),
    )

    purge(cutoffs(at_ms=now_ms()))

    assert the_session() == (100, 100, "bob")
    assert [trace.trace_id for trace in Trace.objects.all()] == ["young"]


def purge(at: Cutoffs) -> None:
    for purger in (OldTraces(), OldRollups()):
        while (batch := purger.find(at, place=None, limit=3)) is not None:
            purger.remove(batch.rows)


def test_a_batch_takes_as_many_statements_for_many_sessions_as_for_few(shop: NewProject):
    def statements(count: int, name: str) -> int:
        raws = [turn(f"{name}{each}", at=each, session_id=f"{name}{each}", user_id="ann") for each in range(count)]
        with CaptureQueriesContext(connection) as captured:
            make_traces(shop.project, *raws)
        return sum("llmtraces_session " in query["sql"] for query in captured.captured_queries)

    assert statements(2, "few") == statements(40, "many") == 4


def test_a_session_whose_row_is_wrong_is_named(shop: NewProject):
    make_traces(shop.project, turn("t1", at=100, user_id="ann"))
    Session.objects.update(last_ms=5)
    Session.objects.create(project=shop.project, session_id="made-up", first_ms=1, last_ms=1)

    found = differences()

    assert [line.partition(":")[0] for line in found] == [
        f"Session ('{shop.project.pk}', 'c1')",
        f"Session ('{shop.project.pk}', 'made-up')",
    ]
    Session.objects.filter(session_id="made-up").delete()
    Session.objects.update(last_ms=HOUR + 100)


TURN = st.tuples(
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from([None, "c1", "c2"]),
    st.sampled_from([None, "ann", "bob"]),
    st.integers(0, 3),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(batches=st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=4))
def test_sessions_are_right_after_whatever_comes(shop: NewProject, batches: list[list[tuple[str, str, str, int]]]):
    for batch in batches:
        make_traces(
            shop.project, *(turn(id_, at=at, session_id=session, user_id=user) for id_, session, user, at in batch)
        )

        assert differences() == []


@pytest.mark.postgres
def test_two_folds_of_one_session_at_once_forget_neither_trace(transactional_db: None):
    """The second waits for the session's row, and then sees what the first has committed."""
    project = make_project().project
    has_folded = threading.Event()

    def first() -> None:
        with transaction.atomic():
            make_traces(project, turn("t1", at=100, user_id="ann"))
            has_folded.set()
            await_a_waiter()

    def second() -> None:
        has_folded.wait(20)
        with transaction.atomic():
            make_traces(project, turn("t2", at=200, user_id="bob"))

    assert at_once([first, second]) == [None, None]
    assert the_session() == (100, 200, "ann")

"""Writes scores and feedback: of each name and of each user a trace has one, the last word.

A client posts a trace and judges it at once, before a flush has made the trace's row. Such a trace is in the buffer:
its row is made here, not known yet, exactly as an update that overtakes its trace makes it (`services.fold`); the fold
finds it and fills it in.
"""

from typing import Any

from django.db import IntegrityError, connection, transaction

from bloop_site.lib.db import insert_rows
from bloop_site.lib.turn import write_turn
from llmtraces.judging import FeedbackIn, ScoreIn
from llmtraces.queries.known import is_waiting

Key = tuple[str, str]  # project id, trace id


class TraceNotFound(Exception):
    """The project has no such trace, and none waits to be stored."""


# One statement, so that two clients at once are one after the other on both databases. The trace is looked up by it
# too: nothing can remove the trace in between, and no judgement is left without one.
PUT_SCORE = """
    INSERT INTO llmtraces_score (trace_id, project_id, name, value, source, comment, created_ms)
    SELECT id, project_id, %s, %s, %s, %s, %s FROM llmtraces_trace WHERE project_id = %s AND trace_id = %s
    ON CONFLICT (trace_id, name) DO UPDATE SET value = excluded.value, source = excluded.source,
        comment = excluded.comment, created_ms = excluded.created_ms
"""
PUT_FEEDBACK = """
    INSERT INTO llmtraces_feedback (trace_id, project_id, user_id, value, comment, created_ms)
    SELECT id, project_id, %s, %s, %s, %s FROM llmtraces_trace WHERE project_id = %s AND trace_id = %s
    ON CONFLICT (trace_id, user_id) DO UPDATE SET value = excluded.value, comment = excluded.comment,
        created_ms = excluded.created_ms
"""
MAKE_TRACE = """
    INSERT INTO llmtraces_trace (project_id, trace_id, is_known, name, posted_status, status, started_ms, received_ms)
"""


def put_score(*, project_id: str, trace_id: str, score: ScoreIn, now_ms: int) -> None:
    """Keep a score in place of the trace's earlier one of that name, in one transaction. Raises TraceNotFound."""
    judge(PUT_SCORE, (score.name, score.value, score.source, score.comment, now_ms), (project_id, trace_id), now_ms)


def put_feedback(*, project_id: str, trace_id: str, feedback: FeedbackIn, now_ms: int) -> None:
    """Keep a feedback in place of the same user's earlier one, in one transaction. Raises TraceNotFound."""
    judge(PUT_FEEDBACK, (feedback.user_id, feedback.value, feedback.comment, now_ms), (project_id, trace_id), now_ms)


def judge(statement: str, values: tuple[Any, ...], key: Key, now_ms: int) -> None:
    """Run the upsert, making the row of a trace that still waits. Raises TraceNotFound, having written nothing."""
    if written(statement, values, key):
        return
    if is_waiting(project_id=key[0], trace_id=key[1]):
        make_trace(key, now_ms)
    if not written(statement, values, key):  # without a row of ours, it may have been folded since we looked
        raise TraceNotFound


def written(statement: str, values: tuple[Any, ...], key: Key) -> bool:
    """Whether the trace is there, so that the judgement is kept."""
    try:
        with write_turn, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, (*values, *key))
            return bool(cursor.rowcount)
    except IntegrityError:  # the trace went, by retention, while PostgreSQL waited for who removed it
        return False


def make_trace(key: Key, now_ms: int) -> None:
    """The row of a trace that is not folded yet; if it has just been, that one stays."""
    row = (*key, False, "", "running", "running", now_ms, now_ms)
    with write_turn, transaction.atomic(), connection.cursor() as cursor:
        insert_rows(cursor, MAKE_TRACE, [row], then="ON CONFLICT (project_id, trace_id) DO NOTHING")

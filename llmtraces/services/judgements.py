"""Writes scores and feedback with their sums: of each name and of each user a trace has one, the last word.

A client posts a trace and judges it at once, before a flush has made the trace's row. Such a trace is in the buffer:
its row is made here, not known yet, exactly as an update that overtakes its trace makes it (`services.fold`); the fold
finds it and fills it in.
"""

from collections.abc import Callable, Collection
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from bloop_site.lib.db import insert_rows
from bloop_site.lib.turn import write_turn
from llmtraces.judging import FeedbackIn, ScoreIn
from llmtraces.models import Feedback, Score, Trace
from llmtraces.queries.known import is_waiting
from llmtraces.services.judgement_sums import ScoreMade, ThumbMade, write_feedback_sums, write_score_sums

Key = tuple[str, str]  # project id, trace id


class TraceNotFound(Exception):
    """The project has no such trace, and none waits to be stored."""


PUT_SCORE = """
    INSERT INTO llmtraces_score (trace_id, project_id, name, value, source, comment, created_ms)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (trace_id, name) DO UPDATE SET value = excluded.value, source = excluded.source,
        comment = excluded.comment, created_ms = excluded.created_ms
"""
PUT_FEEDBACK = """
    INSERT INTO llmtraces_feedback (trace_id, project_id, user_id, value, comment, created_ms)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (trace_id, user_id) DO UPDATE SET value = excluded.value, comment = excluded.comment,
        created_ms = excluded.created_ms
"""
MAKE_TRACE = """
    INSERT INTO llmtraces_trace (project_id, trace_id, is_known, name, posted_status, status, started_ms, received_ms)
"""


def put_score(*, project_id: str, trace_id: str, score: ScoreIn, now_ms: int) -> None:
    """Keep a score in place of the trace's earlier one of that name, in one transaction. Raises TraceNotFound."""

    def put(trace: int) -> None:
        earlier = scores_made(Score.objects.filter(trace=trace, name=score.name))
        row = (trace, project_id, score.name, score.value, score.source, score.comment, now_ms)
        with connection.cursor() as cursor:
            cursor.execute(PUT_SCORE, row)
        write_score_sums(came=[ScoreMade(project_id, now_ms, score.name, score.value)], gone=earlier)

    judge(put, (project_id, trace_id), now_ms)


def put_feedback(*, project_id: str, trace_id: str, feedback: FeedbackIn, now_ms: int) -> None:
    """Keep a feedback in place of the same user's earlier one, in one transaction. Raises TraceNotFound."""

    def put(trace: int) -> None:
        earlier = thumbs_made(Feedback.objects.filter(trace=trace, user_id=feedback.user_id))
        row = (trace, project_id, feedback.user_id, feedback.value, feedback.comment, now_ms)
        with connection.cursor() as cursor:
            cursor.execute(PUT_FEEDBACK, row)
        write_feedback_sums(came=[ThumbMade(project_id, now_ms, feedback.value)], gone=earlier)

    judge(put, (project_id, trace_id), now_ms)


def judge(put: Callable[[int], None], key: Key, now_ms: int) -> None:
    """Have the judgement put, making the row of a trace that still waits. Raises TraceNotFound, having written nothing.

    put: takes the trace's primary key, within the transaction.
    """
    if written(put, key):
        return
    if is_waiting(project_id=key[0], trace_id=key[1]):
        make_trace(key, now_ms)
    if not written(put, key):  # without a row of ours, it may have been folded since we looked
        raise TraceNotFound


def written(put: Callable[[int], None], key: Key) -> bool:
    """Whether the trace is there, so that the judgement is kept.

    Its row is locked: of two clients at once one sees what the other has put, and nobody removes the trace meanwhile.
    """
    project_id, trace_id = key
    with write_turn, transaction.atomic():
        rows = Trace.objects.filter(project_id=project_id, trace_id=trace_id).select_for_update(no_key=True)
        trace = rows.values_list("pk", flat=True).first()
        if trace is not None:
            put(trace)
    return trace is not None


def make_trace(key: Key, now_ms: int) -> None:
    """The row of a trace that is not folded yet; if it has just been, that one stays."""
    row = (*key, False, "", "running", "running", now_ms, now_ms)
    with write_turn, transaction.atomic(), connection.cursor() as cursor:
        insert_rows(cursor, MAKE_TRACE, [row], then="ON CONFLICT (project_id, trace_id) DO NOTHING")


# --- Removing ---------------------------------------------------------------------------------------------------------


def remove_scores(ids: Collection[int], *, by: str = "id") -> None:
    """Delete these scores and take them from their sums, in the caller's transaction. by: "trace_id" for traces'."""
    gone = deleted(f"DELETE FROM llmtraces_score WHERE {by} IN", ids, "project_id, created_ms, name, value")  # noqa: S608
    write_score_sums(gone=[ScoreMade(*row) for row in gone])


def remove_feedback(ids: Collection[int], *, by: str = "id") -> None:
    """As `remove_scores`."""
    gone = deleted(f"DELETE FROM llmtraces_feedback WHERE {by} IN", ids, "project_id, created_ms, value")  # noqa: S608
    write_feedback_sums(gone=[ThumbMade(*row) for row in gone])


def remove_judgements_of(trace_ids: Collection[int]) -> None:
    """Delete what was said of these traces, before they are removed; nobody judges them until that is done."""
    locked = Trace.objects.filter(pk__in=trace_ids).order_by("project_id", "trace_id").select_for_update()
    list(locked.values_list("pk", flat=True))
    remove_scores(trace_ids, by="trace_id")
    remove_feedback(trace_ids, by="trace_id")


def deleted(delete: str, ids: Collection[int], columns: str) -> list[tuple[Any, ...]]:
    """Run a DELETE of rows by these ids; the columns of those that were there."""
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"{delete} ({', '.join(['%s'] * len(ids))}) RETURNING {columns}", list(ids))
        return list(cursor.fetchall())


# --- As the sums count them -------------------------------------------------------------------------------------------


def scores_made(rows: QuerySet[Score]) -> list[ScoreMade]:
    """What these scores count for."""
    return [ScoreMade(*row) for row in rows.values_list("project_id", "created_ms", "name", "value")]


def thumbs_made(rows: QuerySet[Feedback]) -> list[ThumbMade]:
    """What this feedback counts for."""
    return [ThumbMade(*row) for row in rows.values_list("project_id", "created_ms", "value")]

"""Keeps sessions right: when each began and was last active, and whose it is, read from its traces anew."""

from collections.abc import Mapping
from typing import TypeAlias

from django.db import connection

from bloop_site.lib.db import insert_rows

SessionKey: TypeAlias = tuple[str, str]  # project id, session id
# Two folds of one session must not overwrite each other: whoever holds its row reads its traces in a later statement,
# which sees what the one before has committed.
LOCK = """
    ON CONFLICT (project_id, session_id) DO UPDATE SET session_id = excluded.session_id
    RETURNING id, project_id, session_id
"""
# Only a known trace has a session, so `is_known` need not be asked: the index `trace_by_session` answers alone.
OF_SESSION = """
    FROM llmtraces_trace AS trace
    WHERE trace.project_id = llmtraces_session.project_id AND trace.session_id = llmtraces_session.session_id
"""
BOUND = f"SELECT trace.started_ms {OF_SESSION} ORDER BY trace.started_ms"
REMOVE_EMPTY = "DELETE FROM llmtraces_session WHERE id IN ({ids}) AND NOT EXISTS (SELECT 1 {of_session})"
BOUNDS = (
    "UPDATE llmtraces_session SET first_ms = ({bound} LIMIT 1), last_ms = ({bound} DESC LIMIT 1) WHERE id IN ({ids})"
)
OWNERS = """
    UPDATE llmtraces_session SET user_id = (
        SELECT trace.user_id {of_session} AND trace.user_id IS NOT NULL ORDER BY trace.started_ms, trace.id LIMIT 1
    ) WHERE id IN ({ids})
"""


def write_sessions(touched: Mapping[SessionKey, bool]) -> None:
    """Make these sessions what their traces say, in four statements; who has no trace left is removed.

    touched: whether a trace that names a user came, changed or went. Only then traces are looked through for the first
    that does: a long session without users is not read again with each of its traces. Must run inside the transaction
    that wrote the traces, after it did; locks the rows in the order of their keys.
    """
    if not touched:
        return
    with connection.cursor() as cursor:
        locked = insert_rows(
            cursor,
            "INSERT INTO llmtraces_session (project_id, session_id, first_ms, last_ms)",
            [(*key, 0, 0) for key in sorted(touched)],
            then=LOCK,
            returning=True,
        )
        ids = [row[0] for row in locked]
        owners = [pk for pk, *key in locked if touched[key[0], key[1]]]
        for statement, of in ((REMOVE_EMPTY, ids), (BOUNDS, ids), (OWNERS, owners)):
            if of:
                places = ", ".join(["%s"] * len(of))
                cursor.execute(statement.format(ids=places, bound=BOUND, of_session=OF_SESSION), of)

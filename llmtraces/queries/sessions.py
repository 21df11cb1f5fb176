"""Sessions: which were active, and the traces of one (contract 8.5.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Sum

from llmtraces.models import Session, SessionHour, Trace
from llmtraces.queries.window import Window, in_reach
from projects.access import Reach

AMOUNTS = ("trace_count", "error_count", "total_tokens", "cost_micros")
SUMS: dict[str, Any] = {name: Sum(name) for name in AMOUNTS}


@dataclass(frozen=True)
class SessionRow:
    """A session with the sums of a window, or of all its time. first_ms, last_ms: of all its time."""

    project_id: str
    session_id: str
    user_id: str | None
    first_ms: int
    last_ms: int
    project_slug: str
    project_name: str
    trace_count: int = 0
    error_count: int = 0
    total_tokens: int = 0
    cost_micros: int = 0


def active_sessions(window: Window, *, user_id: str = "") -> QuerySet[Session]:
    """The sessions with a trace in the window, of one user if named; the last active first."""
    rows = window.own(Session.objects.filter(last_ms__gte=window.since_ms).select_related("project"))
    rows = rows.filter(user_id=user_id) if user_id else rows
    if window.ends_ms is not None:  # since then a session may have gone on
        of_session = {"project": OuterRef("project"), "session_id": OuterRef("session_id")}
        began = SessionHour.objects.filter(**of_session, **window.bounds("hour_ms"))
        rows = rows.filter(Exists(began.exclude(trace_count=0)), first_ms__lt=window.ends_ms)
    return rows.order_by("-last_ms", "-id")


def session_page(window: Window, *, user_id: str = "", limit: int, offset: int = 0) -> tuple[list[SessionRow], int]:
    """A part of the active sessions with their sums of the window, and how many there are. Three queries."""
    rows = active_sessions(window, user_id=user_id)
    return with_sums(rows[offset : offset + limit], window), rows.count()


def with_sums(sessions: QuerySet[Session] | Sequence[Session], window: Window | None = None) -> list[SessionRow]:
    """The sessions with the sums of their hours, of the window or all, in their order; in one query more."""
    listed = list(sessions)
    hours = SessionHour.objects.filter(
        project_id__in={session.project_id for session in listed},
        session_id__in={session.session_id for session in listed},
        **(window.bounds("hour_ms") if window else {}),
    )
    grouped: Any = hours.values("project_id", "session_id").annotate(**SUMS)
    sums = {(row.pop("project_id"), row.pop("session_id")): row for row in grouped}
    return [
        SessionRow(
            session.project_id,
            session.session_id,
            session.user_id,
            session.first_ms,
            session.last_ms,
            session.project.slug,
            session.project.name,
            **sums.get((session.project_id, session.session_id), {}),
        )
        for session in listed
    ]


def find_session(reach: Reach, session_id: str) -> SessionRow | None:
    """The reachable session with this id and the sums of all its time; of several projects' the last active one."""
    rows = in_reach(reach, Session.objects.filter(session_id=session_id).select_related("project"))
    return next(iter(with_sums(rows.order_by("-last_ms", "-id")[:1])), None)


def traces_of(session: SessionRow) -> QuerySet[Trace]:
    """The session's traces, the oldest first."""
    rows = Trace.objects.filter(project_id=session.project_id, session_id=session.session_id, is_known=True)
    return rows.order_by("started_ms", "id")

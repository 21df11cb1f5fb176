"""The pages of sessions: the list, and one session as a conversation."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.http import PageRequest
from bloop_site.lib.csv_files import iso
from bloop_site.lib.links import Chip, page_links, with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.pagination import page_of
from llmtraces.conversation import Side, side_of
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.links import trace_url
from llmtraces.models import Trace
from llmtraces.queries.sessions import SessionRow, active_sessions, find_session, with_sums
from llmtraces.queries.turns import Turn, turns_of

PAGE_SIZE = 50
TURNS = 25
CSV_ROWS = 10_000
HEADER = (
    "project",
    "session_id",
    "user_id",
    "traces",
    "errors",
    "total_tokens",
    "cost_micros",
    "first_trace_at",
    "last_trace_at",
)


@dataclass(frozen=True)
class ListedSession:
    """A row of the list and where it leads."""

    of: SessionRow
    url: str


@dataclass(frozen=True)
class ShownTurn:
    """A turn of the conversation: a trace, where it leads, and what both sides said, as far as it is kept."""

    trace: Trace
    url: str
    models: tuple[str, ...]
    asked: Side | None
    answered: Side | None


@llm_page
def sessions(request: PageRequest) -> HttpResponseBase:
    """The Sessions page, of one user if `user` names one; or its rows as CSV."""
    shell = shell_of(request)
    user_id = request.GET.get("user", "")
    found = active_sessions(shell.window, user_id=user_id)
    if wants_csv(request):
        return sessions_csv(shell, with_sums(found[:CSV_ROWS], shell.window))
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=found.count())
    rows = with_sums(found[page.offset : page.offset + PAGE_SIZE], shell.window)
    without = with_query(request.GET, user=None, page=None)
    context = {
        "rows": [ListedSession(row, session_url(row.project_slug, row.session_id)) for row in rows],
        "page": page_links(request.GET, page),
        "user_id": user_id,
        "controls": ("user",),
        "user_chips": [Chip("User", user_id, without)] if user_id else [],
        "without_user_url": without,
    }
    return answer(request, shell, "llm/sessions.html", context)


def session_url(project_slug: str, session_id: str) -> str:
    """The page of a session; its id stands in the query, for it may hold slashes."""
    shown = session_id.encode(errors="replace").decode()
    return f"{reverse('llm:session')}?{urlencode({'project': project_slug, 'id': shown})}"


def sessions_csv(shell: Shell, rows: list[SessionRow]) -> HttpResponse:
    """The sessions of the window, at most ten thousand, whatever page is shown."""
    cells = (
        (
            *(row.project_slug, row.session_id, row.user_id, row.trace_count, row.error_count),
            *(row.total_tokens, row.cost_micros, iso(row.first_ms), iso(row.last_ms)),
        )
        for row in rows
    )
    return csv_answer(shell, "sessions", HEADER, cells)


@llm_page
def session(request: PageRequest) -> HttpResponseBase:
    """The session of `?id=`, as a conversation. Without an id there is only the list."""
    shell = shell_of(request)
    if not request.GET.get("id"):
        return redirect(f"{reverse('llm:sessions')}{with_query(request.GET)}")
    found = find_session(shell.reach, request.GET["id"])
    if found is None:
        msg = "no such session"
        raise Http404(msg)
    page = page_of(wanted=request.GET.get("page"), size=TURNS, total=found.trace_count)
    turns = [shown_turn(found, turn) for turn in turns_of(found, limit=TURNS, offset=page.offset)]
    context: dict[str, Any] = {
        "session": found,
        "turns": turns,
        "page": page_links(request.GET, page),
        "has_texts": any(turn.asked or turn.answered for turn in turns),
        "back_url": f"{reverse('llm:sessions')}{with_query(request.GET, id=None, page=None)}",
    }
    return answer(request, shell, "llm/session.html", context)


def shown_turn(session: SessionRow, turn: Turn) -> ShownTurn:
    """A turn as the page shows it."""
    url = trace_url(session.project_slug, turn.trace.trace_id)
    return ShownTurn(turn.trace, url, turn.models, side_of(turn.input), side_of(turn.output))

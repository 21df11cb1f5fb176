"""Sessions: which were active, and the traces of one (contract 8.5.9)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import PageQuery, checked_query
from bloop_site.lib.pagination import clamp
from llmtraces.api.base import LlmView, WindowQuery
from llmtraces.api.read_schema import read
from llmtraces.api.traces import TraceEntrySerializer
from llmtraces.queries.sessions import find_session, session_page, traces_of

MAX_TRACES = 1_000


class SessionsQuery(WindowQuery):
    """A window, and whose sessions."""

    user_id = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)


class SessionQuery(PageQuery):
    """Which part of a session's traces. No window: a conversation is read from its beginning."""

    limit = serializers.IntegerField(default=MAX_TRACES, help_text=f"1 to {MAX_TRACES}")

    def validate_limit(self, value: int) -> int:
        return clamp(value, 1, MAX_TRACES)


class SessionRowSerializer(serializers.Serializer[Any]):
    """A session: counts and sums of the window, first and last of all its time."""

    session_id = serializers.CharField()
    project_id = serializers.CharField()
    user_id = serializers.CharField(allow_null=True, help_text="Of its first trace that names one.")
    trace_count = serializers.IntegerField()
    total_cost_micros = serializers.IntegerField(source="cost_micros")
    total_tokens = serializers.IntegerField()
    first_trace_at = serializers.IntegerField(source="first_ms", help_text="epoch milliseconds")
    last_trace_at = serializers.IntegerField(source="last_ms", help_text="epoch milliseconds")
    error_count = serializers.IntegerField(help_text="Traces with the status `error`.")


class SessionsSerializer(serializers.Serializer[Any]):
    sessions = SessionRowSerializer(many=True)
    total = serializers.IntegerField()
    window_hours = serializers.IntegerField()


class SessionSerializer(serializers.Serializer[Any]):
    """A session with its traces, the oldest first; sums of all of them, however many are listed."""

    session_id = serializers.CharField()
    project_id = serializers.CharField(allow_null=True)
    user_id = serializers.CharField(allow_null=True)
    traces = TraceEntrySerializer(many=True)
    trace_count = serializers.IntegerField()
    total_cost_micros = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class SessionListView(LlmView):
    @extend_schema(**read("list_llm_sessions", "Sessions, the last active first", SessionsSerializer, SessionsQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(SessionsQuery, request)
        window = self.window(request, query)
        rows, total = session_page(window, user_id=query["user_id"], limit=query["limit"], offset=query["offset"])
        answer = {"sessions": SessionRowSerializer(rows, many=True).data, "total": total}
        return Response({**answer, "window_hours": query["hours"]})


class SessionDetailView(LlmView):
    """One session; an unknown one has no traces, which is no error. Of several projects' equal ids the last active."""

    @extend_schema(**read("get_llm_session", "One session's traces, oldest first", SessionSerializer, SessionQuery))
    def get(self, request: Request, session_id: str) -> Response:
        query = checked_query(SessionQuery, request)
        found = find_session(self.reach(request), session_id)
        rows = traces_of(found)[query["offset"] : query["offset"] + query["limit"]] if found else ()
        return Response(
            {
                "session_id": session_id,
                "project_id": found.project_id if found else None,
                "user_id": found.user_id if found else None,
                "traces": TraceEntrySerializer(rows, many=True).data,
                "trace_count": found.trace_count if found else 0,
                "total_cost_micros": found.cost_micros if found else 0,
                "total_tokens": found.total_tokens if found else 0,
            }
        )

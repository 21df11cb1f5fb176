"""Search over traces (contract 8.5.7)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import checked_query
from llmtraces.api.base import WindowQuery
from llmtraces.api.read_schema import read
from llmtraces.api.traces import TraceEntrySerializer, TraceListView
from llmtraces.queries.search import MOST, matches
from llmtraces.queries.search_snippets import Find, finds
from llmtraces.queries.traces import traces_of


class SearchQuery(WindowQuery):
    """`search` and `q` are the same; the first that says something counts."""

    search = serializers.CharField(default="", allow_blank=True, help_text="plain words, all of which must be found")
    q = serializers.CharField(default="", allow_blank=True, help_text="as search")
    status = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)


class SnippetPieceSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    hit = serializers.BooleanField(help_text="whether it is what was searched for")


class SnippetSerializer(serializers.Serializer[Any]):
    """Where a trace was found, and the text there."""

    found_in = serializers.CharField(help_text="name, input, output, prompt, session, user, id, or of which span what")
    pieces = SnippetPieceSerializer(many=True)


class FoundTraceSerializer(TraceEntrySerializer):
    """A trace that was found."""

    snippet = SnippetSerializer(allow_null=True, required=False, help_text="absent without a query")

    class Meta(TraceEntrySerializer.Meta):
        fields = (*TraceEntrySerializer.Meta.fields, "snippet")  # type: ignore[assignment]


class FoundTracesSerializer(serializers.Serializer[Any]):
    traces = FoundTraceSerializer(many=True)
    total = serializers.IntegerField(help_text=f"of all that match before paging; with a query counted up to {MOST:,}")
    window_hours = serializers.IntegerField()
    query = serializers.CharField(required=False, help_text="as it was asked; absent without one")


class SearchView(TraceListView):
    """`GET /v1/llm/search`; without a query it is the list of traces, with its filters."""

    @extend_schema(
        **read("search_llm_traces", "Find traces by their words", FoundTracesSerializer, SearchQuery),
    )
    def get(self, request: Request) -> Response:
        query = checked_query(SearchQuery, request)
        text = query["search"] or query["q"]
        if not text:
            return self.listed(request)
        window = self.window(request, query)
        part = slice(query["offset"], query["offset"] + query["limit"])
        found = matches(window, text, status=query["status"])
        rows = traces_of(found.ids[part])
        how = finds(rows, found.words)
        return Response(
            {
                "traces": [
                    {**TraceEntrySerializer(row).data, "snippet": snippet_json(how.get(row.pk))} for row in rows
                ],
                "total": len(found.ids),
                "window_hours": window.hours,
                "query": text,
            }
        )


def snippet_json(find: Find | None) -> dict[str, Any] | None:
    """The place and the pieces of its text."""
    if find is None:
        return None
    return {"found_in": find.place, "pieces": [{"text": piece.text, "hit": piece.hit} for piece in find.pieces]}

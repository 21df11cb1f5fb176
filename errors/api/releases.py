"""The list of releases (an addition to contract 4.5)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.checked import PageQuery, checked_query
from errors.api import schema
from errors.api.issues import ErrorsView, page_headers
from errors.queries.releases import release_list, rows_of


class ReleaseQuery(PageQuery):
    q = serializers.CharField(default="", allow_blank=True, trim_whitespace=False, help_text="text within the name")


class ReleaseSerializer(serializers.Serializer[Any]):
    """A release and its figures. Events without a release are not listed."""

    project_id = serializers.CharField()
    release = serializers.CharField(source="name")
    first_seen = serializers.IntegerField(source="first_seen_ms")
    last_seen = serializers.IntegerField(source="last_seen_ms")
    total_count = serializers.IntegerField(help_text="events")
    new_errors = serializers.IntegerField(source="figures.new", help_text="errors whose first event came from it")
    regressed_errors = serializers.IntegerField(
        source="figures.regressed", help_text="resolved errors that came back with one of its events"
    )
    resolved_errors = serializers.IntegerField(
        source="figures.resolved", help_text="errors resolved while it was its project's newest"
    )
    newest = serializers.BooleanField(source="figures.is_newest", help_text="no release of its project appeared later")


class ReleaseListView(ErrorsView):
    @extend_schema(**schema.read("list_releases", ReleaseSerializer(many=True), ReleaseQuery))
    def get(self, request: Request) -> Response:
        query = checked_query(ReleaseQuery, request)
        limit, offset = query["limit"], query["offset"]
        found = release_list(self.reach(request), q=query["q"])
        rows = rows_of(found[offset : offset + limit].select_related("project"))
        headers = page_headers(request, total=found.count(), limit=limit, offset=offset)
        return Response(ReleaseSerializer(rows, many=True).data, headers=headers)

"""Source maps of a project (contract 5.6)."""

from typing import Any, ClassVar, cast

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import checked_query
from errors.api import schema, serializers
from errors.api.issues import page_response
from errors.queries.sourcemaps import maps_of
from errors.services.sourcemaps import SourceMapGone, delete_source_map, store_source_map
from errors.sourcemap import SourceMapInvalid
from errors.uploads import SentFile, UploadForm
from projects.access import may_manage, project_by_slug
from projects.models import ApiToken, Project
from projects.services.locking import ProjectGone
from projects.views import AuditedActs, ScopedView

NOT_YOURS = "only an admin or the project's creator may do this"


class SourceMapsBaseView(AuditedActs, ScopedView):
    """What is about one project: a token's own, or one that the session's user sees; changed by who manages it."""

    scopes: ClassVar[tuple[str, ...]] = ("sourcemaps:read",)
    write_scopes: ClassVar[tuple[str, ...]] = ("sourcemaps:write", "sourcemaps:upload")

    def seen(self, request: Request, slug: str) -> Project:
        """The project. Raises Http404 for one out of reach."""
        if isinstance(request.auth, ApiToken):
            if request.auth.project.slug != slug:
                raise Http404("project not found")
            return request.auth.project
        return project_by_slug(cast("User", request.user), slug)

    def managed(self, request: Request, slug: str) -> Project:
        """The project, to change its maps. Raises Http404, or ApiError 403 for a member who only may look."""
        project = self.seen(request, slug)
        if request.auth is None and not may_manage(cast("User", request.user), project):
            raise ApiError(NOT_YOURS, status=403)
        return project

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ProjectGone):
            exc = Http404("project not found")
        elif isinstance(exc, SourceMapInvalid):
            exc = ApiError(f"invalid source map: {exc}")
        return super().handle_exception(exc)


class SourceMapsView(SourceMapsBaseView):
    parser_classes = (UploadForm,)

    @extend_schema(
        **schema.of_maps(
            "list_source_maps", serializers.SourceMapSerializer(many=True), serializers.SourceMapQuery, paged=True
        )
    )
    def get(self, request: Request, slug: str) -> Response:
        project = self.seen(request, slug)
        query = checked_query(serializers.SourceMapQuery, request)
        rows = maps_of(project.pk, release=query["release"])
        return page_response(request, rows, serializers.SourceMapSerializer, query)

    @extend_schema(
        **schema.of_maps("upload_source_map", serializers.SourceMapSerializer, upload=serializers.SourceMapUpload)
    )
    def post(self, request: Request, slug: str) -> Response:
        project = self.managed(request, slug)
        form = cast("dict[str, Any]", request.data)
        release = form.get("release")
        if not isinstance(release, str) or not release.strip():
            raise ApiError("missing 'release' field")
        file = form.get("file")
        if not isinstance(file, SentFile) or not file.sent_name.strip():
            raise ApiError("missing file with filename")
        stored = store_source_map(
            project=project,
            release=release,
            filename=file.sent_name,
            content=file.read(),
            actor=self.actor(request),
            now=timezone.now(),
            token=self.token_name(request),
        )
        return Response(serializers.SourceMapSerializer(stored).data)


class SourceMapView(SourceMapsBaseView):
    @extend_schema(**schema.of_maps("delete_source_map", serializers.DeletedMapSerializer))
    def delete(self, request: Request, slug: str, map_id: str) -> Response:
        project = self.managed(request, slug)
        number = int(map_id) if map_id.isascii() and map_id.isdecimal() and len(map_id) < 19 else 0
        try:
            delete_source_map(
                project=project,
                map_id=number,
                actor=self.actor(request),
                now=timezone.now(),
                token=self.token_name(request),
            )
        except SourceMapGone:
            raise ApiError(f"source map {map_id} not found", status=404) from None
        return Response({"deleted": number})

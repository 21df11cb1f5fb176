"""What the OpenAPI file says of the endpoints beyond their serializers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from bloop_site.lib.checked import PageQuery
from bloop_site.lib.schema import problem
from errors.api import serializers
from ingest.schema import INGEST_PROBLEMS, SIGNED, SIGNED_NEEDS

PROJECT = OpenApiParameter("project_id", str, description="Sessions only: one project. Tokens have theirs.")


READ_PROBLEMS = {
    400: problem("A query parameter is wrong."),
    401: problem("No valid token or session."),
    403: problem("The token lacks the scope."),
}
UPLOAD_PROBLEMS = {
    413: problem("The request is larger than 5 MiB; the file may be sent as gzip."),
    415: problem("The body is not multipart/form-data."),
}
NOT_FOUND = {404: problem("No errors with this fingerprint within reach.")}
PAGED = [
    OpenApiParameter("X-Total-Count", int, OpenApiParameter.HEADER, response=[200], description="Rows in all."),
    OpenApiParameter(
        "Link",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="The next and previous page, where there is one.",
    ),
]
SUMMARIES = {
    "list_errors": "Errors, one row for each fingerprint, release and environment",
    "get_error": "One error: its releases and environments, its newest samples",
    "list_occurrences": "An error's events, newest first",
    "get_error_trend": "An error's events by the hour",
    "get_trends": "All events by the hour",
    "list_releases": "Releases, newest first, with what each brought, what came back in it and what was resolved",
    "list_release_errors": "The errors of one release, most frequent first",
    "get_error_history": "An error's status changes, newest first",
    "get_stats": "Counts of errors and events, and the busiest routes",
    "resolve_error": "Resolve; a new event reopens it",
    "ignore_error": "Ignore, whatever comes",
    "mute_error": "Mute, whatever comes",
    "unresolve_error": "Open again",
    "list_source_maps": "A project's source maps, newest first",
    "upload_source_map": "Upload a source map of a release, in the place of the one of the same filename",
    "delete_source_map": "Delete a source map",
    "ingest_event": "Send one event",
    "ingest_batch": "Send many events",
}


def described(operation_id: str, needs: str) -> dict[str, Any]:
    """The operation's id, the one line that says what it does, and what a caller needs."""
    return {"operation_id": operation_id, "summary": SUMMARIES[operation_id], "description": needs}


INGEST: dict[str, Any] = {
    **described("ingest_event", SIGNED_NEEDS),
    "tags": ["ingest"],
    "parameters": SIGNED,
    "request": serializers.IngestEventSerializer,
    "responses": {200: serializers.AcceptedSerializer, **INGEST_PROBLEMS},
    "auth": [],
}
INGEST_BATCH: dict[str, Any] = {
    **described("ingest_batch", SIGNED_NEEDS),
    "tags": ["ingest"],
    "parameters": SIGNED,
    "request": serializers.IngestBatchSerializer,
    "responses": {200: serializers.BatchAcceptedSerializer, **INGEST_PROBLEMS},
    "auth": [],
}


def read(operation_id: str, answer: Any, *parameters: Any, found: bool = False) -> dict[str, Any]:
    """The schema of a GET endpoint under a project filter. found: answers 404 for what is not there."""
    is_paged = any(isinstance(each, type) and issubclass(each, PageQuery) for each in parameters)
    return {
        **described(operation_id, "A token needs the scope `errors:read`."),
        "tags": ["errors"],
        "parameters": [PROJECT, *parameters, *(PAGED if is_paged else [])],
        "responses": {200: answer, **READ_PROBLEMS, **(NOT_FOUND if found else {})},
    }


WITH_BODY = ("resolve_error", "mute_error")


def change(operation_id: str) -> dict[str, Any]:
    """The schema of a status change."""
    return {
        **described(operation_id, "A token needs the scope `errors:write`."),
        "tags": ["errors"],
        "parameters": [PROJECT],
        "request": serializers.ChangeBody if operation_id in WITH_BODY else None,
        "responses": {200: serializers.StatusChangedSerializer, **READ_PROBLEMS, **NOT_FOUND},
    }


def of_maps(
    operation_id: str, answer: Any, *parameters: Any, upload: Any = None, paged: bool = False
) -> dict[str, Any]:
    """The schema of an endpoint of source maps. upload: the form it takes."""
    scope = "sourcemaps:read" if operation_id.startswith("list") else "sourcemaps:write"
    problems = {
        **READ_PROBLEMS,
        403: problem("The token lacks the scope, or the project is somebody else's to manage."),
        404: problem("There is none within reach."),
    }
    if upload:
        problems |= {400: problem("A field is missing, or the file is no source map."), **UPLOAD_PROBLEMS}
    return {
        **described(operation_id, f"A token needs the scope `{scope}`; a session, for changes, to manage the project."),
        "tags": ["source maps"],
        "parameters": [*parameters, *(PAGED if paged else [])],
        "request": {"multipart/form-data": upload} if upload else None,
        "responses": {200: answer, **problems},
    }

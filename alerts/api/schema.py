"""What the OpenAPI file says of alerts, beyond their serializers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from bloop_site.lib.schema import problem

PROJECT = OpenApiParameter(
    "project_id", str, description="Sessions only: rules of one project, and of all. Tokens have theirs."
)
SUMMARIES = {
    "list_alerts": "Alert rules within reach, and those of all projects",
    "create_alert": "Make an alert rule",
    "update_alert": "Change an alert rule",
    "delete_alert": "Delete an alert rule",
    "list_alert_channels": "Where a rule's alerts go",
    "add_alert_channel": "Add a channel to a rule",
    "remove_alert_channel": "Remove a channel of a rule",
    "test_alert": "Send a test message through every channel of a rule",
}
WRITES = (
    "A token with `alerts:write`, for its own project; or a session: of who manages the project, of an admin for rules"
    " of all projects."
)


def reading(operation_id: str, answer: Any, *parameters: Any, found: bool = False) -> dict[str, Any]:
    """The schema of a GET endpoint. found: answers 404 for a rule that is not there."""
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "description": "A token with `alerts:read`, or a session.",
        "tags": ["alerts"],
        "parameters": list(parameters),
        "responses": {
            200: answer,
            400: problem("A parameter is wrong."),
            401: problem("No valid token or session."),
            403: problem("The token lacks the scope."),
            **({404: problem("No such rule.")} if found else {}),
        },
    }


def writing(operation_id: str, answer: Any, *, request: Any = None, limited: bool = False) -> dict[str, Any]:
    """The schema of an endpoint that changes something. limited: answers 429 to who asks too often."""
    of_body = {
        413: problem("The body is too large."),
        415: problem("The body is not JSON."),
        422: problem("A field is missing or of the wrong type; the text says which."),
    }
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "description": WRITES,
        "tags": ["alerts"],
        "request": request,
        "responses": {
            200: answer,
            400: problem("The request is wrong, or names a rule type, an address or a value that cannot be taken."),
            401: problem("No valid token or session."),
            403: problem("The token lacks the scope, or the caller may only look."),
            404: problem("No such rule, channel or project."),
            **(of_body if request else {}),
            **({429: problem("Too many tests of this project's rules; see Retry-After.")} if limited else {}),
        },
    }

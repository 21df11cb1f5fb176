"""What the OpenAPI file says of the endpoints of projects, members and tokens beyond their serializers."""

from typing import Any

from bloop_site.lib.schema import problem

SESSION_NEEDS = "A session; tokens do not count."
MANAGER_NEEDS = "A session of an admin or of the project's creator; tokens do not count."
SUMMARIES = {
    "list_projects": "Projects, the oldest first",
    "create_project": "Make a project; the answer has its API key",
    "get_project": "One project",
    "update_project": "Rename a project",
    "delete_project": "Delete a project with everything in it, in the background",
    "rotate_project_key": "Give a project a new API key; the old one ends at once, or after a grace period",
    "list_members": "Who belongs to a project; admins need not",
    "add_member": "Let a person into a project, by id or name",
    "remove_member": "Take a person out of a project",
    "list_tokens": "A project's API tokens, the newest first, revoked ones too",
    "create_token": "Make an API token; the answer has its secret",
    "revoke_token": "Revoke an API token, at once",
    "get_retention": "For how many days data is kept, and how much there is",
    "set_retention": "Set for how many days data is kept; all of it is taken, or nothing",
    "purge": "Remove what is too old, now; an empty body counts as confirmed",
}
OPEN_TO_ALL = ("list_projects", "create_project", "get_project")


def described(
    operation_id: str, answer: Any, *parameters: Any, request: Any = None, found: bool = True, status: int = 200
) -> dict[str, Any]:
    """The schema of an endpoint. found: answers 404 for what is not there."""
    problems = {
        400: problem("The body or a parameter is wrong."),
        401: problem("No valid session."),
        403: problem("The project is somebody else's to manage, or the request came from another site."),
        **({404: problem("There is none within reach.")} if found else {}),
        **({413: problem("The body is too large."), 415: problem("The body is not JSON.")} if request else {}),
    }
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "description": SESSION_NEEDS if operation_id in OPEN_TO_ALL else MANAGER_NEEDS,
        "tags": ["projects"],
        "parameters": list(parameters),
        "request": request,
        "responses": {status: answer, **problems},
    }


def of_retention(operation_id: str, answer: Any, *, request: Any = None) -> dict[str, Any]:
    """The schema of an endpoint of retention."""
    problems = {
        401: problem("No valid session; tokens do not count."),
        403: problem("The session is not an admin's, or the request came from another site."),
        400: problem("The body is wrong; nothing was changed."),
        **({413: problem("The body is too large."), 415: problem("The body is not JSON.")} if request else {}),
    }
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "description": "A session of an admin.",
        "tags": ["retention"],
        "request": request,
        "responses": {200: answer, **problems},
    }

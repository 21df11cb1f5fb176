"""What the OpenAPI file says of the admins' endpoints beyond their serializers."""

from typing import Any

from bloop_site.lib.schema import problem

ADMIN_NEEDS = "A session of an admin."
SUMMARIES = {
    "list_users": "People, the oldest account first",
    "delete_user": "Remove a person; their projects, tokens and history stay",
    "change_role": "Make a person an admin or a member",
    "reset_accounts": "Remove every account and every way in",
    "list_invites": "Invites, the newest first",
    "create_invite": "Invite one person, for 7 days",
    "revoke_invite": "Revoke an invite that nobody used",
}
LAST_ADMIN = ("delete_user", "change_role")
ADMIN_PROBLEMS = {
    400: problem("The body or a parameter is wrong, or this may not be done to one's own account."),
    401: problem("No valid session; tokens do not count."),
    403: problem("The session is not an admin's."),
}


def admin(operation_id: str, answer: Any, *, request: Any = None, found: bool = False) -> dict[str, Any]:
    """The schema of an admin endpoint. found: answers 404 for what is not there."""
    problems = {
        **ADMIN_PROBLEMS,
        **({404: problem("There is none with this id.")} if found else {}),
        **({413: problem("The body is too large."), 415: problem("The body is not JSON.")} if request else {}),
        **({409: problem("Nobody would be left to administer Bloop.")} if operation_id in LAST_ADMIN else {}),
    }
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "description": ADMIN_NEEDS,
        "tags": ["people"],
        "request": request,
        "responses": {200: answer, **problems},
    }

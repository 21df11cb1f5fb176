"""What the OpenAPI file says of the sign-in endpoints beyond their serializers."""

from typing import Any

from bloop_site.lib.schema import problem

PROBLEMS = {
    400: problem("The body is wrong, or there is no such ceremony to finish (any more)."),
    413: problem("The body is too large."),
    415: problem("The body is not application/json."),
    429: problem("Too many attempts from this address or at this account; see Retry-After."),
}
NOT_PROVEN = {401: problem("Whoever sent this is not who they say, or nobody we know.")}
CLOSED = {403: problem("Somebody exists already, or this came without the first link or the setup token.")}
NOT_SIGNED_IN = {401: problem("No valid session.")}
NOT_FRESH = {403: problem("The session has to be verified first.")}
SUMMARIES = {
    "auth_status": "Whether anybody has an account yet",
    "register_start": "Begin to make the first admin",
    "register_finish": "Make the first admin with a passkey, and sign in",
    "login_start": "Begin to sign in",
    "login_finish": "Sign in with a passkey",
    "invite_register_start": "Begin to join by an invite",
    "invite_register_finish": "Join with a passkey, and sign in",
    "logout": "Sign out",
    "recover": "Sign in with a recovery code",
    "passkey_start": "Begin to add a passkey",
    "passkey_finish": "Add a passkey",
    "verify_start": "Begin to verify the session",
    "verify_finish": "Verify the session with a passkey",
}


def described(operation_id: str, request: Any, answer: Any, *problems: dict[int, Any]) -> dict[str, Any]:
    """The schema of a sign-in endpoint. problems: what it refuses beyond what all do."""
    refused: dict[int, Any] = dict(PROBLEMS)
    for each in problems:
        refused |= each
    return {
        "operation_id": operation_id,
        "summary": SUMMARIES[operation_id],
        "tags": ["sign-in"],
        "request": request,
        "responses": {200: answer, **dict(sorted(refused.items()))},
    }

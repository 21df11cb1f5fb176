"""What the OpenAPI file says of the endpoints that read traces, beyond their serializers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from bloop_site.lib.schema import problem

PROJECT = OpenApiParameter("project_id", str, description="Sessions only: one project. Tokens have theirs.")
READ_PROBLEMS = {
    400: problem("A query parameter is wrong."),
    401: problem("No valid token or session."),
    403: problem("The token lacks the scope."),
    404: problem("LLM tracing is switched off."),
}


def read(operation_id: str, summary: str, answer: Any, *parameters: Any, missing: str = "") -> dict[str, Any]:
    """The schema of a GET endpoint under a project filter. missing: what else a 404 says."""
    found = {404: problem(f"{missing}, or LLM tracing is switched off.")} if missing else {}
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": "Needs the scope llm:read or errors:read, or a session.",
        "tags": ["llm"],
        "parameters": [PROJECT, *parameters],
        "responses": {200: answer, **READ_PROBLEMS, **found},
    }

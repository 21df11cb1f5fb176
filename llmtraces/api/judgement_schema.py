"""What the OpenAPI file says of scores and feedback beyond their serializers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from bloop_site.lib.schema import problem
from ingest.schema import INGEST_PROBLEMS, header
from llmtraces.api import judgement_serializers as serializers
from llmtraces.api.base import WindowQuery

PROJECT = OpenApiParameter("project_id", str, description="Sessions only: one project. Tokens have theirs.")
SIGNATURE = [
    header("X-Signature", "Instead of a token or session: signed with the project's API key, as traces are."),
    header("X-Project-Key", "With X-Signature: the project's API key."),
]
READ_NEEDS = "A token with llm:read or errors:read, or a session."
WRITE_NEEDS = "A token with llm:write or errors:read, a session, or a body signed with the project's API key."
PROBLEMS = {
    400: problem("A parameter is wrong, or several projects have a trace with this id."),
    401: problem("No valid token, session or signature."),
    403: problem("The token lacks the scope."),
    404: problem("LLM tracing is switched off."),
}


def operation(operation_id: str, summary: str, answer: Any, *parameters: Any) -> dict[str, Any]:
    """The schema of a GET endpoint."""
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": READ_NEEDS,
        "tags": ["llm"],
        "parameters": [PROJECT, *parameters],
        "responses": {200: answer, **PROBLEMS},
    }


def judging(operation_id: str, summary: str, request: Any) -> dict[str, Any]:
    """The schema of a POST endpoint, which a signature opens too."""
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": WRITE_NEEDS,
        "tags": ["llm"],
        "parameters": [PROJECT, *SIGNATURE],
        "request": request,
        "responses": {
            200: serializers.JudgedSerializer,
            **INGEST_PROBLEMS,
            **PROBLEMS,
            404: problem("No such trace, or LLM tracing is switched off."),
        },
    }


POST_SCORE = judging(
    "score_trace", "Score a trace; the same name again replaces the score", serializers.ScoreInSerializer
)
GET_SCORES = operation("list_trace_scores", "A trace's scores, newest first", serializers.ScoresSerializer)
POST_SCORE_ALIAS = judging("score_trace_alias", "Another address for scoring a trace", serializers.ScoreInSerializer)
GET_SCORES_ALIAS = operation(
    "list_trace_scores_alias", "Another address for a trace's scores", serializers.ScoresSerializer
)
POST_FEEDBACK = judging(
    "rate_trace", "A person's thumb on a trace; the same person's next replaces it", serializers.FeedbackInSerializer
)
GET_FEEDBACK = operation("list_trace_feedback", "A trace's feedback, newest first", serializers.FeedbackListSerializer)
SCORE_SUMMARY = operation(
    "summarize_scores",
    "One score's average, percentiles and distribution in a window, and every score's average, least and most",
    serializers.ScoreSummarySerializer,
    serializers.SummaryQuery,
)
FEEDBACK_SUMMARY = operation(
    "summarize_feedback",
    "How much feedback of a window is positive",
    serializers.FeedbackSummarySerializer,
    WindowQuery,
)

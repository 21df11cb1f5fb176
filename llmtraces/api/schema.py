"""What the OpenAPI file says of the trace endpoints beyond their serializers."""

from typing import Any

from bloop_site.lib.schema import problem
from ingest.schema import INGEST_PROBLEMS, SIGNED, SIGNED_NEEDS
from llmtraces.api import serializers


def signed(operation_id: str, summary: str, request: Any, answer: Any) -> dict[str, Any]:
    """The schema of a signed endpoint."""
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": SIGNED_NEEDS,
        "tags": ["traces"],
        "parameters": SIGNED,
        "request": request,
        "responses": {200: answer, **INGEST_PROBLEMS, 404: problem("No such trace, or LLM tracing is switched off.")},
        "auth": [],
    }


POST_TRACE = signed("post_trace", "Send one trace", serializers.TraceInSerializer, serializers.TraceAcceptedSerializer)
POST_TRACES = signed(
    "post_traces", "Send many traces", serializers.TraceBatchInSerializer, serializers.TracesAcceptedSerializer
)
PUT_TRACE = signed(
    "put_trace", "Update a trace", serializers.TraceUpdateInSerializer, serializers.TraceUpdatedSerializer
)

"""Whether a trace is there, folded or still waiting."""

from ingest import buffer
from llmtraces.contract import TraceIn, decode_entries
from llmtraces.models import Trace

MAX_WAITING = 2_000


def is_known(*, project_id: str, trace_id: str) -> bool:
    """Whether the project has this trace or has just sent it: a PUT must not be lost to the buffer (8.1.3)."""
    if Trace.objects.filter(project_id=project_id, trace_id=trace_id, is_known=True).exists():
        return True
    return any(
        isinstance(entry, TraceIn) and entry.trace_id == trace_id
        for body in buffer.waiting_bodies(kind="traces", project_id=project_id, limit=MAX_WAITING)
        for entry in decode_entries(body)
    )

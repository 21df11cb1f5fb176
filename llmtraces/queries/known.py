"""Whether a trace is there, folded or still waiting."""

from collections.abc import Collection

from ingest import buffer
from llmtraces.contract import TraceIn, decode_entries
from llmtraces.models import Trace


def is_known(*, project_id: str, trace_id: str) -> bool:
    """Whether the project has this trace or has just sent it: a PUT must not be lost to the buffer (8.1.3)."""
    return bool(owners_of(project_ids=[project_id], trace_id=trace_id))


def is_waiting(*, project_id: str, trace_id: str) -> bool:
    """Whether the project has just sent this trace and no flush has stored it yet."""
    return bool(waiting_owners([project_id], trace_id))


def owners_of(*, project_ids: Collection[str], trace_id: str) -> set[str]:
    """Which of these projects have this trace, or have just sent it."""
    stored, waiting = stored_owners(project_ids, trace_id), waiting_owners(project_ids, trace_id)
    # A flush may have moved it from the one to the other between the two looks.
    return stored | waiting or stored_owners(project_ids, trace_id)


def stored_owners(project_ids: Collection[str], trace_id: str) -> set[str]:
    """Which of these projects have it in their table; found in the index of ids."""
    rows = Trace.objects.filter(project_id__in=project_ids, trace_id=trace_id, is_known=True)
    return set(rows.values_list("project_id", flat=True))


def waiting_owners(project_ids: Collection[str], trace_id: str) -> set[str]:
    """Which of these projects have it in the buffer. An id stands in a body as its UTF-8, so the others stay there."""
    held = trace_id.encode(errors="replace")
    return {
        project_id
        for project_id, body in buffer.waiting_bodies(kind="traces", project_ids=project_ids, holding=held)
        if any(isinstance(entry, TraceIn) and entry.trace_id == trace_id for entry in decode_entries(body))
    }

"""Traces for tests, folded as if they had come."""

from typing import Any

from bloop_site.lib.clock import now_ms
from llmtraces.contract import Rules, parse_trace, parse_update
from llmtraces.services.fold import record_traces
from projects.models import Project

FULL = Rules(policy="full", max_spans=1000)


def make_traces(project: Project, *raws: dict[str, Any], rules: Rules = FULL) -> None:
    """Fold traces as a client would send them; begun now unless they say when."""
    at = now_ms()
    record_traces([(project.pk, at, parse_trace(raw, rules=rules, now_ms=at)) for raw in raws])


def update_trace(project: Project, trace_id: str, **fields: Any) -> None:
    """Fold a PUT."""
    at = now_ms()
    record_traces([(project.pk, at, parse_update(fields, trace_id=trace_id, rules=FULL, now_ms=at))])


def span_of(**fields: Any) -> dict[str, Any]:
    """A generation span: 100 + 50 tokens, $0.0025, 1.2 s."""
    return {
        "id": "s1",
        "name": "chat",
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 100,
        "output_tokens": 50,
        "cost": 0.0025,
        "latency_ms": 1200,
        **fields,
    }


def trace_of(trace_id: str, **fields: Any) -> dict[str, Any]:
    """A trace with one span."""
    return {"id": trace_id, "name": "chat", "spans": [span_of()], **fields}

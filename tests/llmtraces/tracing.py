"""Traces for tests of pages: posted through the fold, with texts kept unless told otherwise."""

from typing import Any

from django.db import transaction

from bloop_site.lib.clock import now_ms
from llmtraces.contract import Rules, parse_trace
from llmtraces.services.fold import record_traces
from projects.models import Project


def span_json(span_id: str, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    """A span as an SDK sends it."""
    return {
        "id": span_id,
        "parent_span_id": parent,
        "name": f"step {span_id}",
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 100,
        "output_tokens": 50,
        "cost": 0.0025,
        "latency_ms": 1200,
        **fields,
    }


def make_trace(project: Project, trace_id: str = "t1", *, policy: str = "full", **fields: Any) -> None:
    """A stored trace; of one span unless `spans` says otherwise."""
    at = now_ms()
    given = {
        "id": trace_id,
        "name": "chat",
        "started_at": at - 1200,
        "ended_at": at,
        "spans": [span_json("s1", started_at=at - 1200)],
        **fields,
    }
    parsed = parse_trace(given, rules=Rules(policy=policy, max_spans=10_000), now_ms=at)
    with transaction.atomic():
        record_traces([(project.pk, at, parsed)])

"""Traces to judge, and judgements made by the services: what tests of scores and feedback share."""

from django.db import transaction

from llmtraces.contract import Rules, parse_trace
from llmtraces.judging import parse_feedback, parse_score
from llmtraces.services.fold import record_traces
from llmtraces.services.judgements import put_feedback, put_score
from projects.models import Project

T = 1_760_000_000_000


def make_trace(project: Project, trace_id: str = "t1", *, at: int = T, name: str = "chat") -> None:
    """A stored trace of one span."""
    raw = {"id": trace_id, "name": name, "started_at": at, "spans": [{"id": "s1", "model": "gpt-4o"}]}
    trace = parse_trace(raw, rules=Rules(policy="none", max_spans=10), now_ms=at)
    with transaction.atomic():
        record_traces([(project.pk, at, trace)])


def score(project: Project, trace_id: str, value: float, *, name: str = "accuracy", at: int = T, **more: str) -> None:
    """Score a trace."""
    checked = parse_score({"name": name, "value": value, **more})
    put_score(project_id=project.pk, trace_id=trace_id, score=checked, now_ms=at)


def thumb(project: Project, trace_id: str, value: int, *, user: str = "u1", at: int = T, comment: str = "") -> None:
    """A person's feedback on a trace."""
    checked = parse_feedback({"user_id": user, "value": value, "comment": comment})
    put_feedback(project_id=project.pk, trace_id=trace_id, feedback=checked, now_ms=at)

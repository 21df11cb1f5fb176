"""Old traces go with their spans, texts and rollups; what is young stays, and so does what is another's."""

import pytest
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, day_of, now_ms
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import Durations, Span, SpanText, Trace, TraceText, UsageHour
from llmtraces.queries.verify import differences
from llmtraces.retention import OldRollups, OldTraces
from llmtraces.services.fold import record_traces
from projects.models import Project
from projects.retention import Cutoffs, cutoffs
from projects.services.projects import NewProject
from projects.services.removal import continue_removal, request_removal


def post(project: Project, trace_id: str, *, days_ago: float) -> None:
    at = now_ms() - int(days_ago * DAY_MS)
    span = {"id": "s", "model": "gpt-4o", "input_tokens": 1, "input": "x", "latency_ms": 5}
    raw = {"id": trace_id, "started_at": at, "ended_at": at + 5, "input": "x", "spans": [span], "session_id": "c"}
    record_traces([(project.pk, at, parse_trace(raw, rules=Rules("full", 10), now_ms=now_ms()))])


def purge(purger: OldTraces | OldRollups, at: Cutoffs) -> int:
    removed = 0
    while (batch := purger.find(at, place=None, limit=3)) is not None:
        removed += purger.remove(batch.rows)
    return removed


@pytest.fixture
def at(shop: NewProject) -> Cutoffs:
    for number in range(5):
        post(shop.project, f"old{number}", days_ago=120)
    post(shop.project, "young", days_ago=1)
    return cutoffs(at_ms=now_ms())


def test_old_traces_go_with_all_that_hangs_on_them(at: Cutoffs):
    counted = OldTraces().count(at)

    removed = purge(OldTraces(), at)

    assert (counted, removed) == (10, 10)
    assert [trace.trace_id for trace in Trace.objects.all()] == ["young"]
    assert [model.objects.count() for model in (Span, SpanText, TraceText)] == [1, 1, 1]


def test_after_a_pass_the_rollups_are_what_the_rows_add_up_to(at: Cutoffs):
    purge(OldTraces(), at)

    assert purge(OldRollups(), at) > 0

    assert differences() == []
    assert (UsageHour.objects.count(), Durations.objects.count()) == (1, 2)


def test_traces_go_with_their_project_and_no_others(at: Cutoffs, shop: NewProject, other: NewProject):
    post(other.project, "theirs", days_ago=1)

    requested = request_removal(project=shop.project, actor=COMMAND_LINE, now=timezone.now())
    assert continue_removal(removal_id=requested.pk, now=timezone.now(), seconds=30)

    assert [trace.trace_id for trace in Trace.objects.all()] == ["theirs"]
    assert differences() == []


def test_traces_across_the_midnight_of_the_cutoff_leave_rollups_that_add_up(shop: NewProject):
    at = cutoffs(at_ms=now_ms())
    midnight = day_of(at.hourly_ms)
    for number, (began, span_began) in enumerate([(-1000, 1000), (1000, -1000)]):
        tool = {"id": "t", "span_type": "tool", "name": "look up", "latency_ms": 5, "started_at": midnight + span_began}
        retrieval = {**tool, "id": "r", "span_type": "retrieval", "metadata": {"rag.chunks_retrieved": 3}}
        call = {"id": "s", "model": "gpt-4o", "input_tokens": 1, "latency_ms": 5, "started_at": midnight + span_began}
        raw = {"id": f"t{number}", "started_at": midnight + began, "spans": [call, tool, retrieval]}
        parsed = parse_trace(raw, rules=Rules("full", 10), now_ms=now_ms())
        record_traces([(shop.project.pk, now_ms(), parsed)])
    assert differences() == []

    purge(OldTraces(), at)
    purge(OldRollups(), at)

    assert [trace.trace_id for trace in Trace.objects.all()] == ["t1"]
    assert not UsageHour.objects.filter(hour_ms=midnight).exclude(span_count=0).exists()
    assert differences(since_ms=midnight) == []

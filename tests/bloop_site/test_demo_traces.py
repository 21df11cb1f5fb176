"""The demo's LLM traces: enough of everything that every tab of the section has something to show."""

import json
from datetime import UTC, datetime

import pytest
from django.db.models import Avg, Count, Q

from bloop_site.demo.generate import play
from bloop_site.lib.clock import DAY_MS
from errors.models import Event
from ingest import buffer
from llmtraces.models import Feedback, LlmSettings, Score, Span, SpanText, Trace, TraceHour, TraceText
from llmtraces.queries.verify import differences

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.mark.django_db
def test_demo_traces_have_every_kind_of_thing_the_section_shows_and_add_up():
    done = play(now=NOW)

    assert done is not None
    traces = Trace.objects.filter(is_known=True)
    assert 1_300 < traces.count() == done.traces < 1_700
    assert traces.values("project").distinct().count() == 2
    assert TraceHour.objects.values("hour_ms").distinct().count() > 250
    assert min(traces.values_list("started_ms", flat=True)) < NOW_MS - 13 * DAY_MS
    assert max(traces.values_list("started_ms", flat=True)) < NOW_MS
    assert set(traces.values_list("status", flat=True)) == {"completed", "error", "running"}
    assert traces.filter(span_count=2_000).count() == 1
    assert {"gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "claude-haiku-4-5"} <= models()
    assert set(Span.objects.filter(model="qwen2.5-72b-local").values_list("cost_source", flat=True)) == {"unknown"}
    assert Span.objects.filter(cached_tokens__gt=0, ttft_ms__gt=0).count() > 100
    assert Span.objects.filter(name="web_search", status="error", error_message__contains="timed out").exists()
    assert Span.objects.filter(status="error", error_message__contains="Rate limit").exists()
    assert SpanText.objects.filter(metadata__contains="rag.relevance_scores").count() > 500
    assert TraceText.objects.filter(input__contains="注文").exists()
    assert Score.objects.values("name").distinct().count() == 6
    assert set(Feedback.objects.values_list("value", flat=True)) == {1, -1}
    assert Feedback.objects.filter(comment__isnull=False).count() > 20
    assert LlmSettings.objects.filter(content_storage="full", monthly_budget_micros__gt=0).count() == 2
    assert (buffer.waiting_items(), buffer.dead_items()) == (0, 0)
    expect_better_versions()
    expect_named_traces()
    assert differences() == []


def models() -> set[str]:
    """All models of spans."""
    return set(Span.objects.values_list("model", flat=True).distinct())


def expect_better_versions() -> None:
    """Each version of the prompt costs less than the one before, and fails less often in the end."""
    versions = list(
        Trace.objects.filter(prompt_name="support-answer")
        .values("prompt_version")
        .annotate(cost=Avg("cost_micros"), failed=Count("pk", filter=Q(status="error")) * 1.0 / Count("pk"))
        .order_by("prompt_version")
    )
    assert [each["prompt_version"] for each in versions] == ["1", "2", "3"]
    assert versions[0]["cost"] > 1.3 * versions[1]["cost"] > 3 * versions[2]["cost"]
    assert versions[0]["failed"] > versions[2]["failed"]


def expect_named_traces() -> None:
    """Error events name, in their metadata, traces that failed."""
    events = Event.objects.filter(metadata__contains='"trace_id"')
    assert events.count() >= 3
    for metadata in events.values_list("metadata", flat=True):
        assert Trace.objects.filter(trace_id=json.loads(metadata or "")["trace_id"], status="error").exists()

"""The bench's databases must be what real traffic leaves, or its times mean nothing."""

import pytest

from bloop_site.lib.clock import DAY_MS, now_ms
from llmtraces.models import Feedback, Retrieval, Score, Span, SpanText, Trace, UsageHour
from llmtraces.queries.verify import differences
from tests.bench import llm_fill
from tests.bench.traces import COMMON_WORD, rare_word


@pytest.mark.django_db
def test_a_filled_database_has_five_spans_a_trace_over_thirty_days_and_adds_up():
    llm_fill.stored(traces=60, days=30)

    assert (Trace.objects.filter(is_known=True).count(), Span.objects.count()) == (60, 300)
    assert UsageHour.objects.values("hour_ms").distinct().count() >= 50
    assert Trace.objects.filter(started_ms__gte=now_ms() - DAY_MS).count() >= 7
    assert Retrieval.objects.exclude(top_relevance_micros=None).count() == 60
    assert (Score.objects.count(), Feedback.objects.count()) == (90, 30)
    assert Score.objects.values("name").distinct().count() == 6
    assert SpanText.objects.filter(input__contains=COMMON_WORD).count() > 30
    assert Trace.objects.filter(text__input__contains=rare_word(30)).count() == 1
    assert differences() == []


@pytest.mark.django_db
def test_the_large_trace_has_all_its_spans_and_adds_up():
    llm_fill.large(spans=250)

    assert Trace.objects.get().span_count == 250
    assert differences() == []

"""Traces in, rows and rollups out: once, whatever is sent again, later, or in another order."""

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop_site.lib.clock import HOUR_MS
from llmtraces.contract import Rules, parse_trace, parse_update
from llmtraces.models import PromptHour, SessionHour, Span, SpanText, ToolHour, Trace, TraceHour, TraceText, UsageHour
from llmtraces.queries.verify import differences
from llmtraces.services.fold import record_traces
from projects.models import Project
from projects.services.projects import NewProject

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
FULL = Rules(policy="full", max_spans=1000)


def span(**fields: Any) -> dict[str, Any]:
    return {
        "id": "s1",
        "name": "chat",
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 100,
        "output_tokens": 50,
        "cost": 0.0025,
        "latency_ms": 1200,
        "started_at": T,
        **fields,
    }


def trace(**fields: Any) -> dict[str, Any]:
    return {"id": "t1", "name": "chat", "started_at": T, "ended_at": T + 1200, "spans": [span()], **fields}


def post(project: Project, *raws: dict[str, Any], at: int = T, rules: Rules = FULL) -> None:
    record_traces([(project.pk, at, parse_trace(raw, rules=rules, now_ms=at)) for raw in raws])


def put(project: Project, trace_id: str = "t1", *, at: int = T, **fields: Any) -> None:
    record_traces([(project.pk, at, parse_update(fields, trace_id=trace_id, rules=FULL, now_ms=at))])


def usage(**where: Any) -> dict[str, int]:
    row = UsageHour.objects.get(**where)
    return {name: getattr(row, name) for name in ("span_count", "input_tokens", "output_tokens", "cost_micros")}


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


# --- Once -------------------------------------------------------------------------------------------------------


def test_a_trace_has_the_sums_of_its_spans(shop: NewProject):
    post(shop.project, trace(spans=[span(), span(id="s2", input_tokens=10, output_tokens=0, cost=0.001)]))

    row = Trace.objects.get()
    assert (row.input_tokens, row.output_tokens, row.total_tokens, row.cost_micros) == (110, 50, 160, 3500)
    assert (row.span_count, row.error_count, row.latency_ms) == (2, 0, 1200)
    assert usage() == {"span_count": 2, "input_tokens": 110, "output_tokens": 50, "cost_micros": 3500}


def test_sending_it_again_changes_nothing(shop: NewProject):
    sent = trace(session_id="c1", prompt_name="greet", spans=[span(), {**span(), "id": None, "span_type": "tool"}])
    for _ in range(3):
        post(shop.project, sent)
    post(shop.project, sent, sent)

    assert (Trace.objects.count(), Span.objects.count()) == (1, 2)
    assert usage()["span_count"] == 2
    assert TraceHour.objects.get().trace_count == 1
    assert PromptHour.objects.get().trace_count == SessionHour.objects.get().trace_count == 1
    assert ToolHour.objects.get().call_count == 1


def test_a_later_post_replaces_the_trace_and_spans_of_the_same_id_and_adds_others(shop: NewProject):
    post(shop.project, trace(status="running", ended_at=None))

    post(shop.project, trace(status="error", spans=[span(input_tokens=200, model="o1"), span(id="s2")]))

    row = Trace.objects.get()
    assert (row.status, row.span_count, row.input_tokens, row.latency_ms) == ("error", 2, 300, 1200)
    assert usage(model="o1")["input_tokens"] == 200
    assert usage(model="gpt-4o")["span_count"] == 1
    assert (TraceHour.objects.get().trace_count, TraceHour.objects.get().error_count) == (1, 1)


def test_a_trace_that_moves_to_another_hour_leaves_the_first(shop: NewProject):
    post(shop.project, trace())

    post(shop.project, trace(started_at=T + HOUR_MS, spans=[]))

    assert TraceHour.objects.get(hour_ms=T).trace_count == 0
    assert TraceHour.objects.get(hour_ms=T + HOUR_MS).trace_count == 1


WHOLE = trace(
    status="error",
    session_id="c1",
    user_id="ann",
    prompt_name="greet",
    prompt_version="2",
    input="Hello?",
    spans=[span()],
)


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("order", ["before", "after"])
def test_spans_that_come_before_or_after_their_trace_leave_what_it_tells(shop: NewProject, order: str, batches: int):
    posts = [WHOLE, {"id": "t1", "spans": [span(id="s2", started_at=T + 500)]}]
    posts = posts if order == "after" else posts[::-1]
    if batches == 1:
        post(shop.project, *posts, at=T + HOUR_MS)
    else:
        for each in posts:
            post(shop.project, each, at=T + HOUR_MS)

    row = Trace.objects.get()
    assert (row.name, row.status, row.session_id, row.user_id) == ("chat", "error", "c1", "ann")
    assert (row.prompt_name, row.prompt_version) == ("greet", "2")
    assert (row.started_ms, row.ended_ms, row.span_count) == (T, T + 1200, 2)
    assert TraceHour.objects.exclude(trace_count=0).get().hour_ms == T


@pytest.mark.parametrize("batches", [1, 2])
def test_who_tells_the_end_of_a_running_trace_without_a_status_completes_it(shop: NewProject, batches: int):
    running = trace(status="running", ended_at=None)
    steps = [
        (running, "running"),
        ({"id": "t1", "name": "chat"}, "running"),
        ({"id": "t1", "ended_at": T + 5}, "completed"),
    ]
    if batches == 1:
        post(shop.project, *(sent for sent, _ in steps))
    else:
        for sent, status in steps:
            post(shop.project, sent)
            assert Trace.objects.get().status == status

    assert (Trace.objects.get().status, Trace.objects.get().latency_ms) == ("completed", 5)


def test_another_prompt_does_not_inherit_the_version_of_the_one_before(shop: NewProject):
    post(shop.project, trace(prompt_name="greet", prompt_version="2"))

    post(shop.project, trace(prompt_name="part"))

    assert Trace.objects.get().prompt_version is None


def test_what_tells_no_time_stays_where_it_was_when_it_is_sent_again(shop: NewProject):
    sent = {"id": "t1", "spans": [{"id": "s1", "latency_ms": 70}, {"name": "no id", "ended_at": T + 900}]}
    post(shop.project, sent, sent, at=T)
    rows = [*Trace.objects.values(), *Span.objects.order_by("pk").values()]

    post(shop.project, sent, at=T + HOUR_MS)

    assert [*Trace.objects.values(), *Span.objects.order_by("pk").values()] == rows
    first, second = Span.objects.order_by("pk")
    assert (first.started_ms, first.ended_ms, first.latency_ms) == (T, T + 70, 70)
    assert (second.started_ms, second.ended_ms, second.latency_ms) == (T, T + 900, 900)


@pytest.mark.parametrize("batches", [1, 2])
def test_a_span_without_a_start_begins_with_its_trace_as_that_was_when_it_came(shop: NewProject, batches: int):
    posts = [
        trace(spans=[]),
        {"id": "t1", "spans": [{"id": "s1", "latency_ms": 5}]},
        trace(started_at=T + HOUR_MS, spans=[]),
        {"id": "t1", "spans": [{"id": "s2"}]},
    ]
    if batches == 1:
        post(shop.project, *posts, at=T + HOUR_MS)
    else:
        for each in posts:
            post(shop.project, each, at=T + HOUR_MS)

    starts = dict(Span.objects.values_list("span_id", "started_ms"))
    assert starts == {"s1": T, "s2": T + HOUR_MS}


def test_spans_without_ids_that_say_the_same_are_as_many_as_were_sent(shop: NewProject):
    twin = {"span_type": "tool", "name": "web_search", "latency_ms": 100}
    for _ in range(2):
        post(shop.project, trace(spans=[twin, twin, {**twin, "name": "other"}]))

    assert Span.objects.count() == 3
    assert ToolHour.objects.get(name="web_search").call_count == 2


def test_equal_ids_of_two_projects_are_two_traces(shop: NewProject, other: NewProject):
    post(shop.project, trace())
    post(other.project, trace())

    assert Trace.objects.count() == 2


def test_span_ids_are_unique_within_their_trace(shop: NewProject):
    post(shop.project, trace(), trace(id="t2"))

    assert Span.objects.filter(span_id="s1").count() == 2
    assert usage()["span_count"] == 2


# --- Updates ----------------------------------------------------------------------------------------------------


def test_an_update_changes_status_end_and_totals_and_the_usage_follows(shop: NewProject):
    post(shop.project, trace(ended_at=None, status="running"))

    put(shop.project, status="completed", ended_at=T + 5000, output_tokens=80, cost=0.01, output="Hi")

    row = Trace.objects.get()
    assert (row.status, row.latency_ms, row.output_tokens, row.total_tokens) == ("completed", 5000, 80, 180)
    assert row.cost_micros == 10_000
    assert usage() == {"span_count": 1, "input_tokens": 100, "output_tokens": 80, "cost_micros": 10_000}
    assert TraceText.objects.get().put_output == "Hi"


def test_an_update_that_overtakes_its_trace_waits_for_it(shop: NewProject):
    put(shop.project, status="error", cost=0.5)
    hidden = Trace.objects.get()
    assert not hidden.is_known
    assert not TraceHour.objects.exists()

    post(shop.project, trace())

    row = Trace.objects.get()
    assert (row.is_known, row.status, row.cost_micros) == (True, "error", 500_000)
    assert TraceHour.objects.get().error_count == 1


def test_a_post_after_an_update_does_not_take_it_back(shop: NewProject):
    post(shop.project, trace())
    put(shop.project, status="error", input_tokens=7)

    post(shop.project, trace(status="completed"))

    row = Trace.objects.get()
    assert (row.status, row.input_tokens) == ("error", 7)


def test_of_two_updates_each_field_keeps_its_last_word(shop: NewProject):
    post(shop.project, trace())
    put(shop.project, status="running", cost=0.1)
    put(shop.project, status="completed")

    assert (Trace.objects.get().status, Trace.objects.get().cost_micros) == ("completed", 100_000)


# --- Prices -----------------------------------------------------------------------------------------------------


def test_without_a_cost_the_table_prices_the_span(shop: NewProject):
    post(shop.project, trace(spans=[span(cost=0, input_tokens=500, output_tokens=100)]))

    assert Trace.objects.get().cost_micros == 2250
    assert Span.objects.get().cost_source == "price"


def test_a_model_nobody_knows_costs_nothing_and_is_counted(shop: NewProject):
    post(shop.project, trace(spans=[span(cost=None, model="our-own-7b")]))

    assert (Span.objects.get().cost_source, UsageHour.objects.get().unpriced_count) == ("unknown", 1)


# --- Texts ------------------------------------------------------------------------------------------------------


def test_texts_stay_when_a_later_post_leaves_them_out(shop: NewProject):
    post(shop.project, trace(input="Hello?", spans=[span(output="Hi")]))

    post(shop.project, trace(output="Hi", spans=[span()]))

    assert (TraceText.objects.get().input, TraceText.objects.get().output) == ("Hello?", "Hi")
    assert SpanText.objects.get().output == "Hi"


@pytest.mark.parametrize(("policy", "texts"), [("none", 0), ("metadata_only", 1), ("full", 1)])
def test_the_policy_decides_what_is_there_to_keep(shop: NewProject, policy: str, texts: int):
    sent = trace(input="secret prompt", metadata={"k": "v"}, spans=[span(input="x", metadata={"rag.top_k": 3})])

    post(shop.project, sent, rules=Rules(policy=policy, max_spans=10))

    assert (TraceText.objects.count(), SpanText.objects.count()) == (texts, texts)
    kept = TraceText.objects.first()
    assert (kept and kept.input) == ("secret prompt" if policy == "full" else None)


# --- In any order -----------------------------------------------------------------------------------------------


steps = st.lists(
    st.one_of(
        st.builds(
            trace,
            id=st.sampled_from(["t1", "t2"]),
            started_at=st.sampled_from([None, T, T + HOUR_MS]),
            ended_at=st.sampled_from([None, T + 10, T + 2 * HOUR_MS]),
            status=st.sampled_from(["running", "completed", "error"]),
            session_id=st.sampled_from([None, "c1", "c2"]),
            prompt_name=st.sampled_from([None, "p"]),
            prompt_version=st.sampled_from([None, "1"]),
            spans=st.lists(
                st.builds(
                    span,
                    id=st.sampled_from(["a", "b", None]),
                    span_type=st.sampled_from(["generation", "tool", "retrieval", "custom"]),
                    model=st.sampled_from(["gpt-4o", None, "unheard-of"]),
                    status=st.sampled_from(["ok", "error"]),
                    input_tokens=st.integers(-5, 10**6),
                    cost=st.sampled_from([None, 0, 0.1, "0.5"]),
                    latency_ms=st.integers(0, 10**7),
                    time_to_first_token_ms=st.sampled_from([None, 0, 300]),
                    started_at=st.sampled_from([T, T + HOUR_MS, None]),
                ),
                max_size=3,
            ),
        ),
        st.fixed_dictionaries(
            {"put": st.sampled_from(["t1", "t2", "t3"])},
            optional={
                "status": st.sampled_from(["completed", "error"]),
                "input_tokens": st.integers(0, 1000),
                "cost": st.floats(0, 1),
                "ended_at": st.sampled_from([T + 1, T + HOUR_MS]),
            },
        ),
    ),
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=steps, size=st.integers(1, 4))
def test_rollups_are_what_the_rows_add_up_to_whatever_comes(shop: NewProject, steps: list[dict[str, Any]], size: int):
    entries: list[Any] = []
    for raw in steps:
        words = dict(raw)
        named = words.pop("put", None)
        entry = (
            parse_update(words, trace_id=named, rules=FULL, now_ms=T)
            if named
            else parse_trace(words, rules=FULL, now_ms=T)
        )
        entries.append((shop.project.pk, T, entry))
    with transaction.atomic():
        for start in range(0, len(entries), size):
            record_traces(entries[start : start + size])
        assert differences() == []
        transaction.set_rollback(True)

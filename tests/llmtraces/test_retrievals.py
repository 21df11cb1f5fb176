"""Retrieval spans: what their metadata says, kept as rows and rollups, whatever is sent again or in another order."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import Durations, Retrieval, RetrievalHour, Span, SpanText, ToolHour, TraceText
from llmtraces.packing import unpacked
from llmtraces.percentiles import bucket_of
from llmtraces.queries.verify import differences
from llmtraces.retention import OldRollups, OldTraces
from llmtraces.retrievals import MAX_PERCENT, RetrievalFacts, retrieval_of
from llmtraces.services.fold import record_traces
from projects.models import Project
from projects.retention import cutoffs
from projects.services.projects import NewProject

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
SAID = {
    "rag.source": "pinecone",
    "rag.chunks_retrieved": 8,
    "rag.chunks_used": 3,
    "rag.context_tokens": 3000,
    "rag.max_context_tokens": 4000,
    "rag.relevance_scores": [0.92, 0.8],
    "rag.top_k": 10,
}


def span(metadata: Any = SAID, **fields: Any) -> dict[str, Any]:
    return {
        "id": "s1",
        "span_type": "retrieval",
        "name": "vector_search",
        "latency_ms": 120,
        "started_at": T,
        "metadata": metadata,
        **fields,
    }


def post(project: Project, *spans: dict[str, Any], policy: str = "metadata_only", trace_id: str = "t1") -> None:
    raw = {"id": trace_id, "started_at": T, "spans": list(spans)}
    record_traces([(project.pk, T, parse_trace(raw, rules=Rules(policy, 1000), now_ms=T))])


def said(**changes: Any) -> dict[str, Any]:
    return {**SAID, **{f"rag.{name}": value for name, value in changes.items()}}


def read(metadata: Any) -> RetrievalFacts | None:
    return retrieval_of(json.dumps(metadata))


# --- Reading ----------------------------------------------------------------------------------------------------


def test_every_key_is_read():
    assert read(SAID) == RetrievalFacts("pinecone", 8, 3, 3000, 4000, 920_000, 10)


def test_what_is_not_said_is_missing_and_the_source_unknown():
    assert read({"rag.chunks_retrieved": 0}) == RetrievalFacts("unknown", 0)


@pytest.mark.parametrize("metadata", [None, {}, [], 7, "rag.chunks_retrieved", {"rag": {"chunks_retrieved": 3}}])
def test_metadata_without_the_key_tells_of_no_retrieval(metadata: Any):
    assert read(metadata) is None
    assert retrieval_of(None) is None


@pytest.mark.parametrize("value", [None, "many", "", "NaN", "inf", -1, "-3", True, [], {}, [5], "0x10"])
def test_a_value_that_is_no_number_is_missing(value: Any):
    assert read(said(chunks_retrieved=value)) is None

    found = read(said(chunks_used=value, context_tokens=value, max_context_tokens=value, top_k=value))

    assert found == RetrievalFacts("pinecone", 8, None, None, None, 920_000, None)


@pytest.mark.parametrize(
    ("value", "expected"), [("8", 8), (" 8 ", 8), (8.0, 8), (7.6, 8), ("7.6", 8), (10**30, 10**12)]
)
def test_numbers_come_as_integers_floats_and_texts(value: Any, expected: int):
    found = read(said(chunks_retrieved=value))
    assert found is not None
    assert found.chunks_retrieved == expected


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5, 0.9], 500_000),
        (["0.25"], 250_000),
        (0.75, 750_000),
        ([17], 17_000_000),
        ([1e300], 10**12),
        ([], None),
        (["high"], None),
        ([-0.2], None),
        ([None, 0.5], None),
        ({"a": 1}, None),
        ([[0.5]], None),
    ],
)
def test_the_top_relevance_is_the_first_score(scores: Any, expected: int | None):
    found = read(said(relevance_scores=scores))
    assert found is not None
    assert found.top_relevance_micros == expected


@pytest.mark.parametrize(("source", "expected"), [(None, "unknown"), ("", "unknown"), (7, "7"), ({"a": 1}, '{"a":1}')])
def test_a_source_that_is_no_text_has_its_string_form(source: Any, expected: str):
    found = read(said(source=source))
    assert found is not None
    assert found.source == expected


def test_a_long_source_is_cut():
    found = read(said(source="ü" * 1_000_000))
    assert found is not None
    assert found.source == "ü" * 256


def test_metadata_that_is_a_text_of_json_is_read_too():
    assert retrieval_of(json.dumps(json.dumps(SAID))) == read(SAID)


def test_percentages_are_exact_to_a_millionth_and_held_in_bounds():
    found = RetrievalFacts("x", chunks_retrieved=3, chunks_used=1, context_tokens=10**12, max_context_tokens=1)
    assert found.chunks_micropct == 33_333_333
    assert found.context_micropct == MAX_PERCENT * 10**6
    nothing = RetrievalFacts("x", chunks_retrieved=0, chunks_used=1, context_tokens=1, max_context_tokens=0)
    assert (nothing.chunks_micropct, nothing.context_micropct) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(values=st.fixed_dictionaries(dict.fromkeys(SAID, JSON)))
def test_no_metadata_is_too_odd(values: dict[str, Any]):
    found = retrieval_of(json.dumps(values))
    if found is not None:
        assert 0 <= found.chunks_retrieved <= 10**12
        assert found.source


# --- Folding ----------------------------------------------------------------------------------------------------


@pytest.fixture
def rollups_add_up(db: None):
    yield
    assert differences() == []


pytestmark = pytest.mark.usefixtures("rollups_add_up")


def hour(**where: Any) -> RetrievalHour:
    return RetrievalHour.objects.get(**where)


def test_a_retrieval_gets_its_row_its_hour_and_its_bucket(shop: NewProject):
    post(shop.project, span(), span(said(chunks_used=None, relevance_scores=[]), id="s2", status="error"))

    first = Retrieval.objects.get(span__span_id="s1")
    assert (first.source, first.chunks_retrieved, first.chunks_used, first.top_k) == ("pinecone", 8, 3, 10)
    assert (first.context_tokens, first.max_context_tokens, first.top_relevance_micros) == (3000, 4000, 920_000)
    assert (first.project_id, first.started_ms) == (shop.project.pk, T)
    row = hour(name="vector_search", source="pinecone", hour_ms=T)
    assert (row.call_count, row.error_count, row.latency_ms, row.chunks_retrieved) == (2, 1, 240, 16)
    assert (row.chunks_used, row.used_count, row.chunks_micropct, row.chunks_pct_count) == (3, 1, 37_500_000, 1)
    assert (row.context_tokens, row.context_count, row.context_micropct) == (6000, 2, 150_000_000)
    assert (row.top_k, row.top_k_count, row.top_relevance_micros, row.relevance_count) == (20, 2, 920_000, 1)
    counted = Durations.objects.get(kind="rag", is_day=False)
    assert (counted.of, counted.by) == ("vector_search", "pinecone")
    assert unpacked(counted.counts) == {bucket_of(120): 2}


def test_other_spans_and_metadata_without_chunks_are_no_retrieval(shop: NewProject):
    post(shop.project, span(span_type="tool"), span({"rag.source": "x"}, id="s2"), span(None, id="s3"))

    assert not Retrieval.objects.exists()
    assert not RetrievalHour.objects.exists()
    assert ToolHour.objects.get().call_count == 3


def test_under_the_policy_none_no_metadata_is_kept_and_so_no_retrieval(shop: NewProject):
    post(shop.project, span(), policy="none")

    assert not Retrieval.objects.exists()
    assert not RetrievalHour.objects.exists()
    assert Span.objects.get().span_type == "retrieval"


def test_metadata_that_is_not_numeric_costs_the_trace_nothing(shop: NewProject):
    post(shop.project, span(said(chunks_retrieved="lots")), span(said(top_k="ten", context_tokens=[]), id="s2"))

    assert Span.objects.count() == 2
    assert Retrieval.objects.get().span.span_id == "s2"
    assert (hour().top_k_count, hour().context_count, hour().context_pct_count) == (0, 0, 0)


def test_a_retrieval_sent_again_counts_once(shop: NewProject):
    for _ in range(3):
        post(shop.project, span())

    assert Retrieval.objects.count() == 1
    assert (hour().call_count, hour().chunks_retrieved) == (1, 8)
    assert [sum(unpacked(each.counts).values()) for each in Durations.objects.filter(kind="rag")] == [1, 1]


def test_a_span_sent_again_without_metadata_keeps_its_retrieval(shop: NewProject):
    post(shop.project, span())

    post(shop.project, span(None, latency_ms=500, status="error"))

    assert Retrieval.objects.get().chunks_retrieved == 8
    assert (hour().call_count, hour().error_count, hour().latency_ms) == (1, 1, 500)


def test_two_posts_in_one_batch_come_to_the_same_as_in_two(shop: NewProject):
    first = {"id": "t1", "started_at": T, "input": "Q", "metadata": {"a": 1}, "spans": [span(input="q")]}
    second = {"id": "t1", "started_at": T, "output": "A", "spans": [span(None, output="a", status="error")]}

    record_traces([(shop.project.pk, T, parse_trace(raw, rules=Rules("full", 9), now_ms=T)) for raw in (first, second)])

    assert Retrieval.objects.get().chunks_retrieved == 8
    assert (hour().call_count, hour().error_count) == (1, 1)
    text = SpanText.objects.get()
    assert (text.input, text.output, json.loads(text.metadata or "")) == ("q", "a", SAID)
    whole = TraceText.objects.get()
    assert (whole.input, whole.output, whole.metadata) == ("Q", "A", '{"a":1}')


def test_a_span_sent_again_under_a_stricter_policy_keeps_its_retrieval(shop: NewProject):
    post(shop.project, span())

    post(shop.project, span(said(chunks_retrieved=99)), policy="none")

    assert Retrieval.objects.get().chunks_retrieved == 8


def test_other_metadata_replaces_the_retrieval(shop: NewProject):
    post(shop.project, span())

    post(shop.project, span({"rag.chunks_retrieved": 2, "rag.source": "pgvector"}))

    row = Retrieval.objects.get()
    assert (row.source, row.chunks_retrieved, row.chunks_used) == ("pgvector", 2, None)
    assert hour(source="pinecone").call_count == 0
    assert hour(source="pgvector").call_count == 1


def test_metadata_without_chunks_takes_the_retrieval_away_and_later_ones_bring_it_back(shop: NewProject):
    post(shop.project, span())
    post(shop.project, span({"note": "x"}))
    assert not Retrieval.objects.exists()
    assert hour().call_count == 0

    post(shop.project, span())

    assert Retrieval.objects.get().chunks_retrieved == 8
    assert hour().call_count == 1


def test_a_span_that_turns_out_to_be_a_tool_is_no_retrieval_any_more(shop: NewProject):
    post(shop.project, span())

    post(shop.project, span(None, span_type="tool"))

    assert not Retrieval.objects.exists()
    assert hour().call_count == 0


def test_a_retrieval_moves_with_its_span_to_another_hour(shop: NewProject):
    post(shop.project, span())

    post(shop.project, span(None, started_at=T + HOUR_MS))

    assert Retrieval.objects.get().started_ms == T + HOUR_MS
    assert hour(hour_ms=T).call_count == 0
    assert hour(hour_ms=T + HOUR_MS).call_count == 1


def test_retrievals_of_equal_span_ids_in_several_traces_are_kept_apart(shop: NewProject):
    post(shop.project, span(), trace_id="t1")
    post(shop.project, span(said(chunks_retrieved=2)), trace_id="t2")

    post(shop.project, span({"note": "x"}), trace_id="t1")

    assert Retrieval.objects.get().chunks_retrieved == 2
    assert Retrieval.objects.get().span.trace.trace_id == "t2"


def test_retrievals_go_with_their_traces_and_their_hours_by_age(shop: NewProject):
    post(shop.project, span())
    old = cutoffs(at_ms=T + 400 * DAY_MS)

    for purger in (OldTraces(), OldRollups()):
        while (batch := purger.find(old, place=None, limit=2)) is not None:
            purger.remove(batch.rows)

    assert not Retrieval.objects.exists()
    assert not RetrievalHour.objects.exists()
    assert not Durations.objects.filter(kind="rag").exists()


METADATA = st.sampled_from([None, {}, {"note": 1}, SAID, said(source="b"), said(chunks_retrieved="x"), said(top_k=-1)])
SPANS = st.builds(
    span,
    METADATA,
    id=st.sampled_from(["s1", "s2"]),
    span_type=st.sampled_from(["retrieval", "retrieval", "tool"]),
    name=st.sampled_from(["a", "b"]),
    started_at=st.sampled_from([T, T + HOUR_MS]),
    status=st.sampled_from(["ok", "error"]),
    latency_ms=st.integers(0, 5000),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(batches=st.lists(st.lists(SPANS, max_size=3), max_size=5))
def test_whatever_is_sent_in_whatever_order_the_rollups_add_up(shop: NewProject, batches: list[list[dict[str, Any]]]):
    for spans in batches:
        post(shop.project, *spans)

    assert differences() == []

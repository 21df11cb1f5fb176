"""The span tree: every span once, every bar within the timeline, whatever clients say of parents and times."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmtraces.spantree import MIN_WIDTH, Bar, Node, SpanTimes, timeline_of, tree_of


def span(span_id: str, parent: str | None = None, *, start: int = 0, end: int | None = None, **more: Any) -> SpanTimes:
    return SpanTimes(span_id, parent, start, end, more.pop("latency", 10), more.pop("ttft", None))


def tree(*spans: SpanTimes, started: int = 0, ended: int | None = 100) -> list[Node]:
    return tree_of(spans, timeline_of(spans, started_ms=started, ended_ms=ended))


def shape(*spans: SpanTimes) -> list[tuple[str, int, str]]:
    return [(spans[node.index].span_id, node.depth, node.mark) for node in tree(*spans)]


def test_spans_stand_below_their_parents_brothers_by_start():
    spans = (span("late", "root", start=9), span("root"), span("early", "root", start=1), span("inner", "early"))

    assert shape(*spans) == [("root", 0, ""), ("early", 1, ""), ("inner", 2, ""), ("late", 1, "")]
    assert [node.below for node in tree(*spans)] == [3, 1, 0, 0]


def test_a_span_whose_parent_never_came_is_a_root_and_says_so():
    assert shape(span("a"), span("b", "gone")) == [("a", 0, ""), ("b", 0, "missing")]


def test_a_circle_is_opened_where_it_began():
    spans = (span("a", "c", start=2), span("b", "a", start=1), span("c", "b", start=3), span("leaf", "c", start=4))

    assert shape(*spans) == [("b", 0, "cycle"), ("c", 1, ""), ("a", 2, ""), ("leaf", 2, "")]


def test_a_span_that_is_its_own_parent_is_a_root():
    assert shape(span("a", "a")) == [("a", 0, "cycle")]


def test_of_two_spans_with_one_id_the_first_is_the_parent():
    assert shape(span("a"), span("a"), span("b", "a")) == [("a", 0, ""), ("b", 1, ""), ("a", 0, "")]


def test_two_thousand_levels_are_a_tree_like_any_other():
    spans = [span(str(level), str(level - 1) if level else None) for level in range(2000)]

    nodes = tree(*spans)

    assert [node.depth for node in nodes] == list(range(2000))
    assert nodes[0].below == 1999


def test_a_trace_without_spans_has_an_empty_tree():
    assert tree() == []


def test_a_bar_is_to_scale_and_hatched_until_the_first_token():
    (node,) = tree(span("a", start=25, end=75, ttft=10))

    assert node.bar == Bar(25.0, 50.0, 10.0)


def test_a_span_that_ended_before_it_began_is_a_thin_bar_at_its_start():
    (node,) = tree(span("a", start=50, end=10))

    assert node.bar == Bar(50.0, MIN_WIDTH, 0.0)


def test_a_span_without_an_end_lasts_as_long_as_its_latency():
    (node,) = tree(span("a", latency=40))

    assert node.bar == Bar(0.0, 40.0, 0.0)


def test_spans_outside_the_times_of_their_trace_stretch_the_timeline():
    line = timeline_of([span("a", start=-50, end=150)], started_ms=0, ended_ms=100)

    assert (line.start_ms, line.end_ms) == (-50, 150)


ids = st.sampled_from("abcdef")
times = st.integers(-(2**62), 2**62)
lists_of_spans = st.lists(
    st.builds(SpanTimes, ids, st.none() | ids | st.just("gone"), times, st.none() | times, times, st.none() | times),
    max_size=30,
)


@given(lists_of_spans, times, st.none() | times)
def test_every_span_appears_exactly_once_whatever_the_parents_say(
    spans: list[SpanTimes], started: int, ended: int | None
):
    nodes = tree(*spans, started=started, ended=ended)

    assert sorted(node.index for node in nodes) == list(range(len(spans)))
    for node in nodes:
        assert 0 <= node.bar.start <= 100
        assert 0 < node.bar.width <= 100
        assert node.bar.start + node.bar.width <= 100.0001
        assert 0 <= node.bar.wait <= node.bar.width


@given(lists_of_spans)
def test_a_node_knows_how_many_spans_follow_it_below(spans: list[SpanTimes]):
    nodes = tree(*spans)

    for at, node in enumerate(nodes):
        inside = nodes[at + 1 : at + 1 + node.below]
        assert all(each.depth > node.depth for each in inside)
        assert len(inside) == node.below
        after = nodes[at + 1 + node.below :]
        assert not after or after[0].depth <= node.depth

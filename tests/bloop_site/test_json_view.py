"""JSON as people read it: a tree of rows and indented text, at any depth."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_site.lib.json_view import MAX_INDENT, MAX_LEAF, MAX_LEVELS, MAX_ROWS, TreeRow, indented, tree_of

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(values)
def test_indented_text_is_the_same_json(value: Any):
    assert json.loads(indented(compact(value)), strict=False) == value


@given(values)
def test_the_indentation_is_that_of_the_standard_library(value: Any):
    assert indented(compact(value)) == json.dumps(value, ensure_ascii=False, indent=2)


@given(values)
def test_every_open_row_is_closed_and_knows_how_much_it_holds(value: Any):
    stack: list[list[int]] = []
    for row in tree_of(compact(value)) or []:
        if row.kind == "close":
            expected, held = stack.pop()
            assert held == expected
            continue
        if stack:
            stack[-1][1] += 1
        if row.kind == "open":
            stack.append([row.size, 0])
    assert not stack


def test_a_tree_has_keys_sizes_and_values_by_kind():
    tree = tree_of('{"user":{"id":7,"name":"A\\"b","tags":["x",null]},"empty":{}}')

    assert tree == [
        TreeRow("open", "user", size=3),
        TreeRow("leaf", "id", "7", "word"),
        TreeRow("leaf", "name", 'A"b', "text"),
        TreeRow("open", "tags", is_list=True, size=2),
        TreeRow("leaf", None, "x", "text"),
        TreeRow("leaf", None, "null", "word"),
        TreeRow("close"),
        TreeRow("close"),
        TreeRow("open", "empty"),
        TreeRow("close"),
    ]


@pytest.mark.parametrize("pair", ['{"a":', "["])
@pytest.mark.parametrize("depth", [1_000, 20_000])
def test_a_thousand_levels_are_some_levels_and_one_row_of_text(pair: str, depth: int):
    closing = {"{": "}", "[": "]"}[pair[0]]
    deep = pair * depth + "1" + closing * depth

    tree = tree_of(deep)
    text = indented(deep)

    assert tree is not None
    assert sum(row.kind == "open" for row in tree) == MAX_LEVELS - 1
    (leaf,) = (row for row in tree if row.kind == "leaf")
    assert (leaf.value, len(leaf.text)) == ("deep", MAX_LEAF + 1)
    assert max(len(line) - len(line.lstrip()) for line in text.splitlines()) == 2 * MAX_INDENT
    assert text.replace("\n", "").replace(" ", "") == deep


@pytest.mark.parametrize(
    "text",
    ["", "0", '"just text"', "null", "[]", "{}", "no json", "[1", '{"a":"', "]", "[[]", '["\\x"]', compact([1] * 400)],
)
def test_there_is_no_tree_of_a_single_value_of_too_much_or_of_what_is_no_json(text: str):
    assert tree_of(text) is None
    indented(text)


def test_a_long_value_is_shortened_in_the_tree_only():
    text = compact({"k": "x" * 5_000})

    assert [len(row.text) for row in tree_of(text) or []] == [MAX_LEAF + 1]
    assert "x" * 5_000 in indented(text)


def test_as_many_rows_as_a_page_may_show_are_shown():
    assert len(tree_of(compact([1] * (MAX_ROWS - 2))) or []) == MAX_ROWS - 2

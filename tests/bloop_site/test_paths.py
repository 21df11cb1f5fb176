"""Text in paths: whatever it is, the address of its page is one that browsers leave as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_site.lib.paths import with_marks, without_marks

CASES = [
    ("c6be5b205cdb4fae", "c6be5b205cdb4fae"),
    ("GET /users/:id", "GET /users/:id"),
    (".", ".~"),
    ("..", "..~"),
    ("...", "..."),
    ("a/../b", "a/..~/b"),
    ("../..", "..~/..~"),
    ("..~", "..~~"),
    ("~", "~"),
    ("a..", "a.."),
]


@pytest.mark.parametrize(("text", "marked"), CASES)
def test_segments_of_dots_get_a_mark(text: str, marked: str):
    assert with_marks(text) == marked


@given(st.text(alphabet="./~a\n%"))
def test_no_folder_is_left_and_the_text_comes_back(text: str):
    marked = with_marks(text)

    assert without_marks(marked) == text
    assert not {".", ".."} & set(marked.split("/"))

"""Which models a trace used, as one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtraces.used_models import sought, used_models

NAMES = st.text(alphabet="ab\x1e\x1f|", max_size=3)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=5)


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([], ""),
        ([("", "")], ""),
        ([("b", "p"), ("a", ""), ("b", "p"), ("", "")], "\x1ea\x1f\x1eb\x1fp\x1e"),
        ([("", "p")], "\x1e\x1fp\x1e"),
        ([("a\x1f", "p")], None),
        ([("a", "p\x1e")], None),
        ([("m" * 397, "")], "\x1e" + "m" * 397 + "\x1f\x1e"),
        ([("m" * 398, "")], None),
    ],
)
def test_each_pair_stands_once_between_marks(pairs: list[tuple[str, str]], text: str | None):
    assert used_models(pairs) == text


@given(pairs=PAIRS, model=NAMES, provider=NAMES)
def test_the_text_holds_what_is_sought_exactly_when_a_pair_is_of_it(
    pairs: list[tuple[str, str]], model: str, provider: str
):
    text, part = used_models(pairs), sought(model, provider)
    if text is not None and part is not None and (model or provider):
        assert (part in text) == any(model in ("", own) and provider in ("", its) for own, its in pairs)

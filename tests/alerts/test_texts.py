"""Clients' texts made harmless: no mention rings, no markup works, no limit is passed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.texts import (
    calm,
    ending,
    fit,
    fit_bytes,
    for_html,
    for_markdown,
    for_slack,
    one_line,
    without,
)

ESCAPES = [for_slack, for_html, for_markdown]


@pytest.mark.parametrize("word", ["everyone", "channel", "here", "all", "HERE", "Team"])
def test_words_that_ring_everybody_do_not(word: str):
    assert f"@{word}" not in calm(f"see @{word}! and @{word}")
    assert calm(f"see @{word}!").replace("\u200b", "") == f"see @{word}!"


@pytest.mark.parametrize("text", ["a@example.com", "@hereby", "@ann", "here", "@property"])
def test_other_words_stay_as_they_are(text: str):
    assert calm(text) == text


@pytest.mark.parametrize(
    ("escape", "text", "escaped"),
    [
        (for_slack, "<!channel> & <@U1> <http://x|y>", "&lt;!channel&gt; &amp; &lt;@U1&gt; &lt;http://x|y&gt;"),
        (for_html, "<b>&\"'", "&lt;b&gt;&amp;\"'"),
        (for_markdown, "[x](http://y) *b* _i_ ~~s~~ `c` ||s|| # <@1>", None),
    ],
)
def test_markup_is_escaped(escape: object, text: str, escaped: str | None):
    assert callable(escape)
    if escaped is None:
        escaped = r"\[x\]\(http://y\) \*b\* \_i\_ \~\~s\~\~ \`c\` \|\|s\|\| \# \<@1\>"
    assert escape(text) == escaped


@given(st.text(), st.integers(min_value=1, max_value=60), st.sampled_from(ESCAPES))
def test_a_text_fits_and_is_cut_in_no_escapes_middle(text: str, limit: int, escape: object):
    assert callable(escape)

    made = fit(text, limit, escape)

    assert len(made) <= limit
    whole = escape(calm(text))
    if made != whole:
        kept = made.removesuffix("…")
        pieces = [""]
        for letter in calm(text):
            pieces.append(pieces[-1] + escape(letter))
        assert kept in pieces
        assert made.endswith("…")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(min_value=3, max_value=60))
def test_a_text_fits_into_bytes(text: str, limit: int):
    made = fit_bytes(text, limit)

    assert len(made.encode()) <= limit
    assert made == calm(text) or made.endswith("…")


def test_one_line_is_one_line():
    assert one_line(" a\r\nBcc: x\u2028y\t ") == "a Bcc: x y"


def test_secrets_are_cut_out_but_no_short_words():
    assert without("POST /bot1:secret/x failed: /x", ("1:secret", "/x", "")) == "POST /bot…/x failed: /x"


@pytest.mark.parametrize(("secret", "shown"), [("/services/T0/B0/abcdef", "…cdef"), ("/short", "…"), ("", "…")])
def test_of_a_secret_the_end_is_shown_if_there_is_more_of_it(secret: str, shown: str):
    assert ending(secret) == shown

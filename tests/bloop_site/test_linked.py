"""Addresses in plain text become links, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_site.lib.linked import Piece, pieces_of


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("see https://example.com/a?b=1#c.", ["https://example.com/a?b=1#c"]),
        ("(http://a.test/b)", ["http://a.test/b"]),
        ("http://a.test/wiki/X_(y), and more", ["http://a.test/wiki/X_(y)"]),
        ("HTTPS://A.TEST", ["HTTPS://A.TEST"]),
        ("http://[::1]:8000/x", ["http://[::1]:8000/x"]),
        ("two: http://a http://b!", ["http://a", "http://b"]),
        ("a\nhttp://a\nb", ["http://a"]),
        ('http://a"onclick=x', ["http://a"]),
        ("http://a<script>", ["http://a"]),
        ("http://a\u202eb", ["http://a"]),
        ("javascript:alert(1) data:text/html,x ftp://a //a.test mailto:a@b.c", []),
        ("http:// https://. http", []),
        ("xhttp://a", []),
        ("", []),
    ],
)
def test_only_http_addresses_are_links_without_the_sentence_around_them(text: str, urls: list[str]):
    assert [piece.url for piece in pieces_of(text) if piece.url] == urls


@given(st.text(alphabet="htps:/.a()<>\" '\n,", max_size=80))
def test_the_pieces_together_are_the_text(text: str):
    pieces = pieces_of(text)

    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.url in ("", piece.text) for piece in pieces)
    assert all(piece != Piece("") for piece in pieces)

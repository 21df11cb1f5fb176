"""Where a search found an issue: marked in what the row shows, or said in words."""

import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from errors.highlights import excerpt, marked
from errors.models import Issue
from errors.search_words import normal, query_words
from projects.services.projects import NewProject
from tests.factories import make_issue


def shown(text: str, query: str) -> str:
    """A text with its hits in brackets."""
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in marked(text, query_words(query)))


@pytest.mark.parametrize(
    ("text", "query", "result"),
    [
        ("Cannot read it", "read", "Cannot [read] it"),
        ("Cannot read it", "CAN re", "[Can]not [re]ad it"),
        ("loadUserById failed", "user", "load[User]ById failed"),
        ("loadUserById failed", "loaduser", "[loadUser]ById failed"),
        ("loadUserById failed", "load user", "[loadUser]ById failed"),
        ("reread", "read", "reread"),
        ("数据库错误", "数库", "[数]据[库]错误"),
        ("خطأ في الخادم", "الخ", "خطأ في [الخ]ادم"),
        ("İstanbul", "i", "[İ]stanbul"),
        ("o\u0308l", "öl", "[öl]"),
        ("", "x", ""),
        ("x" * 60, "x", "x" * 60),
        ("nothing here", "", "nothing here"),
    ],
)
def test_the_beginnings_of_words_are_marked(text: str, query: str, result: str):
    assert shown(text, query) == result


def test_a_hit_far_inside_is_brought_to_the_front():
    pieces = excerpt("a " * 200 + "needle " + "b " * 200, ["needle"], length=100)

    assert pieces[0].text == "… "
    assert [piece.text for piece in pieces if piece.hit] == ["needle"]
    assert sum(len(piece.text) for piece in pieces) == 102


@given(st.text(max_size=200), st.text(max_size=60))
def test_marking_changes_no_letter(text: str, query: str):
    assert "".join(piece.text for piece in marked(text, query_words(query))) == normal(text)


@pytest.mark.parametrize(
    ("query", "fields", "words"),
    [
        (
            "handle",
            {"stack": "at handleClick (a.js:1)\nat handler (b.js:2)"},
            ["in stack: handleclick, handle, handler"],
        ),
        ("1.4", {}, ["in release: 1.4.0"]),
        ("screen", {"screen": "MainScreen"}, ["in screen: MainScreen"]),
        ("abc123", {"fingerprint": "abc123"}, ["in fingerprint: abc123"]),
        ("cannot", {}, []),
        ("users", {}, []),
        ("cannot handle", {"stack": "at handle (a.js:1)"}, ["in stack: handle"]),
    ],
)
def test_a_row_says_where_it_was_found_when_it_does_not_show_it(
    query: str, fields: dict[str, Any], words: list[str], member_client: Client, shop: NewProject
):
    make_issue(shop.project, **fields)

    html = member_client.get(f"/errors?q={query}").content.decode()

    found = re.findall(r'<span class="meta__short meta__found">(.*?)</span>', html)
    assert [re.sub(r"<[^>]*>", "", each) for each in found] == words
    assert "<mark>" in html


def test_a_row_says_that_what_is_merged_into_it_was_found(member_client: Client, shop: NewProject):
    head = make_issue(shop.project, fingerprint="head")
    make_issue(shop.project, fingerprint="merged", message="zebra")
    Issue.objects.filter(fingerprint="merged").update(merged_into=head)

    html = member_client.get("/errors?q=zeb").content.decode()

    assert "in an issue merged into it: <bdi><mark>zeb</mark></bdi>" in html

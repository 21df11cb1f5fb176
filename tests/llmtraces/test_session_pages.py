"""The pages of sessions, as a person sees them."""

import csv
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from bloop_site.lib.clock import HOUR_MS, now_ms
from llmtraces.contract import Rules
from llmtraces.conversation import MAX_CHARACTERS, side_of
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.llmtraces.made import make_traces, span_of, trace_of, update_trace


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


def page(client: Client, path: str, **query: Any) -> str:
    answer = client.get(f"/llm/{path}", query)
    assert answer.status_code == 200
    return answer.content.decode()


def conversation(client: Client, session_id: str = "c1", **query: Any) -> str:
    return page(client, "session", project="shop", id=session_id, **query)


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_list_has_who_how_much_and_when_the_last_active_first(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    make_traces(
        shop.project,
        trace_of("t1", session_id="older", started_at=at),
        trace_of("t2", session_id="newer/x", started_at=at + 1, user_id="ann", status="error"),
    )

    shown = page(member_client, "sessions")

    assert shown.index("newer/x") < shown.index(">older<")
    assert f'href="/llm/session?{urlencode({"project": "shop", "id": "newer/x"})}"'.replace("&", "&amp;") in shown
    for part in ("ann", "$0.0025", "1 to 2 of 2"):
        assert part in shown


def test_the_list_is_narrowed_to_a_user_and_says_so(member_client: Client, shop: NewProject):
    make_traces(
        shop.project,
        trace_of("t1", session_id="of-ann", user_id="ann"),
        trace_of("t2", session_id="of-bob", user_id="b"),
    )

    shown = page(member_client, "sessions", user="ann")

    assert ("of-ann" in shown, "of-bob" in shown) == (True, False)
    assert 'aria-label="Remove filter User: ann"' in shown
    assert "No sessions of this user" in page(member_client, "sessions", user="nobody")


def test_an_empty_list_tells_how_to_get_sessions(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("alone"), trace_of("old", session_id="c", started_at=now_ms() - 30 * HOUR_MS))

    shown = page(member_client, "sessions")

    assert "No sessions in this window" in shown
    assert "<code>session_id</code>" in shown
    assert "/llm/session?" in page(member_client, "sessions", hours=168)


def test_the_list_is_paged(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    make_traces(
        shop.project, *(trace_of(f"t{each}", session_id=f"s-{each:02}", started_at=at + each) for each in range(51))
    )

    assert "51 to 51 of 51" in page(member_client, "sessions", page=2)
    assert "s-00" in page(member_client, "sessions", page=2)
    assert "s-00" not in page(member_client, "sessions")


def test_the_list_is_downloaded_whole_and_no_cell_is_a_formula(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    make_traces(shop.project, trace_of("t1", session_id="=1+1", user_id="ann", started_at=at))

    rows = list(csv.DictReader(StringIO(page(member_client, "sessions", format="csv"))))

    assert len(rows) == 1
    assert (rows[0]["session_id"], rows[0]["user_id"], rows[0]["project"]) == ("'=1+1", "ann", "shop")
    assert (rows[0]["traces"], rows[0]["total_tokens"], rows[0]["cost_micros"]) == ("1", "150", "2500")


def test_htmx_gets_the_rows_alone(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", session_id="c1"))

    answer = member_client.get("/llm/sessions", headers={"HX-Request": "true"})

    assert answer.content.decode().lstrip().startswith('<div class="flow" id="results"')


# --- One session ------------------------------------------------------------------------------------------------------


def test_a_session_is_a_conversation_in_order_with_what_each_turn_cost(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    asked = {"session_id": "c1", "ended_at": at + 2200}
    make_traces(
        shop.project,
        trace_of("second", started_at=at + 1000, input="and shoes?", output="also 30 days", **asked),
        trace_of("first", started_at=at, input="return a hat?", output="within 30 days", user_id="ann", **asked),
    )

    shown = conversation(member_client)

    places = [shown.index(text) for text in ("return a hat?", "within 30 days", "and shoes?", "also 30 days")]
    assert places == sorted(places)
    for part in ("gpt-4o", "2.2\u00a0s", "150", "$0.0025", "user <bdi>ann</bdi>", 'href="/llm/trace/shop?id=first"'):
        assert part in shown


def test_what_only_the_spans_keep_stands_in(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    spans = [
        span_of(id="1", started_at=at, input="the question", output="a thought", model="o1"),
        span_of(id="2", started_at=at + 1, input="the thought", output="the answer"),
        span_of(id="3", started_at=at + 2, span_type="tool", input="tool in", output="tool out"),
    ]
    make_traces(shop.project, trace_of("t1", session_id="c1", started_at=at, spans=spans))

    shown = conversation(member_client)

    for part in ("the question", "the answer", "o1", "gpt-4o"):
        assert part in shown
    assert "a thought" not in shown
    assert "tool out" not in shown


def test_an_updates_output_goes_before_the_posted_one(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", session_id="c1", output="posted"))
    update_trace(shop.project, "t1", output="put later")

    shown = conversation(member_client)

    assert ("put later" in shown, "posted" in shown) == (True, False)


def test_without_texts_the_page_says_why(member_client: Client, shop: NewProject):
    sent = trace_of("t1", session_id="c1", input="secret")
    make_traces(shop.project, sent, rules=Rules(policy="none", max_spans=10))

    shown = conversation(member_client)

    assert "is not stored with these traces" in shown
    assert "secret" not in shown


def test_hostile_text_is_shown_as_text(member_client: Client, shop: NewProject):
    evil = "<script>alert(1)</script>\u202eevil"
    sent = trace_of("t1", session_id="c1", name=evil, input=evil, output=evil, user_id=evil, status=evil)
    make_traces(shop.project, sent)

    for shown in (conversation(member_client), page(member_client, "sessions")):
        assert "<script>alert" not in shown
        assert "\u202e" not in shown


def test_a_long_session_is_paged_and_its_sums_are_of_all(member_client: Client, shop: NewProject):
    at = now_ms() - 60_000
    turns = (
        trace_of(f"t{each:02}", name=f"turn-{each:02}", session_id="c1", started_at=at + each) for each in range(30)
    )
    make_traces(shop.project, *turns)

    first, second = conversation(member_client), conversation(member_client, page=2)

    assert ("turn-24" in first, "turn-25" in first) == (True, False)
    assert ("turn-24" in second, "turn-25" in second) == (False, True)
    assert "26 to 30 of 30" in second
    assert '<data class="number" value="30">30</data>' in second


def test_a_session_of_another_project_is_not_there(member_client: Client, shop: NewProject, other: NewProject):
    make_traces(other.project, trace_of("t1", session_id="theirs"))

    for query in ({"id": "theirs"}, {"id": "theirs", "project": "shop"}, {"id": "none"}):
        assert member_client.get("/llm/session", query).status_code == 404


def test_without_an_id_there_is_only_the_list(member_client: Client, shop: NewProject):
    answer = member_client.get("/llm/session", {"project": "shop"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/llm/sessions?project=shop")


# --- What was said ----------------------------------------------------------------------------------------------------


def test_of_a_list_of_messages_the_last_is_what_the_turn_adds():
    side = side_of('[{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]')

    assert side is not None
    assert (side.role, side.text, side.preview) == ("user", "hello", "")


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_nothing_said_is_no_side(text: str | None):
    assert side_of(text) is None


def test_a_long_text_begins_short_and_is_cut_where_the_trace_has_the_rest():
    long, lines, endless = (side_of(text) for text in ("x" * 700, "\n".join("abcdefghijklm"), "x" * 30_000))

    assert long is not None
    assert (long.text, long.preview, long.is_cut) == ("x" * 700, "x" * 600 + "…", False)
    assert lines is not None
    assert lines.preview == "\n".join("abcdefghij") + "…"
    assert endless is not None
    assert (len(endless.text), endless.is_cut) == (MAX_CHARACTERS, True)

"""The audit page: newest first, in words, filtered by action and person, in pages; for admins."""

import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE, Action, Actor, record
from accounts.dashboard.audit import span_words
from accounts.models import User
from tests.factories import make_user

AUDIT = "/settings/audit"


def note(action: Action, target: str, *, actor: Actor = COMMAND_LINE, **detail: Any) -> None:
    record(actor=actor, action=action, target=target, now=timezone.now(), detail=detail)


def rows_of(client: Client, query: str = "") -> list[Any]:
    answer = client.get(f"{AUDIT}?{query}")
    assert answer.status_code == 200
    return list(answer.context["rows"])


def targets(client: Client, query: str = "") -> list[str]:
    return [row.target for row in rows_of(client, query)]


@pytest.fixture
def client(admin_client: Client) -> Client:
    """Signed in as an admin."""
    return admin_client


def test_members_get_the_403_page_and_nobody_is_led_to_sign_in(member_client: Client):
    assert member_client.get(AUDIT).status_code == 403
    assert Client().get(AUDIT).status_code == 303


def test_an_empty_log_says_what_would_be_here(client: Client):
    html = client.get(AUDIT).content.decode()

    assert "Nothing yet" in html


def test_an_entry_tells_who_what_to_what_from_where_and_when(client: Client, admin: User):
    change: dict[str, Any] = {"from": "member", "to": "admin"}
    note(Action.ROLE_CHANGED, "mia", actor=Actor(admin, "203.0.113.7"), **change)

    html = unescape(client.get(AUDIT).content.decode())

    (row,) = rows_of(client)
    assert (row.action, row.target, row.actor_name, row.address) == ("Changed a role", "mia", "ann", "203.0.113.7")
    assert row.detail == [("from", "member"), ("to", "admin")]
    assert re.search(r'<time datetime="[^"]+" title="[^"]+" data-time="at">', html)


def test_the_newest_act_stands_first(client: Client):
    for name in ("first", "second", "third"):
        note(Action.PROJECT_CREATED, name)

    assert targets(client) == ["third", "second", "first"]


def test_the_command_line_is_told_from_people(client: Client):
    note(Action.LINK_MADE, "ann")

    html = client.get(AUDIT).content.decode()

    assert "command line" in html
    assert "the server" in html


def test_what_a_removed_person_did_stays_under_their_name(client: Client):
    gone = make_user(username="gone")
    note(Action.PROJECT_CREATED, "Shop", actor=Actor(gone))
    gone.delete()

    assert [row.actor_name for row in rows_of(client, "person=gone")] == ["gone"]


@pytest.mark.parametrize(
    ("query", "found", "chips"),
    [
        ("", ["c", "b", "a"], []),
        ("action=project_created", ["c", "a"], ["Action"]),
        ("person=ann", ["b", "a"], ["Person"]),
        ("person=ANN", ["b", "a"], ["Person"]),
        ("person=command line", ["c"], ["Person"]),
        ("action=project_created&person=ann", ["a"], ["Action", "Person"]),
        ("person=an", [], ["Person"]),
        ("action=nonsense", ["c", "b", "a"], []),
        ("person=" + "x" * 65, ["c", "b", "a"], []),
        ("person=%00", ["c", "b", "a"], []),
        ("person=%25", [], ["Person"]),
        ("other=1", ["c", "b", "a"], []),
    ],
)
def test_filters_stand_in_the_query_and_each_has_a_chip(
    query: str, found: list[str], chips: list[str], client: Client, admin: User
):
    note(Action.PROJECT_CREATED, "a", actor=Actor(admin))
    note(Action.TOKEN_CREATED, "b", actor=Actor(admin))
    note(Action.PROJECT_CREATED, "c")

    answer = client.get(f"{AUDIT}?{query}")

    assert [row.target for row in answer.context["rows"]] == found
    assert [chip.label for chip in answer.context["chips"]] == chips
    if not found:
        assert "No entry matches" in answer.content.decode()


def test_a_chip_takes_its_own_filter_off_and_the_page(client: Client, admin: User):
    note(Action.PROJECT_CREATED, "a", actor=Actor(admin))

    chips = client.get(f"{AUDIT}?action=project_created&person=ann&page=1").context["chips"]

    assert {chip.label: chip.remove_url for chip in chips} == {
        "Action": "?person=ann",
        "Person": "?action=project_created",
    }


def test_a_name_leads_to_what_else_they_did(client: Client):
    note(Action.PROJECT_CREATED, "a", actor=Actor(make_user(username="søren")))

    (row,) = rows_of(client, "action=project_created")

    assert row.person_url == f"?action=project_created&person={quote('søren')}"
    assert targets(client, row.person_url.removeprefix("?")) == ["a"]


def test_the_log_is_read_in_pages_of_fifty(client: Client):
    for number in range(120):
        note(Action.TOKEN_CREATED, str(number))

    pages = [targets(client, f"action=token_created&page={number}") for number in (1, 2, 3)]

    assert [len(page) for page in pages] == [50, 50, 20]
    assert sum(pages, []) == [str(number) for number in reversed(range(120))]  # noqa: RUF017  three short lists
    html = unescape(client.get(f"{AUDIT}?action=token_created&page=2").content.decode())
    assert 'href="?action=token_created&page=1"' in html
    assert 'href="?action=token_created&page=3"' in html


def test_htmx_gets_the_results_alone(client: Client):
    note(Action.PROJECT_CREATED, "a")

    answer = client.get(AUDIT, headers={"HX-Request": "true"})

    html = answer.content.decode()
    assert "HX-Request" in answer.headers["Vary"]
    assert html.strip().startswith('<div class="flow" id="results">')
    assert "<html" not in html


@pytest.mark.parametrize(
    ("action", "detail", "words"),
    [
        (Action.KEY_ROTATED, {"grace_seconds": 86_400}, [("grace", "1 day")]),
        (Action.PROJECT_CHANGED, {"name": ["Old", "New"]}, [("name", "Old → New")]),
        (Action.TOKEN_CREATED, {"scopes": ["errors:read", "llm:read"]}, [("scopes", "errors:read, llm:read")]),
        (Action.SESSIONS_REVOKED, {"sessions": 3}, [("sessions", "3")]),
        (Action.SESSION_REVOKED, {"user_agent": "x" * 400}, [("user agent", "x" * 300 + "…")]),
        (Action.SESSION_REVOKED, {"odd": {"a": None}}, [("odd", '{"a": null}')]),
    ],
)
def test_the_detail_is_written_for_people(
    action: Action, detail: dict[str, Any], words: list[tuple[str, str]], client: Client
):
    note(action, "x", **detail)

    assert rows_of(client)[0].detail == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "none"), (1, "1 second"), (90, "90 seconds"), (3600, "1 hour"), (7200, "2 hours"), (604_800, "7 days")],
)
def test_a_span_of_time_is_written_in_its_largest_whole_unit(seconds: int, words: str):
    assert span_words(seconds) == words


def test_an_action_of_a_later_version_is_shown_all_the_same(client: Client):
    note("tide_table_changed", "Shop")  # type: ignore[arg-type]

    assert rows_of(client)[0].action == "Tide table changed"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a\u202eb", "متجر", "🛒" * 60])
def test_whatever_was_named_is_shown_as_text(text: str, client: Client):
    note(Action.PROJECT_CREATED, text, thing=text)

    html = client.get(AUDIT).content.decode()

    assert "<script>alert" not in html
    assert "\u202e" not in html

"""Search over traces, through HTTP, the same on both databases (contract 8.5.7)."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop_site.lib.clock import HOUR_MS, now_ms
from llmtraces.contract import Rules, parse_trace, parse_update
from llmtraces.models import Trace, TraceWords
from llmtraces.queries import search as search_queries
from llmtraces.queries.verify import differences
from llmtraces.removal import TracesRemover
from llmtraces.services.fold import record_traces
from llmtraces.services.search_index import stored_words, words_as_stored
from projects.services.projects import NewProject
from tests.factories import make_token
from tests.llmtraces.made import FULL, make_traces, span_of, trace_of, update_trace

T = 1_760_000_000_000


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


@pytest.fixture
def reader(shop: NewProject) -> Client:
    """A client with a token of the shop."""
    return Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=('llm:read',)).secret}"})


def ask(client: Client, **query: Any) -> Any:
    answer = client.get("/v1/llm/search", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def found(client: Client, text: str, **query: Any) -> list[str]:
    return [trace["id"] for trace in ask(client, search=text, **query)["traces"]]


# --- What is found ----------------------------------------------------------------------------------------------


def test_d23_the_examples_of_the_contract(reader: Client, shop: NewProject):
    """Appendix D 23."""
    make_traces(
        shop.project,
        trace_of("t1", name="user-authentication-flow"),
        trace_of("t2", name="searchable-magic-word-ab12cd34"),
        trace_of("t3", spans=[span_of(status="error", error_message="429: rate limit exceeded")]),
    )

    assert found(reader, "authentication") == ["t1"]
    assert found(reader, "magic-word-ab12cd34") == ["t2"]
    assert found(reader, "rate limit") == ["t3"]
    assert found(reader, "zzznonsense") == []


def test_every_part_of_a_trace_is_searched(reader: Client, shop: NewProject):
    texts = {"input": [{"role": "user", "content": "inputword"}], "output": "outputword"}
    span = span_of(name="spanname", input="spaninput", output={"a": "spanoutput"}, error_message="spanerror")
    names = {"session_id": "sess-77", "user_id": "user-88", "prompt_name": "greet-prompt"}
    make_traces(shop.project, trace_of("id-4711", name="named", spans=[span], **names, **texts), trace_of("other"))

    for word in ("4711", "named", "sess-77", "88", "greet", "inputword", "outputword", "spanname", "spaninput"):
        assert found(reader, word) == ["id-4711"], word
    assert found(reader, "spanoutput spanerror NAMED") == ["id-4711"]
    assert found(reader, "spanoutput missing") == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("東京タワー", True),
        ("京タ", True),
        ("ー", True),
        ("京東", False),
        ("cafe", True),
        ("CAFÉ", True),
        ("cafe\u0301", True),
        ("🚀", True),
        ("👍🏽", True),
        ("🐙", False),
        ("user", True),
        ("loadUserBy", True),
        ("oadUser", False),
        ('"load', True),
        ("load*", True),
        ("(load)", True),
        ("load AND café", False),
        ("-load", True),
        ("'load' \\", True),
        ("strasse", True),
        ("सम", True),
        ("пойд", True),
    ],
)
def test_words_of_every_script_and_nothing_means_anything_to_the_database(
    reader: Client, shop: NewProject, *, text: str, is_found: bool
):
    words = "loadUserById café Straße 私は東京タワーに行った 🚀👍🏿 सम्मान пойдём"
    make_traces(shop.project, trace_of("t1", spans=[span_of(input=words)]))

    assert found(reader, text) == (["t1"] if is_found else [])


HOSTILE = (
    "\0",
    '"',
    "a\0b",
    "NEAR(a b)",
    "a OR b",
    "NOT a",
    "*",
    "()",
    "a:b",
    "^a",
    "'; --",
    "\\",
    "% _",
    "x" * 5000,
    "é " * 999,
    "\u0301",
    "\u200d",
    "½",
    "&|!<->:*",
    "{a}+",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_query_is_an_error(reader: Client, shop: NewProject, member_client: Client, text: str):
    make_traces(shop.project, trace_of("t1"))

    assert reader.get("/v1/llm/search", {"q": text}).status_code in (200, 400)
    assert member_client.get("/llm/search", {"q": text}).status_code == 200


def test_q_is_search_and_without_either_it_is_the_trace_list(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", name="alpha"), trace_of("t2", name="beta"))

    answer = ask(reader, q="alpha")

    assert (answer["query"], answer["total"], answer["window_hours"]) == ("alpha", 1, 24)
    assert answer["traces"][0]["snippet"] == {"found_in": "name", "pieces": [{"text": "alpha", "hit": True}]}
    assert reader.get("/v1/llm/search").json() == reader.get("/v1/llm/traces").json()
    entry = {key: value for key, value in answer["traces"][0].items() if key != "snippet"}
    assert entry in reader.get("/v1/llm/traces").json()["traces"]


def test_newest_first_with_limit_and_offset_within_window_status_and_projects(
    reader: Client, shop: NewProject, other: NewProject
):
    now = now_ms()
    for number in range(5):
        status = "error" if number == 3 else "completed"
        make_traces(shop.project, trace_of(f"t{number}", name="same", started_at=now - number * 1000, status=status))
    make_traces(shop.project, trace_of("old", name="same", started_at=now - 30 * HOUR_MS))
    make_traces(other.project, trace_of("foreign", name="same"))

    assert found(reader, "same") == ["t0", "t1", "t2", "t3", "t4"]
    assert found(reader, "same", limit=2, offset=1) == ["t1", "t2"]
    assert found(reader, "same", hours=48)[-1] == "old"
    assert found(reader, "same", status="error") == ["t3"]
    assert ask(reader, q="same", limit=2)["total"] == 5


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_index_and_the_walk_say_the_same(
    reader: Client, shop: NewProject, other: NewProject, monkeypatch: pytest.MonkeyPatch, most: int
):
    monkeypatch.setattr(search_queries, "WALKED", 2)
    monkeypatch.setattr(search_queries, "MOST", most)
    now = now_ms()
    for number in range(6):
        name = "even" if number % 2 == 0 else "odd"
        make_traces(shop.project, trace_of(f"t{number}", name=name, started_at=now - number * 1000))
    make_traces(other.project, trace_of("foreign", name="even"))

    assert found(reader, "even") == ["t0", "t2", "t4"][:most]
    assert found(reader, "even", hours=1, status="error") == []


# --- What is kept -----------------------------------------------------------------------------------------------


def test_a_trace_that_grows_is_found_by_old_and_new_words(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", input="first", spans=[span_of(input="second")]))

    make_traces(shop.project, trace_of("t1", spans=[span_of(id="s2", input="third")]))

    for word in ("first", "second", "third", "chat"):
        assert found(reader, word) == ["t1"]


def test_words_that_were_replaced_are_gone(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", name="before", output="early", spans=[span_of(input="second")]))

    make_traces(shop.project, trace_of("t1", name="after", spans=[span_of(input="third")]))
    update_trace(shop.project, "t1", output="late")

    assert [found(reader, word) for word in ("before", "second", "early")] == [[], [], []]
    assert [found(reader, word) for word in ("after", "third", "late")] == [["t1"]] * 3


def test_an_update_of_numbers_leaves_the_words(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", name="kept"))

    update_trace(shop.project, "t1", status="error", input_tokens=5)

    assert found(reader, "kept") == ["t1"]


def test_an_output_that_overtakes_its_trace_is_what_it_is_found_by(reader: Client, shop: NewProject):
    update_trace(shop.project, "t1", output="late")

    make_traces(shop.project, trace_of("t1", output="early", spans=[span_of(input="second")]))

    assert found(reader, "early") == []
    assert found(reader, "late") == found(reader, "second") == ["t1"]


texts = st.none() | st.lists(st.sampled_from(["one", "Two", "threeFour", "7", "five_6", "日本語"])).map(" ".join)
posts = st.builds(
    trace_of,
    st.sampled_from(["t1", "t2"]),
    name=st.sampled_from(["", "chat", "trial"]),
    session_id=st.sampled_from([None, "c1"]),
    input=texts,
    output=texts,
    spans=st.lists(st.builds(span_of, id=st.sampled_from(["a", "b"]), input=texts, error_message=texts), max_size=3),
)
puts = st.fixed_dictionaries({"put": st.sampled_from(["t1", "t2"]), "output": texts})


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(posts | puts, max_size=6), size=st.integers(1, 3))
def test_the_index_has_the_words_of_the_rows_whatever_comes(shop: NewProject, steps: list[Any], size: int):
    entries = [
        (shop.project.pk, T, parse_update(raw, trace_id=raw["put"], rules=FULL, now_ms=T))
        if "put" in raw
        else (shop.project.pk, T, parse_trace(raw, rules=FULL, now_ms=T))
        for raw in steps
    ]
    with transaction.atomic():
        for start in range(0, len(entries), size):
            record_traces(entries[start : start + size])
        ids = list(Trace.objects.filter(is_known=True).values_list("pk", flat=True))
        kept = {pk: set(words.split()) for pk, words in stored_words(ids).items()}
        assert kept == {pk: set(words.split()) for pk, words in words_as_stored(ids).items()}
        transaction.set_rollback(True)


def test_with_policy_none_no_text_is_found(reader: Client, shop: NewProject):
    rules = Rules(policy="none", max_spans=10)
    make_traces(
        shop.project, trace_of("t1", name="public", input="secret", spans=[span_of(input="secret")]), rules=rules
    )

    assert found(reader, "secret") == []
    assert found(reader, "public") == ["t1"]


def test_removal_takes_the_words_along(shop: NewProject):
    make_traces(shop.project, *(trace_of(f"t{number}") for number in range(5)))
    remover = TracesRemover()

    while rows := remover.find(shop.project.pk, limit=4):
        remover.remove(rows)

    assert not Trace.objects.exists()
    assert TraceWords.objects.count() == 0


# --- The page ---------------------------------------------------------------------------------------------------


def test_seed_6_words_with_the_match_highlighted_and_links_to_the_trace(member_client: Client, shop: NewProject):
    """Seed: Full-text search across trace names, input, and output content. Results show matching traces with
    highlighted context.
    """
    far = "lorem ipsum " * 40
    make_traces(shop.project, trace_of("t/1", spans=[span_of(input=f"{far} the Needle in it")]))

    page = member_client.get("/llm/search", {"q": "needle"}).content.decode()

    assert "<mark>Needle</mark> in it" in page
    assert "input of span chat" in page
    assert "/llm/trace/shop?id=t%2F1" in page


@pytest.mark.parametrize("walked", [search_queries.WALKED, 0])
def test_model_and_provider_narrow_a_search_however_it_is_made(
    walked: int, monkeypatch: pytest.MonkeyPatch, member_client: Client, shop: NewProject
):
    """Issue: the eight tabs have a "model/provider filter"."""
    monkeypatch.setattr(search_queries, "WALKED", walked)
    of_claude = span_of(model="claude-haiku-4-5", provider="anthropic")
    make_traces(shop.project, trace_of("t1", name="alpha"), trace_of("t2", name="alpha", spans=[of_claude]))

    every = member_client.get("/llm/search", {"q": "alpha"})
    for query in ({"model": "claude-haiku-4-5"}, {"provider": "anthropic"}):
        page = member_client.get("/llm/search", {"q": "alpha", **query})
        assert [row["trace"].trace_id for row in page.context["rows"]] == ["t2"]
        assert [chip.value for chip in page.context["chips"]] == list(query.values())
    nothing = member_client.get("/llm/search", {"q": "alpha", "model": "o3"}).content.decode()

    assert {row["trace"].trace_id for row in every.context["rows"]} == {"t1", "t2"}
    assert '<option value="claude-haiku-4-5">' in every.content.decode()
    assert "that used <bdi>o3</bdi>" in nothing
    assert "Search every model" in nothing


def test_what_was_found_can_be_refreshed_saved_and_downloaded(member_client: Client, shop: NewProject):
    """Issue: the eight tabs have "refresh, CSV of what is shown"; and saved views."""
    make_traces(
        shop.project,
        *(trace_of(f"t{number:02}", name="alpha") for number in range(60)),
        trace_of("other", name="beta"),
        trace_of("failed", name="alpha", status="error"),
    )

    page = member_client.get("/llm/search", {"q": "alpha", "project": "shop"}).content.decode()
    rows = downloaded(member_client, {"q": "alpha"})

    for words in ("Refresh", "format=csv", "Save this page as"):
        assert words in page
    assert len(rows) == 61, "every match, not one page of them"
    assert {row["name"] for row in rows} == {"alpha"}
    assert {key: rows[-1][key] for key in ("models", "total_tokens", "cost_micros")} == {
        "models": "gpt-4o",
        "total_tokens": "150",
        "cost_micros": "2500",
    }
    assert [row["id"] for row in downloaded(member_client, {"q": "alpha", "status": "error"})] == ["failed"]
    assert downloaded(member_client, {"q": ""}) == []


def downloaded(client: Client, query: dict[str, str]) -> list[dict[str, str]]:
    answer = client.get("/llm/search", {**query, "format": "csv"})
    assert answer["Content-Disposition"].startswith('attachment; filename="bloop-llm-search-')
    return list(csv.DictReader(StringIO(answer.content.decode())))


def test_hostile_text_is_shown_as_text(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", name="<script>alert(1)</script>", output="<img src=x onerror=evil>\u202e"))

    for word in ("alert", "evil"):
        page = member_client.get("/llm/search", {"q": word}).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert f"<mark>{word}</mark>" in page


def test_empty_states_say_what_is_searched_and_lead_on(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1"))

    assert "Enter a query to search traces" in member_client.get("/llm/search").content.decode()
    nothing = member_client.get("/llm/search", {"q": "zzz", "status": "error"}).content.decode()
    assert "zzz" in nothing
    assert "last 24 hours" in nothing
    assert "hours=168" in nothing
    assert "no word to search for" in member_client.get("/llm/search", {"q": "***"}).content.decode()
    everything = member_client.get("/llm/search", {"q": "zzz", "hours": "720"}).content.decode()
    assert "Search the last" not in everything


def test_htmx_gets_the_results_alone(member_client: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", name="alpha"))

    part = member_client.get("/llm/search", {"q": "alpha"}, headers={"HX-Request": "true"}).content.decode()

    assert part.strip().startswith('<div class="flow" id="results"')
    assert "<mark>alpha</mark>" in part


def test_nothing_of_other_projects_is_shown(member_client: Client, shop: NewProject, other: NewProject):
    make_traces(other.project, trace_of("t1", name="alpha"))

    assert "Nothing found" in member_client.get("/llm/search", {"q": "alpha"}).content.decode()
    assert found(member_client, "alpha") == []

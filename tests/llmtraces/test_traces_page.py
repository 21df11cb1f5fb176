"""The Traces page and the page of a trace, as people see them: what is listed, what opens, and what ugly data does."""

import csv
import json
import re
import time
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from bloop_site.lib.clock import now_ms
from llmtraces.links import PLACES, TRACES, place_of
from llmtraces.models import LlmSettings
from llmtraces.queries import trace_rows
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.llmtraces.judging_of import score
from tests.llmtraces.tracing import make_trace, span_json

HTMX = {"HX-Request": "true"}


def at(ending: str = "", trace_id: str = "t1", **query: str) -> str:
    """An address of the trace's page or below it."""
    return f"/llm/trace/shop{ending}?{urlencode({'id': trace_id, **query})}"


def page(client: Client, url: str, *, part: bool = False) -> str:
    answer = client.get(url, headers=HTMX if part else {})
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


# --- The list ---------------------------------------------------------------------------------------------------------


def test_traces_are_listed_with_status_models_tokens_cost_and_latency(admin_client: Client, shop: NewProject):
    """Seed, tab Traces: "Paginated list of all LLM traces with status badges, model info, token counts, cost,
    and latency. Click any trace to expand its full span hierarchy with parent-child relationships".
    """
    spans = [span_json("s1"), span_json("s2", "s1", model="o1"), span_json("s3", "s2", status="error")]
    make_trace(shop.project, name="answer", status="error", session_id="c1", user_id="u1", spans=spans)

    shown = page(admin_client, "/llm/traces")
    tree = page(admin_client, at("/tree"), part=True)

    for words in ("answer", "status--unresolved", "gpt-4o +1", "450", "$0.0075", "1.2 s", "session", "c1", "u1"):
        assert words.replace(" ", "\xa0") in shown or words in shown, words
    assert at("/tree").replace("&", "&amp;") in shown
    assert [f"span__name--{level}" in tree for level in range(4)] == [True, True, True, False]
    assert tree.index("step s1") < tree.index("step s2") < tree.index("step s3")
    assert differences() == []


def test_a_trace_opens_without_javascript_by_its_link(admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    assert at().replace("&", "&amp;") in page(admin_client, "/llm/traces")
    assert admin_client.get(at("/tree")).headers["Location"] == at()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=error", {"bad"}),
        ("status=waiting+for+rain", {"odd"}),
        ("model=o1", {"bad"}),
        ("provider=openai&model=gpt-4o", {"good", "odd"}),
        ("session_id=c1", {"good"}),
        ("user_id=u1", {"good"}),
        ("prompt_name=greet", {"good"}),
        ("prompt_name=greet&prompt_version=v9", set()),
        ("min_cost=0.01", {"bad"}),
        ("min_latency=5000", {"bad"}),
        ("has_error=true", {"bad"}),
        ("sort=nonsense&page=99&hours=x", {"good", "bad", "odd"}),
        ("min_cost=dear&min_latency=-1", {"good", "bad", "odd"}),
    ],
)
def test_the_list_is_narrowed_by_what_the_contract_names(
    query: str, expected: set[str], admin_client: Client, shop: NewProject
):
    make_trace(shop.project, "good", session_id="c1", user_id="u1", prompt_name="greet", prompt_version="v1")
    costly = span_json("x", model="o1", cost=0.5, status="error")
    make_trace(shop.project, "bad", status="error", spans=[costly], started_at=now_ms() - 9_000)
    make_trace(shop.project, "odd", status="waiting for rain")

    rows = csv.DictReader(StringIO(page(admin_client, f"/llm/traces?{query}&format=csv")))

    assert {row["id"] for row in rows} == expected
    shown = page(admin_client, f"/llm/traces?{query}", part=True)
    assert {
        name for name in ("good", "bad", "odd") if f"id={name}&quot;" in shown or f'id={name}"' in shown
    } == expected


def test_each_filter_is_a_chip_that_takes_it_away(admin_client: Client, shop: NewProject):
    shown = page(admin_client, "/llm/traces?status=error&session_id=c+1&min_cost=0.5&sort=oldest")

    for label, rest in (("Status", "session_id=c+1"), ("Session", "status=error"), ("Cost from, $", "status=error")):
        chip = shown.partition(f'aria-label="Remove filter {label}')[0].rpartition("<a")[2]
        assert rest in chip
        assert "sort=oldest" in chip
    assert "No trace matches" in shown


def test_the_sorts_of_the_contract_order_the_list(admin_client: Client, shop: NewProject):
    make_trace(shop.project, "cheap", spans=[span_json("a", cost=0.1)])
    make_trace(shop.project, "dear", spans=[span_json("b", cost=0.9, input_tokens=1)])

    def order(sort: str) -> list[str]:
        return [
            row["id"] for row in csv.DictReader(StringIO(page(admin_client, f"/llm/traces?sort={sort}&format=csv")))
        ]

    assert order("cost_desc")[0] == order("most_expensive")[0] == "dear"
    assert order("tokens_desc")[0] == "cheap"


def test_beyond_what_is_listed_the_page_says_more_than(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trace_rows, "MOST_LISTED", 3)
    monkeypatch.setattr(trace_rows, "PAGE_SIZE", 2)
    for number in range(5):
        make_trace(shop.project, f"t{number}")

    first, last = (page(admin_client, f"/llm/traces?page={number}") for number in (1, 9))

    assert "1 to 2 of more than 3" in first
    assert "3 to 3 of more than 3. Only these are listed" in last


# --- The page of a trace ----------------------------------------------------------------------------------------------


def test_a_span_is_shown_with_its_error_first_and_its_texts_as_a_conversation(admin_client: Client, shop: NewProject):
    asked = {"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "When?"}]}
    said = {"role": "assistant", "content": [{"type": "text", "text": "Soon"}, {"type": "tool_use", "name": "clock"}]}
    broken = span_json(
        "s2",
        "s1",
        status="error",
        error_message="It broke",
        input=json.dumps(asked),
        output=json.dumps(said),
        metadata={"a": {"b": [1]}},
    )
    make_trace(shop.project, spans=[span_json("s1"), broken])

    whole = page(admin_client, at())
    shown = page(admin_client, at(span="s2"))
    part = page(admin_client, at("/span", span="s2"), part=True)

    assert "The whole trace" in whole
    assert "First error" in whole
    assert at("/span", span="s2").replace("&", "&amp;") in whole
    for text in (shown, part):
        places = [text.index(words) for words in ("It broke", "Be brief", "When?", "Soon", "clock", 'dir="auto">b</b>')]
        assert places == sorted(places)
        assert "chat__message--user" in text
    assert "<html" not in part
    assert admin_client.get(at("/span", span="s2")).headers["Location"] == at(span="s2")


def test_the_next_error_is_the_next_failed_span_of_the_tree_and_goes_round(admin_client: Client, shop: NewProject):
    spans = [span_json(f"s{number}", status="error" if number else "ok", started_at=number + 1) for number in range(3)]
    make_trace(shop.project, spans=spans)

    def after(span: str) -> str:
        return page(admin_client, at("/span", span=span), part=True).partition("Next error")[0].rpartition("<a")[2]

    assert "span=s2" in after("s1")
    assert "span=s1" in after("s2")
    assert "span=s1" in after("s0")


def test_what_another_policy_did_not_keep_is_not_called_unsent(admin_client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="full")
    make_trace(shop.project, policy="none", spans=[span_json("s1", input="secret")])

    assert "none was sent, or the policy of that time kept none" in page(admin_client, at(span="s1"))


@pytest.mark.parametrize("policy", ["none", "metadata_only"])
def test_the_page_says_what_the_policy_did_not_keep(policy: str, admin_client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage=policy)
    make_trace(shop.project, policy=policy, spans=[span_json("s1", input="secret")])

    shown = page(admin_client, at(span="s1"))

    assert f"Not kept: the project&#x27;s policy is {policy}." in shown
    assert "secret" not in shown


def test_scores_of_the_trace_stand_on_its_page(admin_client: Client, shop: NewProject):
    make_trace(shop.project)
    score(shop.project, "t1", 0.75, name="helpfulness")

    shown = page(admin_client, at())

    assert "helpfulness" in shown
    assert "0.75" in shown


def test_a_trace_without_spans_says_so(admin_client: Client, shop: NewProject):
    make_trace(shop.project, spans=[])

    assert "No span has come" in page(admin_client, at())
    assert "No span has come" in page(admin_client, at("/tree"), part=True)


def test_a_span_that_is_not_there_leads_to_the_trace(admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    assert "The span you asked for is not in this trace" in page(admin_client, at(span="gone"))


def test_the_addresses_are_those_of_the_routes():
    assert reverse("llm:traces") == TRACES
    for name in PLACES:
        assert place_of(name, "shop", id="a/b c").partition("?")[0] == reverse(f"llm:{name}", args=["shop"])


# --- Bad input --------------------------------------------------------------------------------------------------------

UGLY_IDS = ("a/b c", "a%2Fb", "..", "?#&=", "\u202eabc", "日本 🤖", "a\ud800b", "x" * 128, "<script>", "a\nb")


@pytest.mark.parametrize("trace_id", UGLY_IDS)
def test_a_trace_with_an_ugly_id_has_a_page_a_tree_and_texts(trace_id: str, admin_client: Client, shop: NewProject):
    kept = trace_id.encode(errors="replace").decode()
    make_trace(shop.project, kept, name=kept, spans=[span_json(kept, input="hello")])

    shown = page(admin_client, "/llm/traces")
    assert "<script>abc" not in shown
    for ending, part in (("", False), ("/tree", True), ("/rows", True), ("/span", True), ("/text", False)):
        text = page(admin_client, at(ending, kept, span=kept, part="input"), part=part)
        assert "<script></" not in text
    assert page(admin_client, at("/text", kept, span=kept, part="input")) == "hello"


@pytest.mark.parametrize("query", ["", "id=", "id=unknown", "id=%00", "id=%ED%A0%80", "id=t1%00", f"id={'x' * 5000}"])
@pytest.mark.parametrize("ending", ["", "/tree", "/rows", "/span", "/text"])
def test_what_is_not_there_is_not_found(ending: str, query: str, admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    assert admin_client.get(f"/llm/trace/shop{ending}?{query}").status_code == 404


@pytest.mark.parametrize("query", ["span=%00", "span=%ED%A0%80", "from=-1", "from=99999999999", "from=x", "from=5"])
def test_nonsense_about_a_trace_shows_the_trace(query: str, admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    assert "step s1" in page(admin_client, f"{at()}&{query}")


@pytest.mark.parametrize("part", ["", "secret", "password", "output", "error"])
def test_a_text_that_is_not_kept_is_not_found(part: str, admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    assert admin_client.get(at("/text", span="s1", part=part)).status_code == 404
    assert admin_client.get(at("/text", part=part)).status_code == 404


def test_strange_parents_and_times_are_a_sane_picture(admin_client: Client, shop: NewProject):
    spans = [
        span_json("a", "b", started_at=10**12, ended_at=5),
        span_json("b", "a", latency_ms=0, started_at=1),
        span_json("lost", "nowhere", latency_ms=10**12, time_to_first_token_ms=10**13),
    ]
    make_trace(shop.project, started_at=10**12, ended_at=1, spans=spans)

    shown = page(admin_client, at())

    assert "parent missing" in shown
    assert "circle of parents" in shown
    widths = [
        float(width) for width in shown.split(' width="')[1:] for width in [width.partition("%")[0]] if len(width) < 9
    ]
    assert all(0 <= width <= 100 for width in widths)


def test_hostile_texts_are_shown_as_text(admin_client: Client, shop: NewProject):
    hostile = "<script>alert(1)</script> \x1b[31mred **bold** \u202e"
    texts: dict[str, Any] = {
        "input": hostile,
        "output": json.dumps([{"role": hostile, "content": hostile}]),
        "metadata": {hostile: hostile},
    }
    make_trace(
        shop.project,
        name=hostile,
        status=hostile,
        spans=[span_json("s1", error_message=hostile, status="error", **texts)],
    )

    for shown in (page(admin_client, at(span="s1")), page(admin_client, "/llm/traces")):
        assert "<script>alert" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
@pytest.mark.parametrize("around", [("", ""), ('["', '"]'), ("[" * 10, "")])
def test_a_text_of_megabytes_is_cut_and_whole_as_raw_text(
    size: int, around: tuple[str, str], admin_client: Client, shop: NewProject
):
    text = around[0] + "y" * size + around[1]
    make_trace(shop.project, spans=[span_json("s1", input=text)])

    shown = page(admin_client, at(span="s1"))
    raw = admin_client.get(at("/text", span="s1", part="input"))

    assert len(shown) < 200_000
    assert f"The beginning of {len(text):,} characters" in shown
    assert raw.content.decode() == text
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert raw.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"\\"' * 40_000,
        "[1e999, NaN]",
        '[{"role": "user"}, 5]',
        '{"messages": [null]}',
        json.dumps([{"role": "user", "content": [None, 5, {"type": 7}, {"type": "tool_result", "content": [{}]}]}]),
        json.dumps({"choices": [5], "messages": {}}),
        "9" * 5000,
        "[" + "9" * 5000 + "]",
    ],
)
def test_texts_that_almost_are_json_never_break_the_page(text: str, admin_client: Client, shop: NewProject):
    make_trace(shop.project, spans=[span_json("s1", input=text)])

    began = time.process_time()
    page(admin_client, at(span="s1"))

    assert time.process_time() - began < 2


def test_a_trace_leads_to_its_session_in_order(admin_client: Client, shop: NewProject):
    """Issue: "Further pages: Sessions (a conversation in order)"; a session may be older than any list's window."""
    make_trace(shop.project, session_id="a/b c")

    assert 'href="/llm/session?project=shop&amp;id=a%2Fb+c"' in page(admin_client, at())
    assert "a/b c" in page(admin_client, "/llm/session?project=shop&id=a%2Fb+c")


def test_only_a_running_trace_is_called_running(admin_client: Client, shop: NewProject):
    make_trace(shop.project, "endless", ended_at=None)
    make_trace(shop.project, "still", ended_at=None, status="running")

    assert "it did not say when it ended" in page(admin_client, at(trace_id="endless"))
    assert ">running</span></dd>" in page(admin_client, at(trace_id="still"))


def test_a_span_that_has_not_ended_took_nobody_knows_how_long(admin_client: Client, shop: NewProject):
    running = {"id": "s1", "name": "agent", "started_at": now_ms()}
    make_trace(shop.project, spans=[running, span_json("s2", "s1", latency_ms=700)])

    for words in (page(admin_client, at()), page(admin_client, at("/tree"), part=True)):
        told = re.findall(r'class="span__time">(?:<span class="sr-only">took </span>)?([^<]*)<', words)
        assert told == ["–", "700\N{NO-BREAK SPACE}ms"]
    assert "<dt>Latency</dt><dd>–</dd>" in page(admin_client, at(span="s1"))


def test_two_thousand_levels_are_shown_first_three_hundred_then_the_rest(admin_client: Client, shop: NewProject):
    spans = [span_json(f"s{level}", f"s{level - 1}" if level else None) for level in range(2_000)]
    make_trace(shop.project, spans=spans)
    page(admin_client, at())

    began = time.process_time()
    first = page(admin_client, at())
    took = time.process_time() - began
    rest = page(admin_client, at("/rows", **{"from": "1800"}), part=True)
    found = page(admin_client, at(span="s1000"))

    assert first.count("data-span=") == 300
    assert "300 of 2,000 spans shown" in first
    assert at("/rows", **{"from": "300"}).replace("&", "&amp;") in first
    assert (rest.count("data-span="), "show more" in rest) == (200, False)
    assert 'data-span="s1000"' in found
    assert "show earlier" in found
    assert took < 2  # a bench has the exact figure: < 0.5 s on a quiet machine

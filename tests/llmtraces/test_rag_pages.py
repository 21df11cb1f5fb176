"""The pages RAG, Tools and Prompts: what they show, empty, hostile, in part, as CSV, and whose."""

import csv
import re
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from bloop_site.lib.clock import HOUR_MS, now_ms
from llmtraces.contract import Rules, parse_trace
from llmtraces.queries.verify import differences
from llmtraces.services.fold import record_traces
from projects.models import Project
from projects.services.projects import NewProject

HTMX = {"HX-Request": "true"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "\"double\" 'single' & </td>",
    "a/b?c=d&e#f",
    "{{ 7 }}{% now %}",
    "line\nbreak\ttab",
    "x" * 1_000_000,
    "🚀",
]
METADATA = {
    "rag.source": "pinecone",
    "rag.chunks_retrieved": 8,
    "rag.chunks_used": 2,
    "rag.context_tokens": 3000,
    "rag.max_context_tokens": 4000,
    "rag.relevance_scores": [0.92],
}


def post(project: Project, *spans: dict[str, Any], hours_ago: float = 0, latency_ms: int = 1000, **fields: Any) -> None:
    at = now_ms() - int(hours_ago * HOUR_MS)
    raw = {"started_at": at, "ended_at": at + latency_ms, "spans": list(spans), **fields}
    record_traces([(project.pk, at, parse_trace(raw, rules=Rules("full", 1000), now_ms=now_ms()))])


def retrieval(metadata: Any = METADATA, **fields: Any) -> dict[str, Any]:
    return {"span_type": "retrieval", "name": "vector_search", "latency_ms": 120, "metadata": metadata, **fields}


def tool(name: str = "web_search", **fields: Any) -> dict[str, Any]:
    return {"span_type": "tool", "name": name, "latency_ms": 400, "cost": 0.01, **fields}


def call(tokens_in: int = 100, tokens_out: int = 50, cost: float = 0.002) -> dict[str, Any]:
    return {"model": "gpt-4o", "input_tokens": tokens_in, "output_tokens": tokens_out, "cost": cost}


def prompt(
    project: Project, name: str = "greet", version: str | None = "v1", *spans: dict[str, Any], **more: Any
) -> None:
    post(project, *(spans or [call()]), prompt_name=name, prompt_version=version, **more)


def words(client: Client, path: str, query: dict[str, str] | None = None) -> str:
    """What is seen of a page: of short figures not the exact ones for the ear; one space between words."""
    answer = client.get(path, query or {})
    assert answer.status_code == 200
    page = re.sub(
        r'(aria-hidden="true">[^<]*</span>)<span class="sr-only">[^<]*</span>', r"\1", answer.content.decode()
    )
    text = unescape(re.sub(r"<[^>]*>", " ", page))
    return re.sub(r"\s+", " ", text)


def rows_of(client: Client, path: str, query: dict[str, str]) -> list[list[str]]:
    """The rows of a CSV."""
    answer = client.get(path, {**query, "format": "csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(answer.content.decode())))


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


# --- RAG --------------------------------------------------------------------------------------------------------


def test_rag_has_cards_charts_and_sources(client: Client, shop: NewProject):
    post(shop.project, retrieval(), retrieval({**METADATA, "rag.relevance_scores": [0.5]}, status="error"))

    text = words(client, "/llm/rag")

    assert "Total retrievals 2 120 ms on average" in text
    assert "Average top relevance 0.71 0.50 to 0.92" in text
    assert "Chunks used of retrieved 25 % 2 of 8 on average" in text
    assert "Errors 1 50 % of retrievals" in text
    assert "Retrievals each hour" in text
    assert "vector_search pinecone" in text
    assert "2 of 8" in text
    assert "75 %" in text


def test_rag_of_a_month_has_columns_of_six_hours(client: Client, shop: NewProject):
    post(shop.project, retrieval(), hours_ago=500)
    post(shop.project, retrieval(), hours_ago=0)

    page = client.get("/llm/rag?hours=720").content.decode()

    assert "Retrievals each 6 hours" in page
    assert page.count('class="rag-bar rag-bar--all"') == 2
    assert page.count('class="rag-bar rag-bar--latency"') == 2


@pytest.mark.parametrize("hours", [1, 6, 24, 168, 169, 720])
def test_rag_draws_every_window(client: Client, shop: NewProject, hours: int):
    post(shop.project, retrieval(latency_ms=0))
    post(shop.project, retrieval(status="error"), hours_ago=hours - 0.1)

    page = client.get(f"/llm/rag?hours={hours}").content.decode()

    drawn = [float(value) for value in re.findall(r' (?:x|y|width|height)="([^"]*)" ?', page.split("rag-charts")[1])]
    assert drawn
    assert all(-0.01 <= value <= 720.01 for value in drawn)


def test_rag_without_scores_says_so_instead_of_zero(client: Client, shop: NewProject):
    post(shop.project, retrieval({"rag.chunks_retrieved": 4}))

    text = words(client, "/llm/rag")

    assert "Average top relevance – no scores were sent" in text
    assert "Chunks used of retrieved – 4 retrieved on average" in text
    assert "unknown source" in text


def test_rag_without_data_says_what_to_send_and_which_policy_keeps_it(client: Client, shop: NewProject):
    post(shop.project, retrieval({}), tool())

    text = words(client, "/llm/rag")

    assert "No RAG data" in text
    for key in (*METADATA, "rag.top_k", "metadata_only", "full"):
        assert key in text


def test_rag_as_csv_has_a_row_for_each_source(client: Client, shop: NewProject):
    post(shop.project, retrieval(), retrieval({**METADATA, "rag.source": "=1+1"}, id="2"))

    header, *rows = rows_of(client, "/llm/rag", {"project": "shop"})

    assert header[:3] == ["retrieval", "source", "calls"]
    assert [row[:3] for row in rows] == [["vector_search", "'=1+1", "1"], ["vector_search", "pinecone", "1"]]


# --- Tools ------------------------------------------------------------------------------------------------------


def test_tools_has_a_row_for_each_name_the_most_called_first(client: Client, shop: NewProject):
    spans = [tool(id="1"), tool(id="2", latency_ms=800, status="error"), retrieval(name="vector_db")]
    post(shop.project, *spans)

    text = words(client, "/llm/tools")

    assert re.search(r"web_search 2 1 50 % 600 ms \d+ ms \d+ ms \$0\.02\S* vector_db 1 0 0 % 120 ms", text)
    assert "2 names" in text


def test_tools_without_calls_says_what_to_send(client: Client, shop: NewProject):
    post(shop.project, call())

    assert "No tool calls" in words(client, "/llm/tools")


def test_tools_as_csv(client: Client, shop: NewProject):
    post(shop.project, tool())

    _, row = rows_of(client, "/llm/tools", {})

    assert (row[0], row[1:5], row[-1]) == ("web_search", ["1", "0", "0.0", "400.0"], "10000")


# --- Prompts ----------------------------------------------------------------------------------------------------


def test_prompts_tracks_versions(client: Client, shop: NewProject):
    """Seed, Prompts: "Prompt version tracking table: prompt name, latest version, total traces, average latency,
    average tokens, cost, and error rate".
    """
    prompt(shop.project, "greet", "v1", call(100, 50, 0.002), hours_ago=2)
    prompt(shop.project, "greet", "v1", call(300, 50, 0.004), hours_ago=2, status="error", latency_ms=3000)
    prompt(shop.project, "greet", "v2", call(100, 100, 0.001))

    text = words(client, "/llm/prompts")

    heads = "Prompt Latest version Traces Average latency Average tokens Cost Error rate Last used"
    assert heads in text
    assert re.search(r" greet v2 3 1\.\d s 233 \$0\.007\S* 33\.33 %", text)
    assert re.search(r"Version of greet v2 1 1(\.0)? s 200 \$0\.001\S* 0 %", text)
    assert re.search(r"Version of greet v1 2 2(\.0)? s 250 \$0\.006\S* 50 %", text)


def test_prompts_leads_to_a_versions_traces_and_to_its_comparison(client: Client, shop: NewProject):
    """Seed, Prompts: "Useful for comparing prompt performance across versions"."""
    prompt(shop.project, "a/b & c", "v1#x", hours_ago=2)
    prompt(shop.project, "a/b & c", "v2")

    page = unescape(client.get("/llm/prompts?hours=168&project=shop").content.decode())

    assert "/llm/traces?prompt_name=a%2Fb+%26+c&prompt_version=v1%23x&hours=168&project=shop" in page
    assert "/llm/prompt?name=a%2Fb+%26+c&hours=168&project=shop" in page
    for address in set(re.findall(r'href="(/llm/[^"]*prompt[^"]*)"', page)):
        assert client.get(address).status_code == 200


def test_prompts_shows_the_last_five_versions_and_counts_the_others(client: Client, shop: NewProject):
    for number in range(8):
        prompt(shop.project, "greet", f"v{number}", hours_ago=number / 100)

    text = words(client, "/llm/prompts")

    assert text.count("Version of greet") == 5
    assert "3 more versions" in text
    assert all(f" v{number} " in words(client, "/llm/prompt", {"name": "greet"}) for number in range(8))


def test_a_prompt_without_versions_is_listed_and_its_name_leads_on(client: Client, shop: NewProject):
    prompt(shop.project, "greet", None)

    assert "greet no version 1" in words(client, "/llm/prompts")


def test_prompts_without_data_says_what_to_send(client: Client, shop: NewProject):
    post(shop.project, call())

    text = words(client, "/llm/prompts")

    assert "No prompts" in text
    assert "prompt_version" in text


def test_prompts_as_csv_has_a_row_for_each_version(client: Client, shop: NewProject):
    prompt(shop.project, "greet", "v1", hours_ago=1)
    prompt(shop.project, "greet", "v2")

    header, *rows = rows_of(client, "/llm/prompts", {})

    assert header[:4] == ["prompt", "version", "traces", "errors"]
    assert [row[:4] for row in rows] == [["greet", "v2", "1", "0"], ["greet", "v1", "1", "0"]]
    assert rows == rows_of(client, "/llm/prompt", {"name": "greet"})[1:]


# --- One prompt -------------------------------------------------------------------------------------------------


@pytest.fixture
def two_versions(shop: NewProject) -> None:
    """v1 is slower, dearer and fails more than v2, which answers longer."""
    prompt(shop.project, "greet", "v1", call(200, 50, 0.004), hours_ago=2, latency_ms=2000)
    prompt(shop.project, "greet", "v1", call(200, 50, 0.004), hours_ago=2, latency_ms=2000, status="error")
    prompt(shop.project, "greet", "v2", call(100, 60, 0.003), latency_ms=1000)


@pytest.mark.usefixtures("two_versions")
def test_two_versions_stand_side_by_side_with_each_difference_in_words(client: Client):
    text = words(client, "/llm/prompt", {"name": "greet", "v1": "v1", "v2": "v2"})

    for line in (
        r"Traces 2 1 1 fewer ",
        r"Error rate 50 % 0 % 50 points lower, better",
        r"Average latency 2(\.0)? s 1(\.0)? s 50 % faster, better",
        r"Average input tokens 200 100 50 % fewer, better",
        r"Average output tokens 50 60 20 % more, worse",
        r"Average cost \$0\.004\S* \$0\.003\S* 25 % cheaper, better",
        r"Total cost \$0\.008\S* \$0\.003\S* spent less ",
    ):
        assert re.search(line, text), line


@pytest.mark.usefixtures("two_versions")
def test_the_latest_is_compared_with_the_one_before_unless_others_are_chosen(client: Client):
    usual = words(client, "/llm/prompt", {"name": "greet"})
    other = words(client, "/llm/prompt", {"name": "greet", "v1": "v2", "v2": "v1"})

    assert "50 % faster, better" in usual
    assert "100 % slower, worse" in other


@pytest.mark.usefixtures("two_versions")
def test_a_version_without_traces_is_shown_with_zeros_and_not_judged(client: Client):
    text = words(client, "/llm/prompt", {"name": "greet", "v1": "v9", "v2": "v2"})

    assert "Traces 0 1 1 more" in text
    assert re.search(r"Average latency – 1(\.0)? s nothing to compare", text)
    assert "not in this window" in text
    assert '<option value="v9" selected>' in client.get("/llm/prompt?name=greet&v1=v9&v2=v2").content.decode()


def test_one_version_has_nothing_beside_it(client: Client, shop: NewProject):
    prompt(shop.project)

    text = words(client, "/llm/prompt", {"name": "greet"})

    assert "Only one version was used in this window" in text
    assert "Side by side" not in text


def test_a_prompt_that_is_not_in_the_window_says_so(client: Client, shop: NewProject):
    prompt(shop.project, hours_ago=30)

    assert "No traces of this prompt" in words(client, "/llm/prompt", {"name": "greet"})
    assert "All versions" in words(client, "/llm/prompt", {"name": "greet", "hours": "168"})


def test_without_a_name_there_is_only_the_list(client: Client, shop: NewProject):
    answer = client.get("/llm/prompt?hours=6&v1=a")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/llm/prompts?hours=6")


# --- All of them ------------------------------------------------------------------------------------------------

PATHS = ["/llm/rag", "/llm/tools", "/llm/prompts", "/llm/prompt?name=greet"]


@pytest.mark.parametrize("path", PATHS)
def test_htmx_gets_the_results_alone(client: Client, shop: NewProject, path: str):
    prompt(shop.project, "greet", "v1", call(), tool(), retrieval())

    part = client.get(path, headers=HTMX).content.decode().strip()

    assert part.startswith('<div class="flow" id="results"')
    assert "<html" not in part


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_whatever_a_client_sends_is_shown_as_text(client: Client, shop: NewProject, text: str):
    odd = {**METADATA, "rag.source": text}
    prompt(shop.project, text, text, call(), tool(text), retrieval(odd, name=text))
    prompt(shop.project, text, "other", hours_ago=0.1)

    for path in ("/llm/rag", "/llm/tools", "/llm/prompts"):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert len(page) < 100_000
        for address in re.findall(r'href="(/llm/(?:prompt|traces)\?[^"]*)"', page):
            assert client.get(unescape(address)).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, "/llm/sessions", "/llm/scores", "/llm/feedback"])
def test_a_filter_by_model_narrows_nothing_and_the_page_says_so(client: Client, shop: NewProject, path: str):
    prompt(shop.project, "greet", "v1", call(), tool(), retrieval())

    answer = client.get(path, {"name": "greet", "model": "o1", "project": "shop"}).content.decode()

    assert "narrows other pages, not this one" in answer
    assert "Remove filter Model" not in answer
    assert '<input type="hidden" name="model" value="o1">' in answer, "it holds again on those"
    assert 'name="model"' not in client.get(path).content.decode()


@pytest.mark.parametrize("path", PATHS)
def test_anothers_figures_are_not_seen(client: Client, shop: NewProject, other: NewProject, path: str):
    prompt(other.project, "greet", "secret-v", call(), tool("secret-tool"), retrieval(name="secret-search"))

    assert "secret" not in client.get(path).content.decode()

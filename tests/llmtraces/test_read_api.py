"""The read API of LLM tracing through HTTP (contract 8.4, 8.5.1 to 8.5.6, 8.5.8, 8.5.9, 8.12)."""

import json
from typing import Any
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.conf import LazySettings
from django.test import Client

from bloop_site.lib.clock import HOUR_MS, now_ms
from ingest.flush import flush_all
from llmtraces.models import LlmSettings, Trace
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.factories import make_token, post_signed, sign
from tests.llmtraces.made import make_traces, span_of, trace_of, update_trace
from tests.test_openapi import answer_schema


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


@pytest.fixture
def reader(shop: NewProject) -> Client:
    """A client with a token of the shop."""
    return Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=('llm:read',)).secret}"})


def ask(client: Client, path: str, **query: Any) -> Any:
    answer = client.get(f"/v1/llm/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(client: Client, **query: Any) -> list[str]:
    return [trace["id"] for trace in ask(client, "traces", **query)["traces"]]


def post(client: Client, shop: NewProject, value: Any, path: str = "/v1/traces") -> Any:
    answer = post_signed(client, path, json.dumps(value).encode(), key=shop.api_key)
    flush_all()
    return answer


# --- Appendix D -------------------------------------------------------------------------------------------------------


def test_d13_a_trace_sent_in_is_read_back_with_its_sums(client: Client, reader: Client, shop: NewProject):
    """Appendix D 13: 100+50 tokens, cost 0.0025; the trace's input is null if only the span had one."""
    LlmSettings.objects.create(project=shop.project, content_storage="full")
    span = {"input_tokens": 100, "output_tokens": 50, "cost": 0.0025, "input": "hello", "model": "gpt-4o"}
    post(client, shop, {"id": "t1", "name": "chat", "spans": [span]})

    found = ask(reader, "traces/t1")

    assert (found["total_tokens"], found["cost_micros"], found["input"]) == (150, 2500, None)
    assert (found["spans"][0]["input"], found["spans"][0]["model"]) == ("hello", "gpt-4o")
    assert found["trace"]["name"] == "chat"


def test_d14_what_was_refused_is_not_found(client: Client, reader: Client, shop: NewProject):
    """Appendix D 14: an id of 200 characters, 101 spans, no signature."""
    long = "x" * 200
    post(client, shop, {"id": long})
    post(client, shop, {"id": "many", "spans": [{}] * 101})
    client.post("/v1/traces", b'{"id": "unsigned"}', content_type="application/json")
    flush_all()

    for trace_id in (long, "many", "unsigned"):
        answer = reader.get(f"/v1/llm/traces/{trace_id}")
        assert (answer.status_code, answer.json()) == (404, {"error": f"trace not found: {trace_id}"})
    assert ask(reader, "traces")["total"] == 0


def test_d15_a_batch_is_listed_and_a_put_changes_what_is_read(client: Client, reader: Client, shop: NewProject):
    """Appendix D 15: a batch is accepted; PUT after ingest changes the status."""
    post(client, shop, {"traces": [{"id": f"t{number}"} for number in range(3)]}, "/v1/traces/batch")
    body = b'{"status": "error"}'
    headers = {"X-Signature": sign(body, shop.api_key), "X-Project-Key": shop.api_key}
    client.put("/v1/traces/t1", body, content_type="application/json", headers=headers)
    flush_all()

    assert sorted(ids(reader)) == ["t0", "t1", "t2"]
    assert ask(reader, "traces/t1")["status"] == "error"
    assert ids(reader, status="error") == [trace["id"] for trace in ask(reader, "errors")["traces"]] == ["t1"]


def test_d16_prompt_fields_are_read_back_and_null_when_absent(client: Client, reader: Client, shop: NewProject):
    """Appendix D 16."""
    post(client, shop, {"id": "t1", "prompt_name": "greet", "prompt_version": "3"})
    post(client, shop, {"id": "t2"})

    for found in (ask(reader, "traces/t1"), ask(reader, "traces", prompt_name="greet")["traces"][0]):
        assert (found["prompt_name"], found["prompt_version"]) == ("greet", "3")
    assert ask(reader, "traces/t2")["prompt_name"] is ask(reader, "traces/t2")["prompt_version"] is None


def test_d19_sessions_group_and_count_and_their_traces_ascend(reader: Client, shop: NewProject):
    """Appendix D 19: sessions group and count; detail ascending by start."""
    at = now_ms() - 10_000
    make_traces(
        shop.project,
        trace_of("b", session_id="c1", started_at=at + 2000, user_id="ann", status="error"),
        trace_of("a", session_id="c1", started_at=at + 1000),
        trace_of("c", session_id="c2", started_at=at),
        trace_of("d", started_at=at),
    )

    listed = ask(reader, "sessions")

    assert (listed["total"], listed["window_hours"]) == (2, 24)
    assert listed["sessions"][0] == {
        "session_id": "c1",
        "project_id": shop.project.pk,
        "user_id": "ann",
        "trace_count": 2,
        "total_cost_micros": 5000,
        "total_tokens": 300,
        "first_trace_at": at + 1000,
        "last_trace_at": at + 2000,
        "error_count": 1,
    }
    one = ask(reader, "sessions/c1")
    assert [trace["id"] for trace in one["traces"]] == ["a", "b"]
    assert (one["user_id"], one["total_cost_micros"], one["total_tokens"]) == ("ann", 5000, 300)


def test_d19_tools_group_by_name(reader: Client, shop: NewProject):
    """Appendix D 19: web_search 2, vector_db 1."""
    spans = [
        span_of(id="1", span_type="tool", name="web_search", latency_ms=100, cost=0.001),
        span_of(id="2", span_type="tool", name="web_search", latency_ms=300, cost=0.001, status="error"),
        span_of(id="3", span_type="retrieval", name="vector_db", latency_ms=50, cost=0),
        span_of(id="4", name="chat"),
    ]
    make_traces(shop.project, trace_of("t1", spans=spans))

    found = ask(reader, "tools")

    assert [(tool["name"], tool["call_count"]) for tool in found["tools"]] == [("web_search", 2), ("vector_db", 1)]
    search = found["tools"][0]
    assert (search["error_count"], search["error_rate"], search["total_cost_micros"]) == (1, 50.0, 2000)
    assert (search["avg_latency_ms"], search["p50_latency_ms"]) == (200.0, pytest.approx(200, rel=0.01))
    assert search["p99_latency_ms"] == pytest.approx(298, rel=0.01)


def test_d21_prompt_versions_count_per_version(reader: Client, shop: NewProject):
    """Appendix D 21, its part about prompts."""
    at = now_ms() - 10_000
    for number, version in enumerate(["1", "1", "2", None]):
        more = {"prompt_name": "greet", "prompt_version": version, "started_at": at + number, "ended_at": at + 1000}
        make_traces(shop.project, trace_of(f"t{number}", **more))
    make_traces(shop.project, trace_of("other", prompt_name="other", prompt_version="1"))

    found = ask(reader, "prompts/greet/versions")

    assert found["name"] == "greet"
    assert [(row["version"], row["trace_count"]) for row in found["versions"]] == [("", 1), ("2", 1), ("1", 2)]
    assert found["versions"][2] == {
        "version": "1",
        "trace_count": 2,
        "avg_cost_micros": 2500,
        "avg_latency_ms": 999.5,
        "error_rate": 0.0,
        "avg_input_tokens": 100.0,
        "avg_output_tokens": 50.0,
        "first_seen": at,
        "last_seen": at + 1,
    }
    assert found["versions"][0]["first_seen"] == found["versions"][0]["last_seen"] == at + 3


# --- Overview, usage, latency, models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["overview", "dashboard", "metrics"])
def test_the_overview_has_every_total_under_each_of_its_names(name: str, reader: Client, shop: NewProject):
    spans = [span_of(), span_of(id="s2", latency_ms=600, status="error"), span_of(id="s3", latency_ms=0)]
    make_traces(shop.project, trace_of("t1", spans=spans), trace_of("t2", spans=[]))

    assert ask(reader, name, hours=1) == {
        "total_traces": 2,
        "total_spans": 3,
        "total_input_tokens": 300,
        "total_output_tokens": 150,
        "total_tokens": 450,
        "total_cost_micros": 7500,
        "error_count": 1,
        "error_rate": 33.33,
        "avg_latency_ms": 600.0,
        "window_hours": 1,
    }


def test_nothing_is_zeros_not_errors(reader: Client):
    overview = ask(reader, "overview")
    assert overview.pop("window_hours") == 24
    assert set(overview.values()) == {0}
    for path, key in (("usage", "usage"), ("latency", "latency"), ("models", "models"), ("prompts", "prompts")):
        assert ask(reader, path) == {key: [], "window_hours": 24}
    assert ask(reader, "tools") == {"tools": [], "window_hours": 24}
    assert ask(reader, "traces") == {"traces": [], "total": 0, "window_hours": 24}
    assert ask(reader, "sessions") == {"sessions": [], "total": 0, "window_hours": 24}


def test_usage_is_by_hour_newest_first_and_no_model_is_an_empty_text(reader: Client, shop: NewProject):
    now = now_ms()
    spans = [span_of(started_at=now), span_of(id="s2", started_at=now - HOUR_MS, model=None, provider=None)]
    make_traces(shop.project, trace_of("t1", spans=spans))

    rows = ask(reader, "usage")["usage"]

    assert [(row["hour_bucket"], row["model"], row["provider"]) for row in rows] == [
        (now - now % HOUR_MS, "gpt-4o", "openai"),
        (now - now % HOUR_MS - HOUR_MS, "", ""),
    ]
    assert rows[0] | {"hour_bucket": 0} == {
        "hour_bucket": 0,
        "model": "gpt-4o",
        "provider": "openai",
        "span_count": 1,
        "input_tokens": 100,
        "output_tokens": 50,
        "total_tokens": 150,
        "cost_micros": 2500,
    }
    assert len(ask(reader, "usage", model="gpt-4o")["usage"]) == 1
    assert ask(reader, "usage", provider="nobody")["usage"] == []
    assert ask(reader, "usage", limit=1, offset=1)["usage"] == rows[1:]


def test_what_an_update_said_of_a_trace_without_spans_is_in_every_sum(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", spans=[]))
    update_trace(shop.project, "t1", input_tokens=7)

    for path in ("usage", "models"):
        assert [(row["model"], row["total_tokens"]) for row in ask(reader, path)[path]] == [("", 7)]
    assert ask(reader, "overview")["total_tokens"] == 7


def test_usage_of_several_projects_is_one_row_for_an_hour_and_model(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_traces(shop.project, trace_of("t1"))
    make_traces(other.project, trace_of("t1"))

    assert [row["span_count"] for row in ask(admin_client, "usage")["usage"]] == [2]
    assert [row["span_count"] for row in ask(admin_client, "usage", project_id=shop.project.pk)["usage"]] == [1]


def test_latency_is_of_generations_by_model_the_busiest_first(reader: Client, shop: NewProject):
    spans = [
        *[span_of(id=f"s{number}", latency_ms=(number + 1) * 100, model="busy") for number in range(10)],
        span_of(id="a", model="slow", latency_ms=9000, time_to_first_token_ms=100),
        span_of(id="b", model="slow", latency_ms=9000, time_to_first_token_ms=300),
        span_of(id="c", model="slow", latency_ms=9000),
        span_of(id="d", model=None),
        span_of(id="e", model="tool-only", span_type="tool"),
        span_of(id="f", model="slow", span_type="tool", time_to_first_token_ms=9000),
    ]
    make_traces(shop.project, trace_of("t1", spans=spans))

    rows = ask(reader, "latency")["latency"]

    assert [(row["model"], row["span_count"]) for row in rows] == [("busy", 10), ("slow", 3), ("", 1)]
    assert rows[0]["p50_ms"] == pytest.approx(550, rel=0.01)
    assert rows[0]["p90_ms"] == pytest.approx(910, rel=0.01)
    assert rows[0]["p99_ms"] == pytest.approx(991, rel=0.01)
    assert (rows[0]["avg_ttft_ms"], rows[1]["avg_ttft_ms"]) == (0.0, 200.0)
    assert [row["model"] for row in ask(reader, "latency", model="slow")["latency"]] == ["slow"]


def test_models_come_dearest_first_with_errors_in_percent(reader: Client, shop: NewProject):
    spans = [
        span_of(id="1", cost=0.1, latency_ms=100),
        span_of(id="2", cost=0.1, latency_ms=300, status="error"),
        span_of(id="3", cost=0.5, model="o1"),
    ]
    make_traces(shop.project, trace_of("t1", spans=spans))

    rows = ask(reader, "models")["models"]

    assert [row["model"] for row in rows] == ["o1", "gpt-4o"]
    assert rows[1] == {
        "model": "gpt-4o",
        "provider": "openai",
        "span_count": 2,
        "input_tokens": 200,
        "output_tokens": 100,
        "total_tokens": 300,
        "cost_micros": 200_000,
        "error_count": 1,
        "error_rate": 50.0,
        "avg_latency_ms": 200.0,
    }
    assert [row["model"] for row in ask(reader, "models", limit=1)["models"]] == ["o1"]


def test_the_first_hour_of_the_window_is_whole(reader: Client, shop: NewProject):
    now = now_ms()
    begins = now - now % HOUR_MS - HOUR_MS
    make_traces(shop.project, trace_of("in", started_at=begins), trace_of("out", started_at=begins - 1))

    assert ids(reader, hours=1) == ["in"]
    assert ask(reader, "overview", hours=1)["total_traces"] == ask(reader, "traces", hours=1)["total"] == 1


# --- Traces -----------------------------------------------------------------------------------------------------------


def test_an_entry_of_the_list_has_the_keys_of_the_contract_and_the_documents(reader: Client, shop: NewProject):
    at = now_ms() - 5000
    make_traces(shop.project, trace_of("t1", started_at=at, ended_at=at + 1200, user_id="ann"))

    assert ask(reader, "traces") == {
        "traces": [
            {
                "id": "t1",
                "project_id": shop.project.pk,
                "session_id": None,
                "user_id": "ann",
                "name": "chat",
                "status": "completed",
                "total_tokens": 150,
                "cost_micros": 2500,
                "total_cost_micros": 2500,
                "span_count": 1,
                "started_at": at,
                "ended_at": at + 1200,
                "latency_ms": 1200,
                "prompt_name": None,
                "prompt_version": None,
            }
        ],
        "total": 1,
        "window_hours": 24,
    }


@pytest.fixture
def four(shop: NewProject) -> None:
    """Traces a to d, each newer than the one before."""
    at = now_ms() - 60_000

    def one(name: str, age: int, *, took: int | None, cost: float, tokens: int, **fields: Any) -> dict[str, Any]:
        began = at + age
        span = span_of(cost=cost, input_tokens=tokens, output_tokens=0, **fields.pop("span", {}))
        ended = None if took is None else began + took
        return trace_of(name, started_at=began, ended_at=ended, spans=[span], **fields)

    make_traces(
        shop.project,
        one("a", 0, took=500, cost=0.3, tokens=10, user_id="ann", session_id="c1"),
        one("b", 1, took=900, cost=0.1, tokens=40, status="error", prompt_name="p", prompt_version="1"),
        one("c", 2, took=100, cost=0.2, tokens=30, span={"status": "error", "model": "o1"}, session_id="c1"),
        one("d", 3, took=None, cost=0.4, tokens=20, prompt_name="p", prompt_version="2", span={"provider": "azure"}),
    )


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("newest", "dcba"),
        ("oldest", "abcd"),
        ("most_expensive", "dacb"),
        ("cost_desc", "dacb"),
        ("slowest", "bacd"),
        ("latency_desc", "bacd"),
        ("tokens_desc", "bcda"),
        ("no-such-sort", "dcba"),
        ("", "dcba"),
    ],
)
@pytest.mark.parametrize("hours", [1, 720])
def test_traces_are_sorted_by_each_name(
    sort: str, expected: str, hours: int, reader: Client, admin_client: Client, four: None
):
    assert "".join(ids(reader, sort=sort, hours=hours)) == expected
    assert "".join(ids(admin_client, sort=sort, hours=hours)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "error"}, "b"),
        ({"session_id": "c1"}, "ca"),
        ({"session_id": "c1", "status": "error"}, ""),
        ({"user_id": "ann"}, "a"),
        ({"prompt_name": "p"}, "db"),
        ({"prompt_name": "p", "prompt_version": "1"}, "b"),
        ({"prompt_version": "2"}, "d"),
        ({"min_cost_micros": 300_000}, "da"),
        ({"min_latency_ms": 500}, "ba"),
        ({"min_latency_ms": 0}, "cba"),
        ({"has_error": "true"}, "cb"),
        ({"has_error": "false"}, "dcba"),
        ({"has_error": ""}, "dcba"),
        ({"model": "o1"}, "c"),
        ({"provider": "azure"}, "d"),
        ({"model": "o1", "provider": "azure"}, ""),
        ({"model": "gpt-4o", "status": "error"}, "b"),
        ({"session_id": "nobody"}, ""),
    ],
)
def test_traces_are_narrowed_by_each_filter_and_the_total_is_theirs(
    query: dict[str, Any], expected: str, reader: Client, admin_client: Client, other: NewProject, four: None
):
    make_traces(other.project, trace_of("foreign", name="foreign"))

    found = ask(reader, "traces", **query)

    assert "".join(trace["id"] for trace in found["traces"]) == expected
    assert found["total"] == len(expected)
    everywhere = ask(admin_client, "traces", **query)
    assert everywhere["total"] == len(everywhere["traces"])


def test_the_total_counts_all_that_match_before_paging(reader: Client, four: None):
    found = ask(reader, "traces", limit=2, offset=1)

    assert ([trace["id"] for trace in found["traces"]], found["total"]) == (["c", "b"], 4)
    assert ask(reader, "traces", offset=4) == {"traces": [], "total": 4, "window_hours": 24}


@pytest.mark.parametrize(
    ("query", "hours", "rows"), [({"hours": 0}, 1, 4), ({"hours": 100_000}, 720, 4), ({"limit": 0}, 24, 1)]
)
def test_bounds_are_held_not_refused(query: dict[str, int], hours: int, rows: int, reader: Client, four: None):
    found = ask(reader, "traces", **query)

    assert (found["window_hours"], len(found["traces"])) == (hours, rows)
    assert ask(reader, "traces", limit=100_000, offset=-5)["total"] == 4


@pytest.mark.parametrize("name", ["hours", "limit", "offset", "min_cost_micros", "min_latency_ms"])
def test_what_is_no_number_is_refused_by_name(name: str, reader: Client):
    answer = reader.get("/v1/llm/traces", {name: "many"})

    assert (answer.status_code, answer.json()) == (400, {"error": f"{name}: A valid integer is required."})


def test_errors_are_the_traces_with_that_status(reader: Client, four: None):
    found = ask(reader, "errors", status="completed")

    assert ([trace["id"] for trace in found["traces"]], found["total"]) == (["b"], 1)


# --- One trace --------------------------------------------------------------------------------------------------------


def test_a_trace_is_flat_and_again_under_its_own_key(reader: Client, shop: NewProject):
    at = now_ms() - 10_000
    late = span_of(id="late", started_at=at + 500, parent_span_id="root", time_to_first_token_ms=7, ended_at=at + 900)
    root = span_of(id="root", started_at=at, model=None, provider=None, status="error", error_message="boom")
    sent = trace_of("t1", started_at=at, ended_at=at + 1000, input="q", output="a", metadata={"k": [1]})
    make_traces(shop.project, {**sent, "spans": [{**late, "metadata": {"x": 1}}, root]})

    found = ask(reader, "traces/t1")

    spans, trace = found.pop("spans"), found.pop("trace")
    assert found == trace
    assert trace == {
        "id": "t1",
        "project_id": shop.project.pk,
        "session_id": None,
        "user_id": None,
        "name": "chat",
        "status": "completed",
        "input_tokens": 200,
        "output_tokens": 100,
        "total_tokens": 300,
        "cost_micros": 5000,
        "latency_ms": 1000,
        "input": "q",
        "output": "a",
        "metadata": {"k": [1]},
        "started_at": at,
        "ended_at": at + 1000,
        "prompt_name": None,
        "prompt_version": None,
    }
    assert [span["id"] for span in spans] == ["root", "late"]
    assert (spans[0]["model"], spans[0]["provider"], spans[0]["error_message"]) == (None, None, "boom")
    assert spans[1] == {
        "id": "late",
        "parent_span_id": "root",
        "span_type": "generation",
        "name": "chat",
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 100,
        "output_tokens": 50,
        "total_tokens": 150,
        "cost_micros": 2500,
        "latency_ms": 1200,
        "time_to_first_token_ms": 7,
        "status": "ok",
        "error_message": None,
        "input": None,
        "output": None,
        "metadata": {"x": 1},
        "started_at": at + 500,
        "ended_at": at + 900,
    }


@pytest.mark.parametrize("trace_id", ["a/b", "a b?c#d", "line\nbreak", "%2F", "é"])
def test_a_trace_is_found_by_whatever_its_id_is(trace_id: str, reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of(trace_id))

    assert ask(reader, f"traces/{quote(trace_id, safe='')}")["id"] == trace_id


def test_a_trace_of_another_project_or_not_yet_posted_is_not_found(reader: Client, shop: NewProject, other: NewProject):
    make_traces(other.project, trace_of("theirs"))
    update_trace(shop.project, "unknown", status="error")

    for trace_id in ("theirs", "unknown", "none"):
        answer = reader.get(f"/v1/llm/traces/{trace_id}")
        assert (answer.status_code, answer.json()) == (404, {"error": f"trace not found: {trace_id}"})


def test_equal_trace_ids_of_two_projects_are_told_apart_by_the_project(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_traces(shop.project, trace_of("t1", name="ours"))
    make_traces(other.project, trace_of("t1", name="theirs"))

    named = {
        project.project.pk: ask(admin_client, "traces/t1", project_id=project.project.pk)["name"]
        for project in (shop, other)
    }

    assert named == {shop.project.pk: "ours", other.project.pk: "theirs"}


# --- Prompts ----------------------------------------------------------------------------------------------------------


def test_prompts_come_most_used_first_with_their_versions(reader: Client, shop: NewProject):
    at = now_ms() - 10_000
    rows = [
        ("greet", "1", "completed"),
        ("greet", "2", "error"),
        ("greet", "2", "completed"),
        ("bye", "1", "completed"),
    ]
    for number, (name, version, status) in enumerate(rows):
        more = {"prompt_name": name, "prompt_version": version, "status": status, "started_at": at + number}
        cost = 0.000_001 * (number + 1)
        make_traces(shop.project, trace_of(f"t{number}", spans=[span_of(cost=cost)], **more))
    make_traces(shop.project, trace_of("none"))

    found = ask(reader, "prompts")

    assert [prompt["name"] for prompt in found["prompts"]] == ["greet", "bye"]
    greet = found["prompts"][0]
    versions = greet.pop("versions")
    assert greet == {
        "name": "greet",
        "version_count": 2,
        "total_traces": 3,
        "avg_cost_micros": 2,
        "error_rate": pytest.approx(1 / 3),
        "error_rate_pct": 33.33,
        "last_seen": at + 2,
    }
    assert versions[0] == {
        "prompt_version": "2",
        "trace_count": 2,
        "avg_latency_ms": 0.0,
        "avg_tokens": 150.0,
        "total_cost_micros": 5,
        "error_rate": 0.5,
        "last_seen": at + 2,
    }
    assert [version["prompt_version"] for version in versions] == ["2", "1"]
    assert [prompt["name"] for prompt in ask(reader, "prompts", limit=1)["prompts"]] == ["greet"]


def test_unfinished_traces_do_not_count_in_a_versions_latency(reader: Client, shop: NewProject):
    at = now_ms() - 10_000
    more = {"prompt_name": "greet", "prompt_version": "1", "started_at": at}
    make_traces(shop.project, trace_of("t1", ended_at=at + 800, **more), trace_of("t2", status="running", **more))

    assert ask(reader, "prompts/greet/versions")["versions"][0]["avg_latency_ms"] == 800.0


def test_a_versions_first_and_last_use_are_of_the_window_and_of_all_projects(
    admin_client: Client, reader: Client, shop: NewProject, other: NewProject
):
    now = now_ms()
    more = {"prompt_name": "greet", "prompt_version": "1"}
    make_traces(
        shop.project,
        trace_of("old", started_at=now - 50 * HOUR_MS, **more),
        trace_of("in", started_at=now - 3 * HOUR_MS, **more),
        trace_of("last", started_at=now - HOUR_MS, **more),
    )
    make_traces(other.project, trace_of("theirs", started_at=now - 4 * HOUR_MS, **more))

    def seen(client: Client, **query: Any) -> tuple[int, int]:
        row = ask(client, "prompts/greet/versions", **query)["versions"][0]
        return row["first_seen"], row["last_seen"]

    assert seen(reader) == (now - 3 * HOUR_MS, now - HOUR_MS)
    assert seen(reader, hours=100) == (now - 50 * HOUR_MS, now - HOUR_MS)
    assert seen(admin_client) == (now - 4 * HOUR_MS, now - HOUR_MS)


def test_versions_are_compared_and_one_without_traces_is_zeros(reader: Client, shop: NewProject):
    make_traces(shop.project, trace_of("t1", prompt_name="a/b", prompt_version="1"))

    found = ask(reader, "prompts/a%2Fb/compare", v1="1", v2="none")

    assert (found["name"], found["v1"]["trace_count"], found["v1"]["avg_cost_micros"]) == ("a/b", 1, 2500)
    assert found["v2"] == {
        "version": "none",
        "trace_count": 0,
        "avg_cost_micros": 0,
        "avg_latency_ms": 0.0,
        "error_rate": 0.0,
        "avg_input_tokens": 0.0,
        "avg_output_tokens": 0.0,
        "first_seen": None,
        "last_seen": None,
    }


@pytest.mark.parametrize(("query", "missing"), [({"v1": "1"}, "v2"), ({"v2": "1"}, "v1")])
def test_a_comparison_needs_both_versions(query: dict[str, str], missing: str, reader: Client):
    answer = reader.get("/v1/llm/prompts/greet/compare", query)

    assert (answer.status_code, answer.json()) == (400, {"error": f"{missing}: This field is required."})


# --- Sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_are_paged_and_narrowed_to_a_user(reader: Client, shop: NewProject):
    at = now_ms() - 10_000
    for number in range(5):
        more = {"session_id": f"c{number}", "user_id": "ann" if number % 2 else "bob"}
        make_traces(shop.project, trace_of(f"t{number}", started_at=at + number, **more))

    page = ask(reader, "sessions", limit=2, offset=1)
    of_ann = ask(reader, "sessions", user_id="ann")

    assert ([row["session_id"] for row in page["sessions"]], page["total"]) == (["c3", "c2"], 5)
    assert ([row["session_id"] for row in of_ann["sessions"]], of_ann["total"]) == (["c3", "c1"], 2)


def test_a_session_in_the_list_counts_its_traces_of_the_window_and_alone_all(reader: Client, shop: NewProject):
    now = now_ms()
    make_traces(
        shop.project,
        trace_of("old", session_id="c1", started_at=now - 50 * HOUR_MS),
        trace_of("new", session_id="c1", started_at=now - HOUR_MS),
        trace_of("gone", session_id="c2", started_at=now - 50 * HOUR_MS),
    )

    (listed,) = ask(reader, "sessions")["sessions"]

    assert (listed["session_id"], listed["trace_count"], listed["total_cost_micros"]) == ("c1", 1, 2500)
    assert [trace["id"] for trace in ask(reader, "sessions/c1")["traces"]] == ["old", "new"]
    assert ask(reader, "sessions/c1")["total_cost_micros"] == 5000


def test_an_unknown_session_is_one_without_traces(reader: Client, other: NewProject):
    make_traces(other.project, trace_of("t1", session_id="theirs"))

    for session_id in ("theirs", "none"):
        assert ask(reader, f"sessions/{session_id}") == {
            "session_id": session_id,
            "project_id": None,
            "user_id": None,
            "traces": [],
            "trace_count": 0,
            "total_cost_micros": 0,
            "total_tokens": 0,
        }


def test_equal_session_ids_of_two_projects_stay_apart(admin_client: Client, shop: NewProject, other: NewProject):
    make_traces(shop.project, trace_of("ours", session_id="a/b", started_at=now_ms() - 1000))
    make_traces(other.project, trace_of("theirs", session_id="a/b", started_at=now_ms() - 2000))

    rows = ask(admin_client, "sessions")["sessions"]

    assert [(row["project_id"], row["trace_count"]) for row in rows] == [(shop.project.pk, 1), (other.project.pk, 1)]
    assert [trace["id"] for trace in ask(admin_client, "sessions/a%2Fb")["traces"]] == ["ours"]
    theirs = ask(admin_client, "sessions/a%2Fb", project_id=other.project.pk)
    assert [trace["id"] for trace in theirs["traces"]] == ["theirs"]


def test_a_long_session_is_read_in_parts_and_its_sums_are_of_all(reader: Client, shop: NewProject):
    at = now_ms() - 10_000
    make_traces(shop.project, *(trace_of(f"t{each}", session_id="c1", started_at=at + each) for each in range(5)))

    found = ask(reader, "sessions/c1", limit=2, offset=1)

    assert ([trace["id"] for trace in found["traces"]], found["trace_count"]) == (["t1", "t2"], 5)
    assert found["total_tokens"] == 750


# --- Who and whether --------------------------------------------------------------------------------------------------

PATHS = ["overview", "usage", "latency", "models", "traces", "errors", "prompts", "sessions", "tools"]


@pytest.mark.parametrize("path", PATHS)
def test_with_the_section_switched_off_nothing_is_there(path: str, reader: Client, settings: LazySettings):
    off = settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = settings.BLOOP.model_copy(update={"llm_tracing": off})

    assert reader.get(f"/v1/llm/{path}").status_code == 404


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_project_is_empty(path: str, member_client: Client, shop: NewProject, other: NewProject):
    make_traces(other.project, trace_of("t1", session_id="c1", prompt_name="p", status="error"))

    found = ask(member_client, path, project_id=other.project.pk)

    assert not any(value for key, value in found.items() if key != "window_hours")
    assert Trace.objects.count() == 1


@pytest.mark.parametrize(
    "path",
    [
        *PATHS,
        "dashboard",
        "metrics",
        "traces/t1",
        "sessions/c1",
        "prompts/p/versions",
        "prompts/p/compare?v1=1&v2=none",
    ],
)
def test_an_answer_is_as_the_openapi_file_says(path: str, reader: Client, shop: NewProject):
    spans = [span_of(), span_of(id="t", span_type="tool", model=None)]
    more = {"session_id": "c1", "prompt_name": "p", "prompt_version": "1", "status": "error"}
    make_traces(shop.project, trace_of("t1", spans=spans, **more))

    found = ask(reader, path)

    route = (
        path.partition("?")[0].replace("/t1", "/{trace_id}").replace("/c1", "/{session_id}").replace("/p/", "/{name}/")
    )
    jsonschema.validate(found, answer_schema(f"/v1/llm/{route}", "get", 200))
    assert next(iter(found.values())), "an empty list proves nothing"

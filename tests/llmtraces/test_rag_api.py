"""`GET /v1/llm/rag` (contract 8.5.10, appendix D 22)."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from ingest.flush import flush_all
from llmtraces.models import LlmSettings
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.factories import make_token, post_signed

METADATA = {
    "rag.source": "pinecone",
    "rag.chunks_retrieved": 8,
    "rag.chunks_used": 2,
    "rag.context_tokens": 3000,
    "rag.max_context_tokens": 4000,
    "rag.relevance_scores": [0.92, 0.4],
    "rag.top_k": 10,
}
NOTHING = {
    "total_retrievals": 0,
    "avg_top_relevance": 0.0,
    "min_top_relevance": 0.0,
    "max_top_relevance": 0.0,
    "avg_chunks_retrieved": 0.0,
    "avg_chunks_used": 0.0,
    "chunk_utilization_pct": 0.0,
}


def span(metadata: Any = METADATA, **fields: Any) -> dict[str, Any]:
    return {"span_type": "retrieval", "name": "vector_search", "latency_ms": 100, "metadata": metadata, **fields}


def post(client: Client, to: NewProject, *spans: dict[str, Any]) -> None:
    answer = post_signed(client, "/v1/traces", json.dumps({"name": "ask", "spans": spans}).encode(), key=to.api_key)
    assert answer.status_code == 200
    flush_all()


def rag(client: Client, to: NewProject, query: str = "") -> dict[str, Any]:
    token = make_token(to.project, scopes=("llm:read",)).secret
    answer = client.get(f"/v1/llm/rag{query}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(autouse=True)
def keeps_metadata(shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="metadata_only")
    yield
    assert differences() == []


def test_d22_one_retrieval_is_one_source(client: Client, shop: NewProject):
    post(client, shop, span())

    found = rag(client, shop)

    [source] = found["sources"]
    assert source.pop("p50_latency_ms") == pytest.approx(100, rel=0.01)
    assert source.pop("p95_latency_ms") == pytest.approx(100, rel=0.01)
    assert source == {
        "retrieval_name": "vector_search",
        "source": "pinecone",
        "call_count": 1,
        "avg_latency_ms": 100.0,
        "error_count": 0,
        "error_rate": 0.0,
        "avg_chunks_retrieved": 8.0,
        "avg_chunks_used": 2.0,
        "avg_context_tokens": 3000.0,
        "avg_context_utilization_pct": 75.0,
    }
    assert found["metrics"] == [
        {
            "hour_bucket": hour_of(now_ms()),
            "retrieval_count": 1,
            "avg_latency_ms": 100.0,
            "error_count": 0,
            "avg_chunks_retrieved": 8.0,
            "avg_context_tokens": 3000.0,
            "avg_context_utilization_pct": 75.0,
            "avg_top_k": 10.0,
        }
    ]
    assert found["relevance"] == {
        "total_retrievals": 1,
        "avg_top_relevance": 0.92,
        "min_top_relevance": 0.92,
        "max_top_relevance": 0.92,
        "avg_chunks_retrieved": 8.0,
        "avg_chunks_used": 2.0,
        "chunk_utilization_pct": 25.0,
    }
    assert found["window_hours"] == 24


def test_d22_no_data_is_zeros_and_no_error(client: Client, shop: NewProject):
    assert rag(client, shop) == {"sources": [], "metrics": [], "relevance": NOTHING, "window_hours": 24}


def test_averages_leave_out_what_was_not_said_and_what_is_no_number(client: Client, shop: NewProject):
    odd = {"rag.chunks_retrieved": "4", "rag.chunks_used": "few", "rag.relevance_scores": "high", "rag.top_k": None}
    post(client, shop, span(), span({**METADATA, "rag.relevance_scores": [0.5]}), span(odd))

    found = rag(client, shop)

    assert found["relevance"] == {
        "total_retrievals": 3,
        "avg_top_relevance": 0.71,
        "min_top_relevance": 0.5,
        "max_top_relevance": 0.92,
        "avg_chunks_retrieved": 6.67,
        "avg_chunks_used": 2.0,
        "chunk_utilization_pct": 25.0,
    }
    assert [(each["source"], each["avg_chunks_used"]) for each in found["sources"]] == [("pinecone", 2), ("unknown", 0)]


def test_sources_come_by_calls_and_at_most_as_many_as_asked_for(client: Client, shop: NewProject):
    post(client, shop, *(span({**METADATA, "rag.source": f"s{n}"}, id=i) for i, n in enumerate("122333")))

    found = rag(client, shop, "?limit=2")

    assert [(each["source"], each["call_count"]) for each in found["sources"]] == [("s3", 3), ("s2", 2)]
    assert found["relevance"]["total_retrievals"] == 6


def test_metrics_are_hourly_the_newest_first_within_the_window(client: Client, shop: NewProject):
    now = hour_of(now_ms())
    starts = (now, now - HOUR_MS + 1, now - HOUR_MS + 2, now - 30 * HOUR_MS)
    post(client, shop, *(span(started_at=at, status="error") for at in starts))

    day, week = rag(client, shop), rag(client, shop, "?hours=168")

    counted = [(each["hour_bucket"], each["retrieval_count"], each["error_count"]) for each in day["metrics"]]
    assert counted == [(now, 1, 1), (now - HOUR_MS, 2, 2)]
    assert (week["relevance"]["total_retrievals"], week["window_hours"]) == (4, 168)
    assert rag(client, shop, "?hours=1")["relevance"]["total_retrievals"] >= 1


def test_percentiles_are_within_one_percent(client: Client, shop: NewProject):
    post(client, shop, *(span(latency_ms=10 * n) for n in range(1, 101)))

    [source] = rag(client, shop)["sources"]

    assert source["p50_latency_ms"] == pytest.approx(500, rel=0.01)
    assert source["p95_latency_ms"] == pytest.approx(950, rel=0.01)


def test_another_projects_retrievals_are_not_counted(client: Client, shop: NewProject, other: NewProject):
    post(client, shop, span())

    assert rag(client, other)["relevance"] == NOTHING


def test_without_metadata_by_policy_there_is_no_retrieval(client: Client, other: NewProject):
    assert settings.BLOOP.llm_tracing.default_content_storage == "none"
    post(client, other, span())

    assert rag(client, other) == {"sources": [], "metrics": [], "relevance": NOTHING, "window_hours": 24}


def test_a_wrong_parameter_is_refused(client: Client, shop: NewProject):
    token = make_token(shop.project, scopes=("llm:read",)).secret

    answer = client.get("/v1/llm/rag?hours=soon", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, list(answer.json())) == (400, ["error"])

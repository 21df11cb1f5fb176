"""Scores and feedback through HTTP: by token, session and signature, under both paths (contract 8.6)."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from bloop_site.lib.clock import now_ms
from ingest.authentication import known_owners
from ingest.flush import flush_all
from ingest.models import BufferedPayload
from ingest.refusals import refusals
from llmtraces.models import Feedback, Score, Trace
from llmtraces.queries.verify import differences
from projects.models import IngestKey
from projects.services.projects import NewProject
from tests.factories import make_token, post_signed, sign
from tests.llmtraces.judging_of import make_trace, score, thumb

BASES = ("/v1/llm/traces", "/v1/traces")
HOSTILE = '<script>alert(1)</script>\u202e\x1b[31m\U0001f600"'


def bearer(shop: NewProject, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token(shop.project, scopes=scopes or ('llm:write', 'llm:read')).secret}"}


def post(client: Client, path: str, value: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    answer = client.post(path, json.dumps(value), content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def get(client: Client, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


# --- Appendix D 17 ----------------------------------------------------------------------------------------------------

NAME_LENGTH = "name must be 1-128 characters"
NAME_LETTERS = "name must be alphanumeric, underscore, or hyphen"
VALUE_RANGE = "value must be between 0.0 and 1.0"
SOURCE = "source must be api, user, or auto"
COMMENT = "comment must be at most 500 characters"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, NAME_LENGTH),
        ({"name": "x" * 129}, NAME_LENGTH),
        ({"name": "é" * 65}, NAME_LENGTH),
        ({"name": 7}, NAME_LENGTH),
        ({"name": "two words"}, NAME_LETTERS),
        ({"name": "a.b"}, NAME_LETTERS),
        ({"name": "ok\n"}, NAME_LETTERS),
        ({"name": "x\ud800"}, NAME_LETTERS),
        ({"value": -0.1}, VALUE_RANGE),
        ({"value": 1.5}, VALUE_RANGE),
        ({"value": "0.5"}, VALUE_RANGE),
        ({"value": True}, VALUE_RANGE),
        ({"value": 10**400}, VALUE_RANGE),
        ({"source": "robot"}, SOURCE),
        ({"source": []}, SOURCE),
        ({"comment": "x" * 501}, COMMENT),
        ({"comment": "é" * 251}, COMMENT),
        ({"comment": 5}, "comment must be a text"),
        ({"name": None}, "name is required"),
        ({"value": None}, "value is required"),
    ],
)
@pytest.mark.parametrize("signed", [False, True])
def test_d17_a_wrong_score_is_refused_in_the_contracts_words(
    client: Client, shop: NewProject, fields: dict[str, Any], text: str, *, signed: bool
):
    make_trace(shop.project)
    body = {"name": "accuracy", "value": 0.5, **fields}

    if signed:
        answer = post_signed(client, "/v1/llm/traces/t1/scores", json.dumps(body).encode(), key=shop.api_key)
        told = answer.status_code, answer.json()
    else:
        told = post(client, "/v1/llm/traces/t1/scores", body, bearer(shop))

    assert told == (400, {"error": text})
    assert not Score.objects.exists()


@pytest.mark.parametrize("base", BASES)
def test_d17_a_score_of_an_unknown_trace_is_404_and_its_list_is_empty(client: Client, shop: NewProject, base: str):
    told = post(client, f"{base}/gone/scores", {"name": "accuracy", "value": 0.5}, bearer(shop))

    assert told == (404, {"error": "trace not found: gone"})
    assert get(client, f"{base}/gone/scores", bearer(shop)) == {"scores": []}


@pytest.mark.parametrize("base", BASES)
def test_d17_a_score_of_a_name_is_kept_once_its_source_is_api_and_both_bounds_are_valid(
    client: Client, shop: NewProject, base: str
):
    make_trace(shop.project)
    headers, began = bearer(shop), now_ms()

    told = [post(client, f"{base}/t1/scores", {"name": "accuracy", "value": value}, headers) for value in (0.0, 1.0)]
    told.append(post(client, f"{base}/t1/scores", {"name": "x" * 128, "value": 0, "source": "auto"}, headers))

    assert told == [(200, {"status": "ok"})] * 3
    second, first = get(client, f"{base}/t1/scores", headers)["scores"]
    assert began <= first.pop("created_at") <= second.pop("created_at") <= now_ms()
    assert first == {"trace_id": "t1", "name": "accuracy", "value": 1.0, "source": "api", "comment": None}
    assert (second["name"], second["value"], second["source"]) == ("x" * 128, 0.0, "auto")


def test_d17_the_summary_of_five_scores(client: Client, shop: NewProject):
    for number in range(1, 6):
        make_trace(shop.project, f"t{number}")
        score(shop.project, f"t{number}", number / 5, at=now_ms())
    score(shop.project, "t1", 0.25, name="tone", at=now_ms())

    found = get(client, "/v1/llm/scores/summary", bearer(shop))

    assert found == {
        "name": "accuracy",
        "count": 5,
        "avg": 0.6,
        "p50": 0.6,
        "p10": 0.2,
        "p90": 1.0,
        "distribution": {"0.0-0.2": 0, "0.2-0.4": 1, "0.4-0.6": 1, "0.6-0.8": 1, "0.8-1.0": 2},
        "window_hours": 24,
        "scores": [
            {"name": "accuracy", "count": 5, "avg_value": 0.6, "min_value": 0.2, "max_value": 1.0},
            {"name": "tone", "count": 1, "avg_value": 0.25, "min_value": 0.25, "max_value": 0.25},
        ],
    }


def test_nine_scores_give_the_percentiles_of_the_contract_and_no_score_gives_zeros(client: Client, shop: NewProject):
    for number in range(1, 10):
        make_trace(shop.project, f"t{number}")
        score(shop.project, f"t{number}", number / 10, name="tone", at=now_ms())

    found = get(client, "/v1/llm/scores/summary?name=tone&hours=1", bearer(shop))
    none = get(client, "/v1/llm/scores/summary?name=gone&hours=9999", bearer(shop))

    assert (found["p50"], found["p10"], found["p90"], found["window_hours"]) == (0.5, 0.2, 0.8, 1)
    assert (none["count"], none["avg"], none["p50"], none["window_hours"]) == (0, 0.0, 0.0, 720)
    assert list(none["distribution"].values()) == [0] * 5
    assert client.get("/v1/llm/scores/summary?hours=abc", headers=bearer(shop)).status_code == 400


# --- Appendix D 20 ----------------------------------------------------------------------------------------------------


def test_d20_feedback_is_posted_read_replaced_and_refused(client: Client, shop: NewProject):
    make_trace(shop.project)
    path, headers = "/v1/llm/traces/t1/feedback", bearer(shop)

    kept = [
        post(client, path, {"value": 1}, headers),
        post(client, path, {"value": -1, "user_id": "ann", "comment": HOSTILE}, headers),
        post(client, path, {"value": -1, "user_id": None}, headers),
    ]
    refused = [post(client, path, {"value": value}, headers) for value in (2, 0, "1", True, 0.5)]
    unknown = post(client, "/v1/llm/traces/gone/feedback", {"value": 1}, headers)

    assert kept == [(200, {"status": "ok"})] * 3
    assert refused == [(400, {"error": "value must be 1 (positive) or -1 (negative)"})] * 5
    assert unknown == (404, {"error": "trace not found: gone"})
    found = get(client, path, headers)["feedback"]
    assert [(each["user_id"], each["value"], each["comment"]) for each in found] == [
        ("anonymous", -1, None),
        ("ann", -1, HOSTILE),
    ]
    assert set(found[0]) == {"trace_id", "user_id", "value", "comment", "created_at"}
    assert get(client, "/v1/llm/traces/gone/feedback", headers) == {"feedback": []}


def test_d20_three_of_four_thumbs_up_are_75_percent(client: Client, shop: NewProject):
    make_trace(shop.project)
    for number, value in enumerate([1, 1, -1, 1]):
        thumb(shop.project, "t1", value, user=f"u{number}", at=now_ms())

    found = get(client, "/v1/llm/feedback/summary?hours=6", bearer(shop, "errors:read"))

    assert found == {"total": 4, "positive": 3, "negative": 1, "positive_rate": 75.0, "window_hours": 6}


# --- Which trace ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_a_trace_is_judged_before_a_flush_stored_it(client: Client, shop: NewProject, base: str):
    post_signed(client, "/v1/traces", b'{"id": "a/b c", "spans": [{}]}', key=shop.api_key)
    path = f"{base}/{quote('a/b c', safe='')}/scores"

    told = post(client, path, {"name": "accuracy", "value": 0.5}, bearer(shop))
    flush_all()

    assert told == (200, {"status": "ok"})
    assert Trace.objects.get().is_known
    assert [each["value"] for each in get(client, path, bearer(shop))["scores"]] == [0.5]
    assert differences() == []


def test_without_a_project_the_one_that_has_the_trace_is_meant(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_trace(shop.project)
    make_trace(other.project, "both")
    post_signed(admin_client, "/v1/traces", b'{"id": "both"}', key=shop.api_key)  # waits
    body = {"name": "accuracy", "value": 0.5}

    alone = post(admin_client, "/v1/llm/traces/t1/scores", body)
    unclear = post(admin_client, "/v1/llm/traces/both/scores", body)
    named = post(admin_client, f"/v1/llm/traces/both/scores?project_id={shop.project.pk}", body)
    elsewhere = post(admin_client, f"/v1/llm/traces/t1/scores?project_id={other.project.pk}", body)

    assert alone == named == (200, {"status": "ok"})
    text = "several projects have a trace with this id, name one with project_id"
    assert unclear == (400, {"error": text})
    assert elsewhere == (404, {"error": "trace not found: t1"})
    assert admin_client.get("/v1/llm/traces/both/scores").json() == {"error": text}
    owners = Score.objects.values_list("project__slug", "trace__trace_id")
    assert set(owners) == {("shop", "t1"), ("shop", "both")}


def test_a_member_judges_their_projects_only_and_a_token_its_own_whatever_the_query(
    member_client: Client, client: Client, shop: NewProject, other: NewProject
):
    make_trace(other.project)
    body = {"value": 1}

    foreign = post(member_client, f"/v1/llm/traces/t1/feedback?project_id={other.project.pk}", body)
    by_token = post(client, f"/v1/llm/traces/t1/feedback?project_id={other.project.pk}", body, bearer(shop))

    assert foreign == by_token == (404, {"error": "trace not found: t1"})
    assert not Feedback.objects.exists()


# --- Which credential -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_the_projects_key_scores_its_own_traces(client: Client, shop: NewProject, other: NewProject, base: str):
    make_trace(shop.project)
    body = b'{"name": "accuracy", "value": 0.5, "comment": "\\ud800 ok"}'

    good = post_signed(client, f"{base}/t1/scores", body, key=shop.api_key)
    foreign = post_signed(client, f"{base}/t1/scores", body, key=other.api_key)
    forged = post_signed(client, f"{base}/t1/scores", body, key="wrong")
    alias = client.post(
        f"{base}/t1/scores", body, content_type="text/plain", headers={"X-Bloop-Signature": sign(body, shop.api_key)}
    )

    assert (good.status_code, good.json()) == (200, {"status": "ok"})
    assert (foreign.status_code, foreign.json()) == (404, {"error": "trace not found: t1"})
    assert (forged.status_code, alias.status_code) == (401, 200)
    assert Score.objects.get().comment == "\ufffd ok"


def test_the_projects_key_gives_feedback_and_what_it_may_not_is_counted_for_its_people(
    client: Client, shop: NewProject
):
    make_trace(shop.project)

    good = post_signed(client, "/v1/llm/traces/t1/feedback", b'{"value": 1}', key=shop.api_key)
    wrong = post_signed(client, "/v1/llm/traces/t1/feedback", b'{"value": 2}', key=shop.api_key)
    long = post_signed(client, "/v1/llm/traces/t1/feedback", b" " * 20_000, key=shop.api_key)
    broken = post_signed(client, "/v1/llm/traces/t1/feedback", b"{", key=shop.api_key)

    assert [each.status_code for each in (good, wrong, long, broken)] == [200, 400, 413, 400]
    booked = refusals.take()
    assert {(place.project_id or place.key, place.reason): seen.times for place, seen in booked.items()} == {
        (shop.project.pk, "invalid"): 2,
        (shop.api_key, "too_large"): 1,  # refused before anybody looks whose key it is
    }


def test_a_key_that_ended_signs_no_score_although_a_process_remembers_it(client: Client, shop: NewProject):
    make_trace(shop.project)
    body = b'{"name": "accuracy", "value": 0.5}'
    assert post_signed(client, "/v1/llm/traces/t1/scores", body, key=shop.api_key).status_code == 200
    assert known_owners.find(shop.api_key)
    IngestKey.objects.filter(project=shop.project).delete()

    answer = post_signed(client, "/v1/llm/traces/t1/scores", b'{"name": "late", "value": 0.5}', key=shop.api_key)

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid project key"})
    assert Score.objects.get().name == "accuracy"


@pytest.mark.parametrize("base", BASES)
def test_a_token_decides_where_both_are_and_a_signature_before_a_cookie(
    member_client: Client, shop: NewProject, other: NewProject, base: str
):
    make_trace(shop.project)
    body = b'{"name": "accuracy", "value": 0.5}'
    signature = {"X-Signature": sign(body, other.api_key), "X-Project-Key": other.api_key}

    both = member_client.post(
        f"{base}/t1/scores", body, content_type="application/json", headers={**signature, **bearer(shop)}
    )
    cookie = member_client.post(f"{base}/t1/scores", body, content_type="application/json", headers=signature)

    assert both.status_code == 200
    assert (cookie.status_code, cookie.json()) == (404, {"error": "trace not found: t1"})


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("site", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_sites_page_cannot_score_with_a_persons_cookie(
    member_client: Client, shop: NewProject, base: str, site: dict[str, str]
):
    make_trace(shop.project)
    body = {"name": "accuracy", "value": 0.5}

    told = post(member_client, f"{base}/t1/scores", body, site)

    assert told == (403, {"error": "cross-site request refused"})
    assert not Score.objects.exists()
    assert post(member_client, f"{base}/t1/scores", body, {"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_a_page_of_any_origin_scores_under_the_signed_path_as_it_sends_traces(client: Client, shop: NewProject):
    make_trace(shop.project)
    site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}
    body = b'{"name": "accuracy", "value": 0.5}'

    preflight = client.options("/v1/traces/t1/scores", headers={**site, "Access-Control-Request-Method": "POST"})
    answer = post_signed(client, "/v1/traces/t1/scores", body, key=shop.api_key, **site)

    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Signature" in preflight.headers["Access-Control-Allow-Headers"]
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_a_put_to_a_trace_whose_id_ends_like_the_alias_still_updates_it(client: Client, shop: NewProject):
    make_trace(shop.project, "x/scores")
    body = b'{"status": "error"}'
    headers = {"X-Signature": sign(body, shop.api_key), "X-Project-Key": shop.api_key}

    answer = client.put("/v1/traces/x/scores", body, content_type="application/json", headers=headers)
    flush_all()

    assert (answer.status_code, answer.json()) == (200, {"status": "updated"})
    assert Trace.objects.get().status == "error"
    assert not BufferedPayload.objects.exists()
    assert client.delete("/v1/traces/x/scores", headers=bearer(shop)).status_code == 405


def test_reading_needs_a_reading_scope_and_writing_a_writing_one(client: Client, shop: NewProject):
    make_trace(shop.project)
    body = {"name": "accuracy", "value": 0.5}

    read_only = post(client, "/v1/llm/traces/t1/scores", body, bearer(shop, "llm:read"))
    as_before = post(client, "/v1/llm/traces/t1/scores", body, bearer(shop, "errors:read"))
    blind = client.get("/v1/llm/traces/t1/scores", headers=bearer(shop, "llm:write"))

    assert read_only == (403, {"error": "token lacks required scope: llm:write"})
    assert as_before == (200, {"status": "ok"})
    assert (blind.status_code, blind.json()) == (403, {"error": "token lacks required scope: llm:read"})


@pytest.mark.parametrize("base", BASES)
def test_with_tracing_off_there_is_nothing_to_judge_by_any_credential(
    client: Client, shop: NewProject, settings: LazySettings, base: str
):
    make_trace(shop.project)
    settings.BLOOP = settings.BLOOP.model_copy(
        update={"llm_tracing": settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})}
    )
    body = {"name": "accuracy", "value": 0.5}

    by_token = post(client, f"{base}/t1/scores", body, bearer(shop))
    signed = post_signed(client, f"{base}/t1/scores", json.dumps(body).encode(), key=shop.api_key)

    assert by_token == (404, {"error": "not found"})
    assert (signed.status_code, signed.json()) == (404, {"error": "not found"})


@pytest.mark.parametrize("body", [b"[]", b"7", b"", b'"x"', b"{", b'{"name": "a", "value": NaN}'])
def test_a_body_that_is_no_object_is_a_clear_400(client: Client, shop: NewProject, body: bytes):
    make_trace(shop.project)

    by_token = client.post("/v1/llm/traces/t1/scores", body, content_type="application/json", headers=bearer(shop))
    signed = post_signed(client, "/v1/llm/traces/t1/scores", body, key=shop.api_key)

    assert (by_token.status_code, signed.status_code) == (400, 400)
    assert by_token.json()["error"]
    assert not Score.objects.exists()


def test_the_database_refuses_what_the_checks_would_let_through(shop: NewProject):
    make_trace(shop.project)
    score(shop.project, "t1", 0.5)

    with pytest.raises(Exception, match="score_in_range"), connection.cursor() as cursor:
        cursor.execute("UPDATE llmtraces_score SET value = 2")

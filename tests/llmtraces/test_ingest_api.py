"""`POST /v1/traces`, `/batch` and `PUT /v1/traces/{id}` through HTTP and the buffer (contract 8.1, rules T1 to T10)."""

import json
import math
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client

from bloop_site.lib.clock import now_ms
from ingest.flush import flush_all
from ingest.models import BufferedPayload
from llmtraces.models import LlmSettings, Span, SpanText, Trace, TraceText, UsageHour
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.factories import post_signed, sign

PROMPT = "the-secret-prompt-4711"


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def post(client: Client, shop: NewProject, value: Any, path: str = "/v1/traces", **headers: str) -> Any:
    answer = post_signed(client, path, body_of(value), key=shop.api_key, **headers)
    flush_all()
    return answer


def put(client: Client, shop: NewProject, trace_id: str, value: Any) -> Any:
    body = body_of(value)
    headers = {"X-Signature": sign(body, shop.api_key), "X-Project-Key": shop.api_key}
    return client.put(f"/v1/traces/{quote(trace_id, safe='')}", body, content_type="application/json", headers=headers)


def error_of(answer: Any) -> str:
    return str(answer.json()["error"])


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


# --- Appendix D 13 to 15 ----------------------------------------------------------------------------------------


def test_d13_tokens_and_cost_are_summed_and_a_spans_input_is_not_the_traces(client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="full")
    span = {"input_tokens": 100, "output_tokens": 50, "cost": 0.0025, "input": "hello"}

    answer = post(client, shop, {"id": "t1", "name": "chat", "spans": [span]})

    assert answer.json() == {"status": "accepted", "id": "t1"}
    row = Trace.objects.get()
    assert (row.total_tokens, row.cost_micros) == (150, 2500)
    assert not TraceText.objects.exists()
    assert SpanText.objects.get().input == "hello"


def test_d14_a_long_id_and_too_many_spans_are_refused_and_so_is_who_does_not_sign(client: Client, shop: NewProject):
    long = post(client, shop, {"id": "x" * 200})
    many = post(client, shop, {"spans": [{}] * 101})
    unsigned = client.post("/v1/traces", body_of({"id": "t1"}), content_type="application/json")

    assert (long.status_code, error_of(long)) == (400, "trace_id exceeds 128 characters")
    assert (many.status_code, error_of(many)) == (400, "trace has 101 spans, max is 100")
    assert unsigned.status_code == 401
    assert not Trace.objects.exists()


def test_d15_a_batch_is_accepted_and_a_put_changes_the_status(client: Client, shop: NewProject):
    answer = post(client, shop, {"traces": [{"id": f"t{number}"} for number in range(3)]}, "/v1/traces/batch")
    updated = put(client, shop, "t1", {"status": "error"})
    flush_all()

    assert answer.json() == {"accepted": 3, "dropped": 0, "errors": [], "ids": ["t0", "t1", "t2"]}
    assert (updated.status_code, updated.json()) == (200, {"status": "updated"})
    assert Trace.objects.get(trace_id="t1").status == "error"


def test_d16_prompt_fields_are_kept_and_null_when_absent(client: Client, shop: NewProject):
    post(client, shop, {"id": "t1", "prompt_name": "greet", "prompt_version": "3"})
    post(client, shop, {"id": "t2"})

    kept = Trace.objects.order_by("trace_id").values_list("prompt_name", "prompt_version")
    assert list(kept) == [("greet", "3"), (None, None)]


# --- Updates (8.1.3) --------------------------------------------------------------------------------------------


def test_an_update_of_a_trace_still_in_the_buffer_is_not_lost(client: Client, shop: NewProject):
    post_signed(client, "/v1/traces", body_of({"id": "t1"}), key=shop.api_key)

    answer = put(client, shop, "t1", {"status": "error", "cost": 1})
    flush_all()

    assert answer.status_code == 200
    assert (Trace.objects.get().status, UsageHour.objects.get().cost_micros) == ("error", 1_000_000)


@pytest.mark.parametrize("trace_id", ["nope", "a/b c", "../x"])
def test_an_update_of_an_unknown_trace_is_not_found(client: Client, shop: NewProject, other: NewProject, trace_id: str):
    post(client, other, {"id": trace_id})

    answer = put(client, shop, trace_id, {"status": "error"})

    assert (answer.status_code, error_of(answer)) == (404, f"trace not found: {trace_id}")


def test_an_update_of_an_id_with_slashes_and_spaces_is_found(client: Client, shop: NewProject):
    post(client, shop, {"id": "a/b c?d"})

    assert put(client, shop, "a/b c?d", {"status": "error"}).status_code == 200


# --- Lenient rules ----------------------------------------------------------------------------------------------


def test_t1_explicit_null_equals_absent(client: Client, shop: NewProject):
    names = ["input_tokens", "output_tokens", "cost", "latency_ms", "time_to_first_token_ms", "status", "model", "name"]
    nulls = dict.fromkeys([*names, "started_at", "ended_at", "input", "metadata", "span_type", "id"])

    answer = post(client, shop, {**dict.fromkeys(["status", "started_at", "name"]), "id": "t1", "spans": [nulls]})

    assert answer.status_code == 200
    span = Span.objects.get()
    assert (span.status, span.span_type, span.input_tokens, span.ttft_ms, span.model) == (
        "ok",
        "generation",
        0,
        None,
        "",
    )
    assert Trace.objects.get().status == "completed"


def test_t2_texts_that_are_none_are_kept_as_their_json(client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="full")

    post(client, shop, {"id": 7, "input": [{"role": "user", "content": "Hi"}], "output": 1.5, "session_id": 12})

    row, text = Trace.objects.get(), TraceText.objects.get()
    assert (row.trace_id, row.session_id) == ("7", "12")
    assert (text.input, text.output) == ('[{"role":"user","content":"Hi"}]', "1.5")


def test_t3_times_in_seconds_are_times(client: Client, shop: NewProject):
    post(client, shop, {"id": "t1", "started_at": 1_760_000_000, "ended_at": "1760000001.5"})

    assert (Trace.objects.get().started_ms, Trace.objects.get().latency_ms) == (1_760_000_000_000, 1500)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (12.4, 12),
        ("13", 13),
        (-5, 0),
        ("NaN", 0),
        ("-Infinity", 0),
        ("1e999", 0),
        (math.nan, 0),
        (math.inf, 0),
        (2**70, 10**12),
        ("1e300", 10**12),
        (None, 0),
    ],
)
def test_t4_numbers_of_any_kind_become_counts(client: Client, shop: NewProject, sent: Any, kept: int):
    post(client, shop, {"id": "t1", "spans": [{"input_tokens": sent}]})

    assert Span.objects.get().input_tokens == kept


def test_t5_a_bad_item_of_a_batch_leaves_its_neighbours_alone(client: Client, shop: NewProject):
    items = [{"id": "a"}, "no trace", {"id": "b", "spans": [{"input_tokens": "many"}]}, {"id": "c"}]

    answer = post(client, shop, {"traces": items}, "/v1/traces/batch").json()

    assert (answer["accepted"], answer["ids"]) == (2, ["a", None, None, "c"])
    assert [each["index"] for each in answer["errors"]] == [1, 2]
    assert answer["errors"][1]["error"] == "validation error: input_tokens must be a number"


def test_t5_a_cost_that_is_no_number_costs_no_trace_of_its_batch(client: Client, shop: NewProject):
    """Python's json writes NaN, which JSON does not know."""
    body = json.dumps({"traces": [{"id": "t1", "spans": [{"id": "s", "cost": math.nan}]}, {"id": "t2"}]}).encode()

    answer = post_signed(client, "/v1/traces/batch", body, key=shop.api_key)
    flush_all()

    assert answer.json()["accepted"] == 2
    assert (Span.objects.get().cost_micros, Trace.objects.count()) == (0, 2)


def test_t6_a_prompt_of_half_a_megabyte_fits_and_five_do_not(client: Client, shop: NewProject):
    fits = post(client, shop, {"id": "t1", "input": "x" * 500_000})
    too_large = post(client, shop, {"id": "t2", "input": "x" * 5_000_000})

    assert (fits.status_code, too_large.status_code) == (200, 413)


def test_t8_a_missing_latency_is_the_difference_and_a_missing_end_the_sum(client: Client, shop: NewProject):
    at = 1_760_000_000_000
    spans = [{"id": "a", "started_at": at, "ended_at": at + 50}, {"id": "b", "started_at": at, "latency_ms": 70}]

    post(client, shop, {"id": "t1", "spans": [*spans, {"id": "c", "started_at": at, "ended_at": at - 50}]})

    assert list(Span.objects.order_by("span_id").values_list("latency_ms", "ended_ms")) == [
        (50, at + 50),
        (70, at + 70),
        (0, at - 50),
    ]


def test_t10_a_repeated_request_without_ids_is_one_with_an_idempotency_key(client: Client, shop: NewProject):
    for _ in range(2):
        post(client, shop, {"spans": [{"model": "gpt-4o", "input_tokens": 5}]}, **{"Idempotency-Key": "k1"})

    assert (Trace.objects.count(), Span.objects.count()) == (1, 1)


# --- Content policy (8.2) ---------------------------------------------------------------------------------------


def database_holds(text: str) -> bool:
    """Whether any text column of any table, the buffer included, holds the text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("sqlite_", "errors_searchwords_fts")):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            if any(
                text in str(bytes(value) if isinstance(value, memoryview) else value) for row in cursor for value in row
            ):
                return True
    return False


@pytest.mark.parametrize(("policy", "kept"), [("none", False), ("metadata_only", False), ("full", True)])
def test_a_prompt_reaches_no_table_not_even_the_buffer_unless_the_policy_is_full(
    client: Client, shop: NewProject, policy: str, *, kept: bool
):
    LlmSettings.objects.create(project=shop.project, content_storage=policy)
    trace = {"id": "t1", "input": PROMPT, "output": PROMPT, "spans": [{"input": PROMPT, "output": [PROMPT]}]}

    post_signed(client, "/v1/traces", body_of(trace), key=shop.api_key)
    assert BufferedPayload.objects.exists()
    in_buffer = database_holds(PROMPT)
    flush_all()
    put(client, shop, "t1", {"output": PROMPT})

    assert (in_buffer, database_holds(PROMPT)) == (kept, kept)


def test_unknown_fields_go_under_metadata_if_the_policy_keeps_that(client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="metadata_only")

    post(client, shop, {"id": "t1", "metadata": {"k": 1}, "temperature": 0.2})

    assert json.loads(TraceText.objects.get().metadata or "") == {"k": 1, "_extra": {"temperature": 0.2}}


def test_a_change_of_policy_holds_from_the_next_request(client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="full")
    post(client, shop, {"id": "t1", "input": "kept"})
    LlmSettings.objects.update(content_storage="none")

    post(client, shop, {"id": "t2", "input": "not kept"})

    assert list(TraceText.objects.values_list("trace__trace_id", "input")) == [("t1", "kept")]


# --- Hostile ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b'{"spans": {}}',
        b'{"spans": [1]}',
        b'{"started_at": "soon"}',
        b'{"spans": [{"cost": []}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_trace_is_a_400_with_a_reason(client: Client, shop: NewProject, body: bytes):
    answer = post_signed(client, "/v1/traces", body, key=shop.api_key)

    assert answer.status_code == 400
    assert error_of(answer)
    assert not BufferedPayload.objects.exists()


def test_ugly_texts_are_kept_as_they_can_be(client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, content_storage="full")
    body = b'{"id": "t\\u0000", "name": "\\ud800 x", "input": "\\u0000 \\ud83d\\ude00", "metadata": {"a": "\\u0000"}}'

    answer = post_signed(client, "/v1/traces", body, key=shop.api_key)
    flush_all()

    assert answer.status_code == 200
    row, text = Trace.objects.get(), TraceText.objects.get()
    assert (row.trace_id, row.name) == ("t\ufffd", "\ufffd x")
    assert (text.input, json.loads(text.metadata or "")) == ("\ufffd 😀", {"a": "\ufffd"})


def test_enormous_numbers_add_up_without_breaking(client: Client, shop: NewProject):
    spans = [
        {"id": str(n), "input_tokens": 2**63, "output_tokens": "1e40", "cost": 1e300, "latency_ms": 2**62}
        for n in range(100)
    ]

    assert post(client, shop, {"id": "t1", "spans": spans}).status_code == 200
    assert Trace.objects.get().input_tokens == 100 * 10**12


def test_switched_off_there_are_no_traces(client: Client, shop: NewProject, settings: Any):
    llm = settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = settings.BLOOP.model_copy(update={"llm_tracing": llm})

    assert post(client, shop, {"id": "t1"}).status_code == 404


def test_a_trace_is_there_for_a_moment_that_lies_a_day_ahead_at_most(client: Client, shop: NewProject):
    post(client, shop, {"id": "t1", "started_at": now_ms() + 10 * 86_400_000})

    assert Trace.objects.get().started_ms <= now_ms()

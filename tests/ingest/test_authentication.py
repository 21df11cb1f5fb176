import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from errors.models import Event
from ingest import buffer
from ingest.authentication import MAX_KEYS_TRIED, recent_keys
from ingest.flush import flush_all
from projects.models import IngestKey, Project
from projects.queries import OWNER_SQL
from projects.services.projects import NewProject
from tests.factories import event_json, make_project, post_signed, regroup, sign

pytestmark = pytest.mark.django_db
BODY = json.dumps(event_json()).encode()
LONG = b" " * 32_769
NOT_JSON = b"not json"


def post(client: Client, body: bytes = BODY, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/ingest", data=body, content_type="application/json", headers=named)


def owner_of_the_only_event() -> str:
    flush_all()
    return Event.objects.get().project_id


@pytest.mark.parametrize(
    ("step", "headers", "body", "status", "text"),
    [
        ("1, no signature", {"X_Project_Key": "?"}, LONG, 401, "missing X-Signature header"),
        ("1, an empty signature", {"X_Signature": "", "X_Project_Key": "?"}, LONG, 401, "missing X-Signature header"),
        ("2, no hex", {"X_Signature": "zz" * 32, "X_Project_Key": "?"}, LONG, 401, "invalid signature encoding"),
        ("2, odd hex", {"X_Signature": "abc", "X_Project_Key": "?"}, LONG, 401, "invalid signature encoding"),
        ("2, a prefix", {"X_Signature": "sha256=" + "0" * 64}, LONG, 401, "invalid signature encoding"),
        ("2, other letters", {"X_Signature": "é" * 32}, LONG, 401, "invalid signature encoding"),
        ("3, too long", {"X_Signature": "00" * 32, "X_Project_Key": "?"}, LONG, 413, "body exceeds 32768 bytes"),
        ("4a, unknown key", {"X_Signature": "00" * 32, "X_Project_Key": "?"}, NOT_JSON, 401, "invalid project key"),
        ("4a, empty key", {"X_Signature": "00" * 32, "X_Project_Key": ""}, NOT_JSON, 401, "invalid project key"),
        ("4a, NUL in the key", {"X_Signature": "00", "X_Project_Key": "a\x00"}, NOT_JSON, 401, "invalid project key"),
        ("4a, long key", {"X_Signature": "00", "X_Project_Key": "k" * 8000}, NOT_JSON, 401, "invalid project key"),
        ("5, too short a signature", {"X_Signature": "deadbeef"}, NOT_JSON, 401, "invalid signature"),
        ("5, zeros", {"X_Signature": "0" * 64}, NOT_JSON, 401, "invalid signature"),
    ],
)
def test_each_request_fails_at_the_first_step_of_contract_1_1_that_it_breaks(
    step: str, headers: dict[str, str], body: bytes, status: int, text: str, client: Client, shop: NewProject
) -> None:
    response = post(client, body, **headers)

    assert (response.status_code, response.json()) == (status, {"error": text}), step


def test_step_5_a_wrong_signature_under_a_known_key_is_refused_before_the_body_is_parsed(
    client: Client, shop: NewProject
) -> None:
    response = post(client, NOT_JSON, X_Signature="0" * 64, X_Project_Key=shop.api_key)

    assert (response.status_code, response.json()) == (401, {"error": "invalid signature"})


def test_step_6_the_project_of_the_key_gets_the_event(client: Client, shop: NewProject, other: NewProject) -> None:
    response = post(client, X_Signature=sign(BODY, shop.api_key), X_Project_Key=shop.api_key)

    assert (response.status_code, response.json()) == (200, {"status": "accepted"})
    assert owner_of_the_only_event() == shop.project.pk


def test_a_signature_is_over_the_bytes_as_sent(client: Client, shop: NewProject) -> None:
    respaced = BODY.replace(b": ", b":")

    response = post(client, respaced, X_Signature=sign(BODY, shop.api_key), X_Project_Key=shop.api_key)

    assert (response.status_code, response.json()) == (401, {"error": "invalid signature"})


def test_the_key_of_another_project_signs_for_that_project_only(
    client: Client, shop: NewProject, other: NewProject
) -> None:
    response = post(client, X_Signature=sign(BODY, other.api_key), X_Project_Key=shop.api_key)

    assert (response.status_code, response.json()) == (401, {"error": "invalid signature"})


def test_upper_case_hex_is_a_signature_too(client: Client, shop: NewProject) -> None:
    response = post(client, X_Signature=sign(BODY, shop.api_key).upper(), X_Project_Key=shop.api_key)

    assert response.status_code == 200


def test_the_legacy_secret_without_a_key_signs_for_the_default_project(client: Client, hmac_secret: str) -> None:
    response = post(client, X_Signature=sign(BODY, hmac_secret))

    assert (response.status_code, response.json()) == (200, {"status": "accepted"})
    assert owner_of_the_only_event() == "default"


# --- H1: no X-Project-Key, signed with a project's key --------------------------------------------------------


def test_h1_a_request_that_names_no_project_belongs_to_the_one_whose_key_signed_it(
    client: Client, shop: NewProject, other: NewProject
) -> None:
    response = post(client, X_Signature=sign(BODY, shop.api_key))

    assert response.status_code == 200
    assert owner_of_the_only_event() == shop.project.pk


def add_newer_keys(project: Project, *, count: int) -> None:
    later = timezone.now() + timedelta(minutes=1)
    IngestKey.objects.bulk_create(
        IngestKey(project=project, key=f"bloop_{number:064x}", created_at=later) for number in range(count)
    )


def test_h1_finds_the_key_among_five_hundred(client: Client, shop: NewProject, other: NewProject) -> None:
    add_newer_keys(other.project, count=MAX_KEYS_TRIED - 2)  # and `other`'s own

    response = post(client, X_Signature=sign(BODY, shop.api_key))

    assert response.status_code == 200
    assert owner_of_the_only_event() == shop.project.pk


def test_h1_tries_a_bounded_number_of_keys_and_those_that_signed_lately_first(
    client: Client, shop: NewProject, other: NewProject
) -> None:
    assert post(client, X_Signature=sign(BODY, shop.api_key)).status_code == 200
    add_newer_keys(other.project, count=MAX_KEYS_TRIED)

    assert post(client, X_Signature=sign(BODY, shop.api_key)).status_code == 200

    recent_keys.keys.clear()
    assert post(client, X_Signature=sign(BODY, shop.api_key)).status_code == 401


def test_h1_remembers_the_sixteen_keys_that_signed_last(client: Client, shop: NewProject) -> None:
    projects = [make_project() for _ in range(17)]
    for project in projects:
        assert post(client, X_Signature=sign(BODY, project.api_key)).status_code == 200

    assert recent_keys.newest_first() == [project.api_key for project in reversed(projects[1:])]


@pytest.mark.parametrize("before", ["used", "unused"])
@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_h1_a_key_that_is_gone_is_refused_at_once(
    how: str, before: str, client: Client, shop: NewProject, default_project: Project
) -> None:
    if before == "used":
        assert post(client, X_Signature=sign(BODY, shop.api_key)).status_code == 200
    end_key(shop, how)

    response = post(client, X_Signature=sign(BODY, shop.api_key))

    assert (response.status_code, response.json()) == (401, {"error": "invalid signature"})


def end_key(project: NewProject, how: str) -> None:
    keys = IngestKey.objects.filter(key=project.api_key)
    if how == "deleted":
        keys.delete()
    else:
        keys.update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_named_key_that_is_gone_is_refused_at_once(how: str, client: Client, shop: NewProject) -> None:
    assert post_signed(client, "/v1/ingest", BODY, key=shop.api_key).status_code == 200
    end_key(shop, how)

    response = post_signed(client, "/v1/ingest", BODY, key=shop.api_key)

    assert (response.status_code, response.json()) == (401, {"error": "invalid project key"})


def test_both_keys_of_a_project_work_until_the_old_one_expires(client: Client, shop: NewProject) -> None:
    now = timezone.now()
    IngestKey.objects.create(project=shop.project, key="bloop_new", created_at=now)
    IngestKey.objects.filter(key=shop.api_key).update(expires_at=now + timedelta(hours=1))

    assert post_signed(client, "/v1/ingest", BODY, key=shop.api_key).status_code == 200
    assert post_signed(client, "/v1/ingest", BODY, key="bloop_new").status_code == 200


def test_the_key_of_a_deleted_project_is_refused_at_once(client: Client, shop: NewProject) -> None:
    shop.project.delete()

    assert post_signed(client, "/v1/ingest", BODY, key=shop.api_key).status_code == 401
    assert post(client, X_Signature=sign(BODY, shop.api_key)).status_code == 401


# --- H2 and H3 ------------------------------------------------------------------------------------------------


def test_h2_the_legacy_secret_signs_for_the_project_the_header_names(
    client: Client, shop: NewProject, hmac_secret: str
) -> None:
    response = post(client, X_Signature=sign(BODY, hmac_secret), X_Project_Key=shop.api_key)

    assert response.status_code == 200
    assert owner_of_the_only_event() == shop.project.pk


def test_h2_does_not_make_up_for_an_unknown_key(client: Client, hmac_secret: str) -> None:
    response = post(client, X_Signature=sign(BODY, hmac_secret), X_Project_Key="bloop_unknown")

    assert (response.status_code, response.json()) == (401, {"error": "invalid project key"})


def test_h3_the_signature_may_stand_in_x_bloop_signature(client: Client, shop: NewProject) -> None:
    response = post(client, X_Bloop_Signature=sign(BODY, shop.api_key), X_Project_Key=shop.api_key)

    assert response.status_code == 200


def test_h3_x_signature_wins_over_its_alias(client: Client, shop: NewProject) -> None:
    good = sign(BODY, shop.api_key)

    assert post(client, X_Signature=good, X_Bloop_Signature="zz", X_Project_Key=shop.api_key).status_code == 200
    assert post(client, X_Signature="00", X_Bloop_Signature=good, X_Project_Key=shop.api_key).status_code == 401


def test_a_project_key_is_used_as_text_never_as_hex(client: Client) -> None:
    project = make_project(api_key="bloop_" + "ab" * 32)

    assert post(client, X_Signature=sign(BODY, "ab" * 32), X_Project_Key=project.api_key).status_code == 401
    assert post(client, X_Signature=sign(BODY, project.api_key), X_Project_Key=project.api_key).status_code == 200


def test_a_cookie_or_a_bearer_token_does_not_replace_the_signature(admin_client: Client) -> None:
    response = admin_client.post("/v1/ingest", data=BODY, content_type="application/json")

    assert (response.status_code, response.json()) == (401, {"error": "missing X-Signature header"})


def test_a_regrouped_project_groups_the_next_event_its_new_way_although_the_key_is_remembered(
    client: Client, shop: NewProject
) -> None:
    post_signed(client, "/v1/ingest", BODY, key=shop.api_key)
    regroup(shop.project, "v2")

    again = post_signed(client, "/v1/ingest", BODY, key=shop.api_key)

    flush_all()
    assert again.status_code == 200
    assert len(set(Event.objects.values_list("issue__fingerprint", flat=True))) == 2
    assert Event.objects.count() == 2


def test_a_batch_under_a_remembered_key_that_was_deleted_keeps_nothing(client: Client, shop: NewProject) -> None:
    batch = json.dumps({"events": [event_json(), event_json()]}).encode()
    post_signed(client, "/v1/ingest/batch", batch, key=shop.api_key)
    IngestKey.objects.filter(key=shop.api_key).delete()

    refused = post_signed(client, "/v1/ingest/batch", batch, key=shop.api_key)

    flush_all()
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid project key"})
    assert Event.objects.count() == 2


def test_a_database_that_goes_away_during_the_second_look_at_a_key_is_503_and_keeps_nothing(
    client: Client, shop: NewProject
) -> None:
    post_signed(client, "/v1/ingest", BODY, key=shop.api_key)
    IngestKey.objects.filter(key=shop.api_key).delete()
    client.raise_request_exception = False

    with connection.execute_wrapper(away_when_a_key_is_looked_up):
        refused = post_signed(client, "/v1/ingest", BODY, key=shop.api_key)

    assert (refused.status_code, refused.json()) == (503, {"error": "storage is unavailable, try again later"})
    assert int(refused.headers["Retry-After"]) > 0
    assert buffer.waiting_items() == 1
    assert post_signed(client, "/v1/ingest", BODY, key=shop.api_key).status_code == 401


def away_when_a_key_is_looked_up(execute: Any, sql: str, *rest: Any) -> Any:
    """The database as it is, but for the query that finds a key's owner."""
    if sql == OWNER_SQL:
        raise OperationalError("the server went away")
    return execute(sql, *rest)

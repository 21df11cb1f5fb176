import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from projects.services.projects import NewProject
from tests.factories import event_json, post_signed

INGEST = ["/v1/ingest", "/v1/ingest/batch"]
OTHERS = ["/v1/errors", "/v1/stats", "/v1/errors/x/resolve", "/v1/nothing", "/health"]
FOREIGN = "https://shop.example.org"


def preflight(client: Client, path: str) -> Any:
    headers = {"Origin": FOREIGN, "Access-Control-Request-Method": "POST"}
    return client.options(path, headers=headers)


def words(header: str) -> set[str]:
    return {word.strip() for word in header.split(",")}


@pytest.mark.parametrize("path", INGEST)
def test_any_page_may_ask_to_post_to_ingest(path: str, client: Client) -> None:
    response = preflight(client, path)

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert {"POST", "PUT", "OPTIONS"} <= words(response.headers["Access-Control-Allow-Methods"])
    asked = {"Content-Type", "Content-Encoding", "X-Signature", "X-Bloop-Signature", "X-Project-Key", "Idempotency-Key"}
    assert asked <= words(response.headers["Access-Control-Allow-Headers"])
    assert response.headers["Access-Control-Max-Age"] == "86400"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("path", INGEST)
@pytest.mark.parametrize("key", ["right", "wrong"])
def test_a_page_can_read_the_answer_of_ingest_whatever_it_is(
    path: str, key: str, client: Client, shop: NewProject
) -> None:
    response = post_signed(
        client,
        path,
        b"{}",
        key=shop.api_key if key == "right" else "x",
        Origin=FOREIGN,
        **{"Sec-Fetch-Site": "cross-site"},
    )

    assert response.status_code == (400 if key == "right" else 401)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in words(response.headers["Access-Control-Expose-Headers"])
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("path", OTHERS)
def test_other_routes_answer_a_preflight_to_the_configured_origin_only(path: str, client: Client) -> None:
    response = preflight(client, path)

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == settings.BLOOP.auth.rp_origin
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert words(response.headers["Access-Control-Allow-Methods"]) == {"GET", "POST", "PUT", "DELETE", "OPTIONS"}
    assert {"Content-Type", "Cookie", "Authorization"} <= words(response.headers["Access-Control-Allow-Headers"])


@pytest.mark.parametrize("path", OTHERS)
def test_other_answers_never_name_a_foreign_origin(path: str, client: Client, db: None) -> None:
    response = client.get(path, headers={"Origin": FOREIGN})

    assert response.headers["Access-Control-Allow-Origin"] == settings.BLOOP.auth.rp_origin
    assert response.headers["Access-Control-Allow-Credentials"] == "true"


def test_ingest_takes_a_cross_site_post_and_other_routes_do_not(
    admin_client: Client, client: Client, shop: NewProject
) -> None:
    cross_site = {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"}
    body = json.dumps(event_json()).encode()

    assert post_signed(client, "/v1/ingest", body, key=shop.api_key, **cross_site).status_code == 200
    assert admin_client.post("/v1/errors/x/resolve", headers=cross_site).status_code == 403


@pytest.mark.parametrize("path", INGEST)
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_on_ingest_are_405_in_json(path: str, method: str, client: Client) -> None:
    response = getattr(client, method)(path)

    assert response.status_code == 405
    assert response.json()["error"]
    assert "POST" in words(response.headers["Allow"])
    assert response.headers["Access-Control-Allow-Origin"] == "*"

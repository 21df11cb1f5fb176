"""Headers of every answer, CORS by route, and the guard against other sites' forms (contract 9.2, 9.3; design.md 3)."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services.links import issue_login_link
from errors.models import Issue
from projects.services.projects import NewProject
from tests.factories import make_issue, post_signed

ORIGIN = "http://localhost:5332"
PAGES = ("/auth/login", "/auth/link/x", "/auth/invite/x", "/errors", "/errors/shop/fp", "/nowhere", "/v1/docs", "/")


# --- Headers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_protected_by_headers(path: str, admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    headers = admin_client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "unsafe" not in policy


def test_a_refusal_of_the_guard_is_protected_as_well(client: Client, db: None):
    answer = client.post("/auth/sign-out", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/v1/errors", "/v1/unknown", "/v1/errors?limit=x", "/v1/schema", "/health"])
def test_api_answers_are_never_cached(path: str, admin_client: Client):
    headers = admin_client.get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_ingest_answers_are_never_cached_nor_guessed(client: Client, shop: NewProject):
    answer = post_signed(client, "/v1/ingest", b"{}", key=shop.api_key)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/errors", "/auth/login", "/health"])
def test_a_whole_answer_says_its_length(path: str, admin_client: Client):
    answer = admin_client.get(path)

    assert answer.headers["Content-Length"] == str(len(answer.content))


# --- CORS -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/ingest", "/v1/ingest/batch"])
def test_any_origin_may_ask_before_it_posts_to_ingest(path: str, client: Client):
    answer = client.options(path, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"POST", "PUT", "OPTIONS"} == set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"Content-Type", "X-Signature", "X-Project-Key", "Content-Encoding", "X-Bloop-Signature"} <= allowed
    assert answer.headers["Access-Control-Max-Age"] == "86400"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_any_origin_may_read_ingests_answers_refusals_included(client: Client, shop: NewProject):
    refused = client.post("/v1/ingest", data=b"{}", content_type="application/json")
    invalid = post_signed(client, "/v1/ingest", b"{}", key=shop.api_key, Origin="https://shop.example")

    for answer, status in ((refused, 401), (invalid, 400)):
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


@pytest.mark.parametrize("path", ["/v1/errors", "/v1/errors/fp/resolve", "/v1/projects", "/v1/whatever/comes"])
def test_the_rest_answers_to_our_own_origin_only(path: str, client: Client):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    answer = client.options(path, headers=asked)

    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
    }
    assert {"Content-Type", "Authorization"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))


def test_totals_and_links_can_be_read_across_origins(admin_client: Client):
    answer = admin_client.get("/v1/errors", headers={"Origin": "https://evil.example"})

    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"X-Total-Count", "Link", "Retry-After"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))


def test_pages_are_not_for_other_origins(admin_client: Client):
    assert "Access-Control-Allow-Origin" not in admin_client.get("/errors").headers


# --- The guard --------------------------------------------------------------------------------------------------

FROM = [
    ({}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Origin": ORIGIN}, True),
    ({"Origin": "http://testserver", "Host": "testserver"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),  # a browser sets the former itself
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "http://localhost:5333"}, False),
    ({"Origin": "http://localhost:5332.evil.example"}, False),
    ({"Origin": "https://localhost:5332"}, False),
]


@pytest.mark.parametrize(("headers", "passes"), FROM)
def test_an_unsafe_request_passes_if_our_page_or_no_browser_sent_it(
    headers: dict[str, str], passes: object, admin_client: Client, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp")

    answer = admin_client.post("/v1/errors/fp/resolve", headers=headers)

    assert answer.status_code == (200 if passes else 403)
    assert Issue.objects.get().status == ("resolved" if passes else "unresolved")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/errors/shop/fp/status", "/auth/link/x", "/v1/errors/fp/mute"])
def test_every_unsafe_method_is_guarded_on_every_route(method: str, path: str, admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    assert getattr(admin_client, method)(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_refusal_is_json_for_the_api_and_a_page_for_people(admin_client: Client):
    headers = {"Sec-Fetch-Site": "cross-site"}

    api, page = admin_client.post("/v1/errors/x/mute", headers=headers), admin_client.post("/errors", headers=headers)

    assert api.json() == {"error": "cross-site request refused"}
    assert page.headers["Content-Type"].startswith("text/html")


def test_reading_is_not_guarded_so_links_from_elsewhere_work(admin_client: Client):
    assert admin_client.get("/errors", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_ingest_is_for_browsers_of_any_site(client: Client, shop: NewProject):
    answer = post_signed(
        client, "/v1/ingest", b'{"error_type": "E"}', key=shop.api_key, **{"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 200


def test_another_site_cannot_sign_a_visitor_in(admin: User, client: Client):
    link = issue_login_link(username="ann", now=timezone.now())

    answer = client.post(f"/auth/link/{link.token}", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "session" not in client.cookies


# --- Hosts ------------------------------------------------------------------------------------------------------


def test_an_api_client_may_use_any_name_of_this_machine(client: Client, db: None):
    assert client.get("/health", headers={"Host": "bloop.internal:5332"}).status_code == 200

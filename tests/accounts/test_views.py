"""The sign-in pages around the links: who is sent where, how often one may try, what an expired page is told."""

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.dashboard import views
from accounts.models import RateBucket, Session, User
from accounts.throttle import Limit, Throttle
from projects.services import NewProject
from tests.factories import make_issue

AUTH_PAGES = ("/auth/login", "/auth/link/x", "/auth/invite/x")


def test_a_stranger_is_led_to_sign_in_with_the_way_back(client: Client, db: None):
    answer = client.get("/errors?q=a&project=shop")

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/auth/login?next=%2Ferrors%3Fq%3Da%26project%3Dshop",
    )
    assert "needs you to be signed in" in client.get(answer.headers["Location"]).content.decode()


def test_the_front_door_leads_to_a_plain_sign_in(client: Client, db: None):
    answer = client.get("/")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/auth/login")


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_expired_htmx_request_takes_the_whole_page_to_sign_in(method: str, admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    Session.objects.all().delete()
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/errors?q=a"}
    path = {"get": "/errors/stats", "post": "/errors/shop/fp/status"}[method]

    answer = getattr(admin_client, method)(path, headers=headers)

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/auth/login?next=%2Ferrors%3Fq%3Da"
    assert answer.content == b""


def test_an_htmx_request_that_names_no_page_is_led_to_sign_in_as_well(client: Client, db: None):
    answer = client.get("/errors", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/auth/login")


def test_who_is_signed_in_needs_no_sign_in_page(admin_client: Client):
    assert admin_client.get("/auth/login").headers["Location"] == "/"


@pytest.mark.parametrize(
    ("reason", "words"),
    [("expired", "has expired"), ("signed_out", "You are signed out"), ("<script>", "Bloop has no passwords")],
)
def test_the_sign_in_page_says_why_one_is_here(reason: str, words: str, client: Client, db: None):
    html = client.get("/auth/login", {"reason": reason}).content.decode()

    assert words in html
    assert "<script>" not in html


@pytest.mark.parametrize("path", AUTH_PAGES)
def test_sign_in_pages_are_never_cached(path: str, client: Client, db: None):
    assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.parametrize("path", AUTH_PAGES)
def test_who_tries_too_often_is_told_how_long_to_wait(
    path: str, client: Client, monkeypatch: pytest.MonkeyPatch, db: None
):
    monkeypatch.setattr(views, "throttle", Throttle(Limit("auth", rate=0.5, burst=3), clock=lambda: 1_000))

    answers = [client.get(path) for _ in range(5)]

    assert [answer.status_code == 429 for answer in answers] == [False, False, False, True, True]
    assert answers[-1].headers["Retry-After"] == "2"
    assert "Too many attempts from this address. Try again in 2 seconds." in answers[-1].content.decode()


def test_a_refused_attempt_does_not_use_a_link_up(admin: User, client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(views, "throttle", Throttle(Limit("auth", rate=0.01, burst=1), clock=lambda: 1_000))
    client.get("/auth/login")

    answer = client.post("/auth/link/whatever")

    assert answer.status_code == 429
    assert "session" not in client.cookies


def test_each_address_has_a_bucket_of_its_own(client: Client, monkeypatch: pytest.MonkeyPatch, db: None):
    monkeypatch.setattr(views, "throttle", Throttle(Limit("auth", rate=0.01, burst=1), clock=lambda: 1_000))

    def status(address: str, **headers: str) -> int:
        return client.get("/auth/login", REMOTE_ADDR=address, headers=headers).status_code

    assert [status("198.51.100.1"), status("198.51.100.1"), status("198.51.100.2")] == [200, 429, 200]
    spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    assert status("198.51.100.1", **spoofed) == 429, "nobody's word counts but a trusted proxy's"


def test_the_limit_is_the_configured_one(settings: LazySettings):
    assert views.throttle.limit == Limit(
        "auth", settings.BLOOP.rate_limit.auth_per_second, settings.BLOOP.rate_limit.auth_burst_size
    )
    assert (views.throttle.limit.rate, views.throttle.limit.burst) == (5, 10)


def test_pages_behind_sign_in_are_not_limited(admin_client: Client):
    admin_client.get("/errors")

    assert not RateBucket.objects.filter(key__startswith="auth").exists()

"""Every answer protects the browser that gets it: a strict policy on every page, nothing secret kept in a cache."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import LazySettings, settings
from django.db import DatabaseError, OperationalError, connection
from django.middleware.security import SecurityMiddleware
from django.test import Client

from accounts import attempts
from accounts.throttle import Limit, Throttle
from tests.access import Row, World
from tests.security.test_session_keys import settings_under
from tests.test_access import TABLE

CROSS_SITE: dict[str, Any] = {"Sec_Fetch_Site": "cross-site"}
READ = [row for row in TABLE if row.method == "GET" and not row.name.startswith(("health", "ingest"))]
NO_SOURCE = re.compile(r"'unsafe-|\*|https?:|blob:|filesystem:|(?<!')nonce-|'strict-dynamic'")
HASHED = re.compile(r"'sha(256|384|512)-[\w+/=]+'")


def policy_of(answer: Any) -> dict[str, list[str]]:
    """The policy's directives with their sources."""
    parts = [part.split() for part in answer.headers["Content-Security-Policy"].split(";") if part.strip()]
    names = [name for name, *_ in parts]
    assert len(names) == len(set(names)), "browsers take the first of two and ignore the other"
    return {name: sources for name, *sources in parts}


def assert_protected(answer: Any) -> None:
    """The headers every page has, whatever its status."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Content-Type"].startswith("text/html; charset=utf-8")
    assert_strict(policy_of(answer))


def assert_strict(policy: dict[str, list[str]]) -> None:
    """Nothing inline runs, nothing comes from elsewhere, nothing is framed, no form goes elsewhere."""
    assert policy["default-src"] == ["'self'"]
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert policy[name] == ["'none'"], name
    assert policy["form-action"] == ["'self'"]
    for name, sources in policy.items():
        assert not [source for source in sources if NO_SOURCE.search(source)], name
        allowed = {"'self'", "'none'"} | ({"data:"} if name == "img-src" else set())
        others = [source for source in sources if source not in allowed]
        assert name == "style-src" or not others, f"{name} lets in {others}"
        assert all(HASHED.fullmatch(source) for source in others), f"{name} lets in {others}"


def is_page(answer: Any) -> bool:
    return bool(answer.headers.get("Content-Type", "").startswith("text/html")) and bool(answer.content)


# --- Pages of every kind ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", READ, ids=str)
def test_every_page_is_protected_whoever_asks(row: Row, world: World):
    for caller in ("nobody", "stranger", "member", "admin", "verified"):
        answer = world.knock(row, caller)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", caller
        if is_page(answer):
            assert_protected(answer)


@pytest.mark.parametrize("row", [row for row in TABLE if row.is_unsafe], ids=str)
def test_refusals_of_unsafe_requests_are_protected_as_well(row: Row, world: World):
    for caller in ("nobody", "stranger", "verified"):
        answer = world.knock(row, caller, **(CROSS_SITE if caller == "verified" else {}))
        if is_page(answer):
            assert_protected(answer)


def get(world: World, path: str, caller: str = "verified", **options: Any) -> Any:
    cookie = {"Cookie": f"session={world.cookies[caller]}"} if caller in world.cookies else {}
    return Client(headers=cookie, **options).get(path)


def no_tokens() -> Throttle:
    return Throttle(Limit("none", rate=0.01, burst=0), clock=lambda: 1_000)


@contextmanager
def broken_database(error: type[Exception] = DatabaseError) -> Iterator[None]:
    """Every question about issues fails, as it does when a disk is full."""

    def refuse(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if "errors_issue" in sql:
            raise error("disk I/O error at OnlyTheLogMaySayThis")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


def test_a_page_of_each_status_is_protected(world: World, monkeypatch: pytest.MonkeyPatch):
    kinds = {
        200: get(world, "/errors"),
        403: get(world, "/settings/invites", "member"),
        404: get(world, "/nowhere"),
        410: get(world, "/auth/link/unknown", "nobody"),
        422: Client().post(f"/auth/invite/{world.names['invite']}", {"username": "a b"}),
        400: Client(headers={"Host": "evil.example"}).get("/auth/login"),
    }
    monkeypatch.setattr(attempts, "by_address", no_tokens())
    kinds[429] = get(world, "/auth/login", "nobody")
    with broken_database():
        kinds[500] = get(world, "/errors", raise_request_exception=False)

    for status, answer in kinds.items():
        assert answer.status_code == status
        assert_protected(answer)


def test_a_broken_page_says_nothing_of_what_broke(world: World):
    with broken_database():
        page = get(world, "/errors", raise_request_exception=False)
        api = get(world, "/v1/errors", raise_request_exception=False)

    assert (page.status_code, api.status_code) == (500, 500)
    for answer in (page, api):
        for word in ("OnlyTheLog", "Traceback", "DatabaseError", "disk I/O", str(settings.BASE_DIR), "django"):
            assert word not in answer.content.decode()
    assert api.json() == {"error": "internal server error"}


def test_while_the_database_is_away_pages_and_the_api_say_so_and_when_to_come_back(world: World):
    with broken_database(OperationalError):
        page = get(world, "/errors", raise_request_exception=False)
        api = get(world, "/v1/errors", raise_request_exception=False)

    for answer in (page, api):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "OnlyTheLog" not in answer.content.decode()
    assert_protected(page)
    assert "The database does not answer" in page.content.decode()
    assert api.json() == {"error": "storage is unavailable, try again later"}


def test_no_page_holds_inline_code_the_policy_would_stop(world: World):
    """What Django's own templates or ours slip in would not run, and the page would be broken."""
    for row in READ:
        answer = world.knock(row, "verified")
        if not is_page(answer) or row.name == "schema-docs":  # the one whose style is let in by its hash
            continue
        html = answer.content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", html), row
        for attributes in re.findall(r"<script\b([^>]*)>", html):
            assert "src=" in attributes or "application/json" in attributes, row
        for source in re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"([^\"]+)", html):
            assert source.startswith(("/", "data:image/")), source
            assert not source.startswith("//"), source


# --- Only https -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "rp_id", "seconds"),
    [
        ("https://errors.example.com", "errors.example.com", 31_536_000),
        ("http://localhost:5332", "localhost", 0),
        ("http://127.0.0.1:5332", "127.0.0.1", 0),
    ],
)
def test_browsers_are_told_to_stay_on_https_where_the_origin_is(origin: str, rp_id: str, seconds, tmp_path):
    assert settings_under(origin, rp_id, tmp_path)["hsts"] == seconds


def test_the_header_is_sent_over_https_only(world: World, settings: LazySettings):
    settings.SECURE_HSTS_SECONDS = 31_536_000

    assert SecurityMiddleware.__name__ in " ".join(settings.MIDDLEWARE)
    secure = Client().get("/auth/login", secure=True)
    plain = Client().get("/auth/login")

    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in plain.headers


# --- Caches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_no_cache_keeps_an_answer_of_the_api(row: Row, world: World):
    if not row.url.startswith(("/v1/", "/health")):
        return
    for caller in ("nobody", "member", "errors:read", "verified"):
        assert "no-store" in world.knock(row, caller).headers["Cache-Control"], caller


@pytest.mark.parametrize("row", [row for row in TABLE if row.url.startswith(("/auth/", "/settings"))], ids=str)
def test_no_cache_keeps_a_page_that_may_show_a_secret(row: Row, world: World):
    for caller in ("nobody", "creator", "verified"):
        answer = world.knock(row, caller)
        if answer.status_code in (200, 422):
            assert "no-store" in answer.headers.get("Cache-Control", ""), caller


@pytest.mark.parametrize("row", READ, ids=str)
def test_a_shared_cache_keeps_no_page_of_a_signed_in_person(row: Row, world: World):
    asked: tuple[dict[str, Any], ...] = ({}, {"HX_Request": "true"})
    for caller in ("stranger", "member", "verified"):
        for headers in asked:
            control = world.knock(row, caller, **headers).headers.get("Cache-Control", "")
            assert "no-store" in control or {"private", "no-cache"} <= {*control.split(", ")}, caller

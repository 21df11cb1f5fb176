"""Who may use each route: one row a route and method, tried as everyone with a real request.

A route without a row fails, so a new one cannot be open by accident. What matters beyond the status: those without a
right to the project never see a word of it, not even in an answer of 200.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from accounts.models import User
from projects.models import ApiToken
from projects.services import NewProject
from tests.factories import event_json, make_token, make_user, record

SECRET = "OnlyTheShopMayReadThis"
PEOPLE = ("nobody", "stranger", "member", "admin")
TOKENS = ("wrong scope", "right scope", "other project's", "revoked", "expired")
CALLERS = PEOPLE + TOKENS
INSIDERS = {"member", "admin", "right scope"}


def everyone(status: int) -> dict[str, int]:
    """The same for all: the route asks for no identity, or for another kind of proof."""
    return dict.fromkeys(CALLERS, status)


def page(*, stranger: int, insider: int = 200) -> dict[str, int]:
    """A page: sessions only; who has none is led to sign-in, bearer tokens included."""
    return {**everyone(303), "stranger": stranger, "member": insider, "admin": insider}


def api(*, outsider: int) -> dict[str, int]:
    """An API answer: session or token with the scope; `outsider` is for who is known but has no part in the project."""
    return {
        "nobody": 401,
        "stranger": outsider,
        "member": 200,
        "admin": 200,
        "wrong scope": 403,
        "right scope": 200,
        "other project's": outsider,
        "revoked": 401,
        "expired": 401,
    }


@dataclass(frozen=True)
class Row:
    """A route by name, a request to it, and the status each caller gets."""

    name: str
    method: str
    url: str
    expected: dict[str, int]
    data: dict[str, str] = field(default_factory=dict)
    scope: str = "errors:read"

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


def written(name: str, action: str) -> Row:
    return Row(name, "POST", f"/v1/errors/fp/{action}", api(outsider=404), scope="errors:write")


ROWS = [
    Row("dashboard", "GET", "/", page(stranger=302, insider=302)),
    Row("health", "GET", "/health", everyone(200)),
    Row("health-ready", "GET", "/health/ready", everyone(200)),
    Row("schema", "GET", "/v1/schema", everyone(200)),
    Row("schema-docs", "GET", "/v1/docs", everyone(200)),
    Row("accounts:login", "GET", "/auth/login", {**everyone(200), "stranger": 302, "member": 302, "admin": 302}),
    Row("accounts:link", "GET", "/auth/link/unknown", everyone(410)),
    Row("accounts:link", "POST", "/auth/link/unknown", everyone(410)),
    Row("accounts:invite", "GET", "/auth/invite/unknown", everyone(410)),
    Row("accounts:invite", "POST", "/auth/invite/unknown", everyone(410), {"username": "eve"}),
    Row("accounts:sign-out", "POST", "/auth/sign-out", everyone(302)),
    Row("errors:list", "GET", "/errors?status=all", page(stranger=200)),
    Row("errors:list", "GET", "/errors?status=all&project=shop", page(stranger=404)),
    Row("errors:stats", "GET", "/errors/stats", page(stranger=200)),
    Row("errors:stats", "GET", "/errors/stats?project=shop", page(stranger=404)),
    Row("errors:detail", "GET", "/errors/shop/fp", page(stranger=404)),
    Row("errors:status", "POST", "/errors/shop/fp/status", page(stranger=404, insider=302), {"status": "muted"}),
    Row("ingest", "POST", "/v1/ingest", everyone(401)),
    Row("ingest-batch", "POST", "/v1/ingest/batch", everyone(401)),
    Row("api-errors", "GET", "/v1/errors", api(outsider=200)),
    Row("api-error", "GET", "/v1/errors/fp", api(outsider=404)),
    Row("api-occurrences", "GET", "/v1/errors/fp/occurrences", api(outsider=200)),
    Row("api-trend", "GET", "/v1/errors/fp/trend", api(outsider=200)),
    Row("api-history", "GET", "/v1/errors/fp/history", api(outsider=200)),
    written("api-resolve", "resolve"),
    written("api-ignore", "ignore"),
    written("api-mute", "mute"),
    written("api-unresolve", "unresolve"),
    Row("api-release-errors", "GET", f"/v1/releases/{SECRET}/errors", api(outsider=200)),
    Row("api-trends", "GET", "/v1/trends", api(outsider=200)),
    Row("api-stats", "GET", "/v1/stats", api(outsider=200)),
]
NOTHING_TO_SEE = {
    "api-errors": [],
    "api-occurrences": [],
    "api-trend": [],
    "api-history": [],
    "api-release-errors": [],
    "api-trends": [],
    "api-stats": {"total_errors": 0, "unresolved_errors": 0, "total_events_24h": 0, "top_routes": []},
}


def route_names(patterns: list[Any], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from route_names(pattern.url_patterns, inner)
        else:
            assert isinstance(pattern, URLPattern)
            yield f"{namespace}{pattern.name}" if pattern.name else f"unnamed: {pattern.pattern}"


Try = Callable[[Row, str], Any]


@pytest.fixture
def knock(shop: NewProject, other: NewProject, admin: User, member: User) -> Try:
    """Send a row's request as one of the callers, with something in the shop that only insiders may see."""
    fields = {"error_type": SECRET, "message": SECRET, "release": SECRET, "route_or_procedure": f"/{SECRET}"}
    record(shop.project, event_json(fingerprint="fp", **fields))
    users: dict[str, User] = {"stranger": make_user(projects=(other.project,)), "member": member, "admin": admin}

    def secret_of(caller: str, scope: str) -> str:
        scopes = ("alerts:read",) if caller == "wrong scope" else (scope,)
        new = make_token(other.project if caller == "other project's" else shop.project, scopes=scopes)
        past = timezone.now() - timedelta(seconds=1)
        if caller in ("revoked", "expired"):
            column = "revoked_at" if caller == "revoked" else "expires_at"
            ApiToken.objects.filter(pk=new.token.pk).update(**{column: past})
        return new.secret

    def send(row: Row, caller: str) -> Any:
        client = Client(headers={"Authorization": f"Bearer {secret_of(caller, row.scope)}"} if caller in TOKENS else {})
        if caller in users:
            client.force_login(users[caller])
        return client.generic(row.method, row.url) if not row.data else client.post(row.url, row.data)

    return send


def test_every_route_of_the_site_has_a_row():
    routes = list(route_names(get_resolver().url_patterns))

    assert len(routes) == len(set(routes)), "two routes share a name"
    assert set(routes) == {row.name for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_is_about_the_route_it_names(row: Row):
    assert resolve(row.url.partition("?")[0]).view_name == row.name


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_caller_gets_what_the_table_says(row: Row, knock: Try):
    assert {caller: knock(row, caller).status_code for caller in CALLERS} == row.expected


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "GET"], ids=str)
def test_an_outsider_never_reads_a_word_of_the_project(row: Row, knock: Try):
    for caller in CALLERS:
        answer = knock(row, caller)
        if caller in INSIDERS or row.name in ("schema", "schema-docs"):
            continue
        seen = answer.content.decode().replace(row.url, "")  # a link back to what was asked for tells nothing
        assert SECRET not in seen.replace(f"/v1/releases/{SECRET}", ""), caller
        if answer.status_code == 200 and row.name in NOTHING_TO_SEE:
            assert answer.json() == NOTHING_TO_SEE[row.name], caller


def test_an_insider_does_read_it(knock: Try):
    rows = [row for row in ROWS if row.name in {"errors:list", "errors:detail", "api-errors", "api-error"}]

    for row in rows:
        for caller in ("member", "admin"):
            assert SECRET in knock(row, caller).content.decode(), f"{row} as {caller}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.name.startswith("errors:status")], ids=str)
def test_an_outsider_changes_nothing(row: Row, knock: Try, shop: NewProject):
    for caller in ("nobody", "stranger", *TOKENS):
        knock(row, caller)

    assert [issue.status for issue in shop.project.issues.all()] == ["unresolved"]


def test_a_token_or_session_without_the_right_changes_no_status_through_the_api(knock: Try, shop: NewProject):
    row = written("api-resolve", "resolve")

    for caller in set(CALLERS) - INSIDERS:
        knock(row, caller)

    assert [issue.status for issue in shop.project.issues.all()] == ["unresolved"]


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_a_method_without_a_row_is_not_allowed(name: str, admin_client: Client):
    rows = [row for row in ROWS if row.name == name]
    given = {row.method for row in rows} | {"HEAD" if row.method == "GET" else "" for row in rows}

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - given:
        answer = admin_client.generic(method, rows[0].url)
        assert answer.status_code == 405, method
        assert given - {"HEAD", ""} <= set(answer.headers["Allow"].split(", ")), method

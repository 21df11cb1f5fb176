"""What a request says of its own address counts for nothing: not in links, not in redirects, not for trust."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import LoginLink
from bloop_site.lib import network
from tests.access import World

ORIGIN = "http://localhost:5332"
FOREIGN = ("evil.example", "evil.example:5332", "localhost.evil.example", "localhost:5332@evil.example", "[::2]", "a b")
PAGES = (
    "/",
    "/errors",
    "/auth/login",
    "/auth/recover",
    "/settings/invites",
    "/settings/account",
    "/admin/",
    "/nowhere",
)
FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Host": "evil.example",
    "X-Original-Host": "evil.example",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "8443",
    "X-Original-URL": "/settings/invites",
    "X-Rewrite-URL": "/settings/invites",
}


def as_admin(world: World, **headers: str) -> Client:
    return Client(headers={"Cookie": f"session={world.cookies['verified']}", **headers})


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_served_under_a_name_that_is_not_ours(path: str, host: str, world: World):
    for client in (Client(headers={"Host": host}), as_admin(world, Host=host)):
        answer = client.get(path)
        assert answer.status_code == 400
        assert f"It is at <bdi>{ORIGIN}</bdi>" in answer.content.decode()
        assert "evil" not in answer.content.decode()
        assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("host", FOREIGN)
def test_nobody_signs_in_under_a_name_that_is_not_ours(host: str, world: World):
    assert Client(headers={"Host": host}).post("/auth/link/x").status_code == 400
    for path in ("/auth/login/start", "/auth/recover", "/auth/logout"):
        assert Client(headers={"Host": host}).post(path, "{}", "application/json").status_code == 400


@pytest.mark.parametrize("path", PAGES)
def test_forwarding_headers_change_no_page(path: str, world: World):
    plain, told = as_admin(world).get(path), as_admin(world, **FORWARDED).get(path)

    assert told.status_code == plain.status_code
    assert told.headers.get("Location") == plain.headers.get("Location")
    assert "evil" not in told.content.decode()


@pytest.mark.parametrize("headers", [FORWARDED, {"Host": "127.0.0.1:9"}, {"Host": "127.0.0.1:9", **FORWARDED}])
def test_an_invite_is_made_for_the_configured_address(headers: dict[str, str], world: World):
    answer = as_admin(world, **headers).post("/v1/admin/invites", "{}", "application/json")
    page = as_admin(world, **headers).get("/settings/invites").content.decode()

    token = answer.json()["token"]
    assert "evil" not in json.dumps(answer.json())
    assert f"{ORIGIN}/auth/login?invite={token}" in page
    assert "127.0.0.1:9/auth" not in page


def test_a_sign_in_link_is_made_for_the_configured_address(world: World, capsys: pytest.CaptureFixture[str]):
    from django.core.management import call_command

    call_command("loginlink", "member")

    assert json.loads(capsys.readouterr().out)["url"].startswith(f"{ORIGIN}/auth/link/")
    assert LoginLink.objects.filter(user=world.users["member"]).count() == 1


@pytest.mark.parametrize("headers", [FORWARDED, {"Host": "127.0.0.1:9"}])
def test_snippets_name_the_configured_address(headers: dict[str, str], world: World):
    page: Any = as_admin(world, **headers).get("/settings/projects/shop").content.decode()

    assert ORIGIN in page
    assert "127.0.0.1:9" not in page


@pytest.fixture
def proxied(settings: LazySettings) -> Iterator[None]:
    """Behind a proxy of ours at 10.9.9.9."""
    server = settings.BLOOP.server.model_copy(update={"trusted_proxies": ["10.9.9.9"]})
    settings.BLOOP = settings.BLOOP.model_copy(update={"server": server})
    network.trusted_networks.cache_clear()
    yield
    network.trusted_networks.cache_clear()


def test_a_proxy_is_believed_about_the_address_and_only_a_proxy(proxied: None, world: World):
    from accounts.models import AuditEntry

    for peer, told, kept in (
        ("10.9.9.9", "203.0.113.7", "203.0.113.7"),
        ("10.9.9.9", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1", "203.0.113.7", "198.51.100.1"),
    ):
        client = as_admin(world, **{"X-Forwarded-For": told})
        assert client.post("/v1/admin/invites", "{}", "application/json", REMOTE_ADDR=peer).status_code == 200
        assert AuditEntry.objects.order_by("-pk")[0].address == kept


# --- The scheme -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "peer", "secure"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "192.0.2.1", False),
        ("10.0.0.0/8", "", False),
        ("10.0.0.0/8", "nonsense", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_only_a_trusted_proxy_says_that_a_request_came_over_https(
    trusted: str, peer: str, secure: object, behind: Any, db: None
):
    behind(trusted)

    answer = Client(headers={"X-Forwarded-Proto": "https"}).get("/auth/login", REMOTE_ADDR=peer)

    assert answer.wsgi_request.is_secure() is secure
    assert ("X-Forwarded-Proto" in answer.wsgi_request.headers) is secure


def test_a_trusted_proxy_that_says_http_is_believed_too(behind: Any, db: None):
    behind("10.0.0.0/8")

    answer = Client(headers={"X-Forwarded-Proto": "http"}).get("/auth/login", REMOTE_ADDR="10.1.2.3")

    assert not answer.wsgi_request.is_secure()


def test_strict_transport_is_not_asked_for_on_the_word_of_a_stranger(behind: Any, settings: LazySettings, db: None):
    behind("10.0.0.0/8")
    settings.SECURE_HSTS_SECONDS = 60

    told = {
        peer: "Strict-Transport-Security"
        in Client(headers={"X-Forwarded-Proto": "https"}).get("/auth/login", REMOTE_ADDR=peer).headers
        for peer in ("10.1.2.3", "192.0.2.1")
    }

    assert told == {"10.1.2.3": True, "192.0.2.1": False}


@pytest.fixture
def behind(settings: LazySettings) -> Iterator[Callable[[str], None]]:
    """Configures trusted proxies as the start does."""

    def configure(proxies: str) -> None:
        server = settings.BLOOP.server.model_copy(update={"trusted_proxies": (proxies,)})
        settings.BLOOP = settings.BLOOP.model_copy(update={"server": server})
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        network.trusted_networks.cache_clear()

    yield configure
    network.trusted_networks.cache_clear()

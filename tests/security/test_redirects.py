"""Wherever a page leads next, it is a page of ours: no link can send a visitor through Bloop to somebody else."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.services.recovery import make_recovery_codes
from tests.access import World, cookie_of

EVIL = (  # as they stand in the query or the form, after decoding
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "https://evil.example/",
    "http://evil.example",
    "HTTPS://EVIL.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x01//evil.example",
    "/\x0b/evil.example",
    "//evil.example\\@testserver/",
    "//testserver@evil.example/",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "//evil.example/%2f..",
    "%2F%2Fevil.example",
    "/%09/evil.example",
    "javascript:alert(document.domain)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,evil.example",
    "vbscript:evil",
    "/errors\r\nLocation: https://evil.example",
    "/errors\r\nSet-Cookie: session=evil",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "http://[evil.example/",
    "//[evil.example",
    "/" * 2000 + "evil.example",
)
HOME = "http://testserver"


def where_a_browser_goes(location: str, *, page: str) -> str:
    """The address a browser opens for a Location: it drops tabs and line ends, and a backslash is a slash."""
    cleaned = re.sub(r"[\t\r\n]", "", location).strip("".join(map(chr, range(33)))).replace("\\", "/")
    return urljoin(f"{HOME}{page}", cleaned)


def assert_stays_home(answer: Any, *, page: str) -> None:
    """A redirect leads to our own origin, and so does whatever the page holds that leads anywhere."""
    location = answer.headers.get("Location") or answer.headers.get("HX-Redirect")
    if location is not None:
        assert not re.search(r"[\r\n]", location)
        assert_is_ours(where_a_browser_goes(location, page=page))
    assert "evil" not in str(answer.cookies)
    for attribute in re.findall(r"""\s(?:href|action|src|data-[\w-]+|formaction|value)="([^"]*)""", text_of(answer)):
        if "evil" in attribute:
            assert_is_ours(where_a_browser_goes(unescape(attribute), page=page))


def assert_is_ours(target: str) -> None:
    """The address is one of Bloop's, whatever else it says."""
    assert urlsplit(target)[:2] in (("http", "testserver"), ("http", "localhost:5332")), target


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def link_of(username: str) -> str:
    return f"/auth/link/{issue_login_link(username=username, now=timezone.now()).token}"


def invite_path() -> str:
    return f"/auth/invite/{issue_invite(role='member', created_by=None, now=timezone.now()).token}"


WaysIn = dict[str, Callable[[World], tuple[Client, str, dict[str, str]]]]


def by_link(world: World) -> tuple[Client, str, dict[str, str]]:
    return Client(), link_of("member"), {}


def by_invite(world: World) -> tuple[Client, str, dict[str, str]]:
    return Client(), invite_path(), {"username": "kim"}


def by_recovery_code(world: World) -> tuple[Client, str, dict[str, str]]:
    codes = make_recovery_codes(user=world.users["victim"], actor=COMMAND_LINE, now=timezone.now())
    return Client(), "/auth/recover", {"username": "victim", "code": codes[0]}


def by_verifying(world: World) -> tuple[Client, str, dict[str, str]]:
    codes = make_recovery_codes(user=world.users["victim"], actor=COMMAND_LINE, now=timezone.now())
    cookie = cookie_of(world.users["victim"], "cookie-to-verify")
    return Client(headers={"Cookie": f"session={cookie}"}), "/auth/verify", {"code": codes[0]}


WAYS: WaysIn = {"link": by_link, "invite": by_invite, "recovery code": by_recovery_code, "verifying": by_verifying}


@pytest.mark.parametrize("target", EVIL, ids=lambda target: ascii(target)[:40])
@pytest.mark.parametrize("way", WAYS)
def test_who_gets_in_is_led_to_a_page_of_ours(way: str, target: str, world: World):
    client, path, form = WAYS[way](world)

    asked = client.get(path, {"next": target})
    answer = client.post(path, {**form, "next": target})

    assert (asked.status_code, answer.status_code) == (200, 302)
    for each in (asked, answer):
        assert_stays_home(each, page=path)


@pytest.mark.parametrize("target", EVIL, ids=lambda target: ascii(target)[:40])
@pytest.mark.parametrize("way", WAYS)
def test_the_query_of_the_form_is_looked_at_as_well(way: str, target: str, world: World):
    client, path, form = WAYS[way](world)

    answer = client.post(f"{path}?next={quote(target)}", form)

    assert answer.status_code == 302
    assert_stays_home(answer, page=path)


@pytest.mark.parametrize("target", EVIL, ids=lambda target: ascii(target)[:40])
@pytest.mark.parametrize("caller", ["nobody", "member", "verified"])
def test_the_sign_in_page_leads_nobody_away(caller: str, target: str, world: World):
    cookie = {"Cookie": f"session={world.cookies[caller]}"} if caller in world.cookies else {}

    for path in ("/auth/login", "/auth/verify", "/auth/recover"):
        answer = Client(headers=cookie).get(path, {"next": target})
        assert answer.status_code in (200, 302, 303)
        assert_stays_home(answer, page=path)


@pytest.mark.parametrize("query", ["next=%2F%2Fevil.example", "next=%252F%252Fevil.example", "next=/%5Cevil.example"])
@pytest.mark.parametrize("again", ["{}", "next=/errors&{}", "{}&next=/errors"])
def test_escapes_and_repetitions_lead_nobody_away(query: str, again: str, world: World):
    path = link_of("member")

    assert_stays_home(Client().post(f"{path}?{again.format(query)}"), page=path)


@pytest.mark.parametrize("path", ["//evil.example/errors", "/\\evil.example", "/errors?next=https://evil.example"])
def test_the_way_to_sign_in_and_back_stays_home(path: str, world: World):
    answer = Client().get(path)

    assert_stays_home(answer, page=path)


@pytest.mark.parametrize(
    "page", ["https://evil.example//evil.example/x", "//evil.example//evil.example", "javascript:alert(1)", "\\\\evil"]
)
def test_a_fragment_asked_for_from_an_odd_page_leads_home(page: str, world: World):
    asked = Client().get("/errors", headers={"HX-Request": "true", "HX-Current-URL": page})
    assert_stays_home(asked, page="/errors")
    sign_in = asked.headers["HX-Redirect"]

    landed = Client(headers={"Cookie": f"session={world.cookies['member']}"}).get(sign_in)

    assert_stays_home(landed, page=sign_in)


def test_a_page_of_ours_is_still_led_to(world: World):
    for target in ("/errors?project=shop&q=a%26b", "/errors/shop/with%2Fslash", "/settings/account"):
        answer = Client().post(link_of("member"), {"next": target})
        assert (answer.status_code, answer.headers["Location"]) == (302, target)

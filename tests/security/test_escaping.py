"""Names that are code stay words: on every page that shows one, whoever chose it."""

import html
from typing import Any

import pytest
from django.http import HttpRequest

from accounts.models import AuditEntry, Invite, Passkey, Session
from accounts.secret import hashed
from errors.models import Issue
from ingest.models import DeadPayload
from projects.models import ApiToken, Project, Removal
from tests.access import Row, World, cookie_of
from tests.factories import event_json, record
from tests.test_access import TABLE

PAGES = [row for row in TABLE if row.method == "GET" and row.expected["verified"] == 200]
NAMED = ("project", "user", "passkey", "token", "browser", "audit", "detail", "issue", "reason", "removal")


def hostile(what: str) -> str:
    """A name that would be an element, an attribute, a template, a script, were it not escaped."""
    return f"<pwn-{what} x=\"'>&lt;{{{{7*7}}}}</title></script><script>alert(1)</script>"


@pytest.fixture
def hostile_world(world: World) -> World:
    """The same world; everything that has a name has a hostile one."""
    shop = Project.objects.get(slug="shop")
    people = {"verified": "user", "member": "user", "victim": "user"}
    for name, what in people.items():
        user = world.users[name]
        type(user).objects.filter(pk=user.pk).update(username=f"{hostile(what)[:50]}{name}")
    Project.objects.filter(pk=shop.pk).update(name=hostile("project"))
    Passkey.objects.update(name=hostile("passkey")[:64])
    ApiToken.objects.update(name=hostile("token"), token_prefix="<pwn-prefix>")
    browser = {"user_agent": hostile("browser") + " Firefox/1", "address": "<pwn-address>"}
    Session.objects.update(**browser)
    detail = {"<pwn-key>": hostile("detail"), "list": [hostile("detail")], "map": {"a": hostile("detail")}}
    AuditEntry.objects.update(target=hostile("audit"), actor_name=hostile("user")[:64], detail=detail)
    DeadPayload.objects.update(reason=hostile("reason"), kind="<pwn-kind>", body=hostile("body").encode())
    Removal.objects.update(name=hostile("removal"), slug="<pwn-slug>")
    names = dict.fromkeys(("error_type", "message", "release", "route_or_procedure", "environment"), hostile("issue"))
    record(shop, event_json(fingerprint="fp", stack=hostile("stack"), metadata={hostile("k"): hostile("v")}, **names))
    Issue.objects.update(**dict.fromkeys(("error_type", "message", "route", "screen"), hostile("issue")))
    Invite.objects.update(used_by=world.users["victim"])
    return world


def seen(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("row", PAGES, ids=str)
def test_no_page_lets_a_name_become_code(row: Row, hostile_world: World):
    for caller in ("creator", "verified"):
        answer = hostile_world.knock(row, caller)
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        page = seen(answer)
        assert "<pwn" not in page, caller
        assert "alert(1)</script>" not in page, caller
        assert ">alert(1)" not in page.replace(html.escape(">alert(1)"), ""), caller
        assert "x=\"'" not in page, caller
        assert "49" not in [word for word in page.split() if "pwn" in word], caller


def test_the_pages_do_show_those_names(hostile_world: World):
    everything = ""
    for row in PAGES:
        everything += seen(hostile_world.knock(row, "verified"))
    cookie_of(hostile_world.users["verified"], "cookie-of-another-browser")

    for what in NAMED:
        assert f"&lt;pwn-{what}" in everything, what


def test_messages_escape_the_names_they_tell(hostile_world: World):
    creator = "verified"
    told = [
        Row("x", "POST /settings/members/{victim_id}/role", {}, form={"role": "admin"}),
        Row("x", "POST /settings/projects/shop/members", {}, form={"username": hostile("typed")[:60]}),
        Row("x", "POST /settings/projects/shop/name", {}, form={"name": ""}),
        Row("x", "POST /settings/projects/shop/delete", {}, form={"name": hostile("typed")}),
        Row("x", "POST /settings/tokens", {}, form={"name": hostile("typed") * 2, "project": "shop"}),
        Row("x", "POST /auth/recover", {}, form={"username": hostile("typed")[:60], "code": hostile("typed")[:60]}),
        Row("x", "POST /auth/invite/{invite}", {}, form={"username": hostile("typed")[:60]}),
        Row("x", "POST /admin/projects/project/add/", {}, form={"name": hostile("typed"), "slug": hostile("typed")}),
        Row("x", "GET /errors?q=%3Cpwn-typed%3E&release=%3Cpwn-typed%3E&sort=%3Cpwn-typed%3E", {}),
        Row("x", "GET /settings/audit?person=%3Cpwn-typed%3E&action=%3Cpwn-typed%3E&page=%3Cpwn-typed%3E", {}),
        Row("x", "GET /auth/login?reason=%3Cpwn-typed%3E&next=/%3Cpwn-typed%3E", {}),
        Row("x", "GET /admin/accounts/user/?q=%3Cpwn-typed%3E", {}),
        Row("x", "GET /nowhere/%3Cpwn-typed%3E", {}),
        Row("x", "GET /auth/link/%3Cpwn-typed%3E", {}),
    ]
    for row in told:
        for caller in (creator, "nobody"):
            page = seen(hostile_world.knock(row, caller))
            assert "<pwn" not in page, row.request
    after = seen(hostile_world.knock(Row("x", "GET /settings/members", {}), creator))
    assert "<pwn" not in after


def test_the_world_is_found_by_its_names_in_the_django_admin(hostile_world: World):
    """Its pages run through format_html and mark_safe of ours: none of them trusts a row."""
    from django.contrib import admin

    for model, model_admin in admin.site._registry.items():
        for row in model_admin.get_queryset(HttpRequest())[:3]:
            for show in model_admin.get_list_display(HttpRequest()):
                if callable(show) and show.__name__ != "action_checkbox":
                    assert "<pwn" not in str(show(row)) or not hasattr(show(row), "__html__"), f"{model} {show}"


def test_json_never_answers_as_a_page(hostile_world: World):
    for row in [row for row in TABLE if row.url.startswith(("/v1/", "/health")) and row.name != "schema-docs"]:
        for caller in ("nobody", "verified"):
            with_html = hostile_world.knock(row, caller, Accept="text/html")
            assert not with_html.headers.get("Content-Type", "").startswith("text/html"), row
            assert with_html.headers["X-Content-Type-Options"] == "nosniff"


def test_a_session_hash_is_no_cookie(world: World):
    """What the account page shows to name a session does not open it."""
    for name in ("member", "verified"):
        stolen = hashed(world.cookies[name])
        answer = world.send(Row("x", "GET /settings/account", {}), {"Cookie": f"session={stolen}"})
        assert answer.status_code == 303

"""The first seed's sections "Error Detail" and "Error Lifecycle", sentence by sentence."""

import json
import re
from html import unescape

import pytest
from django.test import Client

from accounts.models import User
from errors.models import Issue
from projects.services.projects import NewProject
from tests.errors.maps_of import put_map
from tests.factories import event_json, make_issue, record
from tests.wsgi import Answer, ask

STATUSES = ("unresolved", "resolved", "ignored", "muted")


def curl(method: str, path: str, client: Client) -> Answer:
    """As `curl -X METHOD http://localhost:5332/path -H "Cookie: session=YOUR_SESSION_TOKEN"`."""
    return ask(method, path, headers={"Cookie": f"session={client.cookies['session'].value}"})


# --- Error Detail -----------------------------------------------------------------------------------------------


def test_seed_error_detail_click_any_error_row_to_see_the_detail_view(member_client: Client, shop: NewProject):
    for name in ("First", "Second"):
        make_issue(shop.project, fingerprint=f"fp/{name}", error_type=name)

    rows = member_client.get("/errors").content.decode()
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"[^>]*data-row-link', rows)]
    pages = [member_client.get(link).content.decode() for link in links]

    assert len(links) == 2
    for name, page in zip(("Second", "First"), pages, strict=True):
        assert re.search(rf"<h1[^>]*>{name}</h1>", page)


def test_seed_error_detail_panel_shows_stack_trace_metadata_and_action_buttons(member_client: Client, shop: NewProject):
    stack = "TypeError: x\n    at loadUser (src/users.ts:10:5)"
    make_issue(shop.project, fingerprint="fp", stack=stack, metadata={"cart": "c-42"})

    html = unescape(member_client.get("/errors/shop/fp").content.decode())

    assert "loadUser" in html
    assert "src/users.ts" in html
    assert re.search(r"cart.*c-42", html, re.DOTALL)
    for words in ("Resolve", "Ignore", "Mute"):
        assert re.search(rf"<button[^>]*>{words}</button>", html)


# --- Error Lifecycle --------------------------------------------------------------------------------------------


def test_seed_lifecycle_every_error_has_a_status_and_starts_unresolved(member_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    assert member_client.get("/errors/shop/fp").context["issue"].status == "unresolved"


@pytest.mark.parametrize("old", STATUSES)
@pytest.mark.parametrize("new", STATUSES)
def test_seed_lifecycle_any_status_can_be_chosen_on_the_page(
    old: str, new: str, member_client: Client, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp")
    Issue.objects.update(status=old)

    member_client.post("/errors/shop/fp/status", {"status": new})

    assert member_client.get("/errors/shop/fp").context["issue"].status == new


def test_seed_lifecycle_all_status_changes_are_recorded_in_an_audit_trail_in_the_detail_view(
    member_client: Client, member: User, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp")
    for status in ("resolved", "ignored", "muted", "unresolved"):
        member_client.post("/errors/shop/fp/status", {"status": status})

    html = re.sub(r"<[^>]+>", "", member_client.get("/errors/shop/fp").content.decode())

    trail = re.findall(r"(\w+) to (\w+).*? by (\w+)", html)
    assert trail == [
        ("Muted", "unresolved", "mia"),
        ("Ignored", "muted", "mia"),
        ("Resolved", "ignored", "mia"),
        ("Unresolved", "resolved", "mia"),
    ]


def test_seed_lifecycle_a_regression_appears_in_the_unresolved_list_with_its_history(
    member_client: Client, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp", error_type="ComesBack")
    member_client.post("/errors/shop/fp/status", {"status": "resolved"})
    assert "ComesBack" not in member_client.get("/errors").content.decode()

    record(shop.project, event_json(fingerprint="fp", error_type="ComesBack"))

    assert "ComesBack" in member_client.get("/errors").content.decode()
    html = member_client.get("/errors/shop/fp").content.decode()
    assert "Came back after it was resolved" in html
    assert "Unresolved to resolved" in html


@pytest.mark.parametrize(("call", "status"), [("resolve", "resolved"), ("mute", "muted"), ("unresolve", "unresolved")])
def test_seed_lifecycle_the_api_changes_the_status_by_session_cookie(
    call: str, status: str, member_client: Client, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp")

    answer = curl("POST", f"/v1/errors/fp/{call}", member_client)

    assert answer.status == 200
    assert json.loads(answer.body)["status"] == status
    assert Issue.objects.get().status == status


def test_seed_lifecycle_the_api_shows_the_status_history_by_session_cookie(
    member_client: Client, member: User, shop: NewProject
):
    make_issue(shop.project, fingerprint="fp")
    curl("POST", "/v1/errors/fp/resolve", member_client)

    answer = curl("GET", "/v1/errors/fp/history", member_client)

    (row,) = json.loads(answer.body)
    assert (row["old_status"], row["new_status"], row["changed_by"]) == ("unresolved", "resolved", str(member.pk))


# --- Troubleshooting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["1.4.0", "v1.4.0"])
def test_seed_troubleshooting_source_maps_must_be_of_exactly_the_release_the_event_was_sent_with(
    release: str, member_client: Client, shop: NewProject
):
    """Source maps not deobfuscating: "must exactly match the release field sent with the error event"."""
    put_map(shop.project, release="1.4.0")
    is_read = release == "1.4.0"
    stack = "Error: x\n    at r (https://cdn.example/app.js:1:5)"
    make_issue(shop.project, fingerprint="fp", release=release, stack=stack)

    page = unescape(re.sub(r"<[^>]+>", "", member_client.get("/errors/shop/fp").content.decode()))
    (sample,) = json.loads(curl("GET", "/v1/errors/fp", member_client).body)["samples"]

    assert ("src/a.ts" in page) is is_read
    assert ("deobfuscated_stack" in sample) is is_read
    assert ("uploaded for 1.4.0; this event says v1.4.0. They must match letter for letter" in page) is not is_read

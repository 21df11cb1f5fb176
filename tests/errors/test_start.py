"""An empty project shows how to send, waits for the first event and says that it arrived; what was refused is seen."""

import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of, now_ms
from errors.models import Issue
from errors.queries import issues
from ingest.flush import flush_all
from ingest.models import BufferedPayload, RefusedCount
from ingest.reasons import REASONS, words_of
from ingest.refusals import refusals
from projects.access import Reach
from projects.dashboard.snippets import LANGUAGES, PLACEHOLDER
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, post_signed, send

BODY = json.dumps(event_json()).encode()
NOBODY = ""


def text_of(answer: Any) -> str:
    """What is read on the page, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def refuse(project_id: str, reason: str = "signature", **more: Any) -> None:
    """A refusal as ingest counts it, written."""
    given = {"text": "invalid signature", "address": "192.0.2.1", "at_ms": now_ms()}
    refusals.note(project_id=project_id, reason=reason, **{**given, **more})
    refusals.flush()


def forge(client: Client, key: str) -> None:
    """A request with a wrong signature, through HTTP."""
    answer = post_signed(client, "/v1/ingest", BODY, key="wrong", project_key=key)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid signature"})
    refusals.flush()


# --- Before the first event -------------------------------------------------------------------------------------------


def test_an_empty_project_shows_every_snippet_and_waits(member_client: Client):
    page = member_client.get("/errors?project=shop").content.decode()

    assert re.findall(r'id="snippet-(\w+)"', page) == [language[0] for language in LANGUAGES]
    assert page.count(PLACEHOLDER) == len(LANGUAGES) + 1
    assert f"{settings.BLOOP.auth.rp_origin}/v1/ingest" in page
    assert "Waiting for the first event" in page
    assert 'hx-get="/errors/first?project=shop&amp;state=0.0.00" hx-trigger="every 2s"' in page
    assert 'href="/settings/projects/shop"' in page


def test_without_scripts_there_is_a_link_to_look_again(member_client: Client):
    page = member_client.get("/errors?project=shop").content.decode()

    assert '<a class="button without-js" href="/errors?project=shop">Check again</a>' in page


def test_while_nothing_is_new_the_poll_is_answered_with_nothing(member_client: Client, shop: NewProject):
    first = member_client.get("/errors/first?project=shop")
    again = member_client.get(f"/errors/first?project=shop&state={first.context['state']}")

    assert (first.status_code, again.status_code, again.content) == (200, 204, b"")
    assert "no-store" in again.headers["Cache-Control"]


def test_the_first_event_arrives_with_links_to_it_and_the_list_and_the_waiting_ends(
    member_client: Client, shop: NewProject
):
    waiting = member_client.get("/errors/first?project=shop")
    send(Client(), event_json(error_type="TypeError", message="x is undefined"), key=shop.api_key)

    arrived = member_client.get(f"/errors/first?project=shop&state={waiting.context['state']}")

    issue = Issue.objects.get()
    page = arrived.content.decode()
    assert "It arrived: TypeError: x is undefined" in text_of(arrived)
    assert f'href="/errors/shop/{issue.fingerprint}"' in page
    assert 'href="/errors?project=shop"' in page
    assert 'data-announce="It arrived: TypeError"' in page
    assert "hx-trigger" not in page
    assert listed(member_client.get("/errors?project=shop")) == ["TypeError"]


def listed(answer: Any) -> list[str]:
    return [row.error_type for row in answer.context["rows"]]


def test_what_arrived_is_shown_as_text_whatever_it_says(member_client: Client, shop: NewProject):
    make_issue(shop.project, error_type="<b>\u202e", message="<script>alert(1)</script>")

    page = member_client.get("/errors/first?project=shop").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page


def test_over_all_projects_somebody_with_an_empty_one_waits_too(member_client: Client, other: NewProject):
    make_issue(other.project)

    page = member_client.get("/errors").content.decode()

    assert "Waiting for the first event" in page
    assert 'hx-get="/errors/first?state=0.0.00"' in page


def test_a_project_just_made_waits_on_its_page_where_the_key_is(admin_client: Client):
    answer = admin_client.post("/settings/projects", {"name": "Parcel", "slug": "parcel"}, follow=True)

    page = answer.content.decode()
    assert 'hx-get="/errors/first?project=parcel" hx-trigger="load"' in page
    assert answer.context["fresh_key"] in page
    assert "first-event" not in admin_client.get("/settings/projects/parcel").content.decode()


def test_a_new_key_of_a_project_with_events_waits_for_nothing(admin_client: Client, shop: NewProject):
    make_issue(shop.project)

    answer = admin_client.post("/settings/projects/shop/key", {"grace": "0"}, follow=True)

    assert answer.context["fresh_key"]
    assert "first-event" not in answer.content.decode()


# --- Refused while waiting --------------------------------------------------------------------------------------------


def test_a_refusal_is_seen_by_who_waits_with_what_to_do(member_client: Client, shop: NewProject):
    waiting = member_client.get("/errors/first?project=shop")
    forge(Client(), shop.api_key)

    answer = member_client.get(f"/errors/first?project=shop&state={waiting.context['state']}")

    assert "Refused 1 time in the last 24 hours: signature does not match (1, last just now)" in text_of(answer)
    assert "the raw JSON body" in text_of(answer)
    assert 'data-announce="Refused: Signature does not match"' in answer.content.decode()
    assert 'hx-trigger="every 2s"' in answer.content.decode()


@pytest.mark.parametrize(
    ("who", "address", "age_ms", "seen"),
    [
        ("member", "127.0.0.1", 0, True),
        ("member", "127.0.0.1", 2 * HOUR_MS, False),
        ("member", "192.0.2.1", 0, False),
        ("admin", "192.0.2.1", 0, True),
        ("admin", "192.0.2.1", 2 * HOUR_MS, False),
    ],
)
def test_a_mistyped_key_is_seen_by_who_waits_at_the_address_it_came_from_and_by_admins(
    who: str, address: str, age_ms: int, seen: object, admin_client: Client, member_client: Client
):
    client = {"member": member_client, "admin": admin_client}[who]
    refuse(NOBODY, "unknown_key", address=address, at_ms=now_ms() - age_ms, text="invalid project key")

    answer = client.get("/errors/first?project=shop")

    assert ("unknown key (1" in text_of(answer)) is seen
    assert ("invalid project key" in text_of(answer)) is seen


def test_seed_troubleshooting_events_accepted_but_not_appearing_is_told_with_buffer_usage(
    member_client: Client, shop: NewProject
):
    assert post_signed(Client(), "/v1/ingest", BODY, key=shop.api_key).status_code == 200
    assert "waits longer" not in text_of(member_client.get("/errors/first?project=shop"))
    BufferedPayload.objects.update(items=98_000, received_ms=now_ms() - 10_000)

    answer = member_client.get("/errors/first?project=shop")

    assert "The buffer is 98 % full (buffer_usage at /health)" in text_of(answer).replace("\u00a0", " ")
    assert Client().get("/health").json()["buffer_usage"] == 0.98
    BufferedPayload.objects.update(items=1)
    flush_all()
    assert "It arrived: TypeError" in text_of(member_client.get("/errors/first?project=shop"))


# --- The notice over the list -----------------------------------------------------------------------------------------


def test_the_list_says_quietly_what_was_refused(member_client: Client, shop: NewProject):
    make_issue(shop.project)
    assert "Refused" not in text_of(member_client.get("/errors"))
    refuse(shop.project.pk, count=140, at_ms=now_ms() - 200_000)
    refuse(shop.project.pk, "too_large", count=2, at_ms=now_ms() - 400_000, text="body exceeds 32768 bytes")

    answer = member_client.get("/errors")

    assert (
        "Refused 142 times in the last 24 hours: "
        "signature does not match (140, last 3 min ago), too large (2, last 6 min ago)"
    ) in text_of(answer).replace("\u00a0", " ")
    assert '<details class="refused">' in answer.content.decode()
    assert "body exceeds 32768 bytes" in text_of(answer)


def test_the_notice_is_about_the_projects_shown(admin_client: Client, shop: NewProject, other: NewProject):
    for project in (shop.project, other.project):
        make_issue(project)
    refuse(other.project.pk)
    refuse(NOBODY, "unknown_key", text="invalid project key")

    totals = {query: refused_on(admin_client, query) for query in ("", "?project=shop", "?project=other")}

    assert totals == {
        "": {"signature": 1, "unknown_key": 1},
        "?project=shop": {},
        "?project=other": {"signature": 1},
    }


def refused_on(client: Client, query: str) -> dict[str, int]:
    return {row.reason: row.count for row in client.get(f"/errors{query}").context["refused"].rows}


def test_a_member_sees_nothing_of_other_projects_and_of_nobodys(
    member_client: Client, shop: NewProject, other: NewProject
):
    make_issue(shop.project)
    refuse(other.project.pk, address="198.51.100.1")
    refuse(NOBODY, "unknown_key", address="127.0.0.1")

    assert refused_on(member_client, "") == {}
    assert "198.51.100.1" not in member_client.get("/errors/first").content.decode()


def test_counts_of_many_hours_and_projects_are_one_row_a_reason_with_the_newest_words(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_issue(shop.project)
    now = now_ms()
    for hours, project, text in ((1, shop, "older"), (3, other, "oldest"), (0, other, "newest"), (25, shop, "gone")):
        refuse(project.project.pk, at_ms=now - hours * HOUR_MS, text=text, count=10)
    refuse(shop.project.pk, "full", at_ms=now - 2 * HOUR_MS, text="buffer is full, try again later")

    rows = admin_client.get("/errors").context["refused"].rows

    assert [(row.reason, row.count, row.last_text) for row in rows] == [
        ("signature", 30, "newest"),
        ("full", 1, "buffer is full, try again later"),
    ]
    assert rows[0].last_ms == now


def test_the_last_24_hours_are_whole_hours(admin_client: Client, shop: NewProject):
    make_issue(shop.project)
    edge = hour_of(now_ms()) - DAY_MS + HOUR_MS
    refuse(shop.project.pk, at_ms=edge)
    refuse(shop.project.pk, "full", at_ms=edge - 1)

    assert refused_on(admin_client, "?project=shop") == {"signature": 1}


# --- The project's page -----------------------------------------------------------------------------------------------


def test_the_projects_page_lists_reasons_counts_times_texts_and_addresses(member_client: Client, shop: NewProject):
    assert "Nothing in the last 24 hours" in text_of(member_client.get("/settings/projects/shop"))
    refuse(shop.project.pk, count=1_234, address="2001:db8::7\u202e", text="<b>invalid</b>")

    answer = member_client.get("/settings/projects/shop")

    page = answer.content.decode()
    for words in ("Signature does not match", "1,234", "2001:db8::7\\u202e", "&lt;b&gt;invalid&lt;/b&gt;"):
        assert words in page
    assert "1,234 times in the last 24 hours" in text_of(answer)


def test_a_projects_page_says_nothing_of_nobodys_not_even_to_admins(admin_client: Client, shop: NewProject):
    refuse(NOBODY, "unknown_key")

    assert admin_client.get("/settings/projects/shop").context["refused"].rows == []


def test_what_was_refused_goes_with_its_project(shop: NewProject):
    from ingest.removal import PayloadRemover

    refuse(shop.project.pk)
    remover = PayloadRemover()
    found = remover.find(shop.project.pk, limit=10)

    assert found is not None
    assert remover.remove(found) == 1
    assert not RefusedCount.objects.exists()


# --- Words ------------------------------------------------------------------------------------------------------------


def test_every_reason_has_words_and_one_from_a_later_version_speaks_for_itself():
    assert all(reason.label and reason.help.endswith(".") for reason in REASONS.values())
    assert words_of("new_in_2030").label == "new_in_2030"


def test_a_project_nobody_may_see_is_not_found(shop: NewProject):
    stranger: User = make_user()
    client = Client()
    client.force_login(stranger)

    assert client.get("/errors/first?project=shop").status_code == 404
    assert Project.objects.filter(slug="shop").exists()


def test_the_list_is_read_again_when_the_first_event_comes_in_meanwhile(
    member_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    ask = issues.has_any_issue

    def and_it_comes(reach: Reach) -> bool:
        found = ask(reach)
        make_issue(shop.project, error_type="Meanwhile")
        return found

    monkeypatch.setattr(issues, "has_any_issue", and_it_comes)

    page = member_client.get("/errors?project=shop").content.decode()

    assert "Meanwhile" in page
    assert "It arrived" not in page
    assert page.count("data-row ") == 1

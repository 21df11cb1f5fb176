"""What people do on an issue's page: statuses with an end and an undo, two people at once, notes, merging."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms
from errors.models import Issue, Note, Transition
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, record

HTMX = {"HX-Request": "true"}
PAGE = "/errors/shop/fp"


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as mia, a member of the shop."""
    return member_client


@pytest.fixture
def issue(shop: NewProject) -> Issue:
    return make_issue(shop.project, fingerprint="fp")


def colleague(project: Project, name: str = "ana") -> Client:
    """Somebody else with the same page open."""
    client = Client()
    client.force_login(make_user(username=name, projects=(project,)))
    return client


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def seen(client: Client, page: str = PAGE) -> str:
    """What the forms of a page say about the state they show."""
    found = re.search(r'name="seen" value="(\d+)"', client.get(page).content.decode())
    assert found
    return found[1]


def toast(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.headers["HX-Trigger"])["toast"]
    return found


# --- Statuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "primary", "others"),
    [
        ("unresolved", "resolved", ["muted", "ignored"]),
        ("resolved", "unresolved", ["muted", "ignored"]),
        ("ignored", "unresolved", ["resolved", "muted"]),
        ("muted", "unresolved", ["resolved", "ignored"]),
    ],
)
def test_the_likeliest_next_status_comes_first(
    status: str, primary: str, others: list[str], client: Client, issue: Issue
):
    Issue.objects.update(status=status)

    html = client.get(PAGE).content.decode()

    buttons = re.findall(r'<button class="button([^"]*)" id="action-(\w+)"[^>]*data-key="(\w)"', html)
    assert [(kind.strip() == "button--primary", name) for kind, name, _ in buttons] == [
        (True, primary),
        *((False, other) for other in others),
    ]
    assert {key for _, _, key in buttons} == {name[0] for _, name, _ in buttons}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hours": "1"}, "Muted until "),
        ({"hours": "168"}, "Muted until "),
        ({"more": "10"}, "Muted until it happens 10 more times"),
        ({"more": "1"}, "Muted until it happens 1 more time"),
        ({}, "Muted"),
    ],
)
def test_a_mute_may_end_after_some_time_or_some_events(fields: dict[str, str], said: str, client: Client, issue: Issue):
    answer = client.post(f"{PAGE}/status", {"status": "muted", **fields}, headers=HTMX)

    issue.refresh_from_db()
    assert issue.status == "muted"
    assert toast(answer)["message"].startswith(said)
    hours = int(fields.get("hours", 0))
    if hours:
        assert issue.muted_until_ms is not None
        assert abs(issue.muted_until_ms - now_ms() - hours * HOUR_MS) < 60_000
        assert "until" in words(answer)
    else:
        assert issue.muted_until_ms is None
    assert issue.muted_until_count == (1 + int(fields["more"]) if "more" in fields else None)
    if fields.get("more") == "10":
        assert "until it happens 10 more times" in words(answer)


def test_a_mute_may_end_on_a_day(client: Client, issue: Issue):
    day = datetime.now(tz=UTC).date() + timedelta(days=3)

    client.post(f"{PAGE}/status", {"status": "muted", "until": day.isoformat()})

    issue.refresh_from_db()
    assert issue.muted_until_ms == datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    "fields",
    [
        {"until": "2001-01-01"},
        {"until": "tomorrow"},
        {"until": "0001-01-01"},
        {"more": "0"},
        {"more": "-1"},
        {"more": "9" * 30},
        {"hours": "0"},
        {"hours": "x"},
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_an_end_that_makes_no_sense_is_refused_with_a_reason(
    headers: dict[str, str], fields: dict[str, str], client: Client, issue: Issue
):
    answer = client.post(f"{PAGE}/status", {"status": "muted", **fields}, headers=headers)

    issue.refresh_from_db()
    assert (answer.status_code, issue.status) == (422, "unresolved")
    assert 'role="alert"' in answer.content.decode()
    assert (b"<html" in answer.content) is not bool(headers)


def test_ten_events_more_end_the_mute(client: Client, shop: NewProject, issue: Issue):
    client.post(f"{PAGE}/status", {"status": "muted", "more": "10"})

    for _ in range(9):
        record(shop.project, event_json(fingerprint="fp"))
    assert "until it happens 1 more time " in words(client.get(PAGE))
    record(shop.project, event_json(fingerprint="fp"))

    assert client.get(PAGE).context["issue"].status == "unresolved"


def test_resolved_in_the_next_release_says_so_and_lasts_for_events_of_the_old_one(
    client: Client, shop: NewProject, issue: Issue
):
    answer = client.post(f"{PAGE}/status", {"status": "resolved", "next_release": "1"}, headers=HTMX)
    record(shop.project, event_json(fingerprint="fp"))
    still = client.get(PAGE)
    record(shop.project, event_json(fingerprint="fp", release="99.0"))

    assert toast(answer)["message"] == "Resolved in the next release"
    assert "in the next release" in words(answer)
    assert still.context["issue"].status == "resolved"
    assert client.get(PAGE).context["issue"].status == "unresolved"


# --- Undo -------------------------------------------------------------------------------------------------------


def test_the_toasts_undo_brings_everything_back(client: Client, issue: Issue):
    client.post(f"{PAGE}/status", {"status": "muted", "more": "10"})
    undo = toast(client.post(f"{PAGE}/status", {"status": "resolved"}, headers=HTMX))["undo"]

    answer = client.post(undo.pop("url"), undo, headers=HTMX)

    issue.refresh_from_db()
    assert (answer.status_code, issue.status, issue.muted_until_count) == (200, "muted", 11)
    assert 'id="status-panel"' in answer.content.decode()


def test_the_timeline_offers_undo_of_the_newest_change_without_javascript(client: Client, issue: Issue):
    client.post(f"{PAGE}/status", {"status": "resolved"})
    client.post(f"{PAGE}/status", {"status": "ignored"})
    html = client.get(PAGE).content.decode()

    offered = re.findall(r'name="transition" value="(\d+)"', html)
    answer = client.post(f"{PAGE}/undo", {"transition": offered[0]})

    issue.refresh_from_db()
    assert len(offered) == 1
    assert (answer.status_code, issue.status) == (302, "resolved")


def test_what_an_event_did_offers_no_undo(client: Client, shop: NewProject, issue: Issue):
    client.post(f"{PAGE}/status", {"status": "resolved"})
    record(shop.project, event_json(fingerprint="fp"))

    assert 'name="transition"' not in client.get(PAGE).content.decode()


@pytest.mark.parametrize("transition", ["", "x", "0", "9" * 30])
def test_a_change_nobody_knows_cannot_be_undone(transition: str, client: Client, issue: Issue):
    assert client.post(f"{PAGE}/undo", {"transition": transition}).status_code == 404


def test_a_change_of_another_issue_cannot_be_undone_here(client: Client, issue: Issue, other: NewProject):
    foreign = make_issue(other.project, fingerprint="fp")
    change = Transition.objects.create(
        issue=foreign,
        project=other.project,
        old_status="unresolved",
        new_status="resolved",
        cause="call",
        changed_ms=1,
    )
    Issue.objects.filter(pk=foreign.pk).update(status="resolved")

    answer = client.post(f"{PAGE}/undo", {"transition": str(change.pk)})

    foreign.refresh_from_db()
    assert (answer.status_code, foreign.status) == (404, "resolved")


# --- Two people at once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_the_second_of_two_people_sees_what_happened(
    headers: dict[str, str], client: Client, shop: NewProject, issue: Issue
):
    ana, mine = colleague(shop.project), seen(client)
    ana.post(f"{PAGE}/status", {"status": "resolved", "seen": seen(ana)})

    answer = client.post(f"{PAGE}/status", {"status": "ignored", "seen": mine}, headers=headers)

    issue.refresh_from_db()
    assert (answer.status_code, issue.status) == (409, "resolved")
    assert re.search(r"ana resolved this \d+ seconds? ago\. Your change was not made\.", words(answer))
    assert 'id="action-unresolved"' in answer.content.decode()
    assert (b"<html" in answer.content) is not bool(headers)


def test_the_second_of_two_on_a_list_is_told_in_a_toast(client: Client, shop: NewProject, issue: Issue):
    colleague(shop.project).post(f"{PAGE}/status", {"status": "ignored"})

    late = client.post(f"{PAGE}/status", {"status": "resolved", "was": "unresolved"}, headers=HTMX)
    issue.refresh_from_db()
    kept = issue.status
    seen_since = client.post(f"{PAGE}/status", {"status": "resolved", "was": "ignored"}, headers=HTMX)

    assert (late.status_code, kept) == (409, "ignored")
    toast = json.loads(late.headers["HX-Trigger"])["toast"]
    assert re.fullmatch(r"ana ignored this \d+ seconds? ago\. Your change was not made\.", toast["message"])
    assert seen_since.status_code == 200


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
@pytest.mark.parametrize("path", ["status", "undo", "merge"])
def test_who_acts_on_an_issue_that_was_merged_meanwhile_is_led_to_where_it_is_and_told(
    path: str, headers: dict[str, str], client: Client, shop: NewProject, issue: Issue
):
    into, third = (make_issue(shop.project, fingerprint=name) for name in ("into", "third"))
    client.post(f"{PAGE}/status", {"status": "muted"})
    made = Transition.objects.get()
    colleague(shop.project).post(f"{PAGE}/merge", {"into": str(into.pk)})

    form = {"status": "resolved", "seen": made.pk, "transition": made.pk, "into": third.pk}
    answer = client.post(f"{PAGE}/{path}", form, headers=headers)

    assert answer.headers["HX-Redirect" if headers else "Location"] == "/errors/shop/into"
    assert "merged into this one meanwhile. Your change was not made." in words(client.get("/errors/shop/into"))
    assert Transition.objects.get() == made
    assert set(Issue.objects.values_list("status", "merged_into")) == {("unresolved", None), ("unresolved", into.pk)}


def test_a_change_made_with_the_new_state_in_sight_is_made(client: Client, shop: NewProject, issue: Issue):
    colleague(shop.project).post(f"{PAGE}/status", {"status": "resolved"})

    answer = client.post(f"{PAGE}/status", {"status": "ignored", "seen": seen(client)})

    issue.refresh_from_db()
    assert (answer.status_code, issue.status) == (302, "ignored")


def test_an_event_that_came_first_is_told_of_as_well(client: Client, shop: NewProject, issue: Issue):
    client.post(f"{PAGE}/status", {"status": "resolved"})
    mine = seen(client)
    record(shop.project, event_json(fingerprint="fp"))

    answer = client.post(f"{PAGE}/status", {"status": "ignored", "seen": mine}, headers=HTMX)

    assert answer.status_code == 409
    assert "A new event brought this back" in words(answer)


def test_an_undo_that_comes_too_late_undoes_nothing(client: Client, shop: NewProject, issue: Issue):
    undo = toast(client.post(f"{PAGE}/status", {"status": "resolved"}, headers=HTMX))["undo"]
    colleague(shop.project).post(f"{PAGE}/status", {"status": "muted"})

    answer = client.post(undo.pop("url"), undo, headers=HTMX)

    issue.refresh_from_db()
    assert (answer.status_code, issue.status) == (409, "muted")
    assert "ana muted this" in words(answer)


def test_the_page_tells_htmx_to_show_a_conflict(client: Client, issue: Issue):
    config = re.search(r"name=\"htmx-config\" content='([^']+)'", client.get(PAGE).content.decode())
    assert config
    handling = json.loads(config[1])["responseHandling"]

    chosen = next(rule for rule in handling if re.search(rule["code"], "409"))

    assert chosen["swap"]


def test_a_note_being_written_survives_a_change_of_status(client: Client, issue: Issue):
    answer = client.post(f"{PAGE}/status", {"status": "resolved", "note": "half a thou"}, headers=HTMX)

    assert re.search(r'id="id_note"[^>]*>\s*half a thou</textarea>', answer.content.decode())
    assert not Note.objects.exists()


# --- Notes ------------------------------------------------------------------------------------------------------


def write(client: Client, text: str, **headers: str) -> Any:
    return client.post(f"{PAGE}/notes", {"note": text}, headers=headers)


def test_a_note_is_shown_with_author_lines_and_links(client: Client, issue: Issue):
    text = "Line one\n<b>two</b> see https://example.com/a?b=1&c=2."

    answer = client.post(f"{PAGE}/notes", {"note": text}, headers=HTMX)

    html = answer.content.decode()
    assert answer.status_code == 200
    assert (
        "Line one\n&lt;b&gt;two&lt;/b&gt; see "
        '<a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer nofollow" target="_blank">'
        "https://example.com/a?b=1&amp;c=2</a>." in html
    )
    assert "mia" in words(answer)
    assert re.search(r'id="id_note"[^>]*>\s*</textarea>', html), "the form is empty again"


def test_a_note_works_without_javascript(client: Client, issue: Issue):
    answer = write(client, "Plainly")

    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)
    assert "Plainly" in words(client.get(PAGE))


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 10_001, "a\x00b"], ids=["empty", "blank", "long", "nul"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_a_note_that_cannot_be_taken_is_kept_in_the_form(
    headers: dict[str, str], text: str, client: Client, issue: Issue
):
    answer = client.post(f"{PAGE}/notes", {"note": text}, headers=headers)

    html = answer.content.decode()
    assert answer.status_code == 422
    assert "errorlist" in html
    assert text.strip()[:50].replace("\x00", "") in html.replace("\x00", "")
    assert not Note.objects.exists()


def test_a_note_can_be_changed_and_deleted_by_its_author(client: Client, issue: Issue):
    write(client, "Before")
    note = Note.objects.get()

    changed = client.post(f"{PAGE}/note", {"note_id": str(note.pk), "text": "After"}, headers=HTMX)
    note.refresh_from_db()
    deleted = client.post(f"{PAGE}/note", {"note_id": str(note.pk), "delete": "1"}, headers=HTMX)

    assert (changed.status_code, note.text) == (200, "After")
    assert "edited" in words(changed)
    assert deleted.status_code == 200
    assert not Note.objects.exists()


def test_an_edit_that_cannot_be_taken_leaves_the_note_and_opens_its_form(client: Client, issue: Issue):
    write(client, "Before")
    note = Note.objects.get()

    answer = client.post(f"{PAGE}/note", {"note_id": str(note.pk), "text": " "}, headers=HTMX)

    note.refresh_from_db()
    assert (answer.status_code, note.text) == (422, "Before")
    assert "<details open>" in answer.content.decode()


def test_the_note_of_another_cannot_be_changed_and_shows_no_form(client: Client, shop: NewProject, issue: Issue):
    write(colleague(shop.project), "Hers")
    note = Note.objects.get()

    html = client.get(PAGE).content.decode()
    changed = client.post(f"{PAGE}/note", {"note_id": str(note.pk), "text": "Mine"})
    deleted = client.post(f"{PAGE}/note", {"note_id": str(note.pk), "delete": "1"})

    note.refresh_from_db()
    assert "Hers" in html
    assert "note_id" not in html
    assert {changed.status_code, deleted.status_code} <= {403, 404}
    assert note.text == "Hers"


def test_an_admin_may_delete_any_note_and_change_none(admin_client: Client, client: Client, issue: Issue):
    write(client, "Hers")
    note = Note.objects.get()

    changed = admin_client.post(f"{PAGE}/note", {"note_id": str(note.pk), "text": "Mine"})
    deleted = admin_client.post(f"{PAGE}/note", {"note_id": str(note.pk), "delete": "1"})

    assert changed.status_code in (403, 404)
    assert deleted.status_code == 302
    assert not Note.objects.exists()


def test_the_note_of_another_issue_is_not_found_here(client: Client, shop: NewProject, issue: Issue):
    write(client, "Here")
    make_issue(shop.project, fingerprint="elsewhere")
    note_id = str(Note.objects.get().pk)

    for fields in ({"note_id": note_id, "delete": "1"}, {"note_id": "x"}, {}):
        assert client.post("/errors/shop/elsewhere/note", fields).status_code == 404
    assert Note.objects.exists()


# --- Merging ----------------------------------------------------------------------------------------------------


def found(answer: Any) -> list[str]:
    return [row.fingerprint for row in answer.context["rows"]]


def test_issues_of_the_same_type_are_offered_first(client: Client, shop: NewProject, other: NewProject, issue: Issue):
    make_issue(shop.project, fingerprint="same-old")
    for name in ("a", "b"):
        make_issue(shop.project, fingerprint=name, error_type="Else")
    make_issue(other.project, fingerprint="foreign")

    assert found(client.get(f"{PAGE}/merge")) == ["same-old", "b", "a"]


@pytest.mark.parametrize(
    "q", ["GET /x", "http://localhost:5332/errors/shop/GET%20%2Fx?hours=24", "/errors/shop/GET%20/x", "out of memory"]
)
def test_an_issue_is_found_by_fingerprint_address_or_words(q: str, client: Client, shop: NewProject, issue: Issue):
    make_issue(shop.project, fingerprint="GET /x", error_type="Killed", message="Out of memory")
    make_issue(shop.project, fingerprint="else", error_type="Else", message="Something")

    answer = client.get(f"{PAGE}/merge", {"q": q})
    part = client.get(f"{PAGE}/merge", {"q": q}, headers=HTMX)

    assert found(answer) == ["GET /x"]
    assert b"<html" not in part.content
    assert b"Out of memory" in part.content


@pytest.mark.parametrize("q", ["nothing like it", "\ufffd", "%", "x" * 5_000])
def test_a_search_without_a_find_says_so(q: str, client: Client, issue: Issue):
    answer = client.get(f"{PAGE}/merge", {"q": q})

    assert found(answer) == []
    assert "No issue found" in words(answer)


def test_merging_leads_to_the_issue_that_shows_both_and_taking_out_makes_two_of_it(
    client: Client, shop: NewProject, issue: Issue
):
    into = make_issue(shop.project, fingerprint="into")
    record(shop.project, event_json(fingerprint="into"))

    merged = client.post(f"{PAGE}/merge", {"into": str(into.pk)})
    shown = client.get("/errors/shop/into")
    old = client.get(PAGE)
    take_out = re.search(r'name="merge" value="(\d+)"', shown.content.decode())
    assert take_out
    apart = client.post("/errors/shop/into/unmerge", {"merge": take_out[1]})

    assert (merged.status_code, merged.headers["Location"]) == (302, "/errors/shop/into")
    assert shown.context["issue"].total_count == 3
    assert re.search(r"1 merged issue .*fp 1 event · merged just now by mia", words(shown))
    assert (old.status_code, old.headers["Location"]) == (302, "/errors/shop/into")
    assert (apart.status_code, apart.headers["Location"]) == (302, PAGE)
    assert client.get(PAGE).context["issue"].total_count == 1
    assert client.get("/errors/shop/into").context["issue"].total_count == 2


@pytest.mark.parametrize("into", ["", "x", "0", "9" * 30])
def test_without_a_choice_nothing_is_merged(into: str, client: Client, shop: NewProject, issue: Issue):
    make_issue(shop.project, fingerprint="into")

    answer = client.post(f"{PAGE}/merge", {"into": into})

    assert answer.status_code == 422
    assert "Choose an issue first." in words(answer)


def test_an_issue_is_not_merged_into_itself_nor_into_one_of_another_project(
    client: Client, other: NewProject, issue: Issue
):
    foreign = make_issue(other.project, fingerprint="into", error_type="SecretOfOthers")

    answers = [client.post(f"{PAGE}/merge", {"into": str(pk)}) for pk in (issue.pk, foreign.pk)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert not any(b"SecretOfOthers" in answer.content for answer in answers)
    assert not Issue.objects.exclude(merged_into=None).exists()


def test_a_merge_of_another_issue_cannot_be_undone_here(client: Client, shop: NewProject, issue: Issue):
    for name in ("a", "b"):
        make_issue(shop.project, fingerprint=name)
    into = Issue.objects.get(fingerprint="b")
    client.post("/errors/shop/a/merge", {"into": str(into.pk)})
    merge_id = str(into.merges.get().pk)

    for merge in (merge_id, "x", ""):
        assert client.post(f"{PAGE}/unmerge", {"merge": merge}).status_code == 404
    assert Issue.objects.get(fingerprint="a").merged_into == into


def test_what_was_taken_out_already_is_said_to_be(client: Client, shop: NewProject, issue: Issue):
    into = make_issue(shop.project, fingerprint="into")
    client.post(f"{PAGE}/merge", {"into": str(into.pk)})
    merge_id = str(into.merges.get().pk)

    answers = [client.post("/errors/shop/into/unmerge", {"merge": merge_id}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert "has been taken apart already" in words(client.get("/errors/shop/into"))


def test_what_came_along_with_a_merged_issue_can_be_taken_out_where_it_is_listed(
    client: Client, shop: NewProject, issue: Issue
):
    middle, outer = (make_issue(shop.project, fingerprint=name) for name in ("middle", "outer"))
    client.post(f"{PAGE}/merge", {"into": str(middle.pk)})
    client.post("/errors/shop/middle/merge", {"into": str(outer.pk)})
    inner = str(middle.merges.get().pk)

    listed = re.findall(r'name="merge" value="(\d+)"', client.get("/errors/shop/outer").content.decode())
    answers = [client.post("/errors/shop/outer/unmerge", {"merge": inner}) for _ in range(2)]

    assert inner in listed
    assert (answers[0].status_code, answers[0].headers["Location"]) == (302, PAGE)
    assert answers[1].status_code == 404  # no way leads from there to here any more
    assert Issue.objects.get(fingerprint="fp").merged_into is None
    assert Issue.objects.get(fingerprint="middle").merged_into == outer


# --- Of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "status"),
        ("post", "undo"),
        ("post", "notes"),
        ("post", "note"),
        ("get", "merge"),
        ("post", "merge"),
        ("post", "unmerge"),
        ("get", "events"),
    ],
)
def test_the_issue_of_a_foreign_project_is_not_found(method: str, path: str, client: Client, other: NewProject):
    make_issue(other.project, fingerprint="fp", error_type="SecretOfOthers")

    answer = getattr(client, method)(f"/errors/other/fp/{path}", {"status": "muted", "note": "x"})

    assert answer.status_code == 404
    assert b"SecretOfOthers" not in answer.content
    assert not Note.objects.exists()


def test_a_mute_that_was_changed_and_changed_back_is_told_so(client: Client, issue: Issue):
    for fields in ({}, {"hours": "1"}):
        client.post(f"{PAGE}/status", {"status": "muted", **fields})
    changed = words(client.get(PAGE))

    client.post(f"{PAGE}/undo", {"transition": Transition.objects.order_by("-pk")[0].pk})

    assert "Muted in another way by mia" in changed
    assert "Unresolved to muted by mia" in changed
    assert "Change undone: muted as before by mia" in words(client.get(PAGE))


def test_the_days_of_a_mute_are_days_of_utc(client: Client, member: User, issue: Issue):
    tomorrow = datetime.now(tz=UTC).date() + timedelta(days=1)

    client.post(f"{PAGE}/status", {"status": "muted", "until": tomorrow.isoformat()})

    issue.refresh_from_db()
    assert issue.muted_until_ms is not None
    assert issue.muted_until_ms % DAY_MS == 0

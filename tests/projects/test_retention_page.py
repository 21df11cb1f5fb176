"""Settings, retention: days for all and for single projects, what there is, and a purge that is seen to its end."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from bloop_site.lib.db import Space
from projects import storage as storage_module
from projects.dashboard import retention as page
from projects.dashboard.retention import span_words
from projects.models import Project, PurgeRun, RetentionPolicy
from projects.retention import GlobalDays, global_days, own_days, words_of
from projects.services.projects import NewProject
from tests.factories import event_json, make_project, record

URL = "/settings/retention"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def text_of(client: Client, url: str = URL) -> str:
    """The words of the page, spaces closed up."""
    body = client.get(url).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def form_of(**fields: Any) -> dict[str, str]:
    """The form as a browser sends it, with what was there when the page was made."""
    was = {"raw_events_days": 7, "hourly_counts_days": 90}
    return {
        **{f"initial-{name}": str(was.get(name, "")) for name in {**was, **fields}},
        **{name: str(value) for name, value in {**was, **fields}.items()},
    }


def run(**fields: Any) -> PurgeRun:
    return PurgeRun.objects.create(**{"started_at": NOW, "finished_at": NOW + timedelta(seconds=95), **fields})


# --- Days -------------------------------------------------------------------------------------------------------


def test_it_shows_for_how_long_each_project_keeps_its_events(admin_client: Client, shop: NewProject, other: NewProject):
    RetentionPolicy.objects.create(project=shop.project, raw_events_days=30)

    text = text_of(admin_client)

    assert re.search(r"Shop 30 days its own", text)
    assert re.search(r"Other 7 days Days of its own", text)
    assert "Retention" in text


def test_days_are_saved(admin_client: Client, shop: NewProject, other: NewProject):
    RetentionPolicy.objects.create(project=other.project, raw_events_days=3)
    own = {f"own-{shop.project.pk}": "30", f"own-{other.project.pk}": ""}
    form = {**form_of(raw_events_days=14, hourly_counts_days=180, **own), f"initial-own-{other.project.pk}": "3"}

    answer = admin_client.post(URL, form, follow=True)

    assert answer.redirect_chain == [(URL, 302)]
    assert "Saved." in answer.content.decode()
    assert global_days() == GlobalDays(14, 180)
    assert own_days() == {shop.project.pk: 30}


def test_saving_what_was_there_sets_nothing_so_that_the_configuration_goes_on_to_hold(
    admin_client: Client, shop: NewProject
):
    answer = admin_client.post(URL, form_of(**{f"own-{shop.project.pk}": ""}), follow=True)

    assert "Nothing was different." in answer.content.decode()
    assert not RetentionPolicy.objects.exists()


def test_a_page_that_is_out_of_date_takes_back_nothing_of_what_somebody_else_set(
    admin_client: Client, shop: NewProject, other: NewProject
):
    shown = form_of(**{f"own-{shop.project.pk}": "", f"own-{other.project.pk}": "9"})
    RetentionPolicy.objects.create(project=shop.project, raw_events_days=30)

    admin_client.post(URL, shown)

    assert own_days() == {shop.project.pk: 30, other.project.pk: 9}


@pytest.mark.parametrize("value", ["0", "3651", "-1", "7.5", "x", "9" * 400, "\x00"])
@pytest.mark.parametrize("field", ["raw_events_days", "hourly_counts_days", "own"])
def test_a_wrong_number_is_said_where_it_stands_and_nothing_is_saved(
    field: str, value: str, admin_client: Client, shop: NewProject
):
    name = f"own-{shop.project.pk}" if field == "own" else field

    answer = admin_client.post(URL, form_of(**{"raw_events_days": 14, name: value}))

    assert answer.status_code == 422
    body = answer.content.decode()
    assert "Between 1 and 3,650 days." in body
    assert body.count('aria-invalid="true"') == 1
    assert not RetentionPolicy.objects.exists()


def test_the_two_for_all_cannot_be_emptied(admin_client: Client):
    answer = admin_client.post(URL, form_of(raw_events_days=""))

    assert answer.status_code == 422
    assert "Say how many days." in answer.content.decode()


def test_a_project_that_went_meanwhile_is_said(admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    shown = page.projects_shown

    def then_it_goes(request: Any) -> Any:
        found = shown(request)
        Project.objects.filter(pk=shop.project.pk).update(removing_at=NOW)
        return found

    monkeypatch.setattr(page, "projects_shown", then_it_goes)

    answer = admin_client.post(URL, form_of(raw_events_days=9, **{f"own-{shop.project.pk}": "5"}))

    assert answer.status_code == 422
    assert "One of these projects is gone" in answer.content.decode()
    assert not RetentionPolicy.objects.exists()


def test_many_projects_are_on_several_pages_and_each_is_saved_by_itself(admin_client: Client):
    for number in range(55):
        make_project(name=f"Project {number:02}", slug=f"p{number:02}")
    last = Project.objects.get(slug="p54")

    assert "51 to 56 of 56" in text_of(admin_client, f"{URL}?page=2")
    answer = admin_client.post(f"{URL}?page=2", form_of(**{f"own-{last.pk}": "8"}))

    assert answer.headers["Location"] == f"{URL}?page=2"
    assert own_days() == {last.pk: 8}


def test_a_hostile_name_is_text(admin_client: Client):
    make_project(name="<script>\u202egnp.exe", slug="evil")

    body = admin_client.get(URL).content.decode()

    assert "<script>\u202e" not in body
    assert "\u202e" not in body


# --- Storage ----------------------------------------------------------------------------------------------------


def test_it_says_in_words_what_there_is(admin_client: Client, shop: NewProject):
    record(shop.project, event_json(), event_json(environment="staging"))

    text = text_of(admin_client)

    assert re.search(r"Database [\d.]+.(KB|MB)", text)
    assert "Raw events 2 " in text
    assert "Hourly counts 2 " in text
    assert re.search(r"Oldest event (just now|\d+ s ago)", text)


def test_nothing_yet_is_said_too(admin_client: Client):
    text = text_of(admin_client)

    assert "Oldest event none yet" in text
    assert "None yet. The first runs when the worker starts." in text


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (Space(10**6, 10**5, 4096, can_shrink=True), "a purge hands most of it back to the disk"),
        (Space(10**6, 10**5, 4096, can_shrink=False), 'sqlite3 bloop.db "PRAGMA auto_vacuum=INCREMENTAL; VACUUM;"'),
        (Space(10**6), "PostgreSQL uses the room of removed rows again by itself."),
    ],
)
def test_what_becomes_of_free_room_is_said_as_it_is(
    room: Space, words: str, admin_client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(storage_module, "space", lambda: room)

    text = text_of(admin_client)

    assert words in text.replace("&quot;", '"')
    assert ("Free within it" in text) == room.is_file


# --- Purges -----------------------------------------------------------------------------------------------------


def test_purge_now_begins_one_and_the_page_follows_it(admin_client: Client, admin: User):
    answer = admin_client.post(f"{URL}/purge")

    assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    assert PurgeRun.objects.get().requested_by == admin
    body = admin_client.get(URL).content.decode()
    assert 'hx-get="/settings/retention/state"' in body
    assert 'hx-trigger="every 2s"' in body
    assert "counting it" in body
    assert "asked for by <bdi>ann</bdi>" in body
    assert 'action="/settings/retention/purge"' not in body, "not twice"


def test_one_that_runs_already_is_pointed_out(admin_client: Client):
    PurgeRun.objects.create(started_at=NOW)

    answer = admin_client.post(f"{URL}/purge", follow=True)

    assert "A purge was running already" in answer.content.decode()
    assert PurgeRun.objects.count() == 1


def test_the_progress_is_shown_as_a_bar_with_a_count(admin_client: Client):
    PurgeRun.objects.create(started_at=NOW, rows_total=2_000_000, rows_removed=12_345)

    body = admin_client.get(f"{URL}/state").content.decode()

    assert "12,345 of 2,000,000 rows" in body
    assert '<progress max="2000000" value="12345"' in body
    assert "<html" not in body


def test_handing_room_back_is_said_when_the_rows_are_gone(admin_client: Client):
    PurgeRun.objects.create(started_at=NOW, rows_total=10, rows_removed=10, bytes_returned=3 * 1024 * 1024)

    text = text_of(admin_client, f"{URL}/state")

    assert "Handing room back to the disk 3.0 MB so far" in text


def test_when_it_has_ended_nothing_asks_any_more(admin_client: Client):
    run(rows_removed=5)

    body = admin_client.get(f"{URL}/state").content.decode()

    assert "hx-get" not in body
    assert 'data-announce="The last purge removed 5 rows"' in body


def test_the_last_ones_say_when_how_many_how_long_and_what_failed(admin_client: Client, admin: User):
    run(rows_removed=1, removed={"raw_events": 1})
    run(
        requested_by=admin,
        rows_removed=1_234,
        removed={"raw_events": 1_000, "dead_letters": 234, "bulk_changes": 0},
        bytes_returned=2 * 1024 * 1024,
        failure="hourly_counts: OSError: <b>disk</b>\nspace: OSError: no",
    )

    text = text_of(admin_client)

    assert "1,234 rows by ann , took 1 min 35 s 2.0 MB returned 1,000 raw events, 234 dead letters" in text
    assert "Failed: hourly counts (OSError: &lt;b&gt;disk&lt;/b&gt;)" in text
    assert "Failed: room in the file (OSError: no)" in text
    assert text.index("1,234 rows") < text.index("1 row "), "the newest first"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0.0 s"), (0, "0.0 s"), (0.42, "0.4 s"), (10, "10 s"), (95, "1 min 35 s"), (7260, "2 h 1 min")],
)
def test_spans_in_words(seconds: float, words: str):
    assert span_words(seconds) == words


# --- Elsewhere --------------------------------------------------------------------------------------------------


def test_the_audit_log_says_from_what_to_what(admin_client: Client, shop: NewProject):
    admin_client.post(URL, form_of(raw_events_days=14, **{f"own-{shop.project.pk}": "30"}))
    admin_client.post(f"{URL}/purge")

    text = text_of(admin_client, "/settings/audit")

    assert "Changed how long data is kept" in text
    assert "not set → 14" in text
    assert "not set → 30" in text
    assert "Purged what is too old" in text


def test_members_do_not_see_it_in_the_settings(member_client: Client, admin_client: Client):
    assert 'href="/settings/retention"' in admin_client.get("/settings/projects").content.decode()
    assert 'href="/settings/retention"' not in member_client.get("/settings/projects").content.decode()


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [
        ("raw_events", "raw event", "raw events"),
        ("rollups", "hourly count of projects and releases", "hourly counts of projects and releases"),
        ("project_minutes", "minute of rules", "minutes of rules"),
        ("dead_letters", "dead letter", "dead letters"),
    ],
)
def test_what_was_removed_is_one_or_many(name: str, one: str, many: str):
    assert (words_of(name, count=1), words_of(name, count=3)) == (one, many)

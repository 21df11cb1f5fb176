"""The settings pages of projects, tokens, members and invites: what each shows, each act, each refusal."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import AuditEntry, Invite, Passkey, Role, Session, User
from accounts.queries import invites as all_invites
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, now_ms
from bloop_site.lib.once import LIFETIME_MS
from projects import queries, tasks
from projects.dashboard.rows import masked
from projects.dashboard.snippets import LANGUAGES, PLACEHOLDER
from projects.models import DEFAULT_ID, ApiToken, IngestKey, Membership, Project, Removal
from projects.scopes import SCOPES
from projects.services.members import invite_to
from projects.services.projects import NewProject
from tests.factories import event_json, make_admin, make_project, make_token, make_user, record

KEY = re.compile(r"bloop_[0-9a-f]{64}")
TOKEN = re.compile(r"bloop_tk_[\w-]{43}")
AWKWARD_NAMES = ("x" * 100, "Ω" * 100, "متجر الإلكترونيات", "🛒 " * 33, "<script>alert(1)</script>", "a\u202eb")


def page(client: Client, path: str, **headers: str) -> str:
    """The words and tags of a settings page."""
    answer = client.get(f"/settings/{path}", headers=headers)
    assert answer.status_code == 200, answer.content
    return unescape(answer.content.decode())


def send(client: Client, path: str, **form: Any) -> Any:
    """Send a form of the settings, as a browser does."""
    return client.post(f"/settings/{path}", form)


def said(client: Client, answer: Any) -> str:
    """What the page that a form led to says."""
    assert answer.status_code == 302, answer.content
    return unescape(client.get(answer.headers["Location"]).content.decode())


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def in_plain_sight(answer: Any) -> str:
    """Everything of an answer that others may see or log: where it leads and every cookie it sets."""
    return f"{answer.headers.get('Location', '')} {answer.cookies.output()}"


@pytest.fixture
def mine(member: User) -> Project:
    """A project that the member made."""
    project = make_project(name="Mine", slug="mine").project
    Project.objects.filter(pk=project.pk).update(created_by=member)
    Membership.objects.create(project=project, user=member)
    return Project.objects.get(pk=project.pk)


# --- Who sees what ----------------------------------------------------------------------------------------------------


def tabs_of(html: str) -> list[str]:
    return re.findall(r'class="tabs__item"[^>]*>([^<]*)<', html)


def test_an_admin_may_open_every_page_of_the_settings(admin_client: Client):
    tabs = tabs_of(page(admin_client, "projects"))

    assert tabs == ["Projects", "API tokens", "Alerts", "Members", "Invites", "Retention", "Audit log", "Account"]


def test_a_member_is_shown_the_pages_that_are_theirs(member_client: Client):
    assert tabs_of(page(member_client, "projects")) == ["Projects", "API tokens", "Alerts", "Account"]


@pytest.mark.parametrize("path", ["members", "invites", "audit"])
def test_a_members_way_to_an_admins_page_ends_at_the_403_page(path: str, member_client: Client):
    answer = member_client.get(f"/settings/{path}")

    assert answer.status_code == 403
    assert "That was not allowed" in answer.content.decode()


def test_the_sidebar_leads_to_the_settings_and_says_when_one_is_there(member_client: Client):
    def entry(path: str) -> str:
        html = member_client.get(path).content.decode()
        found = re.search(r'<a class="nav__item" href="/settings/projects"[^>]*>', html)
        assert found is not None
        return found.group()

    assert 'aria-current="page"' not in entry("/errors")
    assert 'aria-current="page"' in entry("/settings/account")


def test_the_current_page_is_marked_below_it_too(admin_client: Client, shop: NewProject):
    def current(path: str) -> list[str]:
        return re.findall(r'aria-current="page">([^<]+)<', page(admin_client, path))

    assert current("projects/shop") == ["Projects"]
    assert current("audit") == ["Audit log"]


def test_the_settings_have_no_project_switcher_and_no_search(admin_client: Client, shop: NewProject):
    html = page(admin_client, "projects/shop")

    assert 'aria-label="Project:' not in html
    assert 'role="search"' not in html


# --- The list of projects ---------------------------------------------------------------------------------------------


def listed(client: Client, path: str = "projects") -> list[str]:
    return [row.name for row in client.get(f"/settings/{path}").context["rows"]]


def test_an_admin_sees_every_project_and_a_member_their_own(
    admin_client: Client, member_client: Client, other: NewProject
):
    assert listed(admin_client) == ["Default", "Other", "Shop"]
    assert listed(member_client) == ["Shop"]


def test_a_project_being_removed_is_not_listed(admin_client: Client, shop: NewProject):
    Project.objects.filter(pk=shop.project.pk).update(removing_at=timezone.now())

    assert listed(admin_client) == ["Default"]


def test_the_list_tells_who_is_in_and_what_comes_in(admin_client: Client, member: User, shop: NewProject):
    now = now_ms()
    for age in (0, HOUR_MS, 23 * HOUR_MS, DAY_MS + 2 * HOUR_MS):
        record(shop.project, event_json(), received_ms=now - age)

    rows = {row.slug: row for row in admin_client.get("/settings/projects").context["rows"]}

    assert (rows["shop"].members, rows["shop"].events_24h) == (1, 3)
    assert now - MINUTE_MS < rows["shop"].last_event_ms <= now + MINUTE_MS
    assert (rows["default"].members, rows["default"].events_24h, rows["default"].last_event_ms) == (0, 0, None)


def test_a_person_without_projects_is_told_what_one_is_and_can_make_one(db: None):
    html = page(client_of(make_user()), "projects")

    assert "No project yet" in html
    assert re.search(r'<details class="maker" open>', html)


def test_projects_are_listed_in_pages_of_fifty(admin_client: Client):
    for number in range(60):
        make_project(name=f"P{number:02}")

    first, second = (admin_client.get(f"/settings/projects?page={number}") for number in (1, 2))

    assert [len(answer.context["rows"]) for answer in (first, second)] == [50, 11]
    assert "1 to 50 of 61" in first.content.decode()
    assert 'href="?page=2"' in first.content.decode()


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_awkward_names_are_shown_as_text(name: str, admin_client: Client, shop: NewProject):
    Project.objects.filter(pk=shop.project.pk).update(name=name)
    make_token(shop.project)

    for path in ("projects", "projects/shop", "tokens", "invites"):
        html = admin_client.get(f"/settings/{path}").content.decode()
        assert "<script>alert" not in html
        assert "\u202e" not in html.replace('data-confirm-name="a\u202eb"', "").replace('value="a\u202eb"', "")


# --- Making a project -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin_client", "member_client"])
def test_a_new_projects_key_is_shown_once(who: str, request: pytest.FixtureRequest):
    client = request.getfixturevalue(who)

    answer = send(client, "projects", name="Café", slug="cafe")

    assert answer.headers["Location"] == "/settings/projects/cafe"
    (key,) = Project.objects.get(slug="cafe").keys.values_list("key", flat=True)
    assert key not in in_plain_sight(answer)
    shown = client.get("/settings/projects/cafe")
    assert key in shown.content.decode()
    assert "it will not be shown again" in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert not {"session", "messages"} & set(shown.cookies) or key not in shown.cookies.output()
    assert not KEY.search(page(client, "projects/cafe"))
    assert key not in json.dumps(list(AuditEntry.objects.values_list("target", "detail")))


def test_looking_at_the_head_of_the_page_does_not_use_the_showing_up(admin_client: Client):
    send(admin_client, "projects", name="Café", slug="cafe")

    admin_client.head("/settings/projects/cafe")

    assert KEY.search(page(admin_client, "projects/cafe"))


def test_a_key_waits_for_its_own_page_and_not_for_ever(admin_client: Client, monkeypatch: pytest.MonkeyPatch):
    send(admin_client, "projects", name="A", slug="a")
    send(admin_client, "projects", name="B", slug="b")
    assert KEY.search(page(admin_client, "projects/a"))

    later = now_ms() + LIFETIME_MS
    monkeypatch.setattr("projects.dashboard.project.now_ms", lambda: later)

    assert not KEY.search(page(admin_client, "projects/b"))


def test_a_member_who_makes_a_project_is_in_it_and_manages_it(member_client: Client):
    send(member_client, "projects", name="Side", slug="side")

    context = member_client.get("/settings/projects/side").context
    assert context["may_manage"]
    assert [person["username"] for person in context["members"]] == ["mia"]


@pytest.mark.parametrize(
    ("name", "slug", "field", "reason"),
    [
        ("", "new", "name", "Give it a name."),
        ("   ", "new", "name", "Give it a name."),
        ("x" * 101, "new", "name", "At most 100 characters; this has 101."),
        ("a\x00b", "new", "name", "Null characters are not allowed."),
        ("New", "", "slug", "Give it a slug."),
        ("New", "Not a slug", "slug", "Small letters, digits and hyphens only."),
        ("New", "new\n", "slug", ""),
        ("New", "é", "slug", "Small letters, digits and hyphens only."),
        ("New", "x" * 65, "slug", "At most 64 characters; this has 65."),
        ("New", "shop", "slug", "A project with that slug already exists."),
    ],
)
def test_a_bad_project_is_refused_in_words_beside_its_field(
    name: str, slug: str, field: str, reason: str, admin_client: Client, shop: NewProject
):
    answer = send(admin_client, "projects", name=name, slug=slug)

    if not reason:  # spaces around are cut off, as in every field
        assert answer.status_code == 302
        return
    assert answer.status_code == 422
    assert answer.context["form"].errors == {field: [reason]}
    html = unescape(answer.content.decode())
    assert reason in html
    assert re.search(r'<details class="maker" open>', html)
    assert Project.objects.count() == 2


def test_the_slug_follows_the_name_in_the_browser_and_stays_editable(admin_client: Client):
    html = page(admin_client, "projects")

    assert re.search(r'<input[^>]*name="name"[^>]*data-slug-from', html)
    assert re.search(r'<input[^>]*name="slug"[^>]*data-slug=""', html)
    assert "js/slug.js" in html


# --- Removals ---------------------------------------------------------------------------------------------------------


def make_removal(name: str = "Old", **fields: Any) -> Removal:
    values = {"rows_total": 1_000, "rows_removed": 250, "slug": "old", "started_at": timezone.now(), **fields}
    return Removal.objects.create(project_id=f"id of {name}", name=name, **values)


def test_a_running_removal_has_a_bar_and_a_count_and_asks_again_every_two_seconds(admin_client: Client):
    make_removal()

    for path in ("projects", "removals"):
        html = page(admin_client, path)
        assert re.search(r'<progress max="1000" value="250"', html)
        assert "250 of 1,000 rows" in html
        assert re.search(r'hx-get="/settings/removals" hx-trigger="every 2s"', html)
        assert 'data-announce="Removing Old"' in html


def test_a_removal_that_has_not_counted_yet_says_so(admin_client: Client):
    make_removal(rows_total=0, rows_removed=0)

    assert "counting what it holds" in page(admin_client, "removals")


def test_a_finished_removal_stays_for_a_day_and_stops_asking(admin_client: Client):
    make_removal(finished_at=timezone.now() - timedelta(hours=23))
    make_removal("Older", finished_at=timezone.now() - timedelta(hours=25))

    html = page(admin_client, "removals")

    assert "Old</bdi> is removed, with everything it held" in html
    assert "Older" not in html
    assert "every 2s" not in html


def test_a_member_sees_the_removals_they_asked_for(member_client: Client, member: User):
    make_removal("Theirs", requested_by=member)
    make_removal("Secret")

    html = page(member_client, "removals")

    assert "Theirs" in html
    assert "Secret" not in html


# --- One project ------------------------------------------------------------------------------------------------------


def test_a_page_shows_no_more_of_a_key_than_its_last_characters(admin_client: Client, shop: NewProject):
    html = page(admin_client, "projects/shop")

    assert f"bloop_••••••••{shop.api_key[-4:]}" in html
    assert shop.api_key[6:-4] not in html
    assert PLACEHOLDER in html


@pytest.mark.parametrize(
    ("key", "shown"), [("bloop_" + "a" * 64, "bloop_••••••••aaaa"), ("s" * 32, "••••••••ssss"), ("short", "••••••••")]
)
def test_of_a_short_key_nothing_is_shown(key: str, shown: str):
    assert masked(key) == shown


def test_the_snippets_name_the_real_address_in_six_languages(
    admin_client: Client, shop: NewProject, settings: LazySettings
):
    shown = admin_client.get("/settings/projects/shop").context["snippets"]

    assert [each.label for each in shown] == ["Shell", "Python", "JavaScript", "Ruby", "Swift", "Kotlin"]
    for each in shown:
        assert f"{settings.BLOOP.auth.rp_origin}/v1/ingest" in each.code
        assert PLACEHOLDER in each.code
        assert "@" not in each.code


def test_a_new_key_is_filled_in_where_it_is_shown(admin_client: Client, shop: NewProject):
    send(admin_client, "projects/shop/key", grace="0")
    html = page(admin_client, "projects/shop")

    (key,) = set(KEY.findall(html))
    assert html.count(key) == 1 + len(LANGUAGES)
    assert PLACEHOLDER not in html


def test_the_snippets_are_tabs_without_a_script(admin_client: Client, shop: NewProject):
    html = page(admin_client, "projects/shop")

    assert len(re.findall(r'<input class="sr-only" id="tab-\w+" type="radio" name="language"', html)) == len(LANGUAGES)
    assert len(re.findall(r'name="language" value="shell" checked', html)) == 1


@pytest.mark.parametrize(("grace", "works_for"), [("0", 0), ("3600", 3600), ("86400", 86400), ("604800", 604800)])
def test_a_rotated_key_ends_after_the_grace_that_was_chosen(
    grace: str, works_for: int, admin_client: Client, shop: NewProject
):
    before = timezone.now()

    answer = send(admin_client, "projects/shop/key", grace=grace)

    new = queries.keys_of(shop.project, now=timezone.now())[0].key
    assert new not in in_plain_sight(answer)
    assert queries.owner_of_key(new, now=timezone.now()) is not None
    assert (queries.owner_of_key(shop.api_key, now=timezone.now()) is not None) is (works_for > 0)
    for late, works in ((-5, works_for > 0), (5, False)):
        at = before + timedelta(seconds=works_for + late)
        assert (queries.owner_of_key(shop.api_key, now=at) is not None) is works
    assert ("old key, still works" in page(admin_client, "projects/shop")) is (works_for > 0)
    assert new not in json.dumps(list(AuditEntry.objects.values_list("target", "detail")))


def test_a_grace_that_is_not_offered_is_refused(admin_client: Client, shop: NewProject):
    answer = send(admin_client, "projects/shop/key", grace="31536000")

    assert answer.status_code == 422
    assert shop.project.keys.count() == 1
    assert re.search(r"<details[^>]*data-menu open>", answer.content.decode())


def test_an_old_key_can_be_ended_before_its_time(admin_client: Client, shop: NewProject):
    send(admin_client, "projects/shop/key", grace="86400")
    old = IngestKey.objects.get(key=shop.api_key)

    answer = send(admin_client, f"projects/shop/key/{old.pk}/end")

    assert "The old key has ended." in said(admin_client, answer)
    assert queries.owner_of_key(shop.api_key, now=timezone.now()) is None
    again = send(admin_client, f"projects/shop/key/{old.pk}/end")
    assert "That key had ended already." in said(admin_client, again)


def test_neither_the_key_in_use_nor_another_projects_key_can_be_ended(
    admin_client: Client, shop: NewProject, other: NewProject
):
    send(admin_client, "projects/other/key", grace="86400")
    foreign = IngestKey.objects.get(key=other.api_key)
    current = IngestKey.objects.get(key=shop.api_key)

    for key in (foreign, current):
        said(admin_client, send(admin_client, f"projects/shop/key/{key.pk}/end"))

    for key in (foreign, current):
        assert queries.owner_of_key(key.key, now=timezone.now()) is not None


def test_a_project_is_renamed_and_its_slug_stays(admin_client: Client, shop: NewProject):
    answer = send(admin_client, "projects/shop/name", name="  Das Geschäft ")

    assert "Renamed." in said(admin_client, answer)
    assert Project.objects.values_list("name", "slug").get(pk=shop.project.pk) == ("Das Geschäft", "shop")


@pytest.mark.parametrize(
    ("name", "reason"), [(" ", "Give it a name."), ("x" * 101, "At most 100 characters; this has 101.")]
)
def test_a_bad_name_is_refused_and_the_page_keeps_the_old_one(
    name: str, reason: str, admin_client: Client, shop: NewProject
):
    answer = send(admin_client, "projects/shop/name", name=name)

    assert answer.status_code == 422
    assert answer.context["name_form"].errors == {"name": [reason]}
    assert '<h1 class="issue-title" dir="auto">Shop</h1>' in answer.content.decode()


def test_the_grouping_is_chosen_and_explained(admin_client: Client, shop: NewProject):
    html = page(admin_client, "projects/shop")
    assert "first frame of the stack" in html
    assert "frame of your own code" in html

    answer = send(admin_client, "projects/shop/grouping", grouping="v2")

    assert "New events are grouped by v2." in said(admin_client, answer)
    assert Project.objects.get(slug="shop").grouping == "v2"


def test_a_grouping_that_does_not_exist_is_refused(admin_client: Client, shop: NewProject):
    assert send(admin_client, "projects/shop/grouping", grouping="v3").status_code == 422
    assert Project.objects.get(slug="shop").grouping == "v1"


# --- Members of a project ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["zoe", " zoe ", "ZOE", "\uff5aoe"])
def test_somebody_is_added_by_name_and_reaches_the_project(typed: str, admin_client: Client, shop: NewProject):
    zoe = make_user(username="zoe")

    answer = send(admin_client, "projects/shop/members", username=typed)

    assert "zoe is in." in said(admin_client, answer)
    assert listed(client_of(zoe)) == ["Shop"]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "Type a name."),
        ("nobody", "Nobody has that name; invite them first."),
        ("mia", "They are in already."),
        ("gone", "Nobody has that name; invite them first."),
        ("x" * 65, "Nobody has so long a name."),
    ],
)
def test_who_cannot_be_added_is_told_beside_the_field(
    typed: str, reason: str, admin_client: Client, member: User, shop: NewProject
):
    User.objects.filter(pk=make_user(username="gone").pk).update(is_active=False)

    answer = send(admin_client, "projects/shop/members", username=typed)

    assert answer.status_code == 422
    assert answer.context["member_form"].errors == {"username": [reason]}
    assert Membership.objects.count() == 1


def test_admins_are_offered_the_people_who_are_not_in_and_others_no_list(
    admin_client: Client, member_client: Client, mine: Project
):
    make_user(username="zoe")
    make_admin(username="adam")

    assert admin_client.get("/settings/projects/shop").context["people"] == ["zoe"]
    assert member_client.get("/settings/projects/mine").context["people"] == []


def test_somebody_is_taken_out_and_loses_the_project_at_once(admin_client: Client, member: User, shop: NewProject):
    answer = send(admin_client, f"projects/shop/members/{member.pk}/remove")

    assert answer.headers["Location"] == "/settings/projects/shop"
    assert client_of(member).get("/settings/projects/shop").status_code == 404


def test_who_takes_themselves_out_is_led_to_the_list(member_client: Client, member: User, mine: Project):
    answer = send(member_client, f"projects/mine/members/{member.pk}/remove")

    assert answer.headers["Location"] == "/settings/projects"
    assert listed(member_client) == ["Shop"]


# --- Deleting a project -----------------------------------------------------------------------------------------------


def test_a_project_goes_when_its_name_is_typed(admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    queued: list[bool] = []
    monkeypatch.setattr(tasks.remove_projects, "apply_async", lambda **_: queued.append(True))
    record(shop.project, event_json())

    answer = send(admin_client, "projects/shop/delete", name="Shop")

    assert answer.headers["Location"] == "/settings/projects"
    assert queued == [True]
    assert "Removing <bdi>Shop</bdi>" in page(admin_client, "projects")
    assert admin_client.get("/settings/projects/shop").status_code == 404
    assert queries.owner_of_key(shop.api_key, now=timezone.now()) is None


@pytest.mark.parametrize(
    ("name", "typed", "goes"),
    [
        ("Shop", "shop", False),
        ("Shop", "", False),
        ("Shop", " Shop ", True),
        ("Café", "Cafe\u0301", True),
        ("متجر", "متجر", True),
        ("x" * 100, "x" * 99, False),
    ],
)
def test_nothing_but_the_name_deletes_a_project(name: str, typed: str, goes, admin_client: Client, shop: NewProject):
    Project.objects.filter(pk=shop.project.pk).update(name=name)

    answer = send(admin_client, "projects/shop/delete", name=typed)

    assert answer.status_code == (302 if goes else 422)
    assert Removal.objects.exists() is goes
    if not goes:
        assert re.search("That is not its name.|Type its name to delete it.", unescape(answer.content.decode()))


def test_the_default_project_says_why_it_stays(admin_client: Client, default_project: Project):
    html = page(admin_client, "projects/default")
    assert "The default project cannot be deleted" in html
    assert "data-confirm-name" not in html

    answer = send(admin_client, "projects/default/delete", name="Default")

    assert "The default project cannot be deleted." in said(admin_client, answer)
    assert Project.objects.get(pk=DEFAULT_ID).removing_at is None


# --- Who may do it ----------------------------------------------------------------------------------------------------

ACTS: dict[str, dict[str, str]] = {
    "name": {"name": "Hijacked"},
    "grouping": {"grouping": "v2"},
    "key": {"grace": "0"},
    "key/1/end": {},
    "members": {"username": "mia"},
    "members/00000000-0000-0000-0000-000000000000/remove": {},
    "delete": {"name": "Shop"},
}


@pytest.mark.parametrize("act", ACTS)
def test_a_member_may_look_at_a_project_they_did_not_make_and_change_nothing(
    act: str, member_client: Client, shop: NewProject
):
    before = Project.objects.values().get(pk=shop.project.pk)

    assert send(member_client, f"projects/shop/{act}", **ACTS[act]).status_code == 403

    assert Project.objects.values().get(pk=shop.project.pk) == before
    assert queries.owner_of_key(shop.api_key, now=timezone.now()) is not None


@pytest.mark.parametrize("act", ACTS)
def test_for_a_stranger_the_project_does_not_exist(act: str, shop: NewProject):
    client = client_of(make_user())

    assert send(client, f"projects/shop/{act}", **ACTS[act]).status_code == 404
    assert client.get("/settings/projects/shop").status_code == 404


@pytest.mark.parametrize("act", ACTS)
def test_nobody_is_led_to_sign_in(act: str, client: Client, shop: NewProject):
    answer = send(client, f"projects/shop/{act}", **ACTS[act])

    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/auth/login")


def test_a_member_sees_how_to_send_and_no_form_that_would_be_refused(member_client: Client, shop: NewProject):
    html = page(member_client, "projects/shop")

    assert "Ask an admin for the key" in html
    assert not re.findall(r'action="/settings/projects/shop[^"]*"', html)


def test_who_made_a_project_manages_it(member_client: Client, mine: Project):
    assert said(member_client, send(member_client, "projects/mine/name", name="Still mine"))
    assert Project.objects.get(pk=mine.pk).name == "Still mine"


def test_a_form_without_the_csrf_token_is_refused(admin: User, shop: NewProject):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)

    assert send(client, "projects/shop/delete", name="Shop").status_code == 403


def test_every_form_of_the_settings_carries_the_csrf_token(admin_client: Client, shop: NewProject):
    make_token(shop.project)
    invite_to(role=Role.MEMBER, projects=[], created_by=None, actor=COMMAND_LINE, now=timezone.now())
    make_user()
    for path in ("projects", "projects/shop", "tokens", "members", "invites", "account"):
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", page(admin_client, path), re.DOTALL):
            assert "csrfmiddlewaretoken" in form, path


# --- API tokens -------------------------------------------------------------------------------------------------------


def token_form(**fields: Any) -> dict[str, Any]:
    return {"name": "CI", "project": "shop", "scopes": ["errors:read"], "expires": "90", **fields}


def test_a_new_token_is_shown_once(admin_client: Client, shop: NewProject):
    answer = send(admin_client, "tokens", **token_form(scopes=["errors:read", "llm:read"]))

    assert answer.headers["Location"] == "/settings/tokens"
    shown = admin_client.get("/settings/tokens")
    found = TOKEN.search(shown.content.decode())
    assert found is not None
    assert found.group() not in in_plain_sight(answer) + in_plain_sight(shown)
    assert "no-store" in shown.headers["Cache-Control"]
    assert not TOKEN.search(page(admin_client, "tokens"))
    token = queries.valid_token(found.group(), now=timezone.now())
    assert token is not None
    assert (token.name, token.project, token.scopes) == ("CI", shop.project, ["errors:read", "llm:read"])
    assert found.group() not in json.dumps(list(AuditEntry.objects.values_list("target", "detail")))


@pytest.mark.parametrize(("expires", "days"), [("30", 30), ("90", 90), ("365", 365), ("", None)])
def test_a_token_ends_when_it_was_chosen_to(expires: str, days: int | None, admin_client: Client, shop: NewProject):
    send(admin_client, "tokens", **token_form(expires=expires))

    token = ApiToken.objects.get()
    if days is None:
        assert token.expires_at is None
    else:
        assert token.expires_at is not None
        assert token.expires_at - token.created_at == timedelta(days=days)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": " "}, "name", "Give it a name."),
        ({"name": "x" * 101}, "name", "At most 100 characters; this has 101."),
        ({"name": "é" * 51}, "name", "Name must be 1-100 characters."),
        ({"scopes": []}, "scopes", "Choose at least one."),
        ({"scopes": ["root"]}, "scopes", "Select a valid choice. root is not one of the available choices."),
        ({"project": "other"}, "project", "Select a valid choice. other is not one of the available choices."),
        ({"expires": "1"}, "expires", "Select a valid choice. 1 is not one of the available choices."),
    ],
)
def test_a_bad_token_is_refused_in_words_beside_its_field(
    fields: dict[str, Any], field: str, reason: str, member_client: Client, mine: Project, other: NewProject
):
    answer = send(member_client, "tokens", **{**token_form(project="mine"), **fields})

    assert answer.status_code == 422
    assert answer.context["form"].errors == {field: [reason]}
    assert reason in unescape(answer.content.decode())
    assert not ApiToken.objects.exists()


def test_every_scope_is_offered_with_its_meaning(admin_client: Client, shop: NewProject):
    html = page(admin_client, "tokens")

    for scope in SCOPES:
        assert re.search(rf'name="scopes" value="{scope}".*?class="choice__words">\w', html)


def test_tokens_are_those_of_the_projects_one_may_manage(
    admin_client: Client, member_client: Client, mine: Project, shop: NewProject
):
    make_token(shop.project)
    make_token(mine)

    def projects(client: Client) -> set[str]:
        return {row.project_name for row in client.get("/settings/tokens").context["rows"]}

    assert projects(admin_client) == {"Shop", "Mine"}
    assert projects(member_client) == {"Mine"}
    assert member_client.get("/settings/tokens").context["projects"] == [("mine", "Mine")]


def test_who_manages_no_project_is_told_whom_to_ask(member_client: Client):
    html = page(member_client, "tokens")

    assert "No project of yours to make tokens for" in html
    assert "New token" not in html


def test_ended_tokens_are_folded_away_with_how_they_ended(admin_client: Client, shop: NewProject):
    tokens = {state: make_token(shop.project).token for state in ("active", "revoked", "expired")}
    past = timezone.now() - timedelta(days=1)
    ApiToken.objects.filter(pk=tokens["revoked"].pk).update(revoked_at=past)
    ApiToken.objects.filter(pk=tokens["expired"].pk).update(expires_at=past)

    context = admin_client.get("/settings/tokens").context

    assert [row.id for row in context["rows"]] == [tokens["active"].pk]
    assert {row.state: row.id for row in context["ended"]} == {
        state: tokens[state].pk for state in ("revoked", "expired")
    }
    assert "2 revoked or expired" in page(admin_client, "tokens")


def test_a_revoked_token_opens_nothing_any_more(admin_client: Client, shop: NewProject):
    new = make_token(shop.project)

    answer = send(admin_client, f"tokens/{new.token.pk}/revoke")

    assert "Revoked: nothing can use that token any more." in said(admin_client, answer)
    assert Client(headers={"Authorization": f"Bearer {new.secret}"}).get("/v1/errors").status_code == 401
    again = send(admin_client, f"tokens/{new.token.pk}/revoke")
    assert "That token was revoked already." in said(admin_client, again)


def test_a_token_is_revoked_by_who_manages_its_project_alone(
    member_client: Client, client: Client, shop: NewProject, mine: Project
):
    theirs, own = make_token(shop.project).token, make_token(mine).token
    stranger = client_of(make_user())

    tried = {
        "member, shop's": send(member_client, f"tokens/{theirs.pk}/revoke").status_code,
        "stranger, shop's": send(stranger, f"tokens/{theirs.pk}/revoke").status_code,
        "nobody, shop's": send(client, f"tokens/{theirs.pk}/revoke").status_code,
        "member, own": send(member_client, f"tokens/{own.pk}/revoke").status_code,
    }

    assert tried == {"member, shop's": 403, "stranger, shop's": 404, "nobody, shop's": 303, "member, own": 302}
    assert list(ApiToken.objects.filter(revoked_at=None)) == [theirs]


# --- Members of Bloop -------------------------------------------------------------------------------------------------


def test_people_are_listed_with_what_an_admin_wants_to_know(admin_client: Client, member: User, admin: User):
    Passkey.objects.create(user=member, name="x", credential_id="c", public_key=b"", created_at=timezone.now())
    Session.objects.create(
        key_hash="0" * 64, user=member, created_at=timezone.now(), expires_at=timezone.now() + timedelta(days=1)
    )

    rows = {row.username: row for row in admin_client.get("/settings/members").context["rows"]}

    mia, ann = rows["mia"], rows["ann"]
    assert (mia.is_admin, mia.is_you, mia.projects, mia.passkeys) == (False, False, ["Shop"], 1)
    assert mia.last_seen_ms is not None
    assert (ann.is_admin, ann.is_you, ann.passkeys) == (True, True, 0)


def test_nobody_is_offered_to_change_themselves(admin_client: Client, admin: User, member: User):
    html = page(admin_client, "members")

    assert f"/settings/members/{member.pk}/remove" in html
    assert f"/settings/members/{admin.pk}" not in html


def test_roles_change_both_ways_and_count_at_once(admin_client: Client, member: User, member_client: Client):
    assert "mia is an admin now." in said(admin_client, send(admin_client, f"members/{member.pk}/role", role="admin"))
    assert member_client.get("/settings/audit").status_code == 200

    assert "mia is a member now." in said(admin_client, send(admin_client, f"members/{member.pk}/role", role="member"))
    assert member_client.get("/settings/audit").status_code == 403


UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("who", "role", "words"),
    [
        ("ann", "member", "Cannot change your own role."),
        ("mia", "owner", "Choose a role: admin or member."),
        ("unknown", "admin", "That account does not exist any more."),
    ],
)
def test_a_role_that_cannot_be_given_is_refused_in_plain_words(
    who: str, role: str, words: str, admin_client: Client, admin: User, member: User
):
    user_id = {"ann": admin.pk, "mia": member.pk, "unknown": UNKNOWN}[who]

    assert words in said(admin_client, send(admin_client, f"members/{user_id}/role", role=role))
    assert dict(User.objects.values_list("username", "role")) == {"ann": "admin", "mia": "member"}


def test_the_last_admin_stays_one(admin_client: Client, admin: User, monkeypatch: pytest.MonkeyPatch):
    """Only who is no longer an admin themselves could try: another took that from them while the page was open."""
    bob = make_admin(username="bob")
    client = client_of(bob)
    User.objects.filter(pk=admin.pk).update(is_active=False)
    User.objects.filter(pk=bob.pk).update(role=Role.MEMBER)

    assert send(client, f"members/{admin.pk}/remove").status_code == 403
    assert User.objects.filter(role=Role.ADMIN).count() == 1


def test_a_removed_person_is_gone_and_signed_out(admin_client: Client, member: User, member_client: Client):
    answer = send(admin_client, f"members/{member.pk}/remove")

    assert "Removed: that account is gone" in said(admin_client, answer)
    assert not User.objects.filter(username="mia").exists()
    assert member_client.get("/settings/account").status_code == 303


def test_nobody_removes_themselves(admin_client: Client, admin: User):
    answer = send(admin_client, f"members/{admin.pk}/remove")

    assert "Cannot delete yourself." in said(admin_client, answer)
    assert User.objects.filter(pk=admin.pk).exists()


@pytest.mark.parametrize("act", ["role", "remove"])
def test_a_member_changes_nobody(act: str, member_client: Client, client: Client, admin: User):
    assert send(member_client, f"members/{admin.pk}/{act}", role="member").status_code == 403
    assert send(client, f"members/{admin.pk}/{act}", role="member").status_code == 303
    assert User.objects.get(pk=admin.pk).is_admin


# --- Invites ----------------------------------------------------------------------------------------------------------


def open_links(client: Client) -> list[str]:
    return re.findall(r'<code class="secret secret--line"[^>]*>([^<]*)</code>', page(client, "invites"))


def test_an_invites_link_is_shown_also_later_and_lets_one_person_in(
    admin_client: Client, client: Client, shop: NewProject, other: NewProject
):
    answer = send(admin_client, "invites", role="member", projects=["shop"])

    assert "The invite is made." in said(admin_client, answer)
    (link,) = open_links(admin_client)
    assert link == all_invites(timezone.now())[0].url
    assert link.rpartition("=")[2] not in in_plain_sight(answer)
    (row,) = admin_client.get("/settings/invites").context["rows"]
    assert (row.role, row.projects, row.created_by, row.state) == ("member", ["Shop"], "ann", "open")

    token = link.rpartition("=")[2]
    client.post(f"/auth/invite/{token}", {"username": "zoe"})

    assert listed(client) == ["Shop"]
    assert open_links(admin_client) == []
    assert "Used by <bdi>zoe</bdi>" in page(admin_client, "invites")


def test_an_admins_invite_names_no_projects(admin_client: Client, shop: NewProject):
    send(admin_client, "invites", role="admin", projects=["shop"])

    (row,) = admin_client.get("/settings/invites").context["rows"]
    assert (row.role, row.projects) == ("admin", [])


@pytest.mark.parametrize(
    ("form", "field"),
    [({}, "role"), ({"role": "owner"}, "role"), ({"role": "member", "projects": ["unknown"]}, "projects")],
)
def test_a_bad_invite_is_refused(form: dict[str, Any], field: str, admin_client: Client, shop: NewProject):
    answer = send(admin_client, "invites", **form)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Invite.objects.exists()


def test_a_revoked_invite_is_folded_away_and_opens_nothing(admin_client: Client, client: Client):
    send(admin_client, "invites", role="member")
    (link,) = open_links(admin_client)
    invite = Invite.objects.get()

    answer = send(admin_client, "invites/revoke", invite=invite.pk)

    assert "Revoked: that link does not work any more." in said(admin_client, answer)
    assert client.get(f"/auth/invite/{link.rpartition('=')[2]}").status_code == 410
    assert [row.state for row in admin_client.get("/settings/invites").context["ended"]] == ["revoked"]


@pytest.mark.parametrize("named", ["", "x", "f" * 64, "a\x00b", "F" * 64])
def test_an_invite_that_is_not_there_is_said_to_be_gone(named: str, admin_client: Client):
    answer = send(admin_client, "invites/revoke", invite=named)

    assert "That invite was used or revoked already." in said(admin_client, answer)


def test_an_expired_invite_is_folded_away(admin_client: Client):
    send(admin_client, "invites", role="member")
    Invite.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert [row.state for row in admin_client.get("/settings/invites").context["ended"]] == ["expired"]


@pytest.mark.parametrize("path", ["invites", "invites/revoke"])
def test_a_member_makes_and_ends_no_invites(path: str, member_client: Client, client: Client):
    assert send(member_client, path, role="admin", invite="0" * 64).status_code == 403
    assert send(client, path, role="admin", invite="0" * 64).status_code == 303
    assert not Invite.objects.exists()


# --- All pages --------------------------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[Client], Any]] = {
    path: lambda client, path=path: client.get(f"/settings/{path}")  # type: ignore[misc]
    for path in ("projects", "removals", "projects/shop", "tokens", "members", "invites", "audit", "account")
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_h1_and_names_its_region(path: str, admin_client: Client, shop: NewProject):
    html = PAGES[path](admin_client).content.decode()

    if path != "removals":
        assert html.count("<h1") == 1
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), "an id stands twice"
    for name in re.findall(r'aria-labelledby="([^"]+)"', html):
        assert name in ids, name


@pytest.mark.parametrize("query", [{"page": "x"}, {"page": "-1"}, {"page": "9" * 20}, {"page": "²"}])
@pytest.mark.parametrize("path", ["projects", "tokens", "members", "audit"])
def test_a_page_number_that_is_none_is_the_first_or_the_last(path: str, query: dict[str, str], admin_client: Client):
    assert admin_client.get(f"/settings/{path}?{urlencode(query)}").status_code == 200

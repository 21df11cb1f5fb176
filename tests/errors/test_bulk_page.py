"""Changing many issues from the list: the ticked or all that match, how far it is, undo; with and without scripts."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import User
from bloop_site.lib.clock import now_ms
from errors.dashboard import bulk as bulk_views
from errors.models import BulkChange, Issue, Transition
from errors.tasks import work_off_bulks
from projects.models import Membership
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, record

HTMX = {"HX-Request": "true"}


def statuses(project: NewProject) -> dict[str, str]:
    """Status by fingerprint."""
    return dict(Issue.objects.filter(project=project.project).values_list("fingerprint", "status"))


def ids(*names: str) -> list[int]:
    return [Issue.objects.get(fingerprint=name).pk for name in names]


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


@pytest.fixture(autouse=True)
def patient_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request finishes what it begins, however busy the machine."""
    monkeypatch.setattr(bulk_views, "SECONDS", 60.0)


@pytest.fixture
def three(shop: NewProject) -> NewProject:
    """The shop with the issues a, b and c."""
    for name in "abc":
        make_issue(shop.project, fingerprint=name, message=f"it broke {name}x")
    return shop


@pytest.fixture
def unhurried_work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Requests that begin a change do nothing of it; returns what was queued instead."""
    queued: list[int] = []
    monkeypatch.setattr(bulk_views, "continue_bulk", lambda **_: False)
    monkeypatch.setattr(bulk_views, "queue_bulks", lambda: queued.append(1))
    return queued


@pytest.mark.parametrize(
    ("action", "status", "words"),
    [
        ("resolve", "resolved", "Resolved 2 issues."),
        ("resolve-next", "resolved", "Resolved 2 issues."),
        ("ignore", "ignored", "Ignored 2 issues."),
        ("mute", "muted", "Muted 2 issues."),
        ("unresolve", "unresolved", "Unresolved 0 issues. 2 were so already, or changed meanwhile."),
    ],
)
def test_ticked_issues_are_changed_and_the_list_says_so_without_scripts(
    action: str, status: str, words: str, client: Client, three: NewProject
):
    answer = client.post("/errors/bulk", {"ids": ids("a", "b"), "action": action, "query": "project=shop&status=all"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors?project=shop&status=all")
    assert statuses(three) == {"a": status, "b": status, "c": "unresolved"}
    assert Issue.objects.get(fingerprint="a").in_next_release == (action == "resolve-next")
    html = client.get("/errors?project=shop&status=all").content.decode()
    assert words in re.sub(r"\s+", " ", html)


def test_htmx_gets_the_list_as_it_is_then(client: Client, three: NewProject):
    answer = client.post("/errors/bulk", {"ids": ids("a"), "action": "resolve", "query": "project=shop"}, headers=HTMX)
    html = answer.content.decode()

    assert answer.status_code == 200
    assert "<html" not in html
    assert 'id="results"' in html
    assert "Resolved 1 issue." in html
    assert [row.fingerprint for row in answer.context["rows"]] == ["c", "b"]
    assert answer.headers["HX-Trigger"] == "bloop:counts"


def test_all_that_match_are_changed_on_every_page_and_nothing_else(client: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"y{number}", message="yes zebra") for number in range(40)))
    make_issue(shop.project, fingerprint="no", message="something else")
    record(shop.project, event_json(fingerprint="done", message="yes zebra"))
    Issue.objects.filter(fingerprint="done").update(status="ignored")

    page = client.get("/errors?q=zebra").content.decode()
    client.post("/errors/bulk", {"matching": "all", "ids": ids("y1"), "action": "mute", "query": "q=zebra&page=2"})

    assert "Select all 40 matching" in page
    found = statuses(shop)
    assert found.pop("no") == "unresolved"
    assert found.pop("done") == "ignored"
    assert set(found.values()) == {"muted"}
    assert BulkChange.objects.get().total == 40


def test_the_box_for_all_pages_is_there_when_there_are_more(client: Client, three: NewProject):
    assert "matching</label>" not in client.get("/errors").content.decode()


def test_foreign_issues_are_never_touched(client: Client, shop: NewProject, other: NewProject):
    make_issue(shop.project, fingerprint="own")
    make_issue(other.project, fingerprint="foreign")

    client.post("/errors/bulk", {"ids": ids("own", "foreign"), "action": "resolve", "query": ""})
    client.post("/errors/bulk", {"matching": "all", "action": "ignore", "query": "status=all"})
    outside = client.post("/errors/bulk", {"matching": "all", "action": "mute", "query": "project=other"})

    assert outside.status_code == 404
    assert statuses(shop) == {"own": "ignored"}
    assert statuses(other) == {"foreign": "unresolved"}


def test_a_project_in_the_query_narrows_what_ids_may_name(admin_client: Client, shop: NewProject, other: NewProject):
    make_issue(shop.project, fingerprint="own")
    make_issue(other.project, fingerprint="foreign")

    admin_client.post("/errors/bulk", {"ids": ids("own", "foreign"), "action": "resolve", "query": "project=shop"})

    assert (statuses(shop), statuses(other)) == ({"own": "resolved"}, {"foreign": "unresolved"})


def test_a_ticked_issue_that_somebody_was_quicker_with_is_left_and_said(client: Client, three: NewProject):
    a, b = ids("a", "b")
    client.post("/errors/shop/a/status", {"status": "ignored"})

    answer = client.post("/errors/bulk", {"ids": [a, b], "action": "resolve", "query": "project=shop"}, headers=HTMX)

    assert statuses(three) == {"a": "ignored", "b": "resolved", "c": "unresolved"}
    assert "Resolved 1 issue. 1 was so already, or changed meanwhile." in answer.content.decode()


@pytest.mark.parametrize("query", [{}, {"query": "status=bogus"}, {"query": "release=" + "9" * 300}])
def test_all_that_match_are_not_all_there_is_when_nothing_valid_says_what_to_match(
    query: dict[str, str], client: Client, three: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("errors.dashboard.views.PAGE_SIZE", 2)
    page = client.get(f"/errors?{query.get('query', 'status=bogus')}").content.decode()

    answer = client.post("/errors/bulk", {"matching": "all", "action": "resolve", **query})

    assert "matching</label>" not in page

    assert answer.status_code == 302
    assert set(statuses(three).values()) == {"unresolved"}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"action": "resolve", "query": "q=x"}, 302),
        ({"action": "resolve", "ids": ["x", "-1", "1e3", "9" * 40, "\x00"]}, 302),
        ({"action": "resolve", "ids": [str(2**60)]}, 302),
        ({"action": "explode", "ids": ["1"]}, 404),
        ({"ids": ["1"]}, 404),
        ({"action": "resolve", "ids": ["1"], "query": "project=nonexistent"}, 404),
        ({"action": "resolve", "ids": ["1"], "query": "//evil.example/?next=x"}, 302),
    ],
)
def test_nonsense_changes_nothing_and_leads_back_to_the_list(
    form: dict[str, Any], status: int, client: Client, three: NewProject
):
    answer = client.post("/errors/bulk", form)

    assert answer.status_code == status
    assert answer.headers.get("Location", "/errors").partition("?")[0] == "/errors"
    assert Transition.objects.count() == 0 or form.get("ids") == ["1"]


def test_who_ticks_nothing_is_told_to(client: Client, three: NewProject):
    answer = client.post("/errors/bulk", {"action": "resolve", "query": ""}, follow=True)

    assert "Select at least one issue first." in answer.content.decode()


def test_only_post_changes(client: Client, three: NewProject):
    assert client.get("/errors/bulk").status_code == 405
    assert client.get("/errors/bulk-undo").status_code == 405


def test_undo_takes_back_what_nobody_changed_since(client: Client, three: NewProject):
    client.post("/errors/bulk", {"ids": ids("a", "b"), "action": "resolve", "query": ""})
    client.post("/errors/shop/b/status", {"status": "muted"})
    html = client.get("/errors").content.decode()
    (bulk_id,) = re.findall(r'name="id" value="(\d+)"', html)

    answer = client.post("/errors/bulk-undo", {"id": bulk_id, "query": "status=all"})

    assert answer.headers["Location"] == "/errors?status=all"
    assert statuses(three) == {"a": "unresolved", "b": "muted", "c": "unresolved"}
    words = re.sub(r"\s+", " ", client.get("/errors").content.decode())
    assert "Took back the change of 1 issue. 1 was changed again since." in words


def test_who_was_taken_out_of_a_project_takes_nothing_back_there(
    client: Client, member: User, three: NewProject, other: NewProject
):
    Membership.objects.create(project=other.project, user=member)
    make_issue(other.project, fingerprint="theirs")
    client.post("/errors/bulk", {"action": "mute", "matching": "all", "query": ""})
    Membership.objects.filter(project=three.project, user=member).delete()

    client.post("/errors/bulk-undo", {"id": BulkChange.objects.get().pk})

    assert statuses(three) == dict.fromkeys("abc", "muted")
    assert statuses(other) == {"theirs": "unresolved"}


def test_htmx_undo_gets_how_far_it_is_and_fetches_the_list_anew(client: Client, three: NewProject):
    client.post("/errors/bulk", {"ids": ids("a"), "action": "resolve", "query": ""})

    answer = client.post("/errors/bulk-undo", {"id": BulkChange.objects.get().pk}, headers=HTMX)

    assert "Took back the change of 1 issue." in answer.content.decode()
    assert answer.headers["HX-Trigger"] == "bloop:changed, bloop:counts"


def test_a_long_change_is_queued_shows_how_far_it_is_and_survives_leaving_the_page(
    client: Client, three: NewProject, unhurried_work: list[int]
):
    answer = client.post("/errors/bulk", {"matching": "all", "action": "ignore", "query": ""}, headers=HTMX)
    begun = answer.content.decode()
    url = f"/errors/bulk-work?id={BulkChange.objects.get().pk}"
    elsewhere = client.get("/errors?q=nothing").content.decode()
    polled = client.get(url, headers=HTMX)
    work_off_bulks()
    finished = client.get(url, headers=HTMX)

    assert unhurried_work == [1]
    for html in (begun, elsewhere, polled.content.decode()):
        assert "Ignoring 3 issues" in html
        assert f'hx-get="{url}"' in html
        assert '<progress class="bulk-work__bar" max="3" value="0"' in html
    assert "HX-Trigger" not in polled.headers
    assert "Ignored 3 issues." in finished.content.decode()
    assert "hx-get" not in finished.content.decode()
    assert finished.headers["HX-Trigger"] == "bloop:changed, bloop:counts"


def test_what_was_done_is_offered_for_undo_for_a_while(client: Client, three: NewProject):
    client.post("/errors/bulk", {"ids": ids("a"), "action": "resolve", "query": ""})
    fresh = client.get("/errors").content.decode()
    BulkChange.objects.update(finished_ms=now_ms() - bulk_views.SHOWN_MS - 1)

    assert "Resolved 1 issue." in fresh
    assert "Resolved 1 issue." not in client.get("/errors").content.decode()


@pytest.mark.parametrize("wanted", ["", "id=", "id=x", "id=0", "id=99999999999999999999", "id={theirs}"])
def test_the_changes_of_others_are_not_found(wanted: str, client: Client, member: User, three: NewProject):
    someone = Client()
    someone.force_login(make_user(projects=(three.project,)))
    someone.post("/errors/bulk", {"ids": ids("a"), "action": "resolve", "query": ""})
    query = wanted.format(theirs=BulkChange.objects.get().pk)

    watched = client.get(f"/errors/bulk-work?{query}")
    undone = client.post("/errors/bulk-undo", query, content_type="application/x-www-form-urlencoded")

    assert (watched.status_code, undone.status_code) == (404, 404)
    assert statuses(three)["a"] == "resolved"
    assert "Resolved 1 issue." not in client.get("/errors").content.decode()


def test_rows_are_named_for_who_cannot_see_them_and_hostile_text_is_escaped(client: Client, shop: NewProject):
    make_issue(shop.project, error_type='"><img src=x>', message="say 'hello' \u202e now")

    html = client.get(f"/errors?{urlencode({'q': 'img hello'})}").content.decode()

    assert "<img" not in html
    assert 'aria-label="Select &quot;&gt;&lt;img src=x&gt;: say &#x27;hello&#x27; \\u202e now"' in html
    assert "<mark>img</mark>" in html
    assert "<mark>hello</mark>" in html

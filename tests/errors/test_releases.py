"""What counts as new, regressed and resolved in a release, and what its beginning is compared with."""

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of, now_ms
from errors.dashboard import releases
from errors.models import Issue, Release, ReleaseHourlyCount, Status, Transition
from errors.services.merge import merge_issues, undo_merge
from errors.services.status import Actor, change_status
from errors.statuses import Change
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_token, record

DAY_AGO = hour_of(now_ms()) - DAY_MS


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


def appear(project: Project, name: str, at_ms: int, *, fingerprint: str = "") -> Issue:
    """An event of the release at that moment, of an issue of its own unless one is named."""
    return make_issue(project, release=name, fingerprint=fingerprint or f"of {name}", received_ms=at_ms)


def resolve(issue: Issue, at_ms: int, *, in_next_release: bool = False) -> Transition:
    """The issue as people leave it when they resolve it at that moment."""
    change_status(issue_id=issue.pk, change=Change("resolved"), actor=Actor(None), now_ms=at_ms)
    made = issue.transitions.latest("id")
    if in_next_release:
        Transition.objects.filter(pk=made.pk).update(in_next_release=True)
        Issue.objects.filter(pk=issue.pk).update(in_next_release=True)
    return made


def figures(client: Client, *, what: str = "resolved") -> dict[str, int]:
    """One figure of every release on the page, by name."""
    rows = client.get("/releases?project=shop").context["rows"]
    return {row.name: getattr(row.figures, what) for row in rows}


def tab(client: Client, name: str, which: str, **more: str) -> Any:
    """The page of a release with that tab open."""
    query = {"name": name, "tab": which, **more}
    answer = client.get("/releases/shop?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items()))
    assert answer.status_code == 200
    return answer


def listed(answer: Any) -> list[str]:
    return [row.fingerprint for row in answer.context["issues"]]


# --- New --------------------------------------------------------------------------------------------------------


def test_an_issue_is_new_in_the_release_of_its_first_event_only(client: Client, shop: NewProject):
    appear(shop.project, "1.0", DAY_AGO, fingerprint="a")
    appear(shop.project, "1.1", DAY_AGO + 1, fingerprint="a")
    appear(shop.project, "1.1", DAY_AGO + 2, fingerprint="b")

    assert figures(client, what="new") == {"1.1": 1, "1.0": 1}
    assert listed(tab(client, "1.1", "new")) == ["b"]
    assert listed(tab(client, "1.1", "all")) == ["b", "a"]
    assert [row.is_new for row in tab(client, "1.1", "all").context["issues"]] == [True, False]


def test_a_merged_issue_is_new_nowhere_and_its_events_count_for_the_one_that_shows_it(client: Client, shop: NewProject):
    head = appear(shop.project, "1.0", DAY_AGO, fingerprint="head")
    merged = appear(shop.project, "1.1", DAY_AGO + 1, fingerprint="merged")
    Issue.objects.filter(pk=merged.pk).update(merged_into=head)
    record(shop.project, *(event_json(fingerprint="merged", release="1.1") for _ in range(3)), received_ms=DAY_AGO + 2)

    assert figures(client, what="new") == {"1.1": 0, "1.0": 1}
    assert listed(tab(client, "1.1", "new")) == []
    (row,) = tab(client, "1.1", "all").context["issues"]
    assert (row.fingerprint, row.events, row.is_new) == ("head", 4, False)


def test_issues_that_are_one_are_new_where_the_first_of_them_came_and_each_by_itself_when_taken_apart(
    client: Client, shop: NewProject
):
    early = appear(shop.project, "1.0", DAY_AGO, fingerprint="early")
    late = appear(shop.project, "1.1", DAY_AGO + 1, fingerprint="late")
    (merge,) = merge_issues(into_id=late.pk, issue_ids=[early.pk], actor=Actor(None), now_ms=DAY_AGO + 2)

    assert figures(client, what="new") == {"1.1": 0, "1.0": 1}
    assert listed(tab(client, "1.0", "new")) == ["late"]

    undo_merge(merge_id=merge.pk, actor=Actor(None), now_ms=DAY_AGO + 3)

    assert figures(client, what="new") == {"1.1": 1, "1.0": 1}
    assert listed(tab(client, "1.1", "new")) == ["late"]


@pytest.mark.parametrize("is_merged", [False, True])
def test_an_issue_is_new_in_the_release_that_had_it_first_though_that_event_was_folded_late(
    client: Client, shop: NewProject, *, is_merged: bool
):
    issue = appear(shop.project, "1.1", DAY_AGO + 1, fingerprint="fp")
    if is_merged:
        other = appear(shop.project, "1.1", DAY_AGO + 1, fingerprint="shown")
        merge_issues(into_id=other.pk, issue_ids=[issue.pk], actor=Actor(None), now_ms=DAY_AGO + 2)
    record(shop.project, event_json(fingerprint="fp", release="1.0"), received_ms=DAY_AGO)

    assert figures(client, what="new") == {"1.1": 0, "1.0": 1}


def test_all_issues_stand_new_ones_first_then_by_their_events_in_the_release(client: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint="old", release="1.0") for _ in range(50)), received_ms=DAY_AGO)
    for name, count in (("rare", 1), ("old", 5), ("frequent", 3)):
        events = [event_json(fingerprint=name, release="1.1", environment=f"env-{n % 2}") for n in range(count)]
        record(shop.project, *events, received_ms=DAY_AGO + 1)

    answer = tab(client, "1.1", "all")

    assert [(row.fingerprint, row.events, row.total_count) for row in answer.context["issues"]] == [
        ("frequent", 3, 3),
        ("rare", 1, 1),
        ("old", 5, 55),
    ]
    assert [(each.name, each.count) for each in answer.context["detail"].environments] == [("env-0", 6), ("env-1", 3)]


# --- Regressed --------------------------------------------------------------------------------------------------


def test_an_issue_regresses_in_the_release_whose_event_reopened_it(client: Client, shop: NewProject):
    issue = appear(shop.project, "1.0", DAY_AGO, fingerprint="fp")
    appear(shop.project, "1.1", DAY_AGO + 5)
    for at in (10, 20):  # twice, and still one issue
        resolve(issue, DAY_AGO + at)
        appear(shop.project, "1.1", DAY_AGO + at + 1, fingerprint="fp")

    assert figures(client, what="regressed") == {"1.1": 1, "1.0": 0}
    (row,) = tab(client, "1.1", "regressed").context["issues"]
    assert (row.fingerprint, row.changed_ms, row.regressed) == ("fp", DAY_AGO + 21, True)
    assert listed(tab(client, "1.0", "regressed")) == []


def test_regressions_of_merged_issues_count_once_for_the_one_that_shows_them(client: Client, shop: NewProject):
    head, merged = (appear(shop.project, "1.0", DAY_AGO, fingerprint=name) for name in ("head", "merged"))
    for issue in (head, merged):
        resolve(issue, DAY_AGO + 1)
        appear(shop.project, "1.1", DAY_AGO + 2, fingerprint=issue.fingerprint)
    Issue.objects.filter(pk=merged.pk).update(merged_into=head)

    assert figures(client, what="regressed")["1.1"] == 1
    assert listed(tab(client, "1.1", "regressed")) == ["head"]


def test_a_mute_that_ran_out_is_no_regression(client: Client, shop: NewProject):
    issue = appear(shop.project, "1.0", DAY_AGO)
    change = {"old_status": "muted", "new_status": "unresolved", "changed_ms": DAY_AGO + 1, "release": "1.0"}
    issue.transitions.create(project=shop.project, cause="mute_ended", **change)

    assert figures(client, what="regressed") == {"1.0": 0}


# --- Resolved ---------------------------------------------------------------------------------------------------

FIRST, SECOND = DAY_AGO, DAY_AGO + HOUR_MS  # when 1.0 and 1.1 appeared


@pytest.fixture
def two_releases(shop: NewProject) -> Issue:
    """1.0, then an hour later 1.1; an issue of 1.0."""
    issue = appear(shop.project, "1.0", FIRST, fingerprint="fp")
    appear(shop.project, "1.1", SECOND)
    return issue


@pytest.mark.parametrize(
    ("at_ms", "how", "found"),
    [
        (FIRST, "now", "1.0"),
        (SECOND - 1, "now", "1.0"),
        (SECOND, "now", "1.1"),  # the new one is there already
        (SECOND + DAY_MS, "now", "1.1"),
        (FIRST, "in next", "1.1"),
        (SECOND - 1, "in next", "1.1"),
        (SECOND, "in next", None),  # in the one after 1.1, which is not there yet
        (FIRST - 1, "now", None),  # before any release
        (FIRST - 1, "in next", "1.0"),
    ],
)
def test_a_resolution_counts_for_the_release_that_was_the_newest(
    at_ms: int, how: str, found: str | None, client: Client, two_releases: Issue
):
    resolve(two_releases, at_ms, in_next_release=how == "in next")

    assert figures(client) == {name: int(name == found) for name in ("1.1", "1.0")}
    for name in ("1.1", "1.0"):
        assert listed(tab(client, name, "resolved")) == (["fp"] if name == found else [])


def test_one_resolved_in_the_next_release_counts_once_that_one_appears(client: Client, two_releases: Issue):
    resolve(two_releases, SECOND + 1, in_next_release=True)
    appear(two_releases.project, "1.2", SECOND + 2)

    assert figures(client) == {"1.2": 1, "1.1": 0, "1.0": 0}


def test_of_two_releases_of_one_millisecond_the_one_with_the_higher_id_is_the_newest(
    client: Client, two_releases: Issue
):
    Release.objects.filter(name="1.0").update(first_seen_ms=SECOND)
    resolve(two_releases, SECOND)

    assert figures(client) == {"1.1": 1, "1.0": 0}
    assert {row.name: row.figures.is_newest for row in client.get("/releases").context["rows"]} == {
        "1.1": True,
        "1.0": False,
    }
    assert client.get("/releases/shop?name=1.1").context["comparison"].before == "1.0"
    assert client.get("/releases/shop?name=1.0").context["comparison"].missing == "first"


def test_a_resolution_that_was_taken_back_does_not_count(client: Client, two_releases: Issue):
    made = resolve(two_releases, SECOND + 1)
    Transition.objects.filter(pk=made.pk).update(undone=True)

    assert figures(client) == {"1.1": 0, "1.0": 0}
    assert listed(tab(client, "1.1", "resolved")) == []


def test_only_people_resolve_and_only_to_resolved(client: Client, two_releases: Issue):
    common = {"project": two_releases.project, "old_status": Status.UNRESOLVED, "changed_ms": SECOND + 1}
    two_releases.transitions.create(**common, new_status="resolved", cause="undo")
    two_releases.transitions.create(**common, new_status="ignored", cause="call")

    assert figures(client) == {"1.1": 0, "1.0": 0}


def test_an_issue_resolved_twice_counts_once_and_merged_ones_with_the_one_that_shows_them(
    client: Client, two_releases: Issue
):
    merged = appear(two_releases.project, "1.1", SECOND, fingerprint="merged")
    resolve(two_releases, SECOND + 1)
    change_status(issue_id=two_releases.pk, change=Change("unresolved"), actor=Actor(None), now_ms=SECOND + 2)
    resolve(two_releases, SECOND + 3)
    resolve(merged, SECOND + 4)
    Issue.objects.filter(pk=merged.pk).update(merged_into=two_releases)

    assert figures(client) == {"1.1": 1, "1.0": 0}
    (row,) = tab(client, "1.1", "resolved").context["issues"]
    assert (row.fingerprint, row.changed_ms, row.status) == ("fp", SECOND + 4, "resolved")


def test_another_projects_releases_and_resolutions_do_not_count(client: Client, two_releases: Issue, other: NewProject):
    foreign = appear(other.project, "1.2", SECOND + 1, fingerprint="fp")
    resolve(foreign, SECOND + 2)
    resolve(two_releases, SECOND + 2)

    assert figures(client) == {"1.1": 1, "1.0": 0}


# --- No release -------------------------------------------------------------------------------------------------


def test_events_without_a_release_stand_apart_and_are_never_the_newest(client: Client, two_releases: Issue):
    record(two_releases.project, event_json(release="", fingerprint="bare"), received_ms=SECOND + 1)
    resolve(two_releases, SECOND + 2)

    answer = client.get("/releases?project=shop")

    assert figures(client) == {"1.1": 1, "1.0": 0}
    assert [row.figures.is_newest for row in answer.context["rows"]] == [True, False]
    assert [each.total_count for each in answer.context["unnamed"]] == [1]
    assert 'href="/releases/shop?name=unknown"' in answer.content.decode()
    bare = client.get("/releases/shop?name=unknown")
    assert listed(bare) == ["bare"]
    assert bare.context["comparison"] is None
    assert [each.name for each in bare.context["tabs"]] == ["new", "regressed", "all"]
    assert b"No release</h1>" in bare.content
    assert listed(tab(client, "unknown", "resolved")) == ["bare"]  # there is no such tab


def test_a_release_is_not_compared_with_events_that_name_none(client: Client, shop: NewProject):
    record(shop.project, event_json(release=None), received_ms=DAY_AGO - HOUR_MS)
    appear(shop.project, "1.0", DAY_AGO)

    assert client.get("/releases/shop?name=1.0").context["comparison"].missing == "first"


# --- The release before -----------------------------------------------------------------------------------------


def compared(client: Client, name: str) -> Any:
    return client.get(f"/releases/shop?name={name}").context["comparison"]


def begin(project: Project, name: str, at_ms: int, *, events: int, new: int) -> None:
    """A release with so many events an hour in its first 30 hours, and so many new issues in its first."""
    for number in range(new):
        appear(project, name, at_ms, fingerprint=f"{name} {number}")
    for hour in range(30):
        batch = [event_json(release=name, fingerprint=f"{name} 0") for _ in range(events)]
        if at_ms + hour * HOUR_MS < now_ms():
            record(project, *batch, received_ms=at_ms + hour * HOUR_MS)


def test_the_same_first_hours_of_both_are_compared(client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    now = hour_of(now_ms())
    monkeypatch.setattr(releases, "now_ms", lambda: now + 1)
    begin(shop.project, "1.0", now - 40 * HOUR_MS, events=2, new=1)
    begin(shop.project, "1.1", now - 5 * HOUR_MS, events=3, new=2)
    appear(shop.project, "1.0", now - 30 * HOUR_MS, fingerprint="later")

    comparison = compared(client, "1.1")

    assert (comparison.missing, comparison.before, comparison.hours) == ("", "1.0", 5)
    assert (comparison.mine.events, comparison.theirs.events) == (2 + 15, 1 + 10)
    assert (comparison.mine.new, comparison.theirs.new) == (2, 1)  # "later" came after the first 5 hours
    assert comparison.mine.per_day == pytest.approx(17 * 24 / 5)
    assert comparison.events_change.words == "55\u00a0% more"
    assert (comparison.new_change.words, comparison.new_change.direction) == ("1 more", "up")


def test_at_most_seven_days_are_compared(client: Client, shop: NewProject):
    now = hour_of(now_ms())
    for name, days in (("1.0", 30), ("1.1", 20)):
        appear(shop.project, name, now - days * DAY_MS, fingerprint=name)
        appear(shop.project, name, now - (days - 7) * DAY_MS - HOUR_MS, fingerprint=name)
        appear(shop.project, name, now - (days - 7) * DAY_MS, fingerprint=name)

    comparison = compared(client, "1.1")

    assert comparison.hours == 7 * 24
    assert (comparison.mine.events, comparison.theirs.events) == (2, 2)
    assert b"The first 7 days of each" in client.get("/releases/shop?name=1.1").content


def test_a_release_that_is_not_an_hour_old_is_not_compared_yet(client: Client, shop: NewProject):
    appear(shop.project, "1.0", DAY_AGO)
    appear(shop.project, "1.1", now_ms())

    assert compared(client, "1.1").missing == "young"
    assert b"Too early to compare" in client.get("/releases/shop?name=1.1").content


@pytest.mark.parametrize("purged", ["1.0", "1.1"])
def test_hours_that_were_purged_are_not_taken_for_quiet_ones(purged: str, client: Client, shop: NewProject):
    appear(shop.project, "1.0", DAY_AGO - 5 * HOUR_MS)
    appear(shop.project, "1.1", DAY_AGO)
    appear(shop.project, purged, DAY_AGO + HOUR_MS, fingerprint="more")
    first = Release.objects.get(name=purged)
    ReleaseHourlyCount.objects.filter(release=first, hour_ms=hour_of(first.first_seen_ms)).delete()

    comparison = compared(client, "1.1")

    assert (comparison.missing, comparison.purged, comparison.mine) == ("purged", purged, None)
    assert b"are not kept by the hour" in client.get("/releases/shop?name=1.1").content


# --- The API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def api(shop: NewProject) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_token(shop.project).secret}"})


def test_the_api_lists_releases_with_their_figures(api: Client, two_releases: Issue):
    resolve(two_releases, SECOND)
    record(two_releases.project, event_json(release="1.1", fingerprint="fp"), received_ms=SECOND + 1)
    record(two_releases.project, event_json(release=""), received_ms=SECOND + 1)

    answer = api.get("/v1/releases")

    assert answer.headers["X-Total-Count"] == "2"
    assert answer.json() == [
        {
            "project_id": two_releases.project_id,
            "release": "1.1",
            "first_seen": SECOND,
            "last_seen": SECOND + 1,
            "total_count": 2,
            "new_errors": 1,
            "regressed_errors": 1,
            "resolved_errors": 1,
            "newest": True,
        },
        {
            "project_id": two_releases.project_id,
            "release": "1.0",
            "first_seen": FIRST,
            "last_seen": FIRST,
            "total_count": 1,
            "new_errors": 1,
            "regressed_errors": 0,
            "resolved_errors": 0,
            "newest": False,
        },
    ]


def test_the_api_pages_and_searches_releases(api: Client, shop: NewProject):
    for number in range(5):
        appear(shop.project, f"Beta-{number}", DAY_AGO + number)
    appear(shop.project, "1.0", DAY_AGO + 9)

    answer = api.get("/v1/releases?q=beta&limit=2&offset=2")

    assert [row["release"] for row in answer.json()] == ["Beta-2", "Beta-1"]
    assert answer.headers["X-Total-Count"] == "5"
    assert 'rel="next"' in answer.headers["Link"]
    assert len(api.get("/v1/releases?limit=-1").json()) == 1
    assert api.get("/v1/releases?limit=all").status_code == 400


def test_a_session_narrows_releases_and_their_errors_by_project(
    admin_client: Client, shop: NewProject, other: NewProject
):
    for project in (shop.project, other.project):
        appear(project, "1.0", DAY_AGO)

    for path in ("/v1/releases", "/v1/releases/1.0/errors"):
        assert len(admin_client.get(path).json()) == 2
        (row,) = admin_client.get(f"{path}?project_id={other.project.pk}").json()
        assert row["project_id"] == other.project.pk
        assert admin_client.get(f"{path}?project_id=unknown").json() == []


def test_the_errors_of_a_release_keep_the_fingerprints_of_merged_issues(api: Client, shop: NewProject):
    head, merged = (appear(shop.project, "1.0", DAY_AGO, fingerprint=name) for name in ("head", "merged"))
    Issue.objects.filter(pk=merged.pk).update(merged_into=head)
    record(shop.project, event_json(release="1.0", fingerprint="merged"), received_ms=DAY_AGO + 1)

    rows = api.get("/v1/releases/1.0/errors").json()

    assert [(row["fingerprint"], row["total_count"]) for row in rows] == [("merged", 2), ("head", 1)]


@pytest.mark.parametrize(("limit", "found"), [("-1", 1), ("0", 1), ("2", 2), ("100000", 200)])
def test_the_errors_of_a_release_have_a_limit_of_200(limit: str, found: int, api: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"fp{number}", release="1.0") for number in range(201)))

    answer = api.get(f"/v1/releases/1.0/errors?limit={limit}")

    assert (len(answer.json()), answer.headers["X-Total-Count"]) == (found, "201")

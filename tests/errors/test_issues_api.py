"""The query API of errors (contract 4), asked over HTTP with tokens and sessions."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, now_ms
from errors.models import Issue
from projects.models import Project
from projects.services.projects import NewProject
from projects.services.tokens import issue_token
from tests.factories import event_json, make_issue, make_token, make_user, record
from tests.wsgi import ask

AGGREGATE_KEYS = {
    "project_id",
    "fingerprint",
    "release",
    "environment",
    "total_count",
    "first_seen",
    "last_seen",
    "error_type",
    "message",
    "source",
    "route_or_procedure",
    "screen",
    "status",
}
LISTS = ("/v1/errors", "/v1/errors?group=issue", "/v1/errors/fp/occurrences", "/v1/releases/1.4.0/errors")
NOON = hour_of(now_ms()) - 6 * HOUR_MS  # the start of an hour some time ago


def with_token(project: Project, *scopes: str) -> Client:
    token = make_token(project, scopes=scopes or ("errors:read", "errors:write"))
    return Client(headers={"Authorization": f"Bearer {token.secret}"})


@pytest.fixture
def api(shop: NewProject) -> Client:
    """A client with a token of the shop."""
    return with_token(shop.project)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> int:
    """The API's clock stands at 30 minutes past NOON."""
    at = NOON + 30 * MINUTE_MS
    monkeypatch.setattr("errors.api.issues.now_ms", lambda: at)
    return at


def names(answer: Any) -> list[str]:
    return [row["fingerprint"] for row in answer.json()]


def record_many(project: Project, count: int) -> None:
    """`count` issues f000, f001, ...; the first was seen last."""
    for index in range(count):
        record(project, event_json(fingerprint=f"f{index:03}"), received_ms=NOON - index)


# --- GET /v1/errors ---------------------------------------------------------------------------------------------


def test_the_list_has_a_row_for_each_fingerprint_release_and_environment(api: Client, shop: NewProject):
    for release, environment in (("1.0", "production"), ("1.1", "production"), ("1.1", "staging")):
        record(shop.project, event_json(fingerprint="fp", release=release, environment=environment))

    rows = api.get("/v1/errors").json()

    assert {(row["fingerprint"], row["release"], row["environment"]) for row in rows} == {
        ("fp", "1.0", "production"),
        ("fp", "1.1", "production"),
        ("fp", "1.1", "staging"),
    }


def test_a_row_has_exactly_the_documented_keys_and_the_first_events_words(api: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp", message="first", screen="Home"), received_ms=NOON)
    record(shop.project, event_json(fingerprint="fp", message="second"), received_ms=NOON + 5)

    assert api.get("/v1/errors").json() == [
        {
            "project_id": shop.project.pk,
            "fingerprint": "fp",
            "release": "1.4.0",
            "environment": "production",
            "total_count": 2,
            "first_seen": NOON,
            "last_seen": NOON + 5,
            "error_type": "TypeError",
            "message": "first",
            "source": "api",
            "route_or_procedure": "/users",
            "screen": "Home",
            "status": "unresolved",
        }
    ]


def test_route_and_screen_are_null_when_the_event_had_none(api: Client, shop: NewProject):
    record(shop.project, event_json(route_or_procedure=None))

    row = api.get("/v1/errors").json()[0]

    assert set(row) == AGGREGATE_KEYS
    assert (row["route_or_procedure"], row["screen"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("release=1.0", ["a"]),
        ("release=1", []),
        ("environment=staging", ["b"]),
        ("source=ios", ["b"]),
        ("source=IOS", []),
        ("route=/pay", ["b"]),
        ("route=/pa", []),
        ("status=resolved", ["a"]),
        ("status=unresolved", ["b"]),
        ("status=open", []),
        ("release=1.0&environment=staging", []),
        ("release=&source=&q=", ["b", "a"]),
        ("q=timeout", ["a"]),
        ("q=TIMEOUT", ["a"]),
        ("q=keyerr", ["b"]),
        ("q=100%25", []),
        ("q=_", []),
        (f"since={NOON + 10}", ["b"]),
        (f"since={NOON + 11}", []),
        (f"until={NOON}", ["a"]),
        (f"until={NOON - 1}", []),
        (f"since={NOON}&until={NOON + 10}", ["b", "a"]),
        ("since=-99999999999999999999999", ["b", "a"]),
        ("since=99999999999999999999999", []),
        ("until=99999999999999999999999", ["b", "a"]),
        ("since=&until=&limit=&offset=", ["b", "a"]),
        ("nonsense=1&page=7", ["b", "a"]),
    ],
)
@pytest.mark.parametrize("group", ["", "&group=issue"])
def test_the_list_is_narrowed_by_exact_matches(query: str, found: list[str], group: str, api: Client, shop: NewProject):
    a = {"release": "1.0", "environment": "production", "source": "api", "message": "Timeout", "error_type": "IOError"}
    b = {"release": "2.0", "environment": "staging", "source": "ios", "message": "no key", "error_type": "KeyError"}
    record(shop.project, event_json(fingerprint="a", route_or_procedure=None, **a), received_ms=NOON)
    record(shop.project, event_json(fingerprint="b", route_or_procedure="/pay", **b), received_ms=NOON + 10)
    Issue.objects.filter(fingerprint="a").update(status="resolved")

    assert names(api.get(f"/v1/errors?{query}{group}")) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["c", "b", "a"]),
        ("last_seen", ["c", "b", "a"]),
        ("first_seen", ["b", "c", "a"]),
        ("total_count", ["a", "c", "b"]),
    ],
)
@pytest.mark.parametrize("group", ["", "&group=issue"])
def test_the_list_is_sorted_downwards(sort: str, order: list[str], group: str, api: Client, shop: NewProject):
    for name, times in (("a", (1, 2, 3)), ("b", (5,)), ("c", (4, 9))):
        for time in times:
            record(shop.project, event_json(fingerprint=name), received_ms=NOON + time)

    assert names(api.get(f"/v1/errors?sort={sort}{group}")) == order


def test_rows_that_tie_keep_one_order_over_all_pages(api: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"f{index}") for index in range(20)), received_ms=NOON)

    whole = names(api.get("/v1/errors"))
    pages = [name for offset in range(0, 20, 3) for name in names(api.get(f"/v1/errors?limit=3&offset={offset}"))]

    assert pages == whole
    assert len(set(whole)) == 20


def test_an_invalid_sort_is_named(api: Client):
    answer = api.get("/v1/errors?sort=password")

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid sort field: password"})


def test_group_issue_sums_counts_and_lists_releases_newest_first(api: Client, shop: NewProject):
    for release, at in (("1.0", 1), ("1.1", 5), ("1.0", 3)):
        record(shop.project, event_json(fingerprint="fp", release=release), received_ms=NOON + at)
    record(shop.project, event_json(fingerprint="fp", release="1.1", environment="staging"), received_ms=NOON + 4)

    rows = api.get("/v1/errors?group=issue").json()

    assert len(rows) == 1
    row = rows[0]
    assert set(row) == AGGREGATE_KEYS | {"releases"}
    assert (row["total_count"], row["first_seen"], row["last_seen"]) == (4, NOON + 1, NOON + 5)
    assert (row["releases"], row["release"], row["environment"]) == (["1.1", "1.0"], "1.1", "production")


@pytest.mark.parametrize("group", ["", "&group=issue"])
def test_include_trend_gives_24_hourly_points_up_to_the_running_hour(
    group: str, api: Client, shop: NewProject, frozen: int
):
    for hours_ago in (0, 0, 1, 23, 24):
        record(shop.project, event_json(fingerprint="fp"), received_ms=frozen - hours_ago * HOUR_MS)
    record(shop.project, event_json(fingerprint="quiet"), received_ms=frozen - 30 * HOUR_MS)

    rows = {row["fingerprint"]: row["trend"] for row in api.get(f"/v1/errors?include=trend{group}").json()}

    assert [point["hour_bucket"] for point in rows["fp"]] == [NOON - back * HOUR_MS for back in range(23, -1, -1)]
    assert [point["count"] for point in rows["fp"]] == [1, *[0] * 21, 1, 2]
    assert {point["count"] for point in rows["quiet"]} == {0}


def test_without_include_there_is_no_trend(api: Client, shop: NewProject):
    make_issue(shop.project)

    assert "trend" not in api.get("/v1/errors").json()[0]


# --- Pages (contract 4.1) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 50),
        ("?limit=7", 7),
        ("?limit=200", 200),
        ("?limit=201", 200),
        ("?limit=99999999999999999999999", 200),
        ("?limit=0", 1),
        ("?limit=-1", 1),
        ("?limit=5&offset=-3", 5),
        ("?limit=10&offset=200", 5),
        ("?offset=205", 0),
        ("?offset=99999999999999999999999", 0),
    ],
)
def test_limit_and_offset_are_held_within_bounds(query: str, rows: int, api: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"f{index}") for index in range(205)))

    answer = api.get(f"/v1/errors{query}")

    assert len(answer.json()) == rows
    assert answer.headers["X-Total-Count"] == "205"


def test_offset_skips_rows_from_the_top(api: Client, shop: NewProject):
    record_many(shop.project, 5)

    assert names(api.get("/v1/errors?limit=2&offset=3")) == ["f003", "f004"]


def test_links_lead_over_all_pages_and_keep_the_query(api: Client, shop: NewProject):
    record_many(shop.project, 5)

    answer = api.get("/v1/errors?limit=2&q=Cannot&sort=last_seen")
    seen = names(answer)
    while found := re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link", "")):
        answer = api.get(found.group(1))
        seen += names(answer)

    assert seen == ["f000", "f001", "f002", "f003", "f004"]
    assert 'rel="prev"' in answer.headers["Link"]
    assert "q=Cannot" in answer.headers["Link"]


def test_a_list_that_fits_on_one_page_has_no_links(api: Client, shop: NewProject):
    record_many(shop.project, 2)

    assert "Link" not in api.get("/v1/errors?limit=2").headers


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["abc", "1.5", "1e3", "9" * 2000, "[]"])
def test_a_bound_of_the_wrong_type_is_refused_by_name(path: str, name: str, value: str, api: Client):
    answer = api.get(f"{path}{'&' if '?' in path else '?'}{name}={value}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("value", ["yesterday", "1.5", "2026-01-01"])
def test_a_time_of_the_wrong_type_is_refused_by_name(name: str, value: str, api: Client):
    answer = api.get(f"/v1/errors?{name}={value}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}: ")


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_bare_arrays_and_count_their_rows(path: str, api: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp"))

    answer = api.get(path)

    assert isinstance(answer.json(), list)
    assert answer.headers["X-Total-Count"] == "1"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


# --- Which project (contract 0.4) -------------------------------------------------------------------------------

SCOPED = ("/v1/errors", "/v1/errors?group=issue", "/v1/errors/fp/occurrences", "/v1/releases/1.4.0/errors")


@pytest.mark.parametrize("path", SCOPED)
def test_a_token_sees_its_own_project_whatever_the_query_says(
    path: str, api: Client, shop: NewProject, other: NewProject
):
    record(shop.project, event_json(fingerprint="fp"))
    record(other.project, event_json(fingerprint="fp"))

    for query in ("", f"project_id={other.project.pk}", "project_id=nonexistent", "project_id="):
        rows = api.get(f"{path}{'&' if '?' in path else '?'}{query}").json()
        assert [row["project_id"] for row in rows] == [shop.project.pk], query


@pytest.mark.parametrize("path", SCOPED)
def test_a_session_sees_all_projects_or_the_one_it_names_by_id(
    path: str, admin_client: Client, shop: NewProject, other: NewProject
):
    record(shop.project, event_json(fingerprint="fp"))
    record(other.project, event_json(fingerprint="fp"))
    mark = "&" if "?" in path else "?"

    def seen(query: str) -> set[str]:
        return {row["project_id"] for row in admin_client.get(f"{path}{mark}{query}").json()}

    assert seen("") == {shop.project.pk, other.project.pk}
    assert seen("project_id=") == {shop.project.pk, other.project.pk}
    assert seen(f"project_id={other.project.pk}") == {other.project.pk}
    assert seen("project_id=other") == set(), "a slug is not an id"
    assert seen("project_id=nonexistent") == set()


@pytest.mark.parametrize("path", SCOPED)
def test_a_member_sees_only_their_projects(path: str, member_client: Client, shop: NewProject, other: NewProject):
    record(shop.project, event_json(fingerprint="fp"))
    record(other.project, event_json(fingerprint="fp"))
    mark = "&" if "?" in path else "?"

    assert [row["project_id"] for row in member_client.get(path).json()] == [shop.project.pk]
    assert member_client.get(f"{path}{mark}project_id={other.project.pk}").json() == []


@pytest.mark.parametrize("path", ["/v1/errors/fp/trend", "/v1/trends"])
def test_trends_count_one_project_or_all_that_are_visible(
    path: str, admin_client: Client, member_client: Client, shop: NewProject, other: NewProject
):
    record(shop.project, event_json(fingerprint="fp"))
    record(other.project, event_json(fingerprint="fp"), event_json(fingerprint="fp"))

    def counted(client: Client, query: str = "") -> int:
        return sum(point["count"] for point in client.get(f"{path}?{query}").json())

    assert counted(admin_client) == 3
    assert counted(admin_client, f"project_id={other.project.pk}") == 2
    assert counted(member_client) == 1
    assert counted(member_client, f"project_id={other.project.pk}") == 0


# --- GET /v1/errors/{fingerprint} -------------------------------------------------------------------------------


def test_the_detail_has_aggregates_newest_first_and_samples_with_every_key(api: Client, shop: NewProject):
    optional = {"stack": "at f (a.js:1)", "request_id": "r1", "user_id_hash": "u", "device_id_hash": "d"}
    build = {"app_version": "2.0", "build_number": "7", "screen": "Home", "http_status": 502}
    record(shop.project, event_json(fingerprint="fp", release="1.0"), received_ms=NOON)
    record(
        shop.project,
        event_json(fingerprint="fp", release="1.1", metadata={"k": ["v"]}, **optional, **build),
        received_ms=NOON + 5,
    )

    detail = api.get("/v1/errors/fp").json()

    assert [row["release"] for row in detail["aggregates"]] == ["1.1", "1.0"]
    assert set(detail["aggregates"][0]) == AGGREGATE_KEYS
    newest = detail["samples"][0]
    expected = {"fingerprint": "fp", "project_id": shop.project.pk, "captured_at": NOON + 5, "source": "api"}
    told = {"environment": "production", "release": "1.1", "error_type": "TypeError", "route_or_procedure": "/users"}
    words = {"message": "Cannot read property 'id' of undefined", "metadata": {"k": ["v"]}}
    assert {key: value for key, value in newest.items() if key != "id"} == expected | told | words | optional | build
    older = detail["samples"][1]
    assert (older["stack"], older["metadata"], older["http_status"]) == (None, None, None)
    assert "deobfuscated_stack" not in newest


def test_the_detail_keeps_the_newest_five_samples(api: Client, shop: NewProject):
    for number in range(8):
        record(shop.project, event_json(fingerprint="fp", request_id=str(number)), received_ms=NOON + number)

    samples = api.get("/v1/errors/fp").json()["samples"]

    assert [sample["request_id"] for sample in samples] == ["7", "6", "5", "4", "3"]


def test_the_detail_of_a_fingerprint_in_two_projects_starts_with_the_newest_project(
    admin_client: Client, shop: NewProject, other: NewProject
):
    Project.objects.filter(pk=other.project.pk).update(created_at=timezone.now())
    record(other.project, event_json(fingerprint="fp"), received_ms=NOON)
    record(shop.project, event_json(fingerprint="fp"), received_ms=NOON + 5)

    detail = admin_client.get("/v1/errors/fp").json()

    assert [row["project_id"] for row in detail["aggregates"]] == [other.project.pk, shop.project.pk]
    assert [sample["captured_at"] for sample in detail["samples"]] == [NOON + 5, NOON]


def test_an_unknown_fingerprint_is_named_in_the_404(api: Client):
    answer = api.get("/v1/errors/none%20such%2Fhere")

    assert (answer.status_code, answer.json()) == (404, {"error": "no errors with fingerprint none such/here"})


def test_a_foreign_fingerprint_is_as_unknown_as_one_that_is_not_there(api: Client, other: NewProject):
    make_issue(other.project, fingerprint="fp")

    answer = api.get("/v1/errors/fp")

    assert (answer.status_code, answer.json()) == (404, {"error": "no errors with fingerprint fp"})


# --- Occurrences, trends, releases, history, stats --------------------------------------------------------------


def test_occurrences_are_ordered_by_client_time_and_have_every_key(api: Client, shop: NewProject):
    for order, age in (("b", 2), ("c", 3), ("a", 1)):
        event = event_json(fingerprint="fp", request_id=order, timestamp=NOON - age * 1000, metadata={"n": age})
        record(shop.project, event, received_ms=NOON)

    rows = api.get("/v1/errors/fp/occurrences").json()

    assert [row["request_id"] for row in rows] == ["a", "b", "c"]
    assert (rows[0]["timestamp"], rows[0]["received_at"], rows[0]["metadata"]) == (NOON - 1000, NOON, {"n": 1})
    assert set(rows[0]) == {
        *("id", "timestamp", "source", "environment", "release", "error_type", "message", "stack", "http_status"),
        *("request_id", "route_or_procedure", "fingerprint", "received_at", "project_id", "metadata", "app_version"),
        *("build_number", "screen", "user_id_hash", "device_id_hash", "event_id"),
    }


def test_occurrences_are_all_kept_and_paged(api: Client, shop: NewProject):
    events = [event_json(fingerprint="fp", request_id=str(n), timestamp=NOON - n) for n in range(12)]
    record(shop.project, *events)

    answer = api.get("/v1/errors/fp/occurrences?limit=5&offset=10")

    assert [row["request_id"] for row in answer.json()] == ["10", "11"]
    assert answer.headers["X-Total-Count"] == "12"
    assert 'rel="prev"' in answer.headers["Link"]


@pytest.mark.parametrize("tail", ["occurrences", "trend", "history"])
def test_an_unknown_fingerprint_has_empty_lists(tail: str, api: Client):
    answer = api.get(f"/v1/errors/unknown/{tail}")

    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("path", ["/v1/errors/fp/trend", "/v1/trends"])
@pytest.mark.parametrize(
    ("query", "hours_back"),
    [
        ("", [71, 2, 0]),
        ("?hours=72", [71, 2, 0]),
        ("?hours=1", [0]),
        ("?hours=0", [0]),
        ("?hours=-5", [0]),
        ("?hours=2", [0]),
        ("?hours=3", [2, 0]),
        ("?hours=73", [72, 71, 2, 0]),
        ("?hours=720", [719, 72, 71, 2, 0]),
        ("?hours=999999999999999999999", [719, 72, 71, 2, 0]),
    ],
)
def test_a_trend_has_the_hours_with_events_within_the_window_ascending(
    path: str, query: str, hours_back: list[int], api: Client, shop: NewProject, frozen: int
):
    for back in (0, 2, 71, 72, 719, 720):
        record(shop.project, event_json(fingerprint="fp"), received_ms=NOON - back * HOUR_MS)
    record(shop.project, event_json(fingerprint="fp", environment="staging"), received_ms=NOON)

    points = api.get(path + query).json()

    assert [point["hour_bucket"] for point in points] == [NOON - back * HOUR_MS for back in hours_back]
    assert [point["count"] for point in points] == [*[1] * (len(hours_back) - 1), 2]
    assert all(set(point) == {"hour_bucket", "count"} for point in points)


def test_the_trend_of_one_fingerprint_leaves_others_out(api: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp"), event_json(fingerprint="else"))

    assert sum(point["count"] for point in api.get("/v1/errors/fp/trend").json()) == 1
    assert sum(point["count"] for point in api.get("/v1/trends").json()) == 2


def test_hours_of_the_wrong_type_are_refused(api: Client):
    answer = api.get("/v1/trends?hours=all")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("hours: ")


def test_a_releases_errors_come_most_frequent_first(api: Client, shop: NewProject):
    for name, count in (("few", 1), ("many", 3), ("some", 2)):
        record(shop.project, *(event_json(fingerprint=name, release="2.0") for _ in range(count)))
    record(shop.project, event_json(fingerprint="else", release="2.0.1"))

    answer = api.get("/v1/releases/2.0/errors")

    assert [(row["fingerprint"], row["total_count"]) for row in answer.json()] == [("many", 3), ("some", 2), ("few", 1)]
    assert names(api.get("/v1/releases/2.0/errors?limit=1&offset=1")) == ["some"]


def test_history_is_newest_first_with_every_key(api: Client, admin_client: Client, admin: User, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    admin_client.post("/v1/errors/fp/resolve")
    record(shop.project, event_json(fingerprint="fp", release="1.5"))

    rows = api.get("/v1/errors/fp/history").json()

    assert [(row["old_status"], row["new_status"], row["changed_by"]) for row in rows] == [
        ("resolved", "unresolved", None),
        ("unresolved", "resolved", str(admin.pk)),
    ]
    required = {"id", "project_id", "fingerprint", "old_status", "new_status", "changed_by", "changed_at"}
    assert required <= set(rows[0])
    assert (rows[0]["cause"], rows[0]["release"]) == ("regression", "1.5")
    assert rows[0]["changed_at"] >= rows[1]["changed_at"] > NOON


def test_history_is_unpaged_and_of_one_project(api: Client, admin_client: Client, shop: NewProject, other: NewProject):
    for project in (shop.project, other.project):
        make_issue(project, fingerprint="fp")
    for number in range(60):
        api.post(f"/v1/errors/fp/{'resolve' if number % 2 else 'mute'}")
    admin_client.post(f"/v1/errors/fp/ignore?project_id={other.project.pk}")

    assert len(api.get("/v1/errors/fp/history").json()) == 60
    assert len(admin_client.get("/v1/errors/fp/history").json()) == 61
    assert len(admin_client.get(f"/v1/errors/fp/history?project_id={other.project.pk}").json()) == 1


def test_stats_are_exact(api: Client, shop: NewProject, other: NewProject, frozen: int):
    def event(name: str, route: str | None, ago_ms: int, **more: str) -> None:
        event = event_json(fingerprint=name, route_or_procedure=route, timestamp=1, **more)
        record(shop.project, event, received_ms=frozen - ago_ms)

    for ago in (0, MINUTE_MS, DAY_MS - MINUTE_MS, DAY_MS, DAY_MS + HOUR_MS):
        event("a", "/a", ago)
    event("b", "/b", 0)
    event("b", "/b", 0, release="2.0")
    event("c", None, 0)
    event("d", "/a", 0)
    api.post("/v1/errors/c/resolve")
    record(other.project, event_json(fingerprint="x", route_or_procedure="/x"), received_ms=frozen)

    assert api.get("/v1/stats").json() == {
        "total_errors": 4,
        "unresolved_errors": 3,
        "total_events_24h": 7,  # received within 24 h, whatever the client's clock said
        "top_routes": [{"route": "/a", "count": 6}, {"route": "/b", "count": 2}],
    }


def test_stats_name_the_ten_busiest_routes(api: Client, shop: NewProject):
    for number in range(12):
        events = [event_json(fingerprint=f"f{number}", route_or_procedure=f"/r{number:02}")] * (number + 1)
        record(shop.project, *events)

    routes = api.get("/v1/stats").json()["top_routes"]

    assert [route["route"] for route in routes] == [f"/r{number:02}" for number in range(11, 1, -1)]
    assert [route["count"] for route in routes] == list(range(12, 2, -1))


def test_stats_of_a_session_are_of_what_it_may_see(admin_client: Client, member_client: Client, other: NewProject):
    make_issue(other.project)

    assert admin_client.get("/v1/stats").json()["total_errors"] == 1
    assert admin_client.get("/v1/stats?project_id=nonexistent").json()["total_errors"] == 0
    assert member_client.get("/v1/stats").json()["total_errors"] == 0


# --- Paths as they come over the wire ---------------------------------------------------------------------------

ODD = [
    "GET /users/:id",
    "a/b/c",
    "100% sure?",
    "x#y",
    "naïve 🚀 مرحبا",
    "..",
    "a//b",
    "/leading",
    "line\nbreak",
    "a+b&c=d",
]


def bearer(project: Project) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token(project).secret}"}


@pytest.mark.parametrize("name", ODD)
def test_any_fingerprint_can_be_asked_for_and_changed(name: str, shop: NewProject):
    make_issue(shop.project, fingerprint=name)
    headers, path = bearer(shop.project), f"/v1/errors/{quote(name, safe='')}"

    assert ask("GET", path, headers=headers).json()["aggregates"][0]["fingerprint"] == name
    assert len(ask("GET", f"{path}/occurrences", headers=headers).json()) == 1
    assert len(ask("GET", f"{path}/trend", headers=headers).json()) == 1
    assert ask("POST", f"{path}/resolve", headers=headers).json()["fingerprint"] == name
    assert len(ask("GET", f"{path}/history", headers=headers).json()) == 1


@pytest.mark.parametrize("release", ["release/2026.1", "app@1.0+5", "1.0 beta", "a%2Fb", "版本"])
def test_any_release_can_be_asked_for(release: str, shop: NewProject):
    make_issue(shop.project, fingerprint="fp", release=release)

    answer = ask("GET", f"/v1/releases/{quote(release, safe='')}/errors", headers=bearer(shop.project))

    assert [row["release"] for row in answer.json()] == [release]


@pytest.mark.parametrize(
    "path", ["/v1/errors/", "//v1/errors", "///v1/errors/", "/v1/errors/fp/", "/v1/errors/fp/trend/"]
)
def test_extra_slashes_change_nothing_and_never_redirect(path: str, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    tidy = "/" + path.strip("/")

    answer = ask("GET", path, headers=bearer(shop.project))

    assert answer.status == 200
    assert answer.json() == ask("GET", tidy, headers=bearer(shop.project)).json()


@pytest.mark.parametrize("url", ["/v1/errors/a%00b", "/v1/errors?q=%00", "/v1/errors?project_id=a%00", "/%00"])
def test_a_nul_in_a_url_is_a_bad_request(url: str, shop: NewProject):
    answer = ask("GET", url, headers=bearer(shop.project))

    assert (answer.status, answer.json()) == (400, {"error": "NUL is not allowed in a URL"})


def test_bytes_that_are_no_utf8_find_nothing(shop: NewProject):
    assert ask("GET", "/v1/errors/%ff%fe", headers=bearer(shop.project)).status == 404
    assert ask("GET", "/v1/errors?release=%ff", headers=bearer(shop.project)).json() == []


# --- Methods and refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/errors", "/v1/errors/fp", "/v1/errors/fp/trend", "/v1/stats", "/v1/trends"])
def test_head_answers_as_get_does_without_a_body(path: str, api: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    got, head = api.get(path), api.head(path)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(got.content))
    assert head.headers.get("X-Total-Count") == got.headers.get("X-Total-Count")


@pytest.mark.parametrize("path", ["/v1/unknown", "/v1/releases/1.0", "/v1/ingest/other", "/v1/project/x"])
def test_an_unknown_route_is_a_404_in_json(path: str, db: None):
    answer = ask("GET", path)

    assert (answer.status, answer.json()) == (404, {"error": "not found"})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/errors", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/v1/errors/fp", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/v1/stats", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/v1/errors/fp/resolve", {"POST", "OPTIONS"}),
        ("GET", "/v1/ingest", {"POST", "OPTIONS"}),
        ("PUT", "/v1/ingest/batch", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_a_405_that_says_which_are_right(method: str, path: str, allow: set[str], api: Client):
    answer = api.generic(method, path)

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allow
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, "authentication required"),
        ({"Authorization": "Bearer bloop_tk_unknown"}, 401, "invalid or expired token"),
        ({"Authorization": "Bearer ünïcode"}, 401, "invalid or expired token"),
        ({"Authorization": "Bearer "}, 401, "authentication required"),
        ({"Authorization": "Basic YTpi"}, 401, "authentication required"),
        ({"Cookie": "session=unknown"}, 401, "invalid or expired session"),
        ({"Cookie": "bloop_session=unknown"}, 401, "invalid or expired session"),
        ({"Authorization": "Basic YTpi", "Cookie": "session=unknown"}, 401, "invalid or expired session"),
    ],
)
def test_a_caller_without_a_right_is_told_which_proof_failed(
    headers: dict[str, str], status: int, reason: str, client: Client, db: None
):
    answer = client.get("/v1/errors", headers=headers)

    assert (answer.status_code, answer.json()) == (status, {"error": reason})
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_bad_bearer_decides_although_the_cookie_is_good(admin_client: Client):
    answer = admin_client.get("/v1/errors", headers={"Authorization": "Bearer bloop_tk_wrong"})

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired token"})


def test_an_empty_bearer_leaves_the_cookie_to_decide(admin_client: Client):
    assert admin_client.get("/v1/errors", headers={"Authorization": "Bearer "}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_word_bearer_may_be_in_any_case(scheme: str, client: Client, shop: NewProject):
    secret = make_token(shop.project).secret

    assert client.get("/v1/errors", headers={"Authorization": f"{scheme} {secret}"}).status_code == 200


def test_a_token_without_the_scope_is_told_which_it_lacks(shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    writer, reader = with_token(shop.project, "errors:write"), with_token(shop.project, "errors:read")

    read, write = writer.get("/v1/errors"), reader.post("/v1/errors/fp/resolve")

    assert (read.status_code, read.json()) == (403, {"error": "token lacks required scope: errors:read"})
    assert (write.status_code, write.json()) == (403, {"error": "token lacks required scope: errors:write"})


# --- Status changes (contract 4.6) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status"),
    [("resolve", "resolved"), ("ignore", "ignored"), ("mute", "muted"), ("unresolve", "unresolved")],
)
def test_a_change_applies_to_every_release_and_environment(action: str, status: str, api: Client, shop: NewProject):
    for release in ("1.0", "1.1", "1.2"):
        record(shop.project, event_json(fingerprint="fp", release=release))
    Issue.objects.update(status="muted" if status != "muted" else "ignored")

    answer = api.post(f"/v1/errors/fp/{action}")

    assert (answer.status_code, answer.json()) == (200, {"fingerprint": "fp", "status": status, "updated": 3})
    assert {row["status"] for row in api.get("/v1/errors").json()} == {status}


def test_a_change_needs_no_body_and_minds_none(api: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    assert api.post("/v1/errors/fp/resolve", data=b"not json", content_type="application/json").status_code == 200


def test_a_repeated_change_answers_alike_and_writes_no_second_row(api: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    first, second = api.post("/v1/errors/fp/resolve"), api.post("/v1/errors/fp/resolve")

    assert first.json() == second.json()
    assert len(api.get("/v1/errors/fp/history").json()) == 1


@pytest.mark.parametrize("action", ["resolve", "ignore", "mute", "unresolve"])
def test_a_change_of_an_unknown_fingerprint_is_a_404(action: str, api: Client, admin_client: Client):
    for client in (api, admin_client):
        answer = client.post(f"/v1/errors/none/{action}")
        assert (answer.status_code, answer.json()) == (404, {"error": "no errors with fingerprint none"})


def test_a_session_may_leave_the_project_out_when_only_one_has_the_fingerprint(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_issue(shop.project, fingerprint="fp")
    make_issue(other.project, fingerprint="else")

    assert admin_client.post("/v1/errors/fp/resolve").status_code == 200
    assert Issue.objects.get(fingerprint="fp").status == "resolved"


def test_a_session_must_name_the_project_when_two_have_the_fingerprint(
    admin_client: Client, shop: NewProject, other: NewProject
):
    for project in (shop.project, other.project):
        make_issue(project, fingerprint="fp")

    unnamed = admin_client.post("/v1/errors/fp/resolve")
    named = admin_client.post(f"/v1/errors/fp/resolve?project_id={shop.project.pk}")

    assert (unnamed.status_code, unnamed.json()) == (400, {"error": "project_id is required"})
    assert (named.status_code, named.json()["updated"]) == (200, 1)
    assert dict(Issue.objects.values_list("project__slug", "status")) == {"shop": "resolved", "other": "unresolved"}


def test_a_member_of_one_of_the_two_projects_need_not_name_it(
    member_client: Client, shop: NewProject, other: NewProject
):
    for project in (shop.project, other.project):
        make_issue(project, fingerprint="fp")

    assert member_client.post("/v1/errors/fp/resolve").status_code == 200
    assert dict(Issue.objects.values_list("project__slug", "status")) == {"shop": "resolved", "other": "unresolved"}
    foreign = member_client.post(f"/v1/errors/fp/resolve?project_id={other.project.pk}")
    assert (foreign.status_code, foreign.json()) == (404, {"error": "no errors with fingerprint fp"})


def test_the_history_tells_who_made_a_change(admin_client: Client, admin: User, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    creator = make_user(username="kim")
    token = issue_token(
        project=shop.project, name="deploy", scopes=("errors:write",), created_by=creator, now=timezone.now()
    )
    by_nobody = with_token(shop.project)

    admin_client.post("/v1/errors/fp/resolve")
    Client(headers={"Authorization": f"Bearer {token.secret}"}).post("/v1/errors/fp/mute")
    by_nobody.post("/v1/errors/fp/ignore")

    rows = by_nobody.get("/v1/errors/fp/history").json()
    assert [(row["new_status"], row["changed_by"], row["token_name"]) for row in rows] == [
        ("ignored", None, "ci"),
        ("muted", str(creator.pk), "deploy"),
        ("resolved", str(admin.pk), None),
    ]


def test_a_script_with_the_cookie_alone_may_change_a_status(admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    cookie = admin_client.cookies["session"].value
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post("/v1/errors/fp/resolve", headers={"Cookie": f"session={cookie}"})

    assert (answer.status_code, answer.json()["status"]) == (200, "resolved")


def test_another_sites_page_may_not(admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    answer = admin_client.post("/v1/errors/fp/resolve", headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, answer.json()) == (403, {"error": "cross-site request refused"})
    assert Issue.objects.get().status == "unresolved"

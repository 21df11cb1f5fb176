"""Finding issues on the Errors page: by their words, their releases, their fingerprint; and every filter at once."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from errors.models import Issue
from errors.queries import issues as issue_queries
from projects.access import Reach
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, record

STACK = """Error: no connection
    at loadUserById (src/db/users.ts:10:4)
    at Pool.acquireConnection (node_modules/pg/pool.js:7:1)"""


def found(client: Client, text: str, **more: str) -> list[str]:
    """The fingerprints that a search lists, sorted."""
    answer = client.get(f"/errors?{urlencode({'q': text, 'status': 'all', **more})}")
    assert answer.status_code == 200
    return sorted(row.fingerprint for row in answer.context["rows"])


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


@pytest.fixture(autouse=True, params=["short list", "long list"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which a list is narrowed on SQLite: row by row, and, as if it were long, by sets."""
    if request.param == "long list":
        monkeypatch.setattr(issue_queries, "LOOK", 1)


@pytest.fixture
def various(shop: NewProject) -> None:
    """Issues that differ in every way one may search for."""
    for name, fields in {
        "stacked": {"error_type": "DbError", "message": "it broke", "stack": STACK, "release": "2.10.0"},
        "routed": {"message": "x", "route_or_procedure": "POST /cart/checkout", "release": "v2.1"},
        "chinese": {"message": "数据库连接错误 in pool_7", "release": "1.0.0-beta+5"},
        "arabic": {"message": "خطأ في الخادم", "release": "release/main"},
        "german": {"message": "Größe überschritten", "release": "100%_done"},
        "screened": {"message": "y", "screen": "OrderDetailScreen", "release": "2.1.7"},
    }.items():
        record(shop.project, event_json(**{"route_or_procedure": None, **fields, "fingerprint": name}))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("loadUserById", ["stacked"]),
        ("loaduser", ["stacked"]),
        ("user by id", ["stacked"]),
        ("LOAD", ["stacked"]),
        ("users.ts:10", ["stacked"]),
        ("acquire pg", ["stacked"]),
        ("oaduser", []),
        ("dberr", ["stacked"]),
        ("DbError connection", ["stacked"]),
        ("DbError checkout", []),
        ("/cart/check", ["routed"]),
        ("post cart", ["routed"]),
        ("orderdetail", ["screened"]),
        ("detail screen", ["screened"]),
        ("数据", ["chinese"]),
        ("误 错", ["chinese"]),
        ("库房", []),
        ("pool", ["chinese", "stacked"]),
        ("pool_7 错", ["chinese"]),
        ("خطأ", ["arabic"]),
        ("الخادم في", ["arabic"]),
        ("größe", ["german"]),
        ("GRÖSSE", []),
        ("gro\u0308ße", ["german"]),
        ("2.1", ["screened", "stacked"]),
        ("2.10", ["stacked"]),
        ("V2.1", ["routed"]),
        ("release/", ["arabic"]),
        ("100%_", ["german"]),
        ("1.0.0-BETA+5", ["chinese"]),
        ("%", []),
        ("_", []),
        ("routed", ["routed"]),
        ("rout", []),
        ("  german  ", ["german"]),
    ],
)
@pytest.mark.usefixtures("various")
def test_a_search_finds_words_by_their_beginnings_releases_by_theirs_and_fingerprints_whole(
    text: str, names: list[str], client: Client
):
    assert found(client, text) == names


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "'",
        '"" "',
        "*",
        "x* OR *",
        "NEAR(a, b)",
        "words:it",
        "-it",
        "^it",
        "(it",
        "it)",
        "it:*",
        "a & !b | c <-> d",
        "\\",
        "it\\",
        "';--",
        "{it}",
        "+it",
        "\U0001f680",
        "\u202eit",
        "it\ud7ff",
        "%",
        "_",
        "AND",
        "and or not",
        "%s %(x)s {} {0}",
    ],
)
def test_no_sign_of_a_query_language_means_anything(text: str, client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="quoted", message=f"said {text} and or not near words it"))
    record(shop.project, event_json(fingerprint="other", error_type="Zebra", message="z", route_or_procedure=None))

    answer = client.get(f"/errors?{urlencode({'q': text})}")

    assert answer.status_code == 200
    assert "other" not in [row.fingerprint for row in answer.context["rows"]]


@pytest.mark.parametrize("text", ["a\x00b", "x" * 10_000, "數" * 201])
def test_a_text_that_cannot_be_searched_for_is_refused_in_words(text: str, client: Client, shop: NewProject):
    make_issue(shop.project)

    answer = client.get(f"/errors?{urlencode({'q': text})}")

    assert answer.status_code == 200
    assert "Search:" in answer.content.decode()
    assert answer.context["chips"] == []


def merge(shop: NewProject, *, into: str, **fields: Any) -> None:
    """An issue merged into the one named `into`."""
    issue = make_issue(shop.project, **fields)
    issue.merged_into = Issue.objects.get(fingerprint=into)
    issue.save(update_fields=["merged_into"])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "zebra"}, ["shown"]),
        ({"q": "stripes zeb"}, ["shown"]),
        ({"q": "zebra cannot"}, []),
        ({"q": "hidden"}, ["shown"]),
        ({"q": "9.9"}, ["shown"]),
        ({"release": "9.9.1"}, ["shown"]),
        ({"environment": "qa"}, ["shown"]),
        ({"release": "9.9.1", "environment": "qa"}, ["shown"]),
        ({"release": "9.9.1", "environment": "production"}, []),
        ({"release": "1.4.0", "environment": "production"}, ["other", "shown"]),
        ({"q": "zebra", "environment": "qa", "release": "9.9.1", "status": "unresolved"}, ["shown"]),
        ({"q": "zebra", "status": "resolved"}, []),
    ],
)
def test_what_is_merged_into_an_issue_finds_the_one_that_shows_it(
    query: dict[str, str], names: list[str], client: Client, shop: NewProject
):
    make_issue(shop.project, fingerprint="shown")
    make_issue(shop.project, fingerprint="other")
    hidden = {"error_type": "Zebra", "message": "stripes", "release": "9.9.1", "environment": "qa"}
    merge(shop, into="shown", fingerprint="hidden", **hidden)

    answer = client.get(f"/errors?{urlencode({'status': 'all', **query})}")

    assert sorted(row.fingerprint for row in answer.context["rows"]) == names
    assert answer.context["page"].total == len(names)


def test_every_filter_narrows_and_all_together_do(client: Client, shop: NewProject):
    one = {"release": "7.0", "environment": "qa", "source": "ios", "route_or_procedure": "/pay", "message": "declined"}
    for name, change in {
        "all": {},
        "release": {"release": "8.0"},
        "environment": {"environment": "dev"},
        "source": {"source": "web"},
        "route": {"route_or_procedure": "/pay/2"},
        "message": {"message": "accepted"},
    }.items():
        record(shop.project, event_json(fingerprint=name, **{**one, **change}))
    query = {"release": "7.0", "environment": "qa", "source": "ios", "route": "/pay", "q": "decl"}

    assert found(client, **{"text": query.pop("q"), **query}) == ["all"]
    for missing in query:
        rest = {key: value for key, value in query.items() if key != missing}
        assert found(client, "decl", **rest) == sorted(["all", missing])
    assert found(client, "", **query) == ["all", "message"]


def test_a_search_stays_within_reach(client: Client, shop: NewProject, other: NewProject):
    make_issue(shop.project, fingerprint="own", message="zebra", release="5.0")
    make_issue(other.project, fingerprint="foreign", message="zebra", release="5.0")

    for text in ("zebra", "5.0", "foreign", "own"):
        assert "foreign" not in found(client, text)
    assert found(client, "zebra") == ["own"]


def test_a_release_is_found_also_when_many_begin_so(client: Client, shop: NewProject):
    for number in range(25):
        record(shop.project, event_json(fingerprint=f"f{number:02}", release=f"Build-{number}", message="m"))
    record(shop.project, event_json(fingerprint="other", release="2.0", message="m"))
    merge(shop, into="other", fingerprint="merged", release="build-99", message="m")

    names = found(client, "build-")

    assert len(names) == 25
    assert client.get("/errors?q=build-&status=all").context["page"].total == 26
    assert found(client, "build-99") == ["other"]


@pytest.mark.parametrize("route", ["/" + "r" * 63, "/" + "r" * 64, "/" + "r" * 900])
def test_a_route_is_compared_whole_however_long(route: str, client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="this", route_or_procedure=route))
    record(shop.project, event_json(fingerprint="longer", route_or_procedure=f"{route}x"))

    assert found(client, "", route=route) == ["this"]


def test_a_narrow_list_is_counted_and_leafed_through_up_to_an_end(
    client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    record(shop.project, *(event_json(fingerprint=f"f{number:03}") for number in range(60)))
    monkeypatch.setattr(issue_queries, "MOST_LISTED", 50)

    narrow = client.get("/errors?q=cannot&page=9")
    whole = client.get("/errors?page=9")

    assert (narrow.context["page"].first, narrow.context["page"].total) == (26, 50)
    assert "26 to 50 of more than 50" in narrow.content.decode()
    assert narrow.context["page"].next_url is None
    assert "51 to 60 of 60" in whole.content.decode()
    assert "more than" not in client.get("/errors?q=cannot&release=x").content.decode()


@pytest.mark.sqlite
def test_filters_are_answered_from_indexes_on_sqlite(client: Client, shop: NewProject):
    """What made the list fast at 100,000 issues, so that no change of a query loses it unseen."""
    make_issue(shop.project)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"source": "api"}, "COVERING INDEX issue_all_by_last_seen"),
        ({"source": "api", "sort": "total_count"}, "COVERING INDEX issue_all_by_count"),
        ({"source": "api", "status": "muted"}, "COVERING INDEX issue_all_by_status"),
        ({"text": "cannot"}, "COVERING INDEX issue_all_by_last_seen"),
        ({"route": "/x"}, "issue_by_route (<expr>=?)"),
        ({"release": "1.0"}, "COVERING INDEX aggregate_place (release=?)"),
    )
    for filters, index in cases:
        wanted = issue_queries.IssueFilter(**filters)
        whole = issue_queries.in_order(issue_queries.filtered_issues(Reach(None), wanted), wanted)
        for rows in (whole, issue_queries.first_issues(Reach(None), wanted)):
            assert index in rows.values_list("pk")[:10].explain(), filters

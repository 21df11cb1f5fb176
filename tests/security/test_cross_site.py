"""Another site cannot make a visitor's browser change anything, while scripts that show a cookie work (design.md 3)."""

from typing import Any

import pytest
from django.test import Client

from errors.models import Issue
from tests.access import Row, World, contents, undone
from tests.test_access import TABLE

SIGNED = ("ingest", "ingest-batch", "traces", "traces-batch", "trace-update")  # no cookies, any origin
UNSAFE = [row for row in TABLE if row.is_unsafe and row.name not in SIGNED]
JSON = [row for row in UNSAFE if row.form is None]
FORMS = [row for row in UNSAFE if row.form is not None]
FROM_ELSEWHERE: tuple[dict[str, Any], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:5332.evil.example"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},  # another program of the same machine or domain is another site to us
    {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:5332"},
)


@pytest.mark.parametrize("row", UNSAFE, ids=str)
def test_no_route_takes_an_unsafe_request_from_another_site(row: Row, world: World):
    before = contents()

    for headers in FROM_ELSEWHERE:
        for caller in ("nobody", "creator", "verified"):
            answer = world.knock(row, caller, **headers)
            assert answer.status_code == 403, f"{caller} from {headers}"
            assert not answer.cookies, "not even a cookie"

    assert contents() == before


@pytest.mark.parametrize("row", UNSAFE, ids=str)
def test_a_bearer_does_not_make_another_site_welcome(row: Row, world: World):
    for caller in ("errors:write", "llm:write"):
        assert world.knock(row, caller, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("row", JSON, ids=str)
def test_a_script_with_nothing_but_a_cookie_gets_what_a_page_of_ours_gets(row: Row, world: World):
    """As the seed's curl does; Django's form token is not asked for."""
    for caller in ("member", "creator", "verified"):
        with undone():
            assert world.knock(row, caller, strict=True).status_code == row.expected[caller], caller
        with undone():
            ours = world.knock(row, caller, strict=True, Origin="http://localhost:5332", Sec_Fetch_Site="same-origin")
            assert ours.status_code == row.expected[caller], caller


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_a_form_without_its_token_is_refused(row: Row, world: World):
    before = contents()

    for caller in ("creator", "verified"):
        assert world.knock(row, caller, strict=True).status_code == 403, caller

    assert contents() == before


@pytest.mark.parametrize(
    ("action", "status"), [("resolve", "resolved"), ("mute", "muted"), ("unresolve", "unresolved")]
)
def test_the_seeds_curl_examples_work(action: str, status: str, world: World):
    issue = Issue.objects.get(fingerprint="fp")
    Issue.objects.filter(pk=issue.pk).update(status="ignored")

    answer = curl("POST", f"http://localhost:5332/v1/errors/fp/{action}", world.cookies["member"])

    assert answer.status_code == 200
    issue.refresh_from_db()
    assert issue.status == status


def test_the_seeds_curl_reads_the_history(world: World):
    curl("POST", "http://localhost:5332/v1/errors/fp/resolve", world.cookies["member"])

    history = curl("GET", "http://localhost:5332/v1/errors/fp/history", world.cookies["member"]).json()

    assert [entry["new_status"] for entry in history] == ["resolved", "ignored"], "the newest first"


def curl(method: str, url: str, cookie: str) -> Any:
    """What `curl -X METHOD url -H "Cookie: session=..."` sends: no body, no type, no Origin."""
    headers = {"Cookie": f"session={cookie}", "Host": "localhost:5332", "User-Agent": "curl/8.5.0", "Accept": "*/*"}
    strict = Client(enforce_csrf_checks=True)
    return strict.generic(method, url.removeprefix("http://localhost:5332"), content_type="", headers=headers)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_does_not_make_another_method_of_a_request(header: str, world: World):
    before = contents()

    for row in (row for row in TABLE if row.method == "GET" and "creator" in row.expected):
        with undone():
            override: dict[str, Any] = {header.replace("-", "_"): "DELETE"}
            answer = world.knock(row, "verified", **override)
            assert answer.status_code == row.expected["verified"], row

    assert contents() == before


def test_a_field_does_not_make_another_method_of_a_post(world: World):
    before = contents()

    answer = Client(headers={"Cookie": f"session={world.cookies['verified']}"}).post(
        "/v1/projects/shop?_method=DELETE", {"_method": "DELETE", "method": "DELETE"}
    )

    assert answer.status_code == 405
    assert contents() == before

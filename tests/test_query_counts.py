"""Lists cost the same number of queries whatever they hold, and few of them: no page asks once for each row."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import Invite, Passkey, Role, Session, User
from bloop_site.lib.clock import HOUR_MS, now_ms
from errors.models import Issue
from errors.queries.sourcemaps import parsed_maps
from ingest.reasons import REASONS
from ingest.refusals import refusals
from projects.models import IngestKey, PurgeRun, Removal, RetentionPolicy
from projects.scopes import SCOPES
from projects.services.members import invite_to
from projects.services.projects import NewProject
from tests.errors.maps_of import put_map
from tests.factories import event_json, make_project, make_token, make_user, record, verified_client
from tests.llmtraces.made import make_traces, span_of, trace_of

FEW, MANY = 3, 30

PAGES = {  # the most queries each may take, session and frame included
    "/errors?status=all": 22,
    "/errors?status=all&project=shop": 23,
    "/errors?status=all&release=1.4.0&environment=production&q=Cannot&sort=total_count": 23,
    "/errors?status=all&source=api&sort=first_seen": 22,
    "/errors?status=all&route=/users": 22,
    "/errors?environment=production": 22,
    "/errors?release=1.4.0&project=shop": 22,
    "/errors?q=cannot": 23,
    "/errors?q=1.4&source=api&route=/users&environment=production&project=shop": 24,
    "/errors/stats": 9,
    "/errors/first?project=shop": 11,
    "/errors/shop/fp000": 20,
    "/errors/shop/fp000?hours=720": 20,
    "/errors/shop/fp000/events": 13,
    "/errors/shop/fp000/events?release=1.4.0&environment=production": 16,
    "/errors/shop/fp000/merge": 11,
    "/errors/shop/fp000/merge?q=Cannot": 11,
    "/releases": 14,
    "/releases?project=shop&q=2": 14,
    "/releases/shop?name=1.4.0": 23,
    "/releases/shop?name=1.4.0&tab=all&hours=720": 23,
    "/releases/shop?name=2.1&tab=resolved": 23,
}
API = {  # the token is two of them: found, and its use noted
    "/v1/errors": 4,
    "/v1/errors?group=issue&include=trend": 9,
    "/v1/errors?include=trend": 7,
    "/v1/errors/fp000": 8,
    "/v1/errors/fp000/occurrences": 6,
    "/v1/errors/fp000/trend": 5,
    "/v1/errors/fp000/history": 5,
    "/v1/releases": 4,
    "/v1/releases/1.4.0/errors": 4,
    "/v1/trends": 3,
    "/v1/stats": 10,
    "/v1/projects/shop/sourcemaps": 4,
}


SETTINGS = {  # session, frame and the device that verified the session included
    "projects": 13,
    "removals": 5,
    "projects/shop": 11,
    "projects/shop/sourcemaps": 14,
    "tokens": 11,
    "members": 9,
    "invites": 9,
    "audit": 9,
    "retention": 21,
    "retention/state": 14,
    "account": 10,
}


def fill(shop: NewProject, count: int) -> None:
    """`count` issues, and `count` of everything an issue has: events, places, hours, status changes."""
    record(shop.project, *(event_json(fingerprint=f"fp{number:03}") for number in range(count)))
    hours = 3_600_000
    for number in range(count):
        event = event_json(fingerprint="fp000", release=f"2.{number}", environment=f"env-{number}", metadata={"n": 1})
        record(shop.project, event, received_ms=event["timestamp"] - number * hours)
    refuse(shop, count)
    issue = Issue.objects.get(fingerprint="fp000")
    for number in range(count):
        issue.transitions.create(
            project=shop.project, old_status="muted", new_status="ignored", cause="call", changed_ms=number
        )
        issue.notes.create(text=f"Note {number}", created_ms=number)
    for merged in Issue.objects.filter(fingerprint__gte="fp001")[: count // 2]:  # the page lists them, and reads theirs
        issue.merges.create(merged=merged, old_status="unresolved", merged_ms=1)
        Issue.objects.filter(pk=merged.pk).update(merged_into=issue)


def refuse(shop: NewProject, count: int) -> None:
    """Requests of the project refused in `count` hours, for all reasons in turn."""
    for number in range(count):
        reason, at_ms = list(REASONS)[number % len(REASONS)], now_ms() - number * HOUR_MS
        refusals.note(project_id=shop.project.pk, reason=reason, text="no", address="192.0.2.1", at_ms=at_ms)
    refusals.flush()


def fill_settings(shop: NewProject, admin: User, count: int) -> None:
    """`count` of everything the settings list."""
    now = timezone.now()
    refuse(shop, count)
    for number in range(count):
        project, person, made = make_project().project, make_user(projects=(shop.project,)), uuid.uuid4().hex
        record(project, event_json())
        make_token(project)
        make_token(project, expires_in_days=0)
        invite_to(role=Role.MEMBER, projects=[project, shop.project], created_by=admin, actor=COMMAND_LINE, now=now)
        invite_to(role=Role.MEMBER, projects=[project], created_by=admin, actor=COMMAND_LINE, now=now)
        Invite.objects.filter(pk__in=Invite.objects.order_by("-created_at")[:1].values("pk")).update(used_by=person)
        PurgeRun.objects.create(requested_by=person, started_at=now, finished_at=now, removed={"raw_events": number})
        RetentionPolicy.objects.create(project=project, raw_events_days=30)
        Removal.objects.create(project_id=made, name="Old", slug="old", started_at=now, rows_total=number)
        for user in (admin, person):
            Passkey.objects.create(
                user=user, name="x", credential_id=f"{made}{user.pk}", public_key=b"", created_at=now
            )
            ends = now + timedelta(days=1)
            Session.objects.create(key_hash=f"{made}{user.pk.hex}", user=user, created_at=now, expires_at=ends)
        IngestKey.objects.create(project=shop.project, key=made, created_at=now, expires_at=now + timedelta(days=1))


def fill_maps(shop: NewProject, count: int) -> None:
    """`count` releases with maps, and `count` maps of one release."""
    for number in range(count):
        put_map(shop.project, release=f"{count}.{number}")
        put_map(shop.project, filename=f"{number}.js.map")


def queries_of(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def difference(fewer: list[str], more: list[str]) -> str:
    return "\n".join(["with 3 rows:", *fewer, "with 30 rows:", *more])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    fill(shop, FEW)
    fewer = queries_of(admin_client, path)
    Issue.objects.all().delete()
    fill(shop, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= PAGES[path], difference(fewer, more)


@pytest.mark.parametrize("path", SETTINGS)
def test_the_settings_ask_as_often_for_30_rows_as_for_3(path: str, admin: User, shop: NewProject):
    client = verified_client(admin)
    fill_settings(shop, admin, FEW)
    fill_maps(shop, FEW)
    client.get("/settings/account")  # a session's use is noted now and then
    fewer = queries_of(client, f"/settings/{path}")
    fill_settings(shop, admin, MANY)
    fill_maps(shop, MANY)

    more = queries_of(client, f"/settings/{path}")

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= SETTINGS[path], difference(fewer, more)


@pytest.mark.parametrize("path", API)
def test_an_answer_asks_as_often_for_30_rows_as_for_3(path: str, shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
    fill(shop, FEW)
    fill_maps(shop, FEW)
    client.get("/v1/trends")  # the token's use is noted once a minute
    fewer = queries_of(client, path)
    Issue.objects.all().delete()
    fill(shop, MANY)
    fill_maps(shop, MANY)

    more = queries_of(client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= API[path], difference(fewer, more)


def test_a_fingerprint_in_many_projects_costs_no_more_than_in_few(admin_client: Client):
    def spread(count: int) -> None:
        for _ in range(count):
            record(make_project().project, event_json(fingerprint="fp"))

    spread(FEW)
    paths = ("/v1/errors/fp/history", "/v1/errors/fp/trend", "/v1/errors/fp/occurrences")
    fewer = {path: len(queries_of(admin_client, path)) for path in paths}
    spread(MANY)

    assert {path: len(queries_of(admin_client, path)) for path in paths} == fewer


def test_the_detail_reads_the_samples_of_at_most_ten_projects(admin_client: Client):
    for _ in range(MANY):
        record(make_project().project, event_json(fingerprint="fp"))

    queries = queries_of(admin_client, "/v1/errors/fp")

    assert len([query for query in queries if "errors_event" in query]) == 2
    assert sum(query.count("LIMIT 5") for query in queries) == 10
    assert len(queries) <= 9
    assert len(admin_client.get("/v1/errors/fp").json()["aggregates"]) == MANY


def test_a_status_change_takes_few_queries_however_many_rows_the_issue_has(admin_client: Client, shop: NewProject):
    fill(shop, MANY)

    with CaptureQueriesContext(connection) as captured:
        admin_client.post("/v1/errors/fp000/resolve")

    assert len(captured) <= 13, "\n".join(query["sql"] for query in captured.captured_queries)


def test_mapped_stacks_cost_one_query_for_the_names_of_their_maps_and_one_for_each_map_read(shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project).secret}"})
    client.get("/v1/trends")
    for number in range(4):
        put_map(shop.project, release=f"1.{number}", filename="app.js.map")
        record(shop.project, event_json(fingerprint="raw", release=f"1.{number}", stack="Error: x"))
        record(shop.project, event_json(fingerprint="fp", release=f"1.{number}", stack="at f (app.js:1:5)\n" * 50))
    parsed_maps.clear()

    raw, cold, warm = (len(queries_of(client, f"/v1/errors/{name}")) for name in ("raw", "fp", "fp"))

    assert (cold - raw, warm - raw) == (5, 1)


LLM = {
    "/llm/search": 10,
    "/llm/search?q=chat": 14,
    "/llm/search?q=hello&status=completed&project=shop": 15,
    "/v1/llm/search?q=hello": 8,
}


@pytest.mark.parametrize("path", LLM)
def test_llm_pages_ask_as_often_for_30_traces_as_for_3(path: str, admin_client: Client, shop: NewProject):
    def made(first: int, end: int) -> None:
        spans = [span_of(input="say hello"), span_of(id="s2", name="tool")]
        make_traces(shop.project, *(trace_of(f"t{number}", spans=spans) for number in range(first, end)))

    made(0, FEW)
    admin_client.get(path)
    fewer = queries_of(admin_client, path)
    made(FEW, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= LLM[path], difference(fewer, more)

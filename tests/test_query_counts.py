"""Lists cost the same number of queries whatever they hold, and few of them: no page asks once for each row."""

import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import Invite, Passkey, Role, Session, User
from alerts.models import AlertRule
from bloop_site.lib.clock import HOUR_MS, now_ms
from errors.models import Issue
from errors.queries.sourcemaps import parsed_maps
from ingest.reasons import REASONS
from ingest.refusals import refusals
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import PriceOverride, SavedView, UsageHour
from llmtraces.services.fold import record_traces
from projects.models import IngestKey, PurgeRun, Removal, RetentionPolicy
from projects.scopes import SCOPES
from projects.services.members import invite_to
from projects.services.projects import NewProject
from tests.alerts.made import break_channel, make_channel, make_firing, make_rule
from tests.errors.maps_of import put_map
from tests.factories import event_json, make_project, make_token, make_user, record, verified_client
from tests.llmtraces import tracing
from tests.llmtraces.judging_of import make_trace, score, thumb
from tests.llmtraces.made import make_traces, span_of, trace_of

FEW, MANY = 3, 30

PAGES = {  # the most queries each may take, session and frame included
    "/errors?status=all": 23,
    "/errors?status=all&project=shop": 24,
    "/errors?status=all&release=1.4.0&environment=production&q=Cannot&sort=total_count": 24,
    "/errors?status=all&source=api&sort=first_seen": 23,
    "/errors?status=all&route=/users": 23,
    "/errors?environment=production": 23,
    "/errors?release=1.4.0&project=shop": 23,
    "/errors?q=cannot": 24,
    "/errors?q=1.4&source=api&route=/users&environment=production&project=shop": 25,
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
    # LLM
    "/llm?hours=168": 18,
    "/llm?hours=24&project=shop&model=model-1": 21,
    "/llm/usage?hours=720": 16,
    "/llm/usage?hours=24&project=shop&show=cost": 18,
    "/llm/latency?hours=168&project=shop": 18,
    "/llm/models?hours=24&project=shop": 18,
}
TRACES = {  # likewise; with traces of as many spans, scores and errors
    "/llm/traces": 11,
    "/llm/traces?project=shop&model=gpt-4o&status=completed&sort=slowest": 13,
    "/llm/trace/shop?id=t000": 18,
    "/llm/trace/shop?id=t000&span=s1": 18,
    "/llm/trace/shop/text?id=t000&span=s1&part=input": 8,
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
    "/v1/llm/settings": 3,
    "/v1/llm/budget": 4,
    "/v1/llm/pricing?model=gpt-4o": 3,
    "/v1/llm/pricing/overrides": 4,
}


SETTINGS = {  # session, frame and the device that verified the session included
    "projects": 13,
    "removals": 5,
    "projects/shop": 11,
    "projects/shop/sourcemaps": 14,
    "projects/shop/llm": 20,
    "projects/shop/llm/recalculation": 8,
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


def fill_models(shop: NewProject, count: int) -> None:
    """`count` traces of the last hour, each with a model of its own, and as many saved views."""
    now = now_ms()
    for number in range(count):
        span = {"model": f"model-{number}", "input_tokens": 1, "latency_ms": 5, "time_to_first_token_ms": 1}
        raw = {"id": f"t{number}", "started_at": now, "spans": [{"id": "s", "span_type": "generation", **span}]}
        record_traces([(shop.project.pk, now, parse_trace(raw, rules=Rules("full", 10), now_ms=now))])
        SavedView.objects.get_or_create(project=shop.project, name=f"View {number}", page="usage", created_ms=0)


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


def fill_money(shop: NewProject, count: int) -> None:
    """`count` models without a price, `count` with one of the project's and one for all."""
    zero = {field.name: 0 for field in UsageHour._meta.fields if field.name.endswith(("count", "tokens", "_ms"))}
    for number in range(count):
        name = f"model-{count}-{number}"
        counts = {**zero, "hour_ms": now_ms() - now_ms() % HOUR_MS, "span_count": 1, "unpriced_count": 1}
        UsageHour.objects.create(project=shop.project, model=name, provider="", cost_micros=1, **counts)
        for project in (shop.project, None):
            PriceOverride.objects.create(project=project, model=name, input_picos=1, output_picos=1, updated_ms=1)


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
    fill_models(shop, FEW)
    fewer = queries_of(admin_client, path)
    Issue.objects.all().delete()
    fill(shop, MANY)
    fill_models(shop, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= PAGES[path], difference(fewer, more)


def fill_spans(shop: NewProject, count: int) -> None:
    """`count` traces; the first has as many spans, scores and errors that name it."""
    spans = [
        tracing.span_json(f"s{number}", f"s{number - 1}", model=f"gpt-{number}", input="x") for number in range(count)
    ]
    tracing.make_trace(shop.project, "t000", spans=spans)
    for number in range(1, count):
        tracing.make_trace(
            shop.project,
            f"t{number:03}",
            session_id=f"c{number}",
            spans=[tracing.span_json("a"), tracing.span_json("b", "a")],
        )
        score(shop.project, "t000", 0.5, name=f"score-{number}")
    record(shop.project, *(event_json(fingerprint=f"fp{number}", trace_id="t000") for number in range(count)))


@pytest.mark.parametrize("path", TRACES)
def test_a_page_of_traces_asks_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    fill_spans(shop, FEW)
    fewer = queries_of(admin_client, path)
    fill_spans(shop, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= TRACES[path], difference(fewer, more)


@pytest.mark.parametrize("path", SETTINGS)
def test_the_settings_ask_as_often_for_30_rows_as_for_3(path: str, admin: User, shop: NewProject):
    client = verified_client(admin)
    fill_settings(shop, admin, FEW)
    fill_maps(shop, FEW)
    fill_money(shop, FEW)
    client.get("/settings/account")  # a session's use is noted now and then
    fewer = queries_of(client, f"/settings/{path}")
    fill_settings(shop, admin, MANY)
    fill_maps(shop, MANY)
    fill_money(shop, MANY)

    more = queries_of(client, f"/settings/{path}")

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= SETTINGS[path], difference(fewer, more)


@pytest.mark.parametrize("path", API)
def test_an_answer_asks_as_often_for_30_rows_as_for_3(path: str, shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
    fill(shop, FEW)
    fill_maps(shop, FEW)
    fill_money(shop, FEW)
    client.get("/v1/trends")  # the token's use is noted once a minute
    fewer = queries_of(client, path)
    Issue.objects.all().delete()
    fill(shop, MANY)
    fill_maps(shop, MANY)
    fill_money(shop, MANY)

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


# --- Insights ---------------------------------------------------------------------------------------------------------

INSIGHTS = {  # worked out anew; what is kept costs the frame alone
    "/insights?hours=168": 28,
    "/insights?hours=168&method=classic&project=shop": 24,
    "/insights/movers?hours=24": 24,
    "/insights/correlations?hours=168&project=shop": 24,
    "/insights/releases": 16,
    "/insights/environments?hours=168": 18,
    "/v1/analytics/spikes?hours=168": 11,
    "/v1/analytics/movers": 11,
    "/v1/analytics/correlations?hours=168": 11,
    "/v1/analytics/releases": 8,
    "/v1/analytics/environments": 10,
}


def fill_hours(shop: NewProject, count: int) -> None:
    """`count` issues that come and go together, with a spike, each in an environment and a release of its own.

    Thirteen hours lie in three packs of six whatever the hour of the day, and twelve before one say what is usual.
    """
    for ago, times in {0: 9, **dict.fromkeys(range(1, 13), 1)}.items():
        names = [{"fingerprint": f"fp{n}", "environment": f"env-{n}", "release": f"2.{n}"} for n in range(count)]
        events = [event_json(**name) for name in names] * times
        record(shop.project, *events, received_ms=now_ms() - ago * HOUR_MS)


@pytest.mark.parametrize("path", INSIGHTS)
def test_insights_ask_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    fill_hours(shop, FEW)
    fewer = queries_of(admin_client, path)
    fill_hours(shop, MANY)
    cache.clear()

    more = queries_of(admin_client, path)

    assert len(more) <= len(fewer) + 1, difference(fewer, more)  # one settles who of equals is within the limit
    assert len(more) <= INSIGHTS[path], difference(fewer, more)
    assert len(queries_of(admin_client, path)) <= 11


# --- LLM --------------------------------------------------------------------------------------------------------------

LLM_PAGES = {
    "/llm/scores": 13,
    "/llm/scores?project=shop&hours=720": 14,
    "/llm/scores?name=score-0&sort=newest": 15,
    "/llm/feedback": 15,
    "/llm/feedback?value=1&project=shop": 16,
}
LLM_API = {
    "/v1/llm/scores/summary": 5,
    "/v1/llm/feedback/summary": 3,
    "/v1/llm/traces/t0/scores": 3,
    "/v1/llm/traces/t0/feedback": 3,
}


def fill_llm(shop: NewProject, count: int) -> None:
    """`count` traces, each with scores and feedback, and as many of both on the first."""
    for number in range(count):
        make_trace(shop.project, f"t{number}", at=now_ms())
        for trace_id, name in ((f"t{number}", "score-0"), ("t0", f"score-{number}")):
            score(shop.project, trace_id, number / count, name=name, at=now_ms())
            thumb(shop.project, trace_id, 1, user=f"u{number}", at=now_ms(), comment="good")


@pytest.mark.parametrize("path", LLM_PAGES)
def test_a_page_of_llm_asks_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    fill_llm(shop, FEW)
    fewer = queries_of(admin_client, path)
    fill_llm(shop, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= LLM_PAGES[path], difference(fewer, more)


@pytest.mark.parametrize("path", LLM_API)
def test_an_answer_of_llm_asks_as_often_for_30_rows_as_for_3(path: str, shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
    fill_llm(shop, FEW)
    client.get("/v1/trends")  # the token's use is noted once a minute
    fewer = queries_of(client, path)
    fill_llm(shop, MANY)

    more = queries_of(client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= LLM_API[path], difference(fewer, more)


# --- Prompts, tools and retrievals ------------------------------------------------------------------------------------

RETRIEVALS = {  # as above: pages with session and frame, answers with the token
    "/llm/rag": 12,
    "/llm/rag?project=shop&hours=720": 14,
    "/llm/tools": 10,
    "/llm/prompts": 11,
    "/llm/prompt?name=prompt-0": 11,
    "/llm/prompt?name=prompt-0&v1=v0&v2=v1": 11,
    "/v1/llm/rag": 6,
}


def fill_retrievals(shop: NewProject, count: int) -> None:
    """`count` prompts, and as many versions of one; tools, retrievals and their sources."""
    for number in range(count):
        said = {"rag.chunks_retrieved": 8, "rag.relevance_scores": [0.5], "rag.source": f"s{number}"}
        spans = [
            {"span_type": "tool", "name": f"t{number}", "latency_ms": number},
            {"span_type": "retrieval", "name": f"r{number}", "latency_ms": number, "metadata": said},
        ]
        for name, version in ((f"prompt-{number}", "v0"), ("prompt-0", f"v{number}")):
            at = now_ms() - number * HOUR_MS // 2
            raw = {"started_at": at, "prompt_name": name, "prompt_version": version, "spans": spans}
            record_traces([(shop.project.pk, at, parse_trace(raw, rules=Rules("full", 100), now_ms=at))])


@pytest.mark.parametrize("path", RETRIEVALS)
def test_retrievals_tools_and_prompts_ask_as_often_for_30_rows_as_for_3(
    path: str, admin_client: Client, shop: NewProject
):
    client = admin_client
    if path.startswith("/v1"):
        client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
        client.get("/v1/trends")  # the token's use is noted once a minute
    fill_retrievals(shop, FEW)
    fewer = queries_of(client, path)
    fill_retrievals(shop, MANY)

    more = queries_of(client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= RETRIEVALS[path], difference(fewer, more)


# --- Reading traces and sessions --------------------------------------------------------------------------------------

TRACE_READS = {  # as above: pages with session and frame, answers with the token
    "/llm/sessions": 11,
    "/llm/sessions?project=shop&user=ann&hours=720": 13,
    "/llm/sessions?format=csv": 9,
    "/llm/session?project=shop&id=long": 16,
    "/v1/llm/overview": 4,
    "/v1/llm/dashboard": 4,
    "/v1/llm/metrics": 4,
    "/v1/llm/usage": 3,
    "/v1/llm/latency": 4,
    "/v1/llm/models": 3,
    "/v1/llm/tools": 4,
    "/v1/llm/traces": 4,
    "/v1/llm/traces?sort=tokens_desc&has_error=true&min_latency_ms=1&user_id=ann": 4,
    "/v1/llm/traces?model=gpt-4o&provider=openai&hours=720": 5,  # whether the model has few spans, and their traces
    "/v1/llm/errors": 4,
    "/v1/llm/traces/big": 5,
    "/v1/llm/prompts": 4,
    "/v1/llm/prompts/greet/versions": 4,
    "/v1/llm/prompts/greet/compare?v1=v0&v2=v1": 6,
    "/v1/llm/sessions": 5,
    "/v1/llm/sessions/long": 5,
}


def fill_reads(shop: NewProject, count: int) -> None:
    """`count` traces of one session, prompts, versions and sessions of their own, and spans of one trace."""
    for number in range(count):
        at = now_ms() - number * HOUR_MS // 2
        told = {"started_at": at, "ended_at": at + 500, "user_id": "ann", "status": "error", "input": "q"}
        spans = [
            span_of(status="error", input="q", output="a"),
            span_of(id="t", span_type="tool", name=f"tool-{number}"),
            span_of(id="m", model=f"model-{number}"),
        ]
        greet = {"prompt_name": "greet", "prompt_version": f"v{number}"}
        make_traces(
            shop.project,
            trace_of(f"l{number}", session_id="long", spans=spans, **greet, **told),
            trace_of(f"s{number}", session_id=f"c{number}", prompt_name=f"p{number}", spans=spans, **told),
            trace_of("big", spans=[span_of(id=f"{number}", input="q")]),
        )


@pytest.mark.parametrize("path", TRACE_READS)
def test_traces_and_sessions_ask_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    client = admin_client
    if path.startswith("/v1"):
        client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
        client.get("/v1/trends")  # the token's use is noted once a minute
    fill_reads(shop, FEW)
    fewer = queries_of(client, path)
    fill_reads(shop, MANY)

    more = queries_of(client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= TRACE_READS[path], difference(fewer, more)


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


# --- Alerts -----------------------------------------------------------------------------------------------------------

ALERTS = {  # as above: pages with session and frame, answers with the token
    "/alerts": 15,
    "/alerts?project=shop": 16,
    "/alerts/history": 12,
    "/alerts/history?project=shop&state=failed&hours=720": 13,
    "/alerts/new?kind=threshold": 8,
    "/errors": 22,
    "/v1/alerts": 3,
}


def fill_alerts(shop: NewProject, count: int) -> None:
    """`count` rules of the shop and of all projects, with broken channels and firings; one with `count` of them."""
    for number in range(count):
        for project in (shop.project, None):
            rule = make_rule(project, name=f"rule {number}")
            break_channel(make_channel(rule).channel)
            make_firing(rule, shop.project, state="failed")
        first = AlertRule.objects.order_by("pk")[0]
        if number < 10:
            make_channel(first)
        make_firing(first, shop.project, state="sent")


@pytest.mark.parametrize("path", [*ALERTS, "/alerts/RULE", "/alerts/RULE/edit", "/v1/alerts/RULE/channels"])
def test_alerts_ask_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    client, most = admin_client, ALERTS.get(path, 14)
    if path.startswith("/v1"):
        client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=SCOPES).secret}"})
        client.get("/v1/trends")  # the token's use is noted once a minute
    fill_alerts(shop, FEW)
    path = path.replace("RULE", str(AlertRule.objects.order_by("pk")[0].pk))
    fewer = queries_of(client, path)
    fill_alerts(shop, MANY)

    more = queries_of(client, path)

    assert len(more) == len(fewer), difference(fewer, more)
    assert len(more) <= most, difference(fewer, more)

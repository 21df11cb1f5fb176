"""`/v1/llm/settings`, `/v1/llm/budget`, `/v1/llm/pricing` and its overrides (contract 8.2, 8.3, 8.7, 8.8)."""

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import AuditEntry, User
from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms
from ingest.flush import flush_all
from llmtraces.models import LlmSettings, PriceOverride, Span, UsageHour
from llmtraces.queries.budget import budget_of, budgets_of
from llmtraces.queries.verify import differences
from projects.access import Reach
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import make_token, post_signed, verified_client

NOVEMBER_10 = 1_762_732_800_000 + 12 * HOUR_MS  # 2025-11-10, noon UTC


@pytest.fixture(autouse=True)
def rollups_add_up(db: None):
    yield
    assert differences() == []


def token_client(project: Project, *scopes: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_token(project, scopes=scopes).secret}"})


def put(client: Client, path: str, value: Any) -> Any:
    return client.put(f"/v1/llm/{path}", json.dumps(value), content_type="application/json")


def post_trace(client: Client, shop: NewProject, **span: Any) -> Span:
    """A trace of one span, folded."""
    body = {"id": f"t{Span.objects.count()}", "spans": [{"id": "s", **span}]}
    assert post_signed(client, "/v1/traces", json.dumps(body).encode(), key=shop.api_key).status_code == 200
    flush_all()
    return Span.objects.order_by("-pk")[0]


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# --- Settings -----------------------------------------------------------------------------------------------------


def test_settings_tell_the_policy_that_holds_and_take_a_new_one(shop: NewProject):
    client = token_client(shop.project, "llm:read", "llm:write")
    told = client.get("/v1/llm/settings").json()
    changed = put(client, "settings", {"content_storage": "full"})

    assert told == {
        "project_id": shop.project.pk,
        "content_storage": django_settings.BLOOP.llm_tracing.default_content_storage,
    }
    assert (changed.status_code, changed.json()["content_storage"]) == (200, "full")
    assert client.get(f"/v1/llm/settings/{shop.project.pk}").json()["content_storage"] == "full"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.detail["after"]) == ("llm_policy_changed", {"content_storage": "full"})


@pytest.mark.parametrize("value", ["everything", "", "NONE", 1, None, ["full"]])
def test_an_unknown_policy_is_refused_and_changes_nothing(shop: NewProject, value: Any):
    client = token_client(shop.project, "llm:write", "llm:read")
    put(client, "settings", {"content_storage": "metadata_only"})

    assert put(client, "settings", {"content_storage": value}).status_code == 400
    assert client.get("/v1/llm/settings").json()["content_storage"] == "metadata_only"


def test_a_session_means_the_default_project_when_it_names_none(admin_client: Client, shop: NewProject):
    put(admin_client, f"settings?project_id={shop.project.pk}", {"content_storage": "full"})
    put(admin_client, "settings/default", {"content_storage": "metadata_only"})

    assert admin_client.get("/v1/llm/settings").json() == {"project_id": "default", "content_storage": "metadata_only"}
    assert LlmSettings.objects.get(project=shop.project).content_storage == "full"


def test_a_token_reads_another_projects_settings_under_no_name(shop: NewProject, other: NewProject):
    client = token_client(shop.project, "llm:read", "llm:write")

    assert client.get(f"/v1/llm/settings/{other.project.pk}").status_code == 404
    assert client.get(f"/v1/llm/settings?project_id={other.project.pk}").json()["project_id"] == shop.project.pk


def test_a_policy_holds_from_the_next_request(client: Client, shop: NewProject):
    api = token_client(shop.project, "llm:write", "llm:read")
    kept = []
    for policy in ("full", "none", "metadata_only"):
        put(api, "settings", {"content_storage": policy})
        span = post_trace(client, shop, input="words", metadata={"a": 1})
        text = getattr(Span.objects.select_related("text").get(pk=span.pk), "text", None)
        kept.append((text and text.input, text and text.metadata))

    assert kept == [("words", '{"a":1}'), (None, None), (None, '{"a":1}')]


# --- Budget -------------------------------------------------------------------------------------------------------


def test_d21_a_budget_is_unset_then_set_and_read_back_and_never_negative(shop: NewProject):
    """Appendix D 21: budget default 0/80/0.0, set and read back, negative is 400."""
    client = token_client(shop.project, "llm:read", "llm:write")
    unset = client.get("/v1/llm/budget").json()
    body = {"monthly_budget_micros": 100_000_000, "alert_threshold_pct": 90}
    written = put(client, "budget", body).json()
    negative = put(client, "budget", {"monthly_budget_micros": -1})

    assert (unset["monthly_budget_micros"], unset["alert_threshold_pct"], unset["budget_used_pct"]) == (0, 80, 0.0)
    assert unset["forecast_over_budget"] is False
    assert written == client.get("/v1/llm/budget").json()
    assert (written["monthly_budget_micros"], written["alert_threshold_pct"]) == (100_000_000, 90)
    assert error_of(negative) == (400, "monthly_budget_micros must be >= 0")


@pytest.mark.parametrize(
    ("sent", "held"), [({}, 80), ({"alert_threshold_pct": 0}, 1), ({"alert_threshold_pct": 500}, 100)]
)
def test_the_threshold_is_held_within_bounds(shop: NewProject, sent: dict[str, int], held: int):
    client = token_client(shop.project, "llm:write")

    assert put(client, "budget", {"monthly_budget_micros": 1, **sent}).json()["alert_threshold_pct"] == held


@pytest.mark.parametrize("body", [{}, {"monthly_budget_micros": "x"}, {"monthly_budget_micros": 10**30}, [], None])
def test_a_budget_that_is_none_is_refused(shop: NewProject, body: Any):
    assert put(token_client(shop.project, "llm:write"), "budget", body).status_code == 400


def spend(project: Project, hour_ms: int, micros: int) -> None:
    zero = {field.name: 0 for field in UsageHour._meta.fields if field.name.endswith(("count", "tokens", "_ms"))}
    values = {**zero, "hour_ms": hour_ms, "cost_micros": micros}
    UsageHour.objects.create(project=project, model="m", provider="", **values)


def test_spend_is_that_of_the_utc_month_and_the_forecast_goes_on_like_it(shop: NewProject, other: NewProject):
    LlmSettings.objects.create(project=shop.project, monthly_budget_micros=30_000_000)
    begins = NOVEMBER_10 - 9 * DAY_MS - 12 * HOUR_MS
    spend(shop.project, begins - HOUR_MS, 99_000_000)
    spend(shop.project, begins, 2_000_000)
    spend(shop.project, NOVEMBER_10, 10_000_000)
    spend(other.project, NOVEMBER_10, 77_000_000)

    budget = budget_of(shop.project.pk, now_ms=NOVEMBER_10)
    together = budgets_of(Reach(None), now_ms=NOVEMBER_10)
    UsageHour.objects.all().delete()

    assert (budget.current_month_spend_micros, budget.budget_used_pct) == (12_000_000, 40.0)
    assert (budget.days_elapsed, budget.days_remaining) == (10, 20)
    assert (budget.forecast_month_end_micros, budget.forecast_over_budget) == (36_000_000, True)
    assert together == budget


# --- Prices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "micros"),
    [
        ({"model": "gpt-4o"}, 2250),
        ({"model": "gpt-4o", "cost": 0.5}, 500_000),
        ({"model": "nobody-knows-this"}, 0),
        ({"model": "gpt-4o-2024-08-06"}, 2250),
    ],
)
def test_d18_a_span_costs_what_the_table_says(client: Client, shop: NewProject, span: dict[str, Any], micros: int):
    """Appendix D 18: gpt-4o 500/100 about 2250; explicit cost kept; unknown 0; a dated name resolves."""
    stored = post_trace(client, shop, input_tokens=500, output_tokens=100, **span)

    assert stored.cost_micros == micros


def test_a_projects_price_goes_before_the_global_one_and_that_before_the_table(
    client: Client, shop: NewProject, admin_client: Client
):
    api = token_client(shop.project, "llm:read", "llm:write")
    tokens = {"model": "gpt-4o", "input_tokens": 1_000_000, "output_tokens": 0}
    costs, sources = [], []

    def look() -> None:
        costs.append(post_trace(client, shop, **tokens).cost_micros)
        told = api.get("/v1/llm/pricing?model=gpt-4o").json()
        sources.append((told["source"], told["input_cost_per_token"]))

    price = {"model": "gpt-4o", "output_cost_per_token": 0}
    look()
    put(admin_client, "pricing/overrides", {**price, "input_cost_per_token": 0.000004})
    look()
    put(api, "pricing/overrides", {**price, "input_cost_per_token": 0.0000011})
    look()
    api.delete("/v1/llm/pricing/overrides?model=gpt-4o")
    admin_client.delete("/v1/llm/pricing/overrides?model=gpt-4o")
    look()

    assert costs == [2_500_000, 4_000_000, 1_100_000, 2_500_000]
    assert sources == [("table", 2.5e-6), ("override", 4e-6), ("override", 1.1e-6), ("table", 2.5e-6)]


def test_pricing_without_a_model_counts_them_and_an_unknown_one_is_not_found(shop: NewProject):
    client = token_client(shop.project, "llm:read")

    assert client.get("/v1/llm/pricing").json()["model_count"] > 500
    assert error_of(client.get("/v1/llm/pricing?model=x")) == (404, "no pricing data for model 'x'")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": ""}, "model name is required"),
        ({"model": None}, "model name is required"),
        ({"input_cost_per_token": -0.1}, "costs must be non-negative"),
        ({"output_cost_per_token": -1e-9}, "costs must be non-negative"),
        ({"output_cost_per_token": None}, "output_cost_per_token is required"),
        ({"input_cost_per_token": "1"}, "input_cost_per_token must be a number"),
        ({"input_cost_per_token": 2}, "costs must be at most 1 dollar per token"),
        ({"model": "x" * 600}, "model and provider must be at most 512 bytes"),
        ({"model": "a\x00b"}, "model and provider must not hold a NUL"),
        ({"model": "a\ud800"}, "model must not hold half of a surrogate pair"),
        ({"provider": "\udfff"}, "provider must not hold half of a surrogate pair"),
        ({"project_id": "\ud800"}, "project_id must not hold half of a surrogate pair"),
    ],
)
def test_a_price_that_is_none_is_refused(shop: NewProject, change: dict[str, Any], reason: str):
    body = {"model": "m", "input_cost_per_token": 0, "output_cost_per_token": 0, **change}

    assert error_of(put(token_client(shop.project, "llm:write"), "pricing/overrides", body)) == (400, reason)
    assert not PriceOverride.objects.exists()


def test_a_token_prices_for_its_own_project_only(shop: NewProject, other: NewProject):
    client = token_client(shop.project, "llm:write", "llm:read")
    body = {"model": "m", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}
    foreign = put(client, "pricing/overrides", {**body, "project_id": other.project.pk})
    own = put(client, "pricing/overrides", body)

    assert foreign.status_code == 403
    assert own.json() == {"status": "ok", "model": "m"}
    assert [row["project_id"] for row in client.get("/v1/llm/pricing/overrides").json()["overrides"]] == [
        shop.project.pk
    ]
    assert PriceOverride.objects.get().input_picos == 1_000_000


def test_a_price_for_all_is_for_admins_and_a_projects_for_who_manages_it(member: User, shop: NewProject):
    client = verified_client(member)
    body = {"model": "m", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}

    assert put(client, "pricing/overrides", body).status_code == 403
    assert put(client, "pricing/overrides", {**body, "project_id": "nope"}).status_code == 404
    assert error_of(client.delete("/v1/llm/pricing/overrides?model=m"))[0] == 403
    assert not PriceOverride.objects.exists()


def test_removing_a_price_that_is_not_there_says_so(admin_client: Client, shop: NewProject):
    answer = admin_client.delete("/v1/llm/pricing/overrides?model=m")

    assert error_of(answer) == (404, "no override for model 'm'")


@pytest.mark.parametrize("path", ["settings", "budget", "pricing", "pricing/overrides"])
def test_nothing_is_there_while_llm_tracing_is_off(admin_client: Client, shop: NewProject, path: str, settings: Any):
    llm = django_settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = django_settings.BLOOP.model_copy(update={"llm_tracing": llm})

    assert admin_client.get(f"/v1/llm/{path}").status_code == 404
    assert put(admin_client, path, {}).status_code in {404, 405}


def test_times_are_those_of_now(shop: NewProject):
    """Prices tell when they were set, in milliseconds."""
    client = token_client(shop.project, "llm:write", "llm:read")
    put(client, "pricing/overrides", {"model": "m", "input_cost_per_token": 0, "output_cost_per_token": 0})

    [row] = client.get("/v1/llm/pricing/overrides").json()["overrides"]
    assert abs(row["updated_at"] - now_ms()) < 60_000

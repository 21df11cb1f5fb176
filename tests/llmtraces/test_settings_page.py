"""The page of a project's LLM settings, as people use it."""

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import User
from ingest.flush import flush_all
from llmtraces import tasks
from llmtraces.models import LlmSettings, PriceOverride, Recalculation, Trace
from llmtraces.queries.verify import differences
from projects.services.projects import NewProject
from tests.factories import post_signed, verified_client
from tests.llmtraces.made import make_traces, span_of, trace_of

PAGE = "/settings/projects/shop/llm"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "queue_recalculations", lambda: None)


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_page_is_linked_from_the_project_and_says_what_holds(admin_client: Client, shop: NewProject):
    """Seed: content storage policies, each with what it keeps."""
    LlmSettings.objects.create(project=shop.project, content_storage="metadata_only", monthly_budget_micros=5_000_000)

    assert PAGE in words(admin_client.get("/settings/projects/shop"))
    shown = words(admin_client.get(PAGE))
    assert 'value="metadata_only" checked' in shown
    assert "Traces that are stored already stay as they are." in shown
    assert "$5.00" in shown


def test_a_policy_is_chosen_and_told_with_its_day_and_its_person(admin_client: Client, shop: NewProject):
    answer = admin_client.post(f"{PAGE}/policy", {"policy": "full"}, follow=True)

    assert LlmSettings.objects.get().content_storage == "full"
    assert "by <bdi>ann</bdi>" in words(answer)


def test_of_many_models_without_a_price_twenty_are_named(admin_client: Client, shop: NewProject):
    spans = [span_of(id=f"s{number}", model=f"own-{number:02}", provider="", cost=0) for number in range(25)]
    make_traces(shop.project, trace_of("t1", spans=spans))

    shown = words(admin_client.get(PAGE))

    assert shown.count("(1 span)") == 20
    assert '5 others: <a href="/llm/models?project=shop&amp;hours=720">' in shown


def test_a_policy_that_is_none_is_refused(admin_client: Client, shop: NewProject):
    assert admin_client.post(f"{PAGE}/policy", {"policy": "all"}).status_code == 422
    assert not LlmSettings.objects.exists()


def test_masking_is_saved_line_by_line_and_tried_before(admin_client: Client, shop: NewProject):
    form = {"kinds": ["email"], "expressions": "order-\\d+\r\n\r\nA{3}\r\n", "sample": "ann@x.org order-7 <b>"}
    tried = admin_client.post(f"{PAGE}/masking/try", form)
    part = admin_client.post(f"{PAGE}/masking/try", form, headers={"HX-Request": "true"})
    saved_by_trying = LlmSettings.objects.exists()
    admin_client.post(f"{PAGE}/masking", form)

    assert "[email] [masked] &lt;b&gt;" in words(tried)
    assert "[email] [masked] &lt;b&gt;" in words(part)
    assert "<html" not in words(part)
    assert not saved_by_trying
    row = LlmSettings.objects.get()
    assert (row.mask_patterns, row.mask_expressions) == (["email"], ["order-\\d+", "A{3}"])


@pytest.mark.parametrize("path", ["masking", "masking/try"])
def test_an_expression_that_cannot_be_used_is_shown_again_with_the_reason(
    admin_client: Client, shop: NewProject, path: str
):
    answer = admin_client.post(f"{PAGE}/{path}", {"expressions": "(oops"})

    assert answer.status_code == 422
    assert "missing )" in words(answer)
    assert "(oops</textarea>" in words(answer)
    assert not LlmSettings.objects.exists()


def test_a_budget_is_set_in_dollars(admin_client: Client, shop: NewProject):
    admin_client.post(f"{PAGE}/budget", {"dollars": "12.34", "threshold": "70"})
    refused = admin_client.post(f"{PAGE}/budget", {"dollars": "-1", "threshold": "70"})

    row = LlmSettings.objects.get()
    assert (row.monthly_budget_micros, row.alert_threshold_pct) == (12_340_000, 70)
    assert refused.status_code == 422


def test_a_price_is_set_exactly_and_removed_and_leads_back(admin_client: Client, shop: NewProject):
    form = {"project": "shop", "model": "ours", "input": "2.5", "output": "0.075", "next": "/llm/models?project=shop"}
    answer = admin_client.post("/llm/price", form)
    row = PriceOverride.objects.get()
    removed = admin_client.post("/llm/price/remove", {"project": "shop", "model": "ours", "next": PAGE}, follow=True)

    assert answer.headers["Location"] == "/llm/models?project=shop"
    assert (row.input_picos, row.output_picos, row.project_id) == (2_500_000, 75_000, shop.project.pk)
    assert "Price removed." in words(removed)
    assert not PriceOverride.objects.exists()


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "a:b",
        "../..",
        "fp",
        "a\x00b",
    ],
)
def test_a_price_leads_to_no_other_site(admin_client: Client, shop: NewProject, following: str):
    form = {"project": "shop", "model": "m", "input": "1", "output": "1", "next": following}

    assert admin_client.post("/llm/price", form).headers["Location"] == PAGE


def test_a_price_that_no_database_can_be_asked_for_is_gone(admin_client: Client, shop: NewProject):
    form = {"project": "shop", "model": "m\x00", "next": PAGE}

    assert "That price was removed already." in words(admin_client.post("/llm/price/remove", form, follow=True))


@pytest.mark.parametrize(
    "wrong", [{"input": "x"}, {"output": "-1"}, {"model": " "}, {"input": "NaN"}, {"input": "1e99"}]
)
def test_a_price_that_is_none_is_told_and_not_set(admin_client: Client, shop: NewProject, wrong: dict[str, str]):
    form = {"project": "shop", "model": "m", "input": "1", "output": "1", "next": PAGE, **wrong}

    assert "The price was not set" in words(admin_client.post("/llm/price", form, follow=True))
    assert not PriceOverride.objects.exists()


def test_a_model_without_a_price_is_priced_and_its_traces_counted_anew(
    client: Client, admin_client: Client, shop: NewProject
):
    """Seed: unknown models with the count of unpriced spans, a price for them, and recalculation with progress."""
    span = {"id": "s", "model": "<our>/model", "input_tokens": 1_000_000}
    post_signed(client, "/v1/traces", json.dumps({"id": "t", "spans": [span]}).encode(), key=shop.api_key)
    flush_all()
    before = words(admin_client.get(PAGE))
    admin_client.post("/llm/price", {"project": "shop", "model": "<our>/model", "input": "3", "output": "0"})

    running = words(admin_client.post(f"{PAGE}/recalculate", {"hours": "24"}, follow=True))
    again = words(admin_client.post(f"{PAGE}/recalculate", {"hours": "24"}, follow=True))
    while Recalculation.objects.filter(finished_ms=None).exists():
        tasks.work_off_recalculations()
    done = words(admin_client.get(f"{PAGE}/recalculation"))

    assert "&lt;our&gt;/model</bdi></a> (1 span)" in before
    assert 'hx-trigger="every 1s"' in running
    assert "One is running already." in again
    assert "1 span costs something else now" in done
    assert "hx-trigger" not in done
    assert Trace.objects.get().cost_micros == 3_000_000
    assert differences() == []


def test_a_member_may_look_and_not_change(member: User, shop: NewProject):
    shop.project.memberships.get_or_create(user=member)
    client = verified_client(member)

    shown = words(client.get(PAGE))

    assert "What is kept" in shown
    assert "Save" not in shown
    assert client.post(f"{PAGE}/policy", {"policy": "full"}).status_code == 403


def test_the_page_is_not_there_while_llm_tracing_is_off(admin_client: Client, shop: NewProject, settings: Any):
    llm = django_settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})
    settings.BLOOP = django_settings.BLOOP.model_copy(update={"llm_tracing": llm})

    assert admin_client.get(PAGE).status_code == 404
    assert admin_client.post(f"{PAGE}/policy", {"policy": "full"}).status_code == 404
    assert PAGE not in words(admin_client.get("/settings/projects/shop"))

"""Pricing stored traces anew: what changes, what stays, and that every total follows."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms
from ingest.flush import flush_all
from llmtraces import tasks
from llmtraces.contract import UpdateIn
from llmtraces.models import PriceOverride as Override
from llmtraces.models import PromptHour, Recalculation, SessionHour, Span, Trace, UsageHour
from llmtraces.queries.prices import unpriced
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.services import recalculate
from llmtraces.services.fold import record_traces
from llmtraces.services.recalculate import AlreadyRunning, start_recalculation, work_off
from projects.access import Reach
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import post_signed

NOW = now_ms()
TOKENS = {"input_tokens": 1_000_000, "output_tokens": 0}


@pytest.fixture(autouse=True)
def rollups_add_up(db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "queue_recalculations", lambda: None)
    yield
    assert differences() == []


def post(client: Client, shop: NewProject, trace_id: str, *spans: dict[str, Any], **trace: Any) -> None:
    body = {"id": trace_id, "spans": [{"id": f"s{index}", **span} for index, span in enumerate(spans)], **trace}
    assert post_signed(client, "/v1/traces", json.dumps(body).encode(), key=shop.api_key).status_code == 200
    flush_all()


def override(project: Project | None, model: str, micros: int) -> None:
    """So many microdollars a token."""
    picos = micros * 1_000_000
    Override.objects.create(project=project, model=model, input_picos=picos, output_picos=0, updated_ms=1)


def start(shop: NewProject, *, since_ms: int = 0, until_ms: int = NOW + DAY_MS) -> Recalculation:
    return start_recalculation(
        project=shop.project, since_ms=since_ms, until_ms=until_ms, actor=COMMAND_LINE, now_ms=NOW
    )


def finish() -> Recalculation:
    """Run the task until nothing is left."""
    while Recalculation.objects.filter(finished_ms=None).exists():
        tasks.work_off_recalculations()
    return Recalculation.objects.latest("pk")


def costs() -> dict[str, tuple[int, str]]:
    return {span.trace.trace_id: (span.cost_micros, span.cost_source) for span in Span.objects.select_related("trace")}


def test_unpriced_and_our_own_costs_follow_the_prices_of_now_and_a_clients_stays(client: Client, shop: NewProject):
    post(client, shop, "new", {"model": "ours", **TOKENS}, session_id="s", prompt_name="p")
    post(client, shop, "known", {"model": "gpt-4o", **TOKENS})
    post(client, shop, "told", {"model": "ours", "cost": 7, **TOKENS})
    post(client, shop, "bare", {"model": "ours"})
    override(shop.project, "ours", 3)
    override(None, "gpt-4o", 1)

    start(shop)
    work = finish()

    assert costs() == {
        "new": (3_000_000, "price"),
        "known": (1_000_000, "price"),
        "told": (7_000_000, "client"),
        "bare": (0, ""),
    }
    assert (work.traces_total, work.traces_done, work.spans_changed) == (4, 4, 2)
    assert Trace.objects.get(trace_id="new").cost_micros == 3_000_000
    assert SessionHour.objects.get().cost_micros == PromptHour.objects.get().cost_micros == 3_000_000
    assert sum(UsageHour.objects.values_list("cost_micros", flat=True)) == 11_000_000


def test_a_model_that_had_no_price_is_listed_until_it_has_one(client: Client, shop: NewProject):
    """Seed: unknown models are listed with the count of unpriced spans."""
    post(client, shop, "t1", {"model": "ours", **TOKENS}, {"model": "ours", **TOKENS}, {"model": "gpt-4o", **TOKENS})
    window = Window(Reach((shop.project.pk,)), 24, now_ms())
    before = [(each.model, each.span_count) for each in unpriced(window)]
    override(shop.project, "ours", 1)

    start(shop)
    finish()

    assert before == [("ours", 2)]
    assert unpriced(window) == []


def test_a_price_that_was_removed_leaves_its_spans_unpriced(client: Client, shop: NewProject):
    override(shop.project, "ours", 1)
    post(client, shop, "t1", {"model": "ours", **TOKENS})
    Override.objects.all().delete()

    start(shop)
    finish()

    assert costs() == {"t1": (0, "unknown")}


def test_what_a_put_said_of_a_traces_cost_stays(client: Client, shop: NewProject):
    post(client, shop, "t1", {"model": "ours", **TOKENS})
    record_traces([(shop.project.pk, NOW, UpdateIn("t1", None, None, None, None, None, 9))])
    override(shop.project, "ours", 1)

    start(shop)
    finish()

    assert Trace.objects.get().cost_micros == UsageHour.objects.get().cost_micros == 9
    assert costs() == {"t1": (1_000_000, "price")}


def test_only_the_window_and_the_project_are_priced(client: Client, shop: NewProject, other: NewProject):
    post(client, shop, "old", {"model": "ours", **TOKENS}, started_at=NOW - 3 * DAY_MS)
    post(client, shop, "new", {"model": "ours", **TOKENS}, started_at=NOW - HOUR_MS)
    post(client, other, "theirs", {"model": "ours", **TOKENS}, started_at=NOW - HOUR_MS)
    override(None, "ours", 1)

    start(shop, since_ms=NOW - DAY_MS)
    work = finish()

    assert {name for name, (cost, _) in costs().items() if cost} == {"new"}
    assert work.traces_total == 1


def test_a_second_one_waits_for_the_first_to_end(client: Client, shop: NewProject):
    start(shop)

    with pytest.raises(AlreadyRunning):
        start(shop)
    finish()
    assert start(shop).pk


def test_a_worker_that_died_is_taken_over_where_it_was_and_nothing_counts_twice(client: Client, shop: NewProject):
    for number in range(5):
        post(client, shop, f"t{number}", {"model": "ours", **TOKENS})
    override(shop.project, "ours", 1)
    work = start(shop)
    ids = recalculate.next_traces(work.pk)

    assert work_off(work.pk, ids[:2], now_ms=NOW)
    assert work_off(work.pk, ids[:2], now_ms=NOW)  # as a worker would that had read ahead before the other was done
    half = Recalculation.objects.get()
    done = finish()

    assert (half.traces_done, half.spans_changed, half.finished_ms) == (2, 2, None)
    assert (done.traces_done, done.spans_changed) == (5, 5)
    assert sum(cost for cost, _ in costs().values()) == 5_000_000


def test_a_trace_that_comes_again_meanwhile_counts_once(client: Client, shop: NewProject):
    post(client, shop, "t1", {"model": "ours", **TOKENS})
    override(shop.project, "ours", 1)
    start(shop)
    post(client, shop, "t1", {"model": "ours", **TOKENS}, {"model": "ours", **TOKENS})

    finish()

    assert Trace.objects.get().cost_micros == UsageHour.objects.get().cost_micros == 2_000_000

"""The list of traces: whatever index it is found by, it is the same list."""

import random
import re
from collections.abc import Iterator
from itertools import product

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from bloop_site.lib.clock import HOUR_MS
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import Span, Trace
from llmtraces.queries.trace_rows import trace_rows
from llmtraces.queries.traces import ORDERS, TraceFilter, trace_ids, trace_list, trace_total, traces_of
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.services.fold import record_traces
from projects.access import Reach
from projects.services.projects import NewProject
from tests.llmtraces.judging_of import T

FILTERS: tuple[dict[str, object], ...] = (
    {},
    {"status": "error"},
    {"status": "running"},
    {"user_id": "u1"},
    {"session_id": "s1"},
    {"prompt_name": "p1", "prompt_version": "1"},
    {"min_latency_ms": 3_000},
    {"min_cost_micros": 400_000},
    {"min_latency_ms": 2_000, "min_cost_micros": 200_000, "status": "error"},
    {"has_error": True},
    {"has_error": True, "user_id": "u0", "min_latency_ms": 1},
    {"status": "completed", "session_id": "s0"},
    {"user_id": "nobody"},
)
MODELS = (
    *(("", ""), ("common", ""), ("rare", ""), ("rare", "openai"), ("", "vllm"), ("unheard of", "")),
    *(("mo", ""), ("common", "nobody"), ("common\x1f", "")),
)


@pytest.fixture
def filled(shop: NewProject, other: NewProject) -> None:
    """Sixty traces of two projects over ten days; some began in the same millisecond, some never ended."""
    chance = random.Random(5)
    with transaction.atomic():
        for number in range(60):
            project, at = chance.choice((shop, other)).project, T - chance.randrange(120) * 2 * HOUR_MS
            span = {
                "id": "s",
                "model": "rare" if number % 19 == 0 else "common",
                "provider": chance.choice(("openai", "vllm")),
                "cost": chance.choice((0, 0.25, 0.5)),
                "input_tokens": chance.choice((0, 10, 300)),
                "status": "error" if number % 7 == 0 else "ok",
            }
            others = [{**span, "id": f"o{each}", "model": f"{'m' * 99}{each}"} for each in range(9)]
            raw = {
                "id": f"t{number}",
                "started_at": at,
                "ended_at": None if number % 11 == 0 else at + chance.choice((0, 2_000, 5_000)),
                "status": chance.choice(("completed", "completed", "error")) if number % 11 else "running",
                "user_id": chance.choice((None, "u0", "u1")),
                "session_id": chance.choice((None, "s0", "s1")),
                "prompt_name": chance.choice((None, "p1")),
                "prompt_version": "1",
                "spans": ([span, *others] if number % 9 == 0 else [span]) if number % 13 else [],
            }
            trace = parse_trace(raw, rules=Rules(policy="none", max_spans=20), now_ms=T)
            record_traces([(project.pk, T, trace)])
    Trace.objects.create(
        project=shop.project, trace_id="waits", is_known=False, name="", started_ms=T, received_ms=T, status="running"
    )


def cases(shop: NewProject, other: NewProject) -> Iterator[tuple[Window, TraceFilter]]:
    reaches = (None, (shop.project.pk,), (shop.project.pk, other.project.pk))
    for ids, hours, (model, provider), given, sort in product(reaches, (24, 168, 720), MODELS, FILTERS, ORDERS):
        yield Window(Reach(ids), hours, T, model, provider), TraceFilter(**given, sort=sort)  # type: ignore[arg-type]


def wanted(window: Window, filters: TraceFilter, rows: list[Trace], spans: dict[int, list[Span]]) -> list[Trace]:
    """The list as it is meant, made of all rows."""
    found = [
        row
        for row in rows
        if row.is_known
        and row.started_ms >= window.since_ms
        and window.reach.covers(row.project_id)
        and filters.status in ("", row.status)
        and filters.user_id in ("", row.user_id)
        and filters.session_id in ("", row.session_id)
        and filters.prompt_name in ("", row.prompt_name)
        and filters.prompt_version in ("", row.prompt_version)
        and row.cost_micros >= (filters.min_cost_micros or 0)
        and (filters.min_latency_ms is None or (row.latency_ms or -1) >= filters.min_latency_ms)
        and (not filters.has_error or row.status == "error" or row.error_count)
        and (
            not (window.model or window.provider)
            or any(
                window.model in ("", span.model) and window.provider in ("", span.provider)
                for span in spans.get(row.pk, [])
            )
        )
    ]
    column, is_descending = ORDERS[filters.sort]
    nothing = -1 if is_descending else 0
    return sorted(found, key=lambda row: getattr(row, column) if getattr(row, column) is not None else nothing)[
        :: -1 if is_descending else 1
    ]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("seed", range(4))
def test_every_order_and_filter_lists_what_matches_whatever_it_is_found_by(
    seed: int, shop: NewProject, other: NewProject
):
    rows = list(Trace.objects.all())
    spans = {row.pk: list(Span.objects.filter(trace=row)) for row in rows}
    counts = set()
    for window, filters in random.Random(seed).sample(list(cases(shop, other)), 250):
        expected = wanted(window, filters, rows, spans)
        column, _ = ORDERS[filters.sort]

        listed = traces_of(trace_ids(window, filters, limit=100))

        case = (window, filters)
        assert [getattr(row, column) for row in listed] == [getattr(row, column) for row in expected], case
        assert {row.pk for row in listed} == {row.pk for row in expected}, case
        assert trace_total(window, filters) == len(expected), case
        assert trace_ids(window, filters, limit=3, offset=2) == [row.pk for row in listed[2:5]], case
        counts.add(len(expected))
    assert len(counts) > 10


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("sort", ORDERS)
def test_pages_hold_each_trace_once(sort: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("llmtraces.queries.trace_rows.PAGE_SIZE", 7)
    window = Window(Reach(None), 720, T)

    ids = []
    for number in range(1, 10):
        _, rows = trace_rows(window, TraceFilter(sort=sort), wanted=str(number))
        ids += [row.trace.trace_id for row in rows]

    assert sorted(set(ids)) == sorted(f"t{number}" for number in range(60))


@pytest.mark.sqlite
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("before", ["SELECT 1", "ANALYZE"])
@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ({"sort": "slowest"}, {"trace_by_latency"}),
        ({"sort": "tokens_desc"}, {"trace_by_tokens"}),
        ({"sort": "most_expensive", "min_cost_micros": 5}, {"trace_by_cost"}),
        ({"sort": "most_expensive", "status": "completed"}, {"trace_by_start"}),
        ({"min_latency_ms": 5}, {"trace_by_start", "trace_by_age"}),
        ({"status": "running", "sort": "oldest"}, {"trace_by_start", "trace_by_age"}),
        ({"has_error": True}, {"trace_by_start", "trace_by_age"}),
        ({"user_id": "u1"}, {"trace_by_user"}),
        ({"user_id": "u1", "sort": "slowest", "min_cost_micros": 5, "status": "error"}, {"trace_by_user"}),
        ({"model": "rare"}, {"trace_by_start", "trace_by_age"}),
        ({"provider": "vllm", "sort": "slowest", "has_error": True, "min_cost_micros": 5}, {"trace_by_start"}),
    ],
)
def test_the_list_is_found_by_the_index_meant(
    asked: dict[str, object], indexes: set[str], before: str, shop: NewProject, other: NewProject
):
    """With statistics and without. Two of the indexes tell all that is asked: no row is looked up."""
    with connection.cursor() as cursor:
        cursor.execute(before)
    model, provider = (str(asked.get(name, "")) for name in ("model", "provider"))
    given = {name: value for name, value in asked.items() if name not in ("model", "provider")}
    for ids in (None, (shop.project.pk,), (shop.project.pk, other.project.pk)):
        window = Window(Reach(ids), 720, T, model, provider)

        plan = trace_list(window, TraceFilter(**given)).values_list("pk", flat=True)[:50].explain()  # type: ignore[arg-type]

        used = set(re.findall(r"llmtraces_trace USING (?:COVERING )?INDEX (\w+)", plan))
        assert used, plan
        assert used <= indexes, plan
        assert "COVERING INDEX" in plan or used == {"trace_by_user"} or "trace_by_cost" in used, plan


@pytest.mark.usefixtures("filled")
def test_traces_that_no_text_tells_the_models_of_are_found_by_their_spans(shop: NewProject):
    untold = set(Trace.objects.filter(used_models=None).values_list("pk", flat=True))

    ids = trace_ids(Window(Reach(None), 720, T, f"{'m' * 99}7"), TraceFilter(), limit=100)

    assert set(ids) == untold
    assert len(ids) > 3


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("model", "provider"), [("", ""), ("common", ""), ("", "vllm")])
def test_a_page_of_the_list_takes_three_queries(
    model: str, provider: str, django_assert_num_queries: DjangoAssertNumQueries
):
    for sort in ORDERS:
        with django_assert_num_queries(3):
            trace_rows(Window(Reach(None), 720, T, model, provider), TraceFilter(sort=sort), wanted=None)


def test_what_is_sent_later_is_found_by_its_model(shop: NewProject):
    def send(span: dict[str, object]) -> None:
        raw = {"id": "grows", "started_at": T, "spans": [span]}
        with transaction.atomic():
            record_traces([(shop.project.pk, T, parse_trace(raw, rules=Rules(policy="none", max_spans=9), now_ms=T))])

    send({"id": "a", "model": "first", "provider": "p"})
    send({"id": "b", "model": "second"})
    send({"id": "a", "model": "other", "provider": "p"})

    found = {
        model: len(trace_ids(Window(Reach(None), 720, T, model), TraceFilter(), limit=9))
        for model in ("first", "second", "other")
    }
    assert found == {"first": 0, "second": 1, "other": 1}
    assert differences() == []

"""The list of traces: whatever index it is found by, it is the same list."""

import random
from collections.abc import Iterator
from itertools import product

import pytest
from django.db import connection, transaction

from bloop_site.lib.clock import HOUR_MS
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import Span, Trace
from llmtraces.queries import traces
from llmtraces.queries.trace_rows import trace_rows
from llmtraces.queries.traces import FEW, ORDERS, TraceFilter, ids_of_rare_model, trace_list, trace_total
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
MODELS = (("", ""), ("common", ""), ("rare", ""), ("rare", "openai"), ("", "vllm"), ("unheard of", ""))


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
            raw = {
                "id": f"t{number}",
                "started_at": at,
                "ended_at": None if number % 11 == 0 else at + chance.choice((0, 2_000, 5_000)),
                "status": chance.choice(("completed", "completed", "error")) if number % 11 else "running",
                "user_id": chance.choice((None, "u0", "u1")),
                "session_id": chance.choice((None, "s0", "s1")),
                "prompt_name": chance.choice((None, "p1")),
                "prompt_version": "1",
                "spans": [span] if number % 13 else [],
            }
            trace = parse_trace(raw, rules=Rules(policy="none", max_spans=10), now_ms=T)
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
@pytest.mark.parametrize("rare", [0, 15_000])
@pytest.mark.parametrize("matches", [1, 10_000])
def test_every_order_and_filter_lists_what_matches_whatever_it_is_found_by(
    rare: int, matches: int, shop: NewProject, other: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(traces, "RARE", rare)
    rows = list(Trace.objects.all())
    spans = {row.pk: list(Span.objects.filter(trace=row)) for row in rows}
    counts = set()
    for window, filters in random.Random(matches + rare).sample(list(cases(shop, other)), 250):
        expected = wanted(window, filters, rows, spans)
        column, _ = ORDERS[filters.sort]
        ids = ids_of_rare_model(window)

        listed = list(trace_list(window, filters, few=matches <= FEW, ids=ids))
        total = trace_total(window, filters, ids=ids)

        case = (window, filters)
        assert [getattr(row, column) for row in listed] == [getattr(row, column) for row in expected], case
        assert {row.pk for row in listed} == {row.pk for row in expected}, case
        assert (total, trace_total(window, filters, at_most=3, ids=ids) >= min(total, 3)) == (len(expected), True), case
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
    ("filters", "matches", "index"),
    [
        ({"sort": "slowest"}, 10_000, "trace_by_latency"),
        ({"sort": "tokens_desc"}, 10_000, "trace_by_tokens"),
        ({"sort": "most_expensive", "status": "completed"}, 10_000, "trace_by_cost"),
        ({"min_latency_ms": 5}, 1, "trace_by_latency"),
        ({"min_cost_micros": 5, "status": "completed"}, 1, "trace_by_cost"),
        ({"min_cost_micros": 5, "status": "error"}, 1, "trace_by_status"),
        ({"status": "running"}, 1, "trace_by_status"),
        ({"has_error": True}, 1, "trace_by_error"),
        ({"user_id": "u1"}, 1, "trace_by_user"),
        ({"user_id": "u1", "sort": "slowest", "min_cost_micros": 5, "status": "error"}, 1, "trace_by_user"),
    ],
)
def test_the_list_and_its_count_are_found_by_the_index_meant(
    filters: dict[str, object], matches: int, index: str, before: str, shop: NewProject, other: NewProject
):
    """With statistics and without."""
    with connection.cursor() as cursor:
        cursor.execute(before)
    for ids in (None, (shop.project.pk,), (shop.project.pk, other.project.pk)):
        window, asked = Window(Reach(ids), 720, T), TraceFilter(**filters)  # type: ignore[arg-type]

        assert f"INDEX {index}" in trace_list(window, asked, few=matches <= FEW)[:50].explain(), ids


def test_a_model_of_few_spans_is_found_by_them_in_a_long_window_only(shop: NewProject, filled: None):
    reach = Reach((shop.project.pk,))

    rare = ids_of_rare_model(Window(reach, 720, T, "rare"))
    narrowed = ids_of_rare_model(Window(reach, 720, T, "rare", "vllm"))

    own = Span.objects.filter(model="rare", project=shop.project)
    assert rare == sorted(own.values_list("trace_id", flat=True))
    assert narrowed == sorted(own.filter(provider="vllm").values_list("trace_id", flat=True))
    assert ids_of_rare_model(Window(reach, 24, T, "rare")) is None
    assert ids_of_rare_model(Window(reach, 720, T)) is None
    assert ids_of_rare_model(Window(reach, 720, T, "unheard of")) == []

"""Prices the spans of a window anew, with the overrides of now: in short transactions, from one trace to the next.

Costs that clients gave stay. Rollups and totals change by the difference, as when a trace is folded again.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet

from accounts.audit import Action, Actor, record
from bloop_site.lib.clock import from_ms
from bloop_site.lib.db import skip_locked, survives_deadlock
from bloop_site.lib.log import logger
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from llmtraces.contributions import Rollups, SpanFacts, totals_of
from llmtraces.models import Recalculation, Span, Trace
from llmtraces.pricing import Price, Tokens
from llmtraces.queries.facts import TRACE_COLUMNS, spans_of, stored_trace
from llmtraces.queries.prices import overrides_of
from llmtraces.services.fold import our_price
from llmtraces.services.rollups import write_rollups
from projects.models import Project
from projects.services.locking import locked_project

log = logger("llmtraces.recalculate")
READ_AHEAD = 2_000
UPDATE_SPAN = "UPDATE llmtraces_span SET cost_micros = %s, cost_source = %s WHERE id = %s"
UPDATE_TRACE = "UPDATE llmtraces_trace SET cost_micros = %s WHERE id = %s"
Overrides = defaultdict[str | None, dict[str, Price]]
Change = tuple[int, str, int]  # the parameters of UPDATE_SPAN


class Busy(Exception):
    """Another worker is at this recalculation."""


class AlreadyRunning(Exception):
    """The project's last recalculation is not finished."""


def start_recalculation(*, project: Project, since_ms: int, until_ms: int, actor: Actor, now_ms: int) -> Recalculation:
    """Note that the traces begun in a window are to be priced anew; `continue_recalculation` does it.

    since_ms: with; until_ms: without. Raises AlreadyRunning or ProjectGone, having written nothing.
    """
    work = Recalculation(project=project, since_ms=since_ms, until_ms=until_ms, created_ms=now_ms)
    work.requested_by = actor.user
    work.traces_total = traces_of(work).count()
    try:
        with transaction.atomic():
            locked_project(project.pk)
            work.save()
            record(
                actor=actor,
                action=Action.COSTS_RECALCULATED,
                target=project.name,
                now=from_ms(now_ms),
                project_id=project.pk,
                detail={"since_ms": since_ms, "until_ms": until_ms},
            )
    except IntegrityError:
        raise AlreadyRunning from None
    return work


def continue_recalculation(*, work_id: int, now_ms: int, seconds: float) -> bool:
    """Work on it for about `seconds`. Returns whether it is finished.

    Safe to run twice, also at once, and after any interruption: each chunk and its progress are one transaction.
    Raises Busy when another worker is at it.
    """
    ends, pace, ahead = time.monotonic() + seconds, Pace(), list[int]()
    while True:
        ahead = ahead or next_traces(work_id)
        started = time.perf_counter()
        if not work_off(work_id, ahead[: pace.rows], now_ms=now_ms):
            return True
        del ahead[: pace.rows]
        pace.rest(time.perf_counter() - started)
        if time.monotonic() >= ends:
            return False


def continue_recalculations(*, now_ms: int, seconds: float) -> bool:
    """Continue every one there is, the oldest first, for about `seconds` each. Returns whether some remain."""
    remain = False
    for work_id in Recalculation.objects.filter(finished_ms=None).order_by("pk").values_list("pk", flat=True):
        try:
            remain |= not continue_recalculation(work_id=work_id, now_ms=now_ms, seconds=seconds)
        except Busy:
            continue
        except Exception:
            log.exception("recalculation_failed", work_id=work_id)
    return remain


def traces_of(work: Recalculation) -> QuerySet[Trace]:
    """The traces of its window."""
    within = Trace.objects.filter(project=work.project_id)
    return within.filter(started_ms__gte=work.since_ms, started_ms__lt=work.until_ms)


def next_traces(work_id: int) -> list[int]:
    """The next traces, by ascending id; none at the end. Read outside of the lock: ingest need not wait for it."""
    work = Recalculation.objects.filter(pk=work_id, finished_ms=None).first()
    if work is None:
        return []
    left = traces_of(work).filter(pk__gt=work.last_trace).order_by("pk")
    return list(left.values_list("pk", flat=True)[:READ_AHEAD])


def claimed(work_id: int) -> Recalculation | None:
    """The work, held until the transaction ends; None when it is finished. Raises Busy."""
    unfinished = Recalculation.objects.filter(pk=work_id, finished_ms=None)
    work = skip_locked(unfinished).first()
    if work is None and unfinished.exists():
        raise Busy
    return work


@survives_deadlock
def work_off(work_id: int, trace_ids: Sequence[int], *, now_ms: int) -> bool:
    """Price these traces and note the progress, in one transaction; none left: then it is finished.

    Returns False when it is. What another worker has done meanwhile is left out. Raises Busy.
    """
    with write_turn, transaction.atomic():
        work = claimed(work_id)
        if work is None:
            return False
        rows = Recalculation.objects.filter(pk=work.pk)
        if not trace_ids:
            rows.update(finished_ms=now_ms)
            return False
        todo = [each for each in trace_ids if each > work.last_trace]
        if todo:
            changed = price_traces(work.project_id, todo)
            rows.update(
                last_trace=todo[-1],
                traces_done=F("traces_done") + len(todo),
                spans_changed=F("spans_changed") + changed,
            )
    return True


def price_traces(project_id: str, trace_ids: Sequence[int]) -> int:
    """Price the spans of these traces anew, in the caller's transaction. Returns how many cost something else now.

    The traces are locked in the fold's order, so that what comes in meanwhile is folded before or after.
    """
    locked = Trace.objects.filter(pk__in=trace_ids).order_by("project_id", "trace_id").select_for_update(no_key=True)
    rows = [stored_trace(row) for row in locked.values_list(*TRACE_COLUMNS)]
    ids = [row.id for row in rows]
    before, ours, prices = spans_of(ids), priced_by_us(ids), overrides_of({project_id})
    rollups, spans, traces = Rollups.empty(), list[Change](), list[tuple[int, int]]()
    for row in rows:
        now, changed = priced(before[row.id], ours[row.id], own=prices[project_id], general=prices[None])
        if not changed:
            continue
        facts = row.facts()
        rollups.add(project_id, facts, list(before[row.id].values()), sign=-1)
        rollups.add(project_id, facts, list(now.values()))
        spans += changed
        traces.append((totals_of(facts, list(now.values())).cost_micros, row.id))
    if spans:
        with connection.cursor() as cursor:
            cursor.executemany(UPDATE_SPAN, spans)
            cursor.executemany(UPDATE_TRACE, traces)
        write_rollups(rollups)
    return len(spans)


def priced_by_us(trace_ids: Sequence[int]) -> defaultdict[int, dict[str, int]]:
    """The rows of the spans whose cost we said, or could not say, by trace and span id."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = Span.objects.filter(trace__in=trace_ids, cost_source__in=["price", "unknown"])
    for pk, trace_id, span_id in rows.values_list("pk", "trace_id", "span_id"):
        found[trace_id][span_id] = pk
    return found


def priced(
    spans: dict[str, SpanFacts], ours: dict[str, int], *, own: dict[str, Price], general: dict[str, Price]
) -> tuple[dict[str, SpanFacts], list[Change]]:
    """A trace's spans by the prices of now, and the changes of rows that makes. ours: rows that are ours to price."""
    now, changes = dict(spans), list[Change]()
    for span_id, pk in ours.items():
        span = spans[span_id]
        tokens = Tokens(
            span.input_tokens, span.output_tokens, span.cached_tokens, span.cache_write_tokens, span.reasoning_tokens
        )
        cost, source = our_price(span.model, span.provider, tokens, at_ms=span.started_ms, own=own, general=general)
        is_unpriced = source == "unknown"
        if (cost, is_unpriced) != (span.cost_micros, span.is_unpriced):
            now[span_id] = replace(span, cost_micros=cost, is_unpriced=is_unpriced)
            changes.append((cost, source, pk))
    return now, changes

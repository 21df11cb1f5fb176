"""Removes what is too old, a short transaction at a time, and hands the room in the file back; sets what too old is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.audit import Action, Actor, record
from bloop_site.lib.clock import to_ms
from bloop_site.lib.db import copy_back, copying_back_ourselves, give_back, skip_locked, space
from bloop_site.lib.log import logger
from bloop_site.lib.pace import Pace
from bloop_site.lib.turn import write_turn
from projects import retention
from projects.models import PurgeRun
from projects.retention import Found, Search

log = logger("projects.retention")
# Of a file, this stays free for the next rows: it would only grow again.
FREE_KEPT_BYTES = 1024 * 1024
# A pass that nobody asked for leaves what the next hour's events will take anyway.
WORTH_RETURNING = 0.1
SPACE = "space"
LONG_SECONDS = 0.05  # no turn to write should take longer; on a busy machine the scheduler has a say in it
# Events of many issues lie in many pages of the indexes: some 500 pages go into the WAL with each chunk.
CHUNKS_A_COPY = 8
COPIES_TO_CUT = 20  # the file is cut by a copy that nobody comes between
# Shorter than others' chunks: a purge goes on for minutes, so what ingest waits for it is in every percentile.
PURGE_SECONDS = 0.003
REST_TIMES = 2.0
RETURN_SECONDS = 0.0075  # writing the pages that were moved takes as long again
PATIENCE_SECONDS = 1.0  # then a chunk waits for its turn as everybody does: under full load it would never be free


class Busy(Exception):
    """Another worker is at this run, or has finished it."""


@dataclass(frozen=True)
class Started:
    """The run that is under way; is_new: it was started now, rather than found unfinished."""

    run: PurgeRun
    is_new: bool


def start_purge(*, actor: Actor | None, now: datetime) -> Started:
    """Begin a pass, unless one is unfinished already: then that one is what there is to wait for.

    actor: who asked, which the audit log notes; None for the pass of every hour. Nothing is removed here.
    """
    unfinished = PurgeRun.objects.filter(finished_at=None).first()
    if unfinished is not None:
        return Started(unfinished, is_new=False)
    try:
        with transaction.atomic():
            run = PurgeRun.objects.create(requested_by=actor.user if actor else None, started_at=now)
            if actor:
                record(actor=actor, action=Action.PURGE_STARTED, target="all projects", now=now)
    except IntegrityError:  # somebody was quicker
        return Started(PurgeRun.objects.get(finished_at=None), is_new=False)
    return Started(run, is_new=True)


@dataclass
class Work:
    """Where a process is in a run, and how often and for how long (seconds) it had the turn to write."""

    run_id: int
    search: Search
    pace: Pace
    is_requested: bool
    is_worth_returning: bool | None = None
    turns: int = 0
    long_turns: int = 0
    longest: float = 0.0


# So that a process which goes on need not read again what may stay. Whoever works takes it away meanwhile.
_work_left: dict[int, Work] = {}


def continue_purge(*, run_id: int, now: datetime, seconds: float) -> bool:
    """Remove rows for about `seconds`, then hand room back. Returns whether the run is finished.

    Safe to run twice, also at once, and after any interruption: each chunk and its progress are one transaction. What
    a purger fails at is logged, noted in the run, and left for the next run; the others go on. Raises Busy.
    """
    begun = time.monotonic()
    run = PurgeRun.objects.filter(pk=run_id, finished_at=None).first()
    if run is None:
        return True
    work = work_at(run)
    if not run.rows_total:
        note_total(work)
    with copying_back_ourselves():
        while next_step(work):
            if time.monotonic() - begun >= seconds:
                _work_left[run_id] = work
                return False
    finish(work, now=now + timedelta(seconds=time.monotonic() - begun))
    return True


def continue_purges(*, now: datetime, seconds: float) -> bool:
    """Continue the unfinished run, if there is one. Returns whether it goes on. One another worker is at is left."""
    run_id = PurgeRun.objects.filter(finished_at=None).values_list("pk", flat=True).first()
    if run_id is None:
        return False
    try:
        return not continue_purge(run_id=run_id, now=now, seconds=seconds)
    except Busy:
        return False


def work_at(run: PurgeRun) -> Work:
    """Where this process left the run, or its beginning: also when the policies have changed since."""
    cutoffs = retention.cutoffs(at_ms=to_ms(run.started_at))
    left = _work_left.pop(run.pk, None)
    _work_left.clear()
    if left is not None and left.search.cutoffs == cutoffs:
        return left
    search = Search(cutoffs, without=failed_in(run))
    return Work(run.pk, search, new_pace(), is_requested=run.requested_by_id is not None)


def new_pace() -> Pace:
    """The pace of a run, from its first chunk on."""
    return Pace(chunks_a_copy=CHUNKS_A_COPY, chunk_seconds=PURGE_SECONDS, rest_times=REST_TIMES)


def failed_in(run: PurgeRun) -> list[str]:
    """The purgers that failed in this run, from its lines `name: reason`."""
    return [line.partition(":")[0] for line in run.failure.splitlines()]


def note_total(work: Work) -> None:
    """Count what there is to remove, for the progress that people see. Raises Busy."""
    total = 0
    for name in list(work.search.left):
        try:
            total += retention.purgers()[name].count(work.search.cutoffs)
        except Exception as error:  # noqa: BLE001  whatever it is, the others go on
            note_failure(work, name, error)
            work.search.drop(name)
    with write_turn, transaction.atomic():
        claim(work)
        PurgeRun.objects.filter(pk=work.run_id).update(rows_total=total)


def next_step(work: Work) -> bool:
    """Remove one chunk; when nothing is left to remove, hand some room back. Returns whether there may be more."""
    if work.search.left:
        try_to_remove(work)
        if work.search.left:
            return True
        rows_are_done(work)
    return return_some_space(work)


def try_to_remove(work: Work) -> None:
    """Let the purger whose turn it is remove a chunk; one that fails has no other turn. Raises Busy."""
    try:
        found = work.search.next_rows(limit=work.pace.rows)
        if found is not None and found.rows:
            spend(work, partial(remove_chunk, work, found))
    except Busy:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the others go on
        note_failure(work, work.search.asked, error)
        work.search.drop(work.search.asked)


def spend(work: Work, write: Callable[[], None]) -> None:
    """Let `write` have the database for one transaction, and then others."""
    with write_turn.when_free(seconds=PATIENCE_SECONDS):
        with transaction.atomic():
            started = time.perf_counter()
            write()
            written = time.perf_counter()
        ended = time.perf_counter()
    took = ended - started
    work.turns += 1
    if took > LONG_SECONDS:
        work.long_turns += 1
        log.info(
            "purge_turn_was_long",
            purger=work.search.asked if work.search.left else SPACE,
            rows=work.pace.rows,
            turn=work.turns,
            seconds=took,
            commit_seconds=ended - written,
        )
    work.longest = max(work.longest, took)
    work.pace.rest(took)


def remove_chunk(work: Work, found: Found) -> None:
    """Remove what was found and note the progress, in the caller's transaction. Raises Busy."""
    run = claim(work)
    removed = retention.purgers()[found.name].remove(found.rows)
    by_name = {**run.removed, found.name: run.removed.get(found.name, 0) + removed}
    PurgeRun.objects.filter(pk=work.run_id).update(rows_removed=F("rows_removed") + removed, removed=by_name)


def rows_are_done(work: Work) -> None:
    """Correct the total, which was an estimate: what is left is to hand room back. Raises Busy."""
    with write_turn, transaction.atomic():
        claim(work)
        PurgeRun.objects.filter(pk=work.run_id).update(rows_total=F("rows_removed"))
    work.pace = new_pace()
    copy_back()


def return_some_space(work: Work) -> bool:
    """Make a SQLite file shorter by some free pages. Returns whether there may be more."""
    try:
        pages = pages_to_return(work)
        if pages:
            spend(work, partial(return_pages, work, pages))
    except Busy:
        raise
    except Exception as error:  # noqa: BLE001  the rows are gone all the same
        note_failure(work, SPACE, error)
        return False
    return bool(pages)


def pages_to_return(work: Work) -> int:
    """How many free pages a file should lose yet."""
    room = space()
    if work.is_worth_returning is None:
        work.is_worth_returning = work.is_requested or room.free_bytes > WORTH_RETURNING * room.db_bytes
    if not room.can_shrink or not work.is_worth_returning:
        return 0
    return max(0, room.free_bytes - FREE_KEPT_BYTES) // room.page_bytes


def return_pages(work: Work, pages: int) -> None:
    """Cut pages off and note how many bytes that were, in the caller's transaction. Raises Busy."""
    claim(work)
    returned = give_back(pages=pages, seconds=RETURN_SECONDS)
    PurgeRun.objects.filter(pk=work.run_id).update(bytes_returned=F("bytes_returned") + returned)


def claim(work: Work) -> PurgeRun:
    """Hold the run until the transaction ends, and read how far it is. Raises Busy."""
    run = skip_locked(PurgeRun.objects.filter(pk=work.run_id, finished_at=None)).first()
    if run is None:
        raise Busy
    return run


def note_failure(work: Work, name: str, error: Exception) -> None:
    """Log what went wrong and note it in the run, where people see it. Raises Busy."""
    log.error("purge_failed", run_id=work.run_id, purger=name, exc_info=error)
    reason = str(error).splitlines()[0] if str(error) else ""
    line = f"{name}: {type(error).__name__}: {reason}".rstrip(": ")[:300].replace("\x00", "\ufffd")
    with write_turn, transaction.atomic():
        run = claim(work)
        PurgeRun.objects.filter(pk=work.run_id).update(failure=f"{run.failure}\n{line}".strip())


def finish(work: Work, *, now: datetime) -> None:
    """Close the run. Raises Busy."""
    with write_turn, transaction.atomic():
        run = claim(work)
        PurgeRun.objects.filter(pk=work.run_id).update(finished_at=now, rows_total=F("rows_removed"))
    for _ in range(COPIES_TO_CUT):
        if copy_back():
            break
        time.sleep(RETURN_SECONDS)
    log.info(
        "purge_finished",
        run_id=run.pk,
        rows=run.rows_removed,
        bytes_returned=run.bytes_returned,
        turns=work.turns,
        long_turns=work.long_turns,
        longest_turn_ms=round(work.longest * 1000, 1),
    )

"""The buffer between "accepted" and "visible": append, claim, settle, bury. The only code that touches its tables.

A request is answered 200 after its row is committed (design.md 2). Requests that come at the same moment are committed
together (`ingest.lane`): the more there are, the less a commit costs each. A row leaves only in the transaction that
folds it, so it is counted once whatever dies in between.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet, Sum

from bloop_site.lib.db import MAX_PARAMETERS, HoldsBytes, can_skip_locked, claim_names, skip_locked
from bloop_site.lib.log import logger
from bloop_site.lib.turn import write_turn
from ingest.models import BufferedPayload, DeadPayload
from ingest.registry import Payload

log = logger("ingest.buffer")
BACKLOG_TTL = 0.25
LOOKED_THROUGH = 2_000  # payloads, for the projects that have some
INSERT_SQL = "INSERT INTO ingest_bufferedpayload (kind, project_id, body, items, received_ms) SELECT %s, %s, %s, %s, %s"


class BufferFull(Exception):
    """The backlog has reached `ingest.channel_capacity`; the client should come back later."""


class ConditionFailed(Exception):
    """What had to hold for the payload to be kept does not hold any more; nothing was written."""


class Taken(Exception):
    """Another worker settled some of these payloads first; nothing was written here."""


@dataclass(slots=True)
class Entry:
    """A row on its way to the table, the condition it is written under (SQL), and what went wrong with it.

    then: what to do once it is kept.
    """

    row: tuple[Any, ...]
    condition: str = ""
    then: Callable[[], None] | None = None
    error: Exception | None = None

    def write(self, cursor: CursorWrapper) -> None:
        """Insert the row if its condition holds."""
        cursor.execute(f"{INSERT_SQL} {self.condition}", self.row)
        if cursor.rowcount != 1:
            self.error = ConditionFailed()

    def tell(self) -> None:
        """Do what was to be done once the row is kept. What goes wrong with that is logged: the row is kept."""
        if self.error is not None or self.then is None:
            return
        try:
            self.then()
        except Exception:
            log.exception("afterthought_failed")


@dataclass
class Backlog:
    """How many items wait, read at most every 250 ms and counted up in between."""

    items: int = 0
    read_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, items: int) -> None:
        """Count `items` in. Raises BufferFull when they do not fit."""
        with self.lock:
            if time.monotonic() - self.read_at > BACKLOG_TTL:
                self.items, self.read_at = waiting_items(), time.monotonic()
            if self.items + items > settings.BLOOP.ingest.channel_capacity:
                raise BufferFull
            self.items += items


class Turn(threading.local):
    """What becomes of this thread's next `append`: deferred to a group's commit, or refused. Else committed at once."""

    entries: list[Entry] | None = None
    refusal: Exception | None = None


turn = Turn()
backlog = Backlog()


@contextmanager
def deferred() -> Iterator[list[Entry]]:
    """Collect what this thread appends; the caller commits it, and answers only then."""
    turn.entries = []
    try:
        yield turn.entries
    finally:
        turn.entries = None


@contextmanager
def refused(error: Exception) -> Iterator[None]:
    """Let this thread's first `append` raise `error`, the fate of its deferred entry."""
    turn.refusal = error
    try:
        yield
    finally:
        turn.refusal = None


def commit(entries: Sequence[Entry]) -> None:
    """Write entries in one transaction; one alone as a statement that commits itself.

    The caller has the turn to write. What goes wrong is noted in each entry it concerns; nothing is raised.
    """
    if not entries:
        return
    try:
        with connection.cursor() as cursor, transaction.atomic() if len(entries) > 1 else nullcontext():
            for entry in entries:
                entry.write(cursor)
    except Exception as error:  # noqa: BLE001  handed to every request of this transaction
        for entry in entries:
            entry.error = error


def append(
    *,
    kind: str,
    project_id: str,
    body: bytes,
    items: int,
    now_ms: int,
    condition: str = "",
    parameters: tuple[Any, ...] = (),
    then: Callable[[], None] | None = None,
) -> None:
    """Keep one payload. Returns after the commit, or within `deferred` before it.

    condition: SQL with its parameters, `WHERE …`, checked by the statement that writes.
    then: called after the commit, and only then.
    Raises BufferFull, ConditionFailed, or the database's error, with nothing kept.
    """
    if turn.refusal is not None:
        refusal, turn.refusal = turn.refusal, None
        raise refusal
    backlog.reserve(items)
    entry = Entry((kind, project_id, body, items, now_ms, *parameters), condition, then)
    if turn.entries is not None:
        turn.entries.append(entry)
        return
    with write_turn:
        commit([entry])
    if entry.error is not None:
        raise entry.error
    entry.tell()


def peek(kind: str, *, max_items: int, in_order: bool = False) -> list[Payload]:
    """The oldest payloads of `kind` holding about `max_items` items, at least one payload if there is any.

    On PostgreSQL the rows are locked for this transaction and rows locked by other workers are skipped.
    in_order: projects that another worker folds are skipped whole, or waited for if there are no others: what they sent
    later must not overtake.
    """
    payloads: list[Payload] = []
    items = 0
    waiting = BufferedPayload.objects.filter(kind=kind).order_by("id")
    if in_order and can_skip_locked():
        waiting = waiting.filter(project_id__in=claimed_projects(kind, waiting))
    rows = skip_locked(waiting)
    for row in rows.values_list("id", "project_id", "body", "items", "received_ms")[:max_items].iterator(chunk_size=8):
        payload = Payload(row[0], row[1], bytes(row[2]), row[3], row[4])
        payloads.append(payload)
        items += payload.items
        if items >= max_items:
            break
    return payloads


def claimed_projects(kind: str, waiting: QuerySet[BufferedPayload]) -> list[str]:
    """Projects with old payloads that no other worker folds; they are ours until the transaction ends."""
    oldest = set(waiting.values_list("project_id", flat=True)[:LOOKED_THROUGH])
    claimed = claim_names([f"{kind} of {project_id}" for project_id in oldest])
    return [name.removeprefix(f"{kind} of ") for name in claimed]


def settle(payloads: Sequence[Payload]) -> None:
    """Remove payloads in the caller's transaction. Raises Taken if one was gone already."""
    ids = [payload.id for payload in payloads]
    removed = 0
    with connection.cursor() as cursor:  # plain SQL: the ORM took longer to build this than SQLite to run it
        for start in range(0, len(ids), MAX_PARAMETERS):
            part = ids[start : start + MAX_PARAMETERS]
            marks = ", ".join(["%s"] * len(part))
            cursor.execute(f"DELETE FROM ingest_bufferedpayload WHERE id IN ({marks})", part)  # noqa: S608
            removed += cursor.rowcount
    if removed != len(payloads):
        raise Taken


def bury(payload: Payload, *, kind: str, body: bytes, items: int, reason: str, now_ms: int) -> None:
    """Move (part of) a payload to the dead letters, in the caller's transaction."""
    DeadPayload.objects.create(
        kind=kind,
        project_id=payload.project_id,
        body=body,
        items=items,
        received_ms=payload.received_ms,
        buried_ms=now_ms,
        reason=reason.replace("\x00", "\ufffd")[:2000],
    )


def waiting_items() -> int:
    """Items accepted and not yet folded."""
    return BufferedPayload.objects.aggregate(total=Sum("items"))["total"] or 0


def waiting_bodies(*, kind: str, project_ids: Collection[str], holding: bytes) -> Iterator[tuple[str, bytes]]:
    """What waits of some projects and has these bytes in it, as (project id, body), the newest first.

    For who must know before it is folded. The database looks for the bytes, so that only a few bodies come.
    """
    rows = BufferedPayload.objects.filter(HoldsBytes("body", holding), kind=kind, project_id__in=project_ids)
    for project_id, body in rows.order_by("-id").values_list("project_id", "body").iterator(chunk_size=8):
        yield project_id, bytes(body)


def oldest_received_ms() -> int | None:
    """When the payload that waits longest came in."""
    oldest: int | None = BufferedPayload.objects.order_by("id").values_list("received_ms", flat=True).first()
    return oldest


def dead_items() -> int:
    """Items that could not be folded."""
    return DeadPayload.objects.aggregate(total=Sum("items"))["total"] or 0


def usage(waiting: int) -> float:
    """Backlog over capacity, 0 to 1 (`buffer_usage` of contract 4.9)."""
    return min(1.0, waiting / settings.BLOOP.ingest.channel_capacity)

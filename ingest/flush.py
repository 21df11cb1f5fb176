"""Folds buffered payloads into their owner's tables, exactly once, and buries what cannot be folded."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from bloop_site.lib.clock import now_ms
from bloop_site.lib.db import can_skip_locked
from bloop_site.lib.log import logger
from bloop_site.lib.turn import write_turn
from ingest import buffer
from ingest.registry import Handler, Payload, handlers, is_in_order

log = logger("ingest.flush")
TRANSIENT = (OperationalError, InterfaceError)  # the database is away or busy: the payloads stay for the next tick
_flushing = threading.Lock()


@dataclass(frozen=True)
class Flushed:
    """What one flush did, in items."""

    stored: int = 0
    buried: int = 0

    @property
    def items(self) -> int:
        return self.stored + self.buried

    def __add__(self, other: "Flushed") -> "Flushed":
        return Flushed(self.stored + other.stored, self.buried + other.buried)


def flush_all(*, seconds: float | None = None) -> Flushed:
    """Fold what waits, batch by batch until one is not full, or for about `seconds`.

    Returns at once, with zeros, if this process is at it.

    Raises OperationalError or InterfaceError when the database is away; nothing is lost or buried then.
    """
    if not _flushing.acquire(blocking=False):
        return Flushed()
    try:
        total = Flushed()
        ends = time.monotonic() + seconds if seconds else float("inf")
        for kind, handler in handlers().items():
            while time.monotonic() < ends and (done := flush_next(kind, handler)):
                total += done
                if done.items < settings.BLOOP.pipeline.flush_batch_size:
                    break  # what came meanwhile makes a batch of its own; chasing it never ends under load
        return total
    finally:
        _flushing.release()


def flush_next(kind: str, handler: Handler) -> Flushed | None:
    """Fold the next batch of one kind; None when there is none.

    On PostgreSQL one transaction holds the row locks from reading to removing. On SQLite reading and preparing happen
    before the write lock is taken, so that ingest waits for the writes only; a batch that another worker settled
    meanwhile is noticed by its missing rows and read again.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        if can_skip_locked():
            stack.enter_context(transaction.atomic())
        most = settings.BLOOP.pipeline.flush_batch_size
        payloads = buffer.peek(kind, max_items=most, in_order=is_in_order(kind))
        if not payloads:
            return None
        try:
            fold(handler, payloads)
            done = Flushed(stored=sum(payload.items for payload in payloads))
        except buffer.Taken:
            return Flushed()
        except TRANSIENT:
            raise
        except Exception:
            log.exception("batch_refused", kind=kind, payloads=len(payloads))
            done = fold_one_by_one(kind, handler, payloads)
    log.debug(
        "batch_written",
        kind=kind,
        payloads=len(payloads),
        stored=done.stored,
        buried=done.buried,
        ms=round((time.perf_counter() - started) * 1000, 1),
    )
    return done


def fold(handler: Handler, payloads: Sequence[Payload]) -> None:
    """Write payloads and remove them from the buffer, in one transaction."""
    prepared = handler.prepare(payloads)
    with write_turn, transaction.atomic():
        buffer.settle(payloads)
        handler.write(prepared)


def fold_one_by_one(kind: str, handler: Handler, payloads: Sequence[Payload]) -> Flushed:
    """Retry each payload alone, and a refused one item by item; what is refused alone goes to the dead letters."""
    total = Flushed()
    for payload in payloads:
        try:
            fold(handler, [payload])
            total += Flushed(stored=payload.items)
        except TRANSIENT:
            raise
        except buffer.Taken:
            continue
        except Exception as error:  # noqa: BLE001  whatever it is, its neighbours must live
            total += fold_items(kind, handler, payload, error)
    return total


def fold_items(kind: str, handler: Handler, payload: Payload, error: Exception) -> Flushed:
    """Take a refused payload apart: store its good items, bury the others, remove it; all in one transaction."""
    stored = buried = 0
    with transaction.atomic():
        buffer.settle([payload])
        for body in split(handler, payload):
            try:
                single = Payload(payload.id, payload.project_id, body, 1, payload.received_ms)
                prepared = handler.prepare([single])
                with transaction.atomic():
                    handler.write(prepared)
                stored += 1
            except TRANSIENT:
                raise
            except Exception as refused:  # noqa: BLE001
                buried += 1
                buffer.bury(payload, kind=kind, body=body, items=1, reason=reason_of(refused), now_ms=now_ms())
        if not stored and not buried:
            buried = payload.items
            reason = reason_of(error)
            buffer.bury(payload, kind=kind, body=payload.body, items=buried, reason=reason, now_ms=now_ms())
    log.error("payload_buried", kind=kind, project_id=payload.project_id, buried=buried, reason=reason_of(error))
    return Flushed(stored, buried)


def split(handler: Handler, payload: Payload) -> Sequence[bytes]:
    """The payload's items; none when it cannot even be taken apart."""
    try:
        return handler.split(payload)
    except Exception:  # noqa: BLE001  unreadable: it is buried whole
        return ()


def reason_of(error: Exception) -> str:
    """The kind and first line of an error, without the payload's text."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]

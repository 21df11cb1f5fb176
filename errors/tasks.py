"""Work on issues that nobody waits for."""

import threading
from typing import Any

from celery import shared_task

from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from errors.services import bulk, packs, status

log = logger("errors")
SECONDS = 2.0  # a worker that is told to stop waits for its tasks
_working = threading.Lock()
_packing = threading.Lock()


@shared_task(queue="bloop", name="errors.tasks.continue_bulks", ignore_result=True)
def continue_bulks(**_later: Any) -> None:
    """Work on changes of many issues for a while, and ask to be run again while some are left. Safe to run twice.

    Sent when one is begun and not done at once, and by beat every minute, should a worker have died over it.
    """
    work_off_bulks()


def work_off_bulks() -> None:
    """What the task does, unless this process is at it."""
    if not _working.acquire(blocking=False):
        return
    try:
        remain = bulk.continue_bulks(now_ms=now_ms(), seconds=SECONDS)
    finally:
        _working.release()
    if remain:
        queue_bulks()


@shared_task(queue="bloop", name="errors.tasks.end_mutes", ignore_result=True)
def end_mutes(**_later: Any) -> None:
    """Open the issues whose mute has run out by time. Safe to run twice."""
    ended = status.end_mutes(now_ms=now_ms())
    if ended:
        log.info("mutes_ended", issues=ended)


@shared_task(queue="bloop", name="errors.tasks.pack_hours", ignore_result=True)
def pack_hours(**_later: Any) -> None:
    """Pack hourly counts for a while, and ask to be run again while some are left. Safe to run twice.

    Sent by a worker that starts, then by beat.
    """
    work_off_packs()


def work_off_packs() -> None:
    """What the task does, unless this process is at it."""
    if not _packing.acquire(blocking=False):
        return
    try:
        is_done = packs.pack_hours(now_ms=now_ms(), seconds=SECONDS)
    finally:
        _packing.release()
    if not is_done:
        queue_packing()


def queue_packing() -> None:
    """Queue `pack_hours`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        pack_hours.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  nothing is lost: what is not packed is read where it stands
        log.warning("packing_not_queued", reason=type(error).__name__)


def queue_bulks() -> None:
    """Queue `continue_bulks`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        continue_bulks.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  the change is noted all the same
        log.warning("bulk_not_queued", reason=type(error).__name__)

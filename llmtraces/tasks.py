"""Work on traces that nobody waits for."""

import threading
from typing import Any

from celery import shared_task

from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from llmtraces.services import recalculate

log = logger("llmtraces")
SECONDS = 2.0  # a worker that is told to stop waits for its tasks
_working = threading.Lock()


@shared_task(queue="bloop", name="llmtraces.tasks.continue_recalculations", ignore_result=True)
def continue_recalculations(**_later: Any) -> None:
    """Price traces anew for a while, and ask to be run again while some are left. Safe to run twice.

    Sent when it is asked for, and by beat every minute, should a worker have died over it.
    """
    if not _working.acquire(blocking=False):
        return
    try:
        remain = recalculate.continue_recalculations(now_ms=now_ms(), seconds=SECONDS)
    finally:
        _working.release()
    if remain:
        queue_recalculations()


def queue_recalculations() -> None:
    """Queue `continue_recalculations`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        continue_recalculations.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  the work is noted all the same
        log.warning("recalculation_not_queued", reason=type(error).__name__)

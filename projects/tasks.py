"""Work of the projects app that nobody waits for."""

import threading
from typing import Any

from celery import shared_task
from django.utils import timezone

from bloop_site.lib.log import logger
from projects.services.removal import continue_removals

log = logger("projects")
SECONDS = 2.0  # a worker that is told to stop waits for its tasks
_removing = threading.Lock()


@shared_task(queue="bloop", name="projects.tasks.remove_projects", ignore_result=True)
def remove_projects(**_later: Any) -> None:
    """Remove rows of deleted projects for a while, and ask to be run again while some are left. Safe to run twice.

    Sent when a project is deleted, and by beat every minute, should a worker have died over it.
    """
    work_off_removals()


def work_off_removals() -> None:
    """What the task does, unless this process is at it."""
    if not _removing.acquire(blocking=False):
        return
    try:
        remain = continue_removals(now=timezone.now(), seconds=SECONDS)
    finally:
        _removing.release()
    if remain:
        start_removals()


def start_removals() -> None:
    """Queue `remove_projects`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        remove_projects.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  the project is gone for everybody all the same
        log.warning("removal_not_queued", reason=type(error).__name__)

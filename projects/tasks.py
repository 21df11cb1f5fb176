"""Work of the projects app that nobody waits for."""

import threading
from typing import Any

from celery import shared_task
from django.utils import timezone

from bloop_site.lib.log import logger
from projects.services.removal import continue_removals
from projects.services.retention import continue_purges, start_purge

log = logger("projects")
SECONDS = 2.0  # a worker that is told to stop waits for its tasks
_removing = threading.Lock()
_purging = threading.Lock()


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


@shared_task(queue="bloop", name="projects.tasks.purge_expired", ignore_result=True)
def purge_expired(**_later: Any) -> None:
    """Begin a pass of retention and work at it. Sent by a worker that starts, then by beat. Safe to run twice."""
    begin_purge()


@shared_task(queue="bloop", name="projects.tasks.purge", ignore_result=True)
def purge(**_later: Any) -> None:
    """Go on with an unfinished pass for a while, and ask to be run again while it lasts. Safe to run twice.

    Sent by whoever began one, and by beat every minute, should a worker have died over it.
    """
    work_off_purge()


def begin_purge() -> None:
    """What the first does."""
    start_purge(actor=None, now=timezone.now())
    work_off_purge()


def work_off_purge() -> None:
    """What both do, unless this process is at it."""
    if not _purging.acquire(blocking=False):
        return
    try:
        goes_on = continue_purges(now=timezone.now(), seconds=SECONDS)
    finally:
        _purging.release()
    if goes_on:
        start_purging()


def start_purging() -> None:
    """Queue `purge`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        purge.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  the run is on record all the same
        log.warning("purge_not_queued", reason=type(error).__name__)

"""Celery's side of alerts."""

import threading
from typing import Any

from celery import shared_task

from alerts.delivery_tasks import deliver, queue_delivery
from alerts.services.evaluate import evaluate_some
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger

__all__ = ["deliver", "evaluate", "queue_delivery", "queue_evaluation"]
log = logger("alerts")
_evaluating = threading.Lock()
_again = threading.Event()


@shared_task(queue="bloop", name="alerts.tasks.evaluate", ignore_result=True)
def evaluate(*, only_busy: bool = False, from_job: int = 0, **_later: Any) -> None:
    """Evaluate rules for a while, and ask to be run again for those that no time was left for. Safe to run twice.

    Beat sends it every minute for all rules; a flush for what it wrote down, and rules that count events of projects
    that have some (`only_busy`).
    """
    work_off_evaluation(only_busy=only_busy, from_job=from_job)


def work_off_evaluation(*, only_busy: bool, from_job: int = 0) -> None:
    """What the task does. One at a time in this process: a nudge that finds it at work has it sent for once more."""
    if only_busy:
        _again.set()  # before it looks whether one is at work: who is, looks here after it has let go
    if not _evaluating.acquire(blocking=not only_busy):
        return
    try:
        _again.clear()
        done = evaluate_some(now_ms=now_ms(), only_busy=only_busy, from_job=from_job)
    finally:
        _evaluating.release()
    if done.deliveries:
        queue_delivery()
    if done.next_job is not None:
        queue_evaluation(only_busy=only_busy, from_job=done.next_job)
    if _again.is_set():
        queue_evaluation(only_busy=True)


def queue_evaluation(*, only_busy: bool = False, from_job: int = 0) -> None:
    """Queue `evaluate`; a broker that is away is logged and forgotten: beat asks again."""
    try:
        evaluate.apply_async(kwargs={"only_busy": only_busy, "from_job": from_job}, expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  what happened is noted all the same
        log.warning("evaluation_not_queued", reason=type(error).__name__)

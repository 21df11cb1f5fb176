"""The task that has alerts sent, and how it is sent itself; `alerts.tasks` is where Celery and others find both."""

from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown
from django.db import transaction

from alerts.courier import courier, waits_soon
from bloop_site.lib.log import logger

log = logger("alerts")
STOP_SECONDS = 2.0  # of what the supervisor grants


@shared_task(queue="bloop", name="alerts.tasks.deliver", ignore_result=True)
def deliver(**_later: Any) -> None:
    """Have this worker's courier send what is due; it is not waited for. Safe to run twice.

    Sent by whoever wrote deliveries, and by beat every 10 s for what is tried again.
    """
    wake_courier()


def wake_courier() -> None:
    """What the task does, unless nothing will be due before beat asks again."""
    if waits_soon():
        courier.wake()


def queue_delivery() -> None:
    """Queue `deliver` once the transaction that wrote deliveries is committed, or now when there is none."""
    transaction.on_commit(send_task)


def send_task() -> None:
    """A broker that is away is logged and forgotten: beat asks again."""
    try:
        deliver.apply_async(expires=60, retry=False)
    except Exception as error:  # noqa: BLE001  the deliveries are written all the same
        log.warning("delivery_not_queued", reason=type(error).__name__)


@worker_shutdown.connect
def finish_messages(**_: Any) -> None:
    """On SIGTERM let messages that are under way arrive, so that they are not sent once more at the next start."""
    courier.stop(seconds=STOP_SECONDS)

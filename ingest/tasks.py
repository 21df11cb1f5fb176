"""Celery's side of the buffer."""

from typing import Any

from celery import shared_task

from ingest.flush import flush_all


@shared_task(queue="bloop", name="ingest.tasks.flush", ignore_result=True)
def flush(**_later: Any) -> None:
    """Fold everything that waits. Ingest sends it when there is something, beat every 2 s. Safe to run twice."""
    flush_all()

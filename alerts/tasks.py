"""Celery's side of alerts."""

from alerts.delivery_tasks import deliver, queue_delivery

__all__ = ["deliver", "queue_delivery"]

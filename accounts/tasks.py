"""Housekeeping of the accounts app."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from accounts import throttle
from accounts.services import links
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger

log = logger("accounts")


@shared_task(queue="bloop", name="accounts.tasks.prune")
def prune(**_later: Any) -> None:
    """Hourly: forget ended sessions and links, and rate buckets that are full again. Safe to run twice."""
    expired = links.prune_expired(now=timezone.now())
    buckets = throttle.prune_buckets(now=now_ms())
    log.info("accounts_pruned", expired=expired, buckets=buckets)

"""Deliveries are written with what they tell of; a worker finds them."""

from django.conf import settings
from django.db.models import Q

from alerts.models import AlertRule, ChannelType, Delivery, Firing

FINISHED = (Delivery.State.SENT, Delivery.State.FAILED)


def queue_deliveries(firing: Firing, *, now_ms: int) -> list[int]:
    """Write one waiting delivery for each channel of the firing's rule, or for the server's hooks when it has none.

    In the caller's transaction. Returns the ids of all deliveries of the firing; repeating adds none. Whoever commits
    calls `alerts.tasks.queue_delivery`.
    """
    channels = firing.rule.channels.order_by("pk").values_list("pk", "channel_type")
    rows = [
        Delivery(firing=firing, channel_id=pk, channel_type=channel_type, due_ms=now_ms)
        for pk, channel_type in channels
    ]
    if not rows:
        rows = [Delivery(firing=firing, channel_type=hook, hook=hook, due_ms=now_ms) for hook in hooks()]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    return list(Delivery.objects.filter(firing=firing).order_by("pk").values_list("pk", flat=True))


def hooks() -> dict[str, dict[str, str]]:
    """Where alerts of rules without channels go: by kind, the config of each address that the environment names."""
    found = {}
    if settings.BLOOP.slack_webhook_url:
        found[ChannelType.SLACK.value] = {"type": "slack", "webhook_url": settings.BLOOP.slack_webhook_url}
    if settings.BLOOP.webhook_url:
        found[ChannelType.WEBHOOK.value] = {"type": "webhook", "url": settings.BLOOP.webhook_url}
    return found


def has_hooks_only(rule: AlertRule) -> bool:
    """Whether what the rule fires goes to the server's hooks."""
    return not rule.channels.exists() and bool(hooks())


def resend(delivery_id: int, *, now_ms: int) -> bool:
    """Have a finished delivery sent again, with all its attempts before it. Returns whether it will be.

    Not one that still waits, nor one whose channel is gone. Whoever commits calls `alerts.tasks.queue_delivery`.
    """
    finished = Delivery.objects.filter(pk=delivery_id, state__in=FINISHED)
    # finished_ms stays: by it the message is known as another one (`alerts.services.claims.delivery_key`).
    return bool(
        finished.filter(Q(channel__isnull=False) | ~Q(hook="")).update(
            state=Delivery.State.PENDING, attempts=0, due_ms=now_ms, claimed_ms=None
        )
    )

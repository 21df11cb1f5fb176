"""Which delivery is due, whose it is, and how it ended: everything about a delivery that the database decides."""

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Min, Q, QuerySet

from alerts.backoff import LONGEST_MS, MAX_ATTEMPTS, wait_ms
from alerts.channels.base import ChannelError, Sent
from alerts.channels.registry import host_of
from alerts.messages import Facts, facts_of
from alerts.models import Channel, Cooldown, Delivery, Firing
from alerts.services.closing import CLOSES, is_over
from alerts.services.outbox import hooks
from bloop_site.lib.clock import MINUTE_MS
from bloop_site.lib.log import logger

log = logger("alerts")
CLAIM_MS = MINUTE_MS  # six times as long as an attempt may take; then whoever made it is dead
CHANNEL_GONE = "its channel was removed"
HOOK_GONE = "the server's own address for such alerts is set no more"
PROJECT_GONE = "its project was deleted"
DIED = "the worker died during the last attempt"


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours for a minute, with what sending it needs. attempt: tells this claim from later ones."""

    delivery_id: int
    firing_id: int
    attempt: int
    channel_id: int | None
    channel_type: str
    config: dict[str, Any]
    secret: str
    facts: Facts


@dataclass(frozen=True)
class InLine:
    """A due delivery that nobody has claimed, as far as one can see.

    lane: its channel, or the server's hook; one message at a time goes through it. host: whom that depends on.
    is_failing: whether the channel's last attempt failed.
    """

    delivery_id: int
    lane: str
    host: str
    is_failing: bool


def due(*, now_ms: int) -> QuerySet[Delivery]:
    """Deliveries to attempt now: nobody is at them, or who was has died.

    What is due later than any attempt may be was written by a clock that ran ahead, and is due.
    """
    return Delivery.objects.filter(
        Q(due_ms__lte=now_ms) | Q(due_ms__gt=now_ms + LONGEST_MS),
        Q(claimed_ms=None) | Q(claimed_ms__lte=now_ms - CLAIM_MS),
        state=Delivery.State.PENDING,
    )


def next_in_line(*, now_ms: int, busy: Collection[str]) -> list[InLine]:
    """The first due delivery of each lane that is not busy, the longest due first; those of failing channels last."""
    rows = due(now_ms=now_ms).values("channel_id", "hook").annotate(first=Min("pk"), since=Min("due_ms"))
    found: list[tuple[int, int | None, str]] = [
        (row["first"], row["channel_id"], row["hook"])
        for row in rows.order_by("since", "first")
        if lane_of(row["channel_id"], row["hook"], row["first"]) not in busy
    ]
    channels = Channel.objects.in_bulk([channel_id for _, channel_id, _ in found if channel_id is not None])
    line = []
    for pk, channel_id, hook in found:
        channel = channels.get(channel_id) if channel_id is not None else None
        kind, config = (channel.channel_type, channel.config) if channel else (hook, hooks().get(hook))
        line.append(
            InLine(
                delivery_id=pk,
                lane=lane_of(channel_id, hook, pk),
                host=host_of(kind, config or {}),
                is_failing=channel is not None and channel.failed_in_row > 0,
            )
        )
    return sorted(line, key=lambda each: each.is_failing)


def lane_of(channel_id: int | None, hook: str, delivery_id: int) -> str:
    """A delivery without either, whose channel was removed, has a lane of its own."""
    if channel_id is not None:
        return f"channel {channel_id}"
    return f"hook {hook}" if hook else f"delivery {delivery_id}"


def next_due_ms(*, now_ms: int) -> int | None:
    """When the next attempt is due, or may be taken from a worker that died over it; None when nothing waits."""
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING)
    free = waiting.filter(claimed_ms=None).aggregate(first=Min("due_ms"), last=Max("due_ms"))
    claimed = waiting.aggregate(first=Min("claimed_ms"))["first"]
    is_ahead = (free["last"] or 0) > now_ms + LONGEST_MS
    times = (free["first"], claimed and claimed + CLAIM_MS, now_ms if is_ahead else None)
    return min((at for at in times if at is not None), default=None)


def claim(delivery_id: int, *, now_ms: int) -> Claimed | None:
    """Take the delivery for this worker; None when another has it, or when it cannot be sent and is now given up.

    Writes its claim and counts the attempt.
    """
    if not due(now_ms=now_ms).filter(pk=delivery_id).update(attempts=F("attempts") + 1, claimed_ms=now_ms):
        return None
    rows = Delivery.objects.select_related("channel", "firing__rule", "firing__project")
    delivery = rows.filter(pk=delivery_id).first()
    if delivery is None:
        return None
    config = delivery.channel.config if delivery.channel else hooks().get(delivery.hook)
    facts = replace(
        facts_of(delivery.firing),
        delivery_id=delivery_key(delivery),
        sent_ms=now_ms,
        is_over=is_over(delivery.firing) if delivery.channel_type in CLOSES else False,
    )
    claimed = Claimed(
        delivery_id=delivery.pk,
        firing_id=delivery.firing_id,
        attempt=delivery.attempts,
        channel_id=delivery.channel_id,
        channel_type=delivery.channel_type,
        config=config or {},
        secret=delivery.channel.secret if delivery.channel else "",
        facts=facts,
    )
    is_project_gone = delivery.firing.project.removing_at is not None
    if config is None or is_project_gone or delivery.attempts > MAX_ATTEMPTS:
        why = PROJECT_GONE if is_project_gone else DIED if config else HOOK_GONE if delivery.hook else CHANNEL_GONE
        if is_project_gone:
            claimed = replace(claimed, channel_id=None)  # its channel, maybe of a rule for all projects, is well
        settle(claimed, ChannelError(why, permanent=True), now_ms=now_ms)
        return None
    return claimed


def delivery_key(delivery: Delivery) -> str:
    """What a receiver knows the message by: the same at each attempt, another after somebody asked for it again."""
    again = "" if delivery.finished_ms is None else f"-{delivery.finished_ms}"
    return f"{delivery.pk}-{delivery.firing.fired_ms}{again}"


def settle(claimed: Claimed, outcome: Sent | ChannelError, *, now_ms: int) -> None:
    """Write how an attempt ended: sent, due again later, or given up; what that says about its channel too.

    A firing of which every delivery was given up has told nobody, so its cooldown ends (contract 6.5). Nothing is
    written when the claim has ended meanwhile: then the delivery is another worker's.
    """
    status = outcome.status
    text = outcome.text if isinstance(outcome, Sent) else outcome.whole
    with transaction.atomic():
        # Two workers that each give up one of a firing's last two deliveries must not both see the other's waiting.
        Firing.objects.select_for_update(no_key=True).filter(pk=claimed.firing_id).first()
        ours = Delivery.objects.filter(
            pk=claimed.delivery_id, state=Delivery.State.PENDING, attempts=claimed.attempt, claimed_ms__isnull=False
        )
        if isinstance(outcome, Sent):
            written = finish(ours, Delivery.State.SENT, status=status, text=text, now_ms=now_ms)
        elif (wait := wait_after(claimed, outcome, now_ms=now_ms)) is not None:
            written = ours.update(due_ms=now_ms + wait, claimed_ms=None, reply_status=status, reply=text)
        else:
            written = finish(ours, Delivery.State.FAILED, status=status, text=text, now_ms=now_ms)
            if written:
                end_cooldown_of_the_untold(claimed.firing_id)
        if written and claimed.channel_id is not None:
            note_health(claimed.channel_id, failure=None if isinstance(outcome, Sent) else text, now_ms=now_ms)
    about = log.bind(
        delivery_id=claimed.delivery_id, channel_type=claimed.channel_type, attempt=claimed.attempt, status=status
    )
    if isinstance(outcome, Sent):
        about.info("alert_delivered")
    else:
        about.warning("alert_not_delivered", reason=outcome.words)


def finish(ours: QuerySet[Delivery], state: str, *, status: int | None, text: str, now_ms: int) -> int:
    """Write the end of a delivery; how many rows that were ours to write."""
    return ours.update(state=state, finished_ms=now_ms, claimed_ms=None, reply_status=status, reply=text)


def wait_after(claimed: Claimed, error: ChannelError, *, now_ms: int) -> int | None:
    """How long until the next attempt; None: there is none."""
    if error.permanent:
        return None
    chance = random.random()  # noqa: S311  only so that they do not come back together
    return wait_ms(attempts=claimed.attempt, retry_after=error.retry_after, now_ms=now_ms, chance=chance)


def end_cooldown_of_the_untold(firing_id: int) -> None:
    """Delete the cooldowns that this firing and those it was the digest of began, unless some delivery of it was sent
    or may still be.
    """
    if not Delivery.objects.filter(firing_id=firing_id).exclude(state=Delivery.State.FAILED).exists():
        untold = Firing.objects.filter(Q(pk=firing_id) | Q(digest=firing_id))
        Cooldown.objects.filter(firing__in=untold.values("pk")).delete()


def note_health(channel_id: int, *, failure: str | None, now_ms: int) -> None:
    """Write when a channel last took or refused a message, and how many attempts failed in a row."""
    channel = Channel.objects.filter(pk=channel_id)
    if failure is None:
        channel.update(failed_in_row=0, last_sent_ms=now_ms)
    else:
        channel.update(failed_in_row=F("failed_in_row") + 1, last_failed_ms=now_ms, last_failure=failure)

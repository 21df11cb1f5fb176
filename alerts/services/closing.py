"""Closes at PagerDuty what was resolved here: its message is sent once more, and says so then.

What such a message says depends on how its issue stands when it is sent. So one that is late opens nothing of an issue
that is resolved by then, and one of an issue that came back closes nothing.
"""

from django.db import transaction

from alerts.models import Channel, ChannelType, Cooldown, Delivery, Firing, RuleType
from bloop_site.lib.db import survives_deadlock
from bloop_site.lib.turn import write_turn
from errors.queries.alerting import resolved_at

CLOSES = (ChannelType.PAGERDUTY.value,)  # kinds of channels that keep something open for each message
# What these tell of happened to an issue; a count that was too high may still be so when somebody resolves it.
ENDS_WITH_ISSUE = (RuleType.NEW_ISSUE.value, RuleType.SPIKE.value)
LOOKED_AT = 500  # messages, the newest


def is_over(firing: Firing) -> bool:
    """Whether the issue that a firing is about was resolved since."""
    if not firing.fingerprint or firing.rule.rule_type not in ENDS_WITH_ISSUE:
        return False
    issue = (firing.project_id, firing.fingerprint)
    return firing.fired_ms <= resolved_at({issue}).get(issue, -1)


def close_resolved(*, now_ms: int) -> list[int]:
    """Have messages that opened something, of issues that were resolved since, sent again. Returns their ids.

    What is closed may be opened again at once, so the cooldowns of these issues end.
    """
    channels = list(Channel.objects.filter(channel_type__in=CLOSES).values_list("pk", flat=True))
    if not channels:
        return []
    sent = Delivery.objects.select_related("firing").filter(
        channel__in=channels,
        state=Delivery.State.SENT,
        firing__rule__rule_type__in=ENDS_WITH_ISSUE,
        firing__fingerprint__isnull=False,
        firing__project__removing_at=None,
    )
    rows = list(sent.order_by("-pk")[:LOOKED_AT])
    resolved = resolved_at({(row.firing.project_id, row.firing.fingerprint or "") for row in rows})
    due = [
        row
        for row in rows
        if (row.finished_ms or 0) < resolved.get((row.firing.project_id, row.firing.fingerprint or ""), 0)
    ]
    return send_again(due, now_ms=now_ms) if due else []


@survives_deadlock
def send_again(deliveries: list[Delivery], *, now_ms: int) -> list[int]:
    """Queue them, unless another worker did, and end the cooldowns."""
    ids = [delivery.pk for delivery in deliveries]
    with write_turn, transaction.atomic():
        Delivery.objects.filter(pk__in=ids, state=Delivery.State.SENT).update(
            state=Delivery.State.PENDING, attempts=0, due_ms=now_ms, claimed_ms=None
        )
        for rule_id, project_id, key in sorted(
            {(each.firing.rule_id, each.firing.project_id, each.firing.key) for each in deliveries}
        ):
            Cooldown.objects.filter(rule=rule_id, project=project_id, key=key).delete()
    return ids

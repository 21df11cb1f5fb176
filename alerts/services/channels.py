"""Adds and removes the channels of a rule, and makes the secrets that sign what webhooks get."""

from dataclasses import dataclass

from django.db import transaction

from accounts.audit import Action, Actor
from alerts.channels.registry import SIGNED, new_secret, parse_channel, shown
from alerts.models import AlertRule, Channel, ChannelType
from alerts.services.rules import audit, locked_rule, with_token

MAX_CHANNELS = 20


class TooManyChannels(Exception):
    """The rule has as many as one may have."""

    def __init__(self) -> None:
        super().__init__(f"a rule has at most {MAX_CHANNELS} channels")


class ChannelGone(Exception):
    """The rule has no such channel."""

    def __init__(self, channel_id: int) -> None:
        super().__init__(f"channel {channel_id} not found")


@dataclass(frozen=True)
class NewChannel:
    """secret: shown once, by whoever called; empty for kinds that sign nothing."""

    channel: Channel
    secret: str


def add_channel(*, rule_id: int, raw: object, actor: Actor, now_ms: int, token: str = "") -> NewChannel:
    """Add a channel; raw: its config as a client sent it.

    Raises ChannelInvalid (its text is the contract's), TooManyChannels or RuleGone, having written nothing.
    """
    channel_type, config = parse_channel(raw)
    secret = new_secret(channel_type)
    with transaction.atomic():
        rule = locked_rule(rule_id)
        if rule.channels.count() >= MAX_CHANNELS:
            raise TooManyChannels
        channel = Channel.objects.create(
            rule=rule, channel_type=channel_type, config=config, secret=secret, created_ms=now_ms
        )
        note(rule, channel, Action.ALERT_CHANNEL_ADDED, actor=actor, now_ms=now_ms, token=token)
    return NewChannel(channel, secret)


def remove_channel(*, rule_id: int, channel_id: int, actor: Actor, now_ms: int, token: str = "") -> None:
    """Take a channel away; what was sent through it stays in the history. Raises RuleGone or ChannelGone."""
    with transaction.atomic():
        rule, channel = held(rule_id, channel_id)
        note(rule, channel, Action.ALERT_CHANNEL_REMOVED, actor=actor, now_ms=now_ms, token=token)
        channel.delete()


def rotate_secret(*, rule_id: int, channel_id: int, actor: Actor, now_ms: int) -> str:
    """Give a webhook another secret, which signs from the next message on. Returns it, to be shown once.

    Raises RuleGone, or ChannelGone also for a channel that signs nothing.
    """
    with transaction.atomic():
        rule, channel = held(rule_id, channel_id)
        if channel.channel_type not in SIGNED:
            raise ChannelGone(channel_id)
        channel.secret = new_secret(channel.channel_type)
        channel.save(update_fields=["secret"])
        note(rule, channel, Action.ALERT_SECRET_ROTATED, actor=actor, now_ms=now_ms)
    return channel.secret


def held(rule_id: int, channel_id: int) -> tuple[AlertRule, Channel]:
    """The rule, locked, and its channel. Raises RuleGone or ChannelGone."""
    rule = locked_rule(rule_id)
    channel = rule.channels.filter(pk=channel_id).first()
    if channel is None:
        raise ChannelGone(channel_id)
    return rule, channel


def note(rule: AlertRule, channel: Channel, action: Action, *, actor: Actor, now_ms: int, token: str = "") -> None:
    """Write the audit entry; of where it leads only what everybody may see."""
    kind = ChannelType(channel.channel_type).label
    detail = {"channel": f"{kind} {shown(channel.channel_type, channel.config)}", **with_token(token)}
    audit(rule, action, detail, actor=actor, now_ms=now_ms)

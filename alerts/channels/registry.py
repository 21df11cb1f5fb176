"""The kinds of channels there are, by their type."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from alerts.channels import discord, email, ntfy, pagerduty, slack, teams, telegram, webhook
from alerts.channels.base import ChannelInvalid, Field, Kind, Sent
from alerts.messages import Facts

__all__ = [
    "FIELDS",
    "KINDS",
    "ChannelInvalid",
    "Field",
    "host_of",
    "new_secret",
    "parse_channel",
    "send",
    "shown",
]
KINDS: Mapping[str, Kind] = {
    "slack": slack.KIND,
    "webhook": webhook,
    "email": email,
    "discord": discord.KIND,
    "teams": teams.KIND,
    "telegram": telegram,
    "pagerduty": pagerduty,
    "ntfy": ntfy,
}
FIELDS: Mapping[str, Sequence[Field]] = {name: kind.FIELDS for name, kind in KINDS.items()}
SIGNED = ("webhook",)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)  # what a stored config that lacks something ends in


def parse_channel(raw: object) -> tuple[str, dict[str, Any]]:
    """The type of a channel, and its config as it is kept and echoed. Unknown keys are ignored.

    Raises ChannelInvalid, in the contract's words where it has some (6.1).
    """
    if not isinstance(raw, Mapping):
        raise ChannelInvalid("config must be an object")
    name = raw.get("type")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        named = str(name)[:64].encode(errors="replace").decode()
        raise ChannelInvalid(f"unknown channel type: {named}" if name else "config.type is required")
    return name, {"type": name, **kind.parse(raw)}


def new_secret(channel_type: str) -> str:
    """What a new channel of this type signs with; "" for those that sign nothing."""
    return secrets.token_hex(32) if channel_type in SIGNED else ""


def shown(channel_type: str, config: Mapping[str, Any]) -> str:
    """Where a channel leads, short and without its secrets. Of a config that cannot be read: its type."""
    try:
        return KINDS[channel_type].shown(config)
    except UNREADABLE:
        return channel_type


def host_of(channel_type: str, config: Mapping[str, Any]) -> str:
    """Whom a channel depends on: those of one host are slow together. Of a config that cannot be read: ""."""
    try:
        return KINDS[channel_type].host_of(config)
    except UNREADABLE:
        return ""


def send(channel_type: str, facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """Send now, for at most 10 s. Touches no table. Raises ChannelError."""
    return KINDS[channel_type].send(facts, config, secret)

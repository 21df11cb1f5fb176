"""The tables of the alerts app."""

from alerts.models.history import Cooldown, Delivery, Firing
from alerts.models.rules import AlertRule, Channel, ChannelType, RuleType

__all__ = ["AlertRule", "Channel", "ChannelType", "Cooldown", "Delivery", "Firing", "RuleType"]

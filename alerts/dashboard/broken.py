"""Tells of channels that are broken, on the Alerts page and on those of the sections below."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.models import User
from alerts.access import may_see_answers
from alerts.dashboard.rows import ChannelRow, channel_row
from alerts.queries.rules import broken_channels
from projects.access import visible_projects


@dataclass(frozen=True)
class BrokenRow:
    """A channel whose messages do not arrive, and the rule it is of."""

    channel: ChannelRow
    rule_name: str
    url: str


@dataclass(frozen=True)
class BrokenNotice:
    """The first few, and how many more there are."""

    rows: tuple[BrokenRow, ...]
    more: int


def broken_notice(user: User) -> BrokenNotice:
    """What this person is told. One query where little is broken."""
    found = broken_channels(visible_projects(user).order_by())
    rows = tuple(
        BrokenRow(
            channel_row(each, tells_answer=may_see_answers(user, each.rule)),
            each.rule.name,
            f"{reverse('alerts:rule', args=[each.rule_id])}#channels",
        )
        for each in found.channels
    )
    return BrokenNotice(rows, found.total - len(rows))

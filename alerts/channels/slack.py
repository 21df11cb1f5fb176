"""Slack, by an incoming webhook (https://api.slack.com/messaging/webhooks); what takes the same, such as Mattermost."""

from typing import Any

from alerts.channels.base import Field, Hook
from alerts.channels.texts import fit, for_slack, one_line
from alerts.messages import Facts, details_of, heading

MAX_TEXT, MAX_BLOCK, MAX_HEADER, MAX_FIELD, MAX_FIELDS = 3_500, 2_900, 150, 400, 10


def payload(facts: Facts, link: str) -> dict[str, Any]:
    """The documented text (contract 6.2), which notifications show, and blocks, in which clients' texts are plain."""
    title = one_line(heading(facts))
    text = f"*{fit(title, 300, for_slack)}*\n{fit(facts.message, MAX_TEXT, for_slack)}"
    fields = [
        plain(f"{one_line(label)}\n{one_line(value)}", MAX_FIELD) for label, value in details_of(facts)[:MAX_FIELDS]
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": plain(title, MAX_HEADER)},
        {"type": "section", "text": plain(facts.message or facts.title, MAX_BLOCK)},
        *([{"type": "section", "fields": fields}] if fields else []),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{link}|Open in Bloop>"}]},
    ]
    return {"text": text, "blocks": blocks}


def plain(text: str, limit: int) -> dict[str, Any]:
    """A text in which Slack looks for no formatting, no mention and no emoji. It refuses an empty one."""
    return {"type": "plain_text", "text": fit(text, limit, for_slack) or "-", "emoji": False}


KIND = Hook(Field("webhook_url", "Webhook URL", "https://hooks.slack.com/services/…", is_secret=True), payload)

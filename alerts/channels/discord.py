"""Discord, by a channel's webhook (https://discord.com/developers/docs/resources/webhook#execute-webhook)."""

from typing import Any

from alerts.channels.base import Field, Hook
from alerts.channels.texts import fit, for_markdown, one_line
from alerts.messages import Facts, details_of, heading
from bloop_site.lib.clock import from_ms

# Each part has its limit, and all of them together 6,000 characters.
MAX_TITLE, MAX_TEXT, MAX_LABEL, MAX_VALUE, MAX_FIELDS = 256, 2_000, 60, 250, 10
CORAL = 0xE0_5A_4E


def payload(facts: Facts, link: str) -> dict[str, Any]:
    """One embed, in which nothing rings, whatever the texts say."""
    fields = [
        {
            "name": fit(one_line(label), MAX_LABEL, for_markdown) or "-",
            "value": fit(one_line(value), MAX_VALUE, for_markdown) or "-",
            "inline": not facts.is_digest,
        }
        for label, value in details_of(facts)[:MAX_FIELDS]
    ]
    embed = {
        "title": fit(one_line(heading(facts)), MAX_TITLE, for_markdown),
        "url": link,
        "description": fit(facts.message, MAX_TEXT, for_markdown),
        "color": CORAL,
        "fields": fields,
        "timestamp": from_ms(facts.fired_ms).isoformat(),
    }
    return {"username": "Bloop", "embeds": [embed], "allowed_mentions": {"parse": []}}


KIND = Hook(Field("url", "Webhook URL", "https://discord.com/api/webhooks/…", is_secret=True), payload)

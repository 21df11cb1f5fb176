"""Microsoft Teams, by a workflow that posts what a webhook gets: an Adaptive Card 1.4.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from typing import Any

from alerts.channels.base import Field, Hook
from alerts.channels.texts import fit, one_line
from alerts.messages import Facts, details_of, heading

MAX_TITLE, MAX_TEXT, MAX_LABEL, MAX_VALUE, MAX_LINES = 250, 2_000, 60, 300, 10  # a card has at most 28 KB


def payload(facts: Facts, link: str) -> dict[str, Any]:
    """All texts are runs, in which a card, unlike in its text blocks, looks for no Markdown."""
    lines = [
        runs(
            run(f"{fit(one_line(label), MAX_LABEL)}: ", isSubtle=True),
            run(fit(one_line(value), MAX_VALUE)),
            spacing="Small",
        )
        for label, value in details_of(facts)[:MAX_LINES]
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            runs(run(fit(one_line(heading(facts)), MAX_TITLE), weight="Bolder", size="Medium")),
            runs(run(fit(facts.message, MAX_TEXT))),
            *lines,
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Bloop", "url": link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text or "-", **look}


def runs(*inlines: dict[str, Any], **look: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(inlines), **look}


KIND = Hook(
    Field(
        "url",
        "Workflow URL",
        "https://….logic.azure.com/workflows/…",
        is_secret=True,
        help="In Teams: the channel's menu, Workflows, “Post to a channel when a webhook request is received”.",
    ),
    payload,
)

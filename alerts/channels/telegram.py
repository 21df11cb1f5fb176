"""Telegram, by a bot (https://core.telegram.org/bots/api#sendmessage)."""

import re
from collections.abc import Mapping
from typing import Any

from alerts.channels.base import ChannelInvalid, Field, Sent, host_in, post_json, text_in
from alerts.channels.texts import fit, for_html, one_line
from alerts.messages import Facts, details_of, heading, link_of

API = "https://api.telegram.org"
FIELDS = (
    Field("bot_token", "Bot token", "123456789:AAE…", is_secret=True, help="From @BotFather."),
    Field("chat_id", "Chat", "-1001234567890", help="The number of a chat the bot is in, or @name of a channel."),
)
TOKEN = re.compile(r"\d{3,20}:[\w-]{20,100}", re.ASCII)
CHAT = re.compile(r"-?\d{1,20}|@\w{3,64}", re.ASCII)
# 4,096 of its characters in all, of which some letters make two.
MAX_TITLE, MAX_TEXT, MAX_LABEL, MAX_VALUE, MAX_LINES = 200, 900, 40, 60, 6


def parse(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """The chat may come as a number."""
    number = raw.get("chat_id")
    chat = str(number) if isinstance(number, int) and not isinstance(number, bool) else text_in(raw, "chat_id")
    token = text_in(raw, "bot_token")
    if not TOKEN.fullmatch(token):
        raise ChannelInvalid("invalid Telegram bot token")
    if not CHAT.fullmatch(chat):
        raise ChannelInvalid("invalid Telegram chat")
    return {"bot_token": token, "chat_id": chat}


def send(facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """The token stands in the address, so neither is told to anybody. Telegram knows no key against repeats."""
    token = config["bot_token"]
    payload = {
        "chat_id": config["chat_id"],
        "text": text_of(facts, link=link_of(facts)),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    return post_json(f"{API}/bot{token}/sendMessage", payload, secrets=(token,))


def shown(config: Mapping[str, Any]) -> str:
    return f"chat {config['chat_id']}"


def host_of(config: Mapping[str, Any]) -> str:
    return host_in(API)


def text_of(facts: Facts, *, link: str) -> str:
    """In the HTML that Telegram knows."""
    lines = [
        f"{fit(one_line(label), MAX_LABEL, for_html)}: {fit(one_line(value), MAX_VALUE, for_html)}"
        for label, value in details_of(facts)[:MAX_LINES]
    ]
    title = f"<b>{fit(one_line(heading(facts)), MAX_TITLE, for_html)}</b>"
    read_on = f'<a href="{for_html(link)}">Open in Bloop</a>'
    return "\n".join([title, fit(facts.message, MAX_TEXT, for_html), *lines, read_on])

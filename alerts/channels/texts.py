"""Texts that anybody may have written, made harmless and short enough for a service. Pure."""

import html
import re
from collections.abc import Callable

MASS_MENTION = re.compile(r"@(?=(?:everyone|channel|here|all|team|online)\b)", re.IGNORECASE)
MARKDOWN = re.compile(r"[\\`*_~|>#\[\]()!<-]")
ELLIPSIS = "…"


def calm(text: str) -> str:
    """Without words that ring everybody's telephone: an invisible space stands behind the @ of them."""
    return MASS_MENTION.sub("@\u200b", text)


def one_line(text: str) -> str:
    """All on one line, so that it ends no header and begins no list."""
    return " ".join(text.split())


def for_slack(text: str) -> str:
    """Without the three characters that mean anything to Slack, so no <!channel>, no <@user>, no link in disguise."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_html(text: str) -> str:
    """As text in HTML."""
    return html.escape(text, quote=False)


def for_markdown(text: str) -> str:
    """With a backslash before what Markdown takes for more than a letter."""
    return MARKDOWN.sub(r"\\\g<0>", text)


def as_it_is(text: str) -> str:
    """Where a service shows text as text."""
    return text


def fit(text: str, limit: int, escape: Callable[[str], str] = as_it_is) -> str:
    """The text calmed and escaped, at most `limit` characters then; cut with an ellipsis, in no escape's middle.

    escape: letter by letter the same as at once.
    """
    text = calm(text)
    escaped = escape(text[:limit])
    if len(text) <= limit and len(escaped) <= limit:
        return escaped
    kept: list[str] = []
    room = limit - len(ELLIPSIS)
    for letter in text[:limit]:
        piece = escape(letter)
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + ELLIPSIS


def fit_bytes(text: str, limit: int) -> str:
    """The text calmed, at most `limit` bytes in UTF-8."""
    text = calm(text)
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - len(ELLIPSIS.encode())].decode("utf-8", "ignore") + ELLIPSIS


def without(text: str, secrets: tuple[str, ...]) -> str:
    """The text with these cut out: an answer may repeat the address that it came from."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, ELLIPSIS)
    return text


def ending(secret: str) -> str:
    """Enough of a secret to tell it from another: its last four characters."""
    return f"{ELLIPSIS}{secret[-4:]}" if len(secret) > 8 else ELLIPSIS

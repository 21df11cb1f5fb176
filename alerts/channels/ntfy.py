"""ntfy, the hosted one or one's own, published to as JSON (https://docs.ntfy.sh/publish/#publish-as-json)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from alerts.channels.base import ChannelInvalid, Field, Sent, host_in, post_json, shown_url, token_in, url_in
from alerts.channels.texts import fit, fit_bytes, one_line
from alerts.messages import Facts, details_of, heading, link_of

FIELDS = (
    Field("url", "Topic URL", "https://ntfy.sh/your-topic", is_secret=True),
    Field("token", "Access token", "tk_…", is_secret=True, is_required=False, help="For a topic that asks for one."),
)
TOPIC = re.compile(r"/([\w-]{1,64})/?", re.ASCII)
MAX_TITLE, MAX_TEXT_BYTES = 200, 3_500  # a message over 4,096 bytes becomes a file
HIGH = 4


def parse(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """The topic is the whole path."""
    url = url_in(raw, "url")
    if not TOPIC.fullmatch(urlsplit(url).path):
        raise ChannelInvalid("invalid channel URL: it must end with a topic, such as https://ntfy.sh/your-topic")
    return {"url": url, "token": token_in(raw, "token", words="ntfy access token", required=False) or None}


def send(facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """There is no key against repeats: a message tried again may ring twice."""
    parts = urlsplit(config["url"])
    token = config.get("token") or ""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    topic = parts.path.strip("/")
    payload = {"topic": topic, **text_of(facts), "priority": HIGH, "tags": ["warning"], "click": link_of(facts)}
    return post_json(f"{parts.scheme}://{parts.netloc}/", payload, headers=headers, secrets=(token, topic))


def shown(config: Mapping[str, Any]) -> str:
    return shown_url(config["url"])


def host_of(config: Mapping[str, Any]) -> str:
    return host_in(config["url"])


def text_of(facts: Facts) -> dict[str, str]:
    """Title and message, which ntfy shows as they are."""
    lines = [facts.message, *(f"{one_line(label)}: {one_line(value)}" for label, value in details_of(facts))]
    return {"title": fit(one_line(heading(facts)), MAX_TITLE), "message": fit_bytes("\n".join(lines), MAX_TEXT_BYTES)}

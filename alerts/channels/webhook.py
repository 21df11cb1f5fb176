"""Any web server: the documented JSON (contract 6.2), signed with the channel's secret (docs/alerts.md)."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from alerts.channels.base import Field, Sent, encoded, host_in, post_body, shown_url, url_in
from alerts.messages import Facts, link_of
from bloop_site.lib.clock import SECOND_MS

FIELDS = (Field("url", "URL", "https://example.com/alerts", is_secret=True),)
SIGNATURE, DELIVERY = "X-Bloop-Signature", "X-Bloop-Delivery"


def parse(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """`webhook_url` is taken as well (contract 6.2)."""
    return {"url": url_in(raw, "url", "webhook_url")}


def send(facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """A message tried again has the same delivery id, by which a receiver drops it. Without a secret: no signature."""
    body = encoded(payload(facts, link=link_of(facts)))
    headers = {DELIVERY: facts.delivery_id} if facts.delivery_id else {}
    if secret:
        headers[SIGNATURE] = signature(body, secret)
    return post_body(config["url"], body, headers=headers)


def shown(config: Mapping[str, Any]) -> str:
    return shown_url(config["url"])


def host_of(config: Mapping[str, Any]) -> str:
    return host_in(config["url"])


def payload(facts: Facts, *, link: str) -> dict[str, Any]:
    """The documented keys, then those that were added. Everything is signed, so the time of sending stands inside."""
    return {
        "rule": facts.rule_name,
        "message": facts.message,
        "timestamp": facts.fired_ms // SECOND_MS,
        "source": "bloop",
        "project_id": facts.project_id or None,
        "rule_id": facts.rule_id,
        "rule_type": facts.rule_type,
        "fingerprint": facts.fingerprint,
        "environment": facts.environment,
        "release": facts.release,
        "url": link,
        "delivery_id": facts.delivery_id or None,
        "sent_at": (facts.sent_ms or facts.fired_ms) // SECOND_MS,
    }


def signature(body: bytes, secret: str) -> str:
    """HMAC-SHA256 of the raw body by the channel's secret, as clients sign what they send to Bloop (contract 1.1)."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"

"""PagerDuty, by the Events API v2 (https://developer.pagerduty.com/docs/send-alert-event)."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from alerts.channels.base import ChannelInvalid, Field, Sent, host_in, post_json, text_in, token_in
from alerts.channels.texts import ending, fit, one_line
from alerts.messages import Facts, details_of, heading, link_of
from bloop_site.lib.clock import from_ms

URLS = {"us": "https://events.pagerduty.com/v2/enqueue", "eu": "https://events.eu.pagerduty.com/v2/enqueue"}
FIELDS = (
    Field("routing_key", "Integration key", "32 letters and digits", is_secret=True, help="Of an Events API v2."),
    Field("region", "Region", "us", is_required=False, help="us or eu."),
)
MAX_SUMMARY, MAX_TEXT = 1_024, 3_000


def parse(raw: Mapping[Any, Any]) -> dict[str, Any]:
    region = text_in(raw, "region").lower() or "us"
    if region not in URLS:
        raise ChannelInvalid("invalid PagerDuty region: us or eu")
    key = token_in(raw, "routing_key", words="PagerDuty integration key")
    if not key.isalnum() or len(key) != 32:
        raise ChannelInvalid("invalid PagerDuty integration key")
    return {"routing_key": key, "region": region}


def send(facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """A message tried again has the same key and joins its alert; of an issue that is resolved by now it closes it."""
    key = config["routing_key"]
    told = closing(facts, key) if facts.is_over else payload(facts, key, link=link_of(facts))
    return post_json(URLS[config["region"]], told, secrets=(key,))


def shown(config: Mapping[str, Any]) -> str:
    return f"PagerDuty {ending(config['routing_key'])}"


def host_of(config: Mapping[str, Any]) -> str:
    return host_in(URLS[config["region"]])


def payload(facts: Facts, routing_key: str, *, link: str) -> dict[str, Any]:
    """A trigger: an alert that is open still takes in those of the same rule, project and cause."""
    summary = f"{heading(facts)} {facts.message or facts.title}"
    return {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key(facts),
        "client": "Bloop",
        "client_url": link,
        "links": [{"href": link, "text": "Open in Bloop"}],
        "payload": {
            "summary": fit(one_line(summary), MAX_SUMMARY),
            "source": facts.project_slug or urlsplit(link).hostname or "bloop",
            "severity": "error",
            "timestamp": from_ms(facts.fired_ms).isoformat(),
            "class": facts.rule_type,
            "custom_details": {
                "message": fit(facts.message, MAX_TEXT),
                **{one_line(label)[:60]: fit(one_line(value), 300) for label, value in details_of(facts)},
            },
        },
    }


def closing(facts: Facts, routing_key: str) -> dict[str, Any]:
    """Resolves the alert of the same rule, project and cause, if one is open."""
    return {"routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key(facts)}


def dedup_key(facts: Facts) -> str:
    """What is the same alert: a rule's, of a project, for the same fingerprint or metric. At most 255 characters."""
    cause = hashlib.sha256(f"{facts.project_id}\n{facts.key}".encode("utf-8", "replace")).hexdigest()[:32]
    return f"bloop-{facts.rule_id}-{cause}"

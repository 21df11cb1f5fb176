"""What docs/alerts.md tells receivers is what they get."""

import json
import re
import time
from typing import Any

from django.conf import settings

from alerts.backoff import WAITS_MS
from alerts.channels import registry, webhook
from alerts.services.deliver import AT_ONCE, AT_ONCE_A_HOST, FAILING_AT_ONCE, FAILING_AT_ONCE_A_HOST
from tests.alerts.factories import facts
from tests.alerts.sinks import answering

PAGE = (settings.BASE_DIR / "docs/alerts.md").read_text()


def test_the_receiver_in_the_docs_takes_what_is_sent_and_nothing_else(private_allowed: None, sinks: Any):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own page
    accept = names["accept"]
    sink = sinks(answering(200))
    for sent_ms in (int(time.time() * 1000), 1_000):
        registry.send("webhook", facts(sent_ms=sent_ms), {"type": "webhook", "url": sink.url()}, "the secret")

    now, old = sink.got
    signature = now.headers["x-bloop-signature"]
    assert accept(now.body, signature, "the secret")["rule"] == "Checkout fails"
    assert accept(now.body, signature, "another") is None
    assert accept(now.body.replace(b"Checkout", b"Nothing "), signature, "the secret") is None
    assert accept(old.body, old.headers["x-bloop-signature"], "the secret") is None


def test_the_message_in_the_docs_has_the_keys_that_are_sent():
    (body,) = re.findall(r"\n(\{\"rule\".*?\})\n```", PAGE, re.DOTALL)

    assert list(json.loads(body.replace("\n", ""))) == list(webhook.payload(facts(), link="https://x/"))


def test_every_kind_and_its_keys_stand_in_the_docs():
    for kind, fields in registry.FIELDS.items():
        (row,) = re.findall(rf"^\| `{kind}` \|.*$", PAGE, re.MULTILINE)
        assert all(f"`{field.name}`" in row for field in fields)


def test_the_schedule_in_the_docs_is_the_one_that_is_kept():
    words = {5_000: "5 s", 30_000: "30 s", 120_000: "2 min", 600_000: "10 min", 3_600_000: "1 h"}
    *first, last = (words[wait] for wait in WAITS_MS)

    assert f"after {', '.join(first)} and {last} " in PAGE
    assert (AT_ONCE_A_HOST, AT_ONCE, FAILING_AT_ONCE_A_HOST, FAILING_AT_ONCE) == (2, 12, 1, 8)
    assert "One message at a time goes to a channel, two to a host, twelve in all for a worker." in PAGE
    assert "come after the others: one to a host,\neight in all." in PAGE

"""Every kind of channel: what its config may be, and what really goes over its wire."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from django.conf import LazySettings

from alerts.channels import pagerduty, registry, telegram
from alerts.channels.base import ChannelError, ChannelInvalid, Sent
from alerts.channels.registry import FIELDS, KINDS, parse_channel, shown
from alerts.models import ChannelType
from tests.alerts.conftest import configure
from tests.alerts.factories import facts
from tests.alerts.sinks import Got, Sink, answering

HOOK = "https://hooks.example.com/services/T000/B000/abcdefgh"
TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
HOSTILE = "<!channel> @everyone @here <@U1> [x](http://evil) *b* & </b><script>\r\nBcc: a@b.c"
URL_KINDS = {"slack": "webhook_url", "webhook": "url", "discord": "url", "teams": "url", "ntfy": "url"}


@pytest.fixture(autouse=True)
def origin(settings: LazySettings) -> None:
    configure(settings, "auth", rp_origin="https://bloop.example.com")


# --- What a config may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "config"),
    [
        ({"type": "slack", "webhook_url": HOOK, "colour": "red"}, {"type": "slack", "webhook_url": HOOK}),
        ({"type": "slack", "url": HOOK}, {"type": "slack", "webhook_url": HOOK}),
        ({"type": "slack", "webhook_url": None, "url": HOOK}, {"type": "slack", "webhook_url": HOOK}),
        ({"type": "webhook", "url": f" {HOOK} "}, {"type": "webhook", "url": HOOK}),
        ({"type": "webhook", "webhook_url": HOOK}, {"type": "webhook", "url": HOOK}),
        ({"type": "webhook", "url": "http://8.8.8.8:8080/x"}, {"type": "webhook", "url": "http://8.8.8.8:8080/x"}),
        ({"type": "email", "to": "a@b"}, {"type": "email", "to": "a@b"}),
        ({"type": "email", "to": "a@b.c, d@e.f"}, {"type": "email", "to": "a@b.c, d@e.f"}),
        ({"type": "discord", "url": HOOK}, {"type": "discord", "url": HOOK}),
        ({"type": "teams", "url": HOOK}, {"type": "teams", "url": HOOK}),
        (
            {"type": "telegram", "bot_token": TOKEN, "chat_id": -1001234567890},
            {"type": "telegram", "bot_token": TOKEN, "chat_id": "-1001234567890"},
        ),
        (
            {"type": "telegram", "bot_token": TOKEN, "chat_id": "@alerts_here"},
            {"type": "telegram", "bot_token": TOKEN, "chat_id": "@alerts_here"},
        ),
        (
            {"type": "pagerduty", "routing_key": ROUTING_KEY},
            {"type": "pagerduty", "routing_key": ROUTING_KEY, "region": "us"},
        ),
        (
            {"type": "pagerduty", "routing_key": ROUTING_KEY, "region": "EU"},
            {"type": "pagerduty", "routing_key": ROUTING_KEY, "region": "eu"},
        ),
        (
            {"type": "ntfy", "url": "https://ntfy.sh/alerts"},
            {"type": "ntfy", "url": "https://ntfy.sh/alerts", "token": None},
        ),
        (
            {"type": "ntfy", "url": "https://ntfy.example.com/a-b_c/", "token": "tk_abc"},
            {"type": "ntfy", "url": "https://ntfy.example.com/a-b_c/", "token": "tk_abc"},
        ),
    ],
)
def test_a_config_is_kept_by_its_canonical_keys(raw: dict[str, Any], config: dict[str, Any]):
    assert parse_channel(raw) == (config["type"], config)
    assert parse_channel(config) == (config["type"], config)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "config must be an object"),
        ([], "config must be an object"),
        ({}, "config.type is required"),
        ({"type": "fax"}, "unknown channel type: fax"),
        ({"type": ["slack"]}, "unknown channel type"),
        ({"type": "slack"}, "invalid channel URL: it is missing"),
        ({"type": "slack", "webhook_url": 5}, "invalid channel URL: it is missing"),
        ({"type": "slack", "webhook_url": "hooks.slack.com/x"}, "invalid channel URL: it must begin with"),
        ({"type": "webhook", "url": "http://localhost:8000/"}, "invalid channel URL: it leads into a private network"),
        ({"type": "webhook", "url": "http://2130706433/"}, "invalid channel URL: it leads into a private network"),
        ({"type": "webhook", "url": "http://[::1]/"}, "invalid channel URL: it leads into a private network"),
        ({"type": "webhook", "url": "https://a:b@example.com/"}, "invalid channel URL: it must not hold a user name"),
        ({"type": "email"}, "invalid email address"),
        ({"type": "email", "to": "invalid"}, "invalid email address"),
        ({"type": "email", "to": "a@"}, "invalid email address"),
        ({"type": "email", "to": "a@b.c\r\nBcc: x@y.z"}, "invalid email address"),
        ({"type": "email", "to": "a@b.c\n"}, "invalid email address"),
        ({"type": "email", "to": "=?utf-8?q?a=0D=0ABcc:_x?=@b.c"}, "invalid email address"),
        ({"type": "email", "to": "a@" + "b" * 600}, "invalid email address"),
        ({"type": "email", "to": None}, "invalid email address"),
        ({"type": "telegram", "bot_token": "x/../y", "chat_id": "1"}, "invalid Telegram bot token"),
        ({"type": "telegram", "bot_token": TOKEN, "chat_id": True}, "invalid Telegram chat"),
        ({"type": "pagerduty", "routing_key": "short"}, "invalid PagerDuty integration key"),
        ({"type": "pagerduty", "routing_key": ROUTING_KEY, "region": "mars"}, "invalid PagerDuty region"),
        ({"type": "ntfy", "url": "https://ntfy.sh/"}, "it must end with a topic"),
        ({"type": "ntfy", "url": "https://ntfy.sh/a/b"}, "it must end with a topic"),
        ({"type": "ntfy", "url": "https://ntfy.sh/a", "token": "a\r\nX: y"}, "invalid ntfy access token"),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_plain_words(raw: object, words: str):
    with pytest.raises(ChannelInvalid, match=words):
        parse_channel(raw)


def test_there_is_a_module_for_every_kind_with_fields_that_its_config_has():
    assert set(KINDS) == set(ChannelType.values)
    for name in URL_KINDS:
        _, config = parse_channel({"type": name, "url": "https://ntfy.sh/alerts"})
        assert {field.name for field in FIELDS[name]} == set(config) - {"type"}
    assert [field.name for field in FIELDS["telegram"]] == ["bot_token", "chat_id"]
    assert [field.name for field in FIELDS["pagerduty"]] == ["routing_key", "region"]
    assert [field.name for field in FIELDS["email"]] == ["to"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"type": "slack", "webhook_url": HOOK}, "hooks.example.com/…efgh"),
        ({"type": "webhook", "url": "https://example.com"}, "example.com"),
        ({"type": "webhook", "url": "https://example.com/hook"}, "example.com/…"),
        ({"type": "email", "to": "a@b.c"}, "a@b.c"),
        ({"type": "telegram", "bot_token": TOKEN, "chat_id": "-100"}, "chat -100"),
        ({"type": "pagerduty", "routing_key": ROUTING_KEY, "region": "us"}, "PagerDuty …cdef"),
        ({"type": "ntfy", "url": "https://ntfy.sh/my-long-topic", "token": None}, "ntfy.sh/…opic"),
        ({"type": "ntfy"}, "ntfy"),
    ],
)
def test_what_is_shown_of_a_channel_gives_nothing_away(config: dict[str, Any], words: str):
    assert shown(config["type"], config) == words


def test_only_a_webhook_has_a_secret_of_its_own():
    secrets = [registry.new_secret("webhook"), registry.new_secret("webhook")]

    assert len(set(secrets)) == 2
    assert all(len(secret) == 64 for secret in secrets)
    assert registry.new_secret("slack") == ""


# --- What goes over the wire --------------------------------------------------------------------------------------


def sent_by(
    name: str, sink: Sink, monkeypatch: pytest.MonkeyPatch, *, secret: str = "", **changes: Any
) -> tuple[Sent, Got]:
    """Send through a channel of this kind, as it was parsed, and what the sink got."""
    monkeypatch.setattr(telegram, "API", sink.url(""))
    monkeypatch.setattr(pagerduty, "URLS", {"us": sink.url("/v2/enqueue"), "eu": sink.url("/eu")})
    raw = {
        "url": sink.url("/topic"),
        "bot_token": TOKEN,
        "chat_id": "-100",
        "routing_key": ROUTING_KEY,
        "token": "tk_secret" if name == "ntfy" else None,
    }
    kind, config = parse_channel({"type": name, **raw})
    sent = registry.send(kind, facts(**changes), config, secret)
    return sent, sink.got[-1]


@pytest.fixture
def sink(private_allowed: None, sinks: Any) -> Sink:
    made = sinks(answering(200, b"ok"))
    assert isinstance(made, Sink)
    return made


def test_slack_gets_the_documented_text_and_blocks(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    sent, got = sent_by("slack", sink, monkeypatch)

    assert sent == Sent(200, "ok")
    assert got.headers["content-type"] == "application/json"
    assert got.json["text"] == (
        "*[bloop alert: Checkout fails]*\nNew error in 1.4.0 (production): [TypeError] no such key - abc123"
    )
    header, message, fields, footer = got.json["blocks"]
    assert header["text"]["text"] == "[bloop alert: Checkout fails]"
    assert message["text"]["text"] == facts().message
    assert [each["text"] for each in fields["fields"]] == [
        "Project\nShop",
        "Environment\nproduction",
        "Release\n1.4.0",
        "Events\n12",
    ]
    assert footer["elements"][0]["text"] == "<https://bloop.example.com/issues/17|Open in Bloop>"


def test_in_slack_nothing_of_a_clients_text_rings_or_links(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("slack", sink, monkeypatch, message=HOSTILE, rule_name=HOSTILE, lines=((HOSTILE, HOSTILE),))

    text = got.body.decode().replace("<https://bloop.example.com/issues/17|Open in Bloop>", "")
    assert "<" not in text
    assert "@everyone" not in text
    assert "@here" not in text
    assert "&lt;!channel&gt;" in text
    assert {block["text"]["type"] for block in got.json["blocks"] if "text" in block} == {"plain_text"}


def test_a_webhook_gets_the_documented_keys_and_those_added(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("webhook", sink, monkeypatch)

    assert got.json == {
        "rule": "Checkout fails",
        "message": "New error in 1.4.0 (production): [TypeError] no such key - abc123",
        "timestamp": 1_780_000_000,
        "source": "bloop",
        "project_id": "p1",
        "rule_id": 7,
        "rule_type": "new_issue",
        "fingerprint": "abc123",
        "environment": "production",
        "release": "1.4.0",
        "url": "https://bloop.example.com/issues/17",
        "delivery_id": "5-1780000000000",
        "sent_at": 1_780_000_001,
    }
    assert got.headers["x-bloop-delivery"] == "5-1780000000000"
    assert "x-bloop-signature" not in got.headers


def test_a_webhook_is_signed_as_the_docs_say(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("webhook", sink, monkeypatch, secret="k" * 64, message="grüße \ud800")

    expected = hmac.new(b"k" * 64, got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-bloop-signature"] == f"sha256={expected}"
    assert got.json["message"] == "grüße ?"


def test_discord_gets_an_embed_in_which_nothing_rings(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("discord", sink, monkeypatch, message=HOSTILE, lines=((HOSTILE, HOSTILE),) * 40)

    assert got.json["allowed_mentions"] == {"parse": []}
    (embed,) = got.json["embeds"]
    assert embed["title"] == r"\[bloop alert: Checkout fails\]"
    assert embed["url"] == "https://bloop.example.com/issues/17"
    assert "@everyone" not in got.body.decode()
    assert r"\[x\]\(http://evil\)" in embed["description"]
    assert len(embed["fields"]) == 10
    assert embed["timestamp"] == "2026-05-28T20:26:40+00:00"


def test_teams_gets_a_card_whose_texts_are_no_markdown(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("teams", sink, monkeypatch, message="**bold** [x](http://evil)")

    (attachment,) = got.json["attachments"]
    assert (got.json["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {element["type"] for element in card["body"]} == {"RichTextBlock"}
    texts = ["".join(run["text"] for run in element["inlines"]) for element in card["body"]]
    assert texts == [
        "[bloop alert: Checkout fails]",
        "**bold** [x](http://evil)",
        "Project: Shop",
        "Environment: production",
        "Release: 1.4.0",
        "Events: 12",
    ]
    assert card["actions"][0]["url"] == "https://bloop.example.com/issues/17"


def test_telegram_gets_html_in_which_clients_texts_are_text(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("telegram", sink, monkeypatch, message="</b><a href='x'>&")

    assert got.path == f"/bot{TOKEN}/sendMessage"
    assert (got.json["chat_id"], got.json["parse_mode"]) == ("-100", "HTML")
    lines = got.json["text"].split("\n")
    assert lines[:3] == [
        "<b>[bloop alert: Checkout fails]</b>",
        "&lt;/b&gt;&lt;a href='x'&gt;&amp;",
        "Project: Shop",
    ]
    assert lines[-1] == '<a href="https://bloop.example.com/issues/17">Open in Bloop</a>'


def test_pagerduty_gets_a_trigger_with_a_key_by_rule_and_cause(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("pagerduty", sink, monkeypatch)

    assert got.path == "/v2/enqueue"
    assert (got.json["routing_key"], got.json["event_action"]) == (ROUTING_KEY, "trigger")
    assert got.json["payload"]["summary"].startswith("[bloop alert: Checkout fails] New error in 1.4.0")
    assert (got.json["payload"]["severity"], got.json["payload"]["source"]) == ("error", "shop")
    assert got.json["payload"]["custom_details"]["Environment"] == "production"
    assert got.json["links"] == [{"href": "https://bloop.example.com/issues/17", "text": "Open in Bloop"}]


def test_pagerdutys_key_is_the_same_for_the_same_cause_alone():
    same = pagerduty.dedup_key(facts(delivery_id="1", sent_ms=5))

    assert pagerduty.dedup_key(facts(delivery_id="2", sent_ms=9)) == same
    others = [facts(rule_id=8), facts(project_id="p2"), facts(key="other")]
    assert len({same, *(pagerduty.dedup_key(each) for each in others)}) == 4
    assert len(pagerduty.dedup_key(facts(key="k" * 5_000))) <= 255


def test_ntfy_is_published_to_as_json_with_its_token(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("ntfy", sink, monkeypatch)

    assert got.path == "/"
    assert got.headers["authorization"] == "Bearer tk_secret"
    assert got.json["topic"] == "topic"
    assert got.json["title"] == "[bloop alert: Checkout fails]"
    assert got.json["message"].startswith(facts().message + "\nProject: Shop\n")
    assert got.json["click"] == "https://bloop.example.com/issues/17"


HUGE: dict[str, Any] = {"message": "😀<" * 20_000, "rule_name": "&" * 200, "lines": (("<l>" * 90, "*v" * 900),) * 30}


@pytest.mark.parametrize("name", [*URL_KINDS, "telegram", "pagerduty"])
def test_the_limits_of_each_service_are_kept(name: str, sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by(name, sink, monkeypatch, **HUGE)

    said = got.json
    if name == "slack":
        assert len(said["text"]) < 4_000
        header, message, fields, _ = said["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert len(message["text"]["text"]) <= 3_000
        assert len(fields["fields"]) <= 10
        assert all(len(each["text"]) <= 2_000 for each in fields["fields"])
    elif name == "discord":
        (embed,) = said["embeds"]
        parts = [embed["title"], embed["description"], *(each[key] for each in embed["fields"] for key in each)]
        assert sum(len(part) for part in parts if isinstance(part, str)) <= 6_000
        assert len(embed["title"]) <= 256
        assert all(len(each["name"]) <= 256 and len(each["value"]) <= 1_024 for each in embed["fields"])
    elif name == "teams":
        assert len(got.body) <= 28 * 1024
    elif name == "telegram":
        assert len(said["text"].encode("utf-16-le")) / 2 <= 4_096
    elif name == "pagerduty":
        assert len(said["payload"]["summary"]) <= 1_024
        assert len(got.body) <= 512 * 1024
    elif name == "ntfy":
        assert len(said["message"].encode()) <= 4_096
        assert len(said["title"]) <= 250
    else:
        assert said["message"] == HUGE["message"]


@pytest.mark.parametrize("name", [*URL_KINDS, "telegram", "pagerduty"])
def test_an_answer_that_repeats_the_secret_is_shown_without_it(
    name: str, private_allowed: None, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    def echoing(sink: Sink, handler: Any) -> None:
        body = f"no route for {handler.path}, {handler.headers['Authorization']}: {sink.got[-1].body.decode()}"
        answering(404, body.encode())(sink, handler)

    sink = sinks(echoing)

    with pytest.raises(ChannelError) as caught:
        sent_by(name, sink, monkeypatch)

    error = caught.value
    assert (error.permanent, error.status) == (True, 404)
    assert error.whole.startswith("it answered 404: no route for ")
    secrets = {"telegram": TOKEN, "pagerduty": ROUTING_KEY, "ntfy": "tk_secret"}
    assert secrets.get(name, "/topic,") not in f"{error.whole} {error!r} {error.__dict__}"
    assert sink.url("") not in error.whole


@pytest.mark.parametrize("path", ["//evil.example.com/", "https://evil.example.com/", "javascript:x", ""])
def test_a_link_leads_to_this_site_alone(path: str, sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("webhook", sink, monkeypatch, url=path)

    assert got.json["url"] == "https://bloop.example.com/"


def test_what_was_sent_is_json_of_utf_8(sink: Sink, monkeypatch: pytest.MonkeyPatch):
    _, got = sent_by("slack", sink, monkeypatch, message="日本語 😀")

    assert "日本語 😀" in got.body.decode()
    assert json.loads(got.body)["text"].endswith("日本語 😀")

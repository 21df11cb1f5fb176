"""Channels of a rule (contract 6.2): what is echoed, what is told once, what is masked for whom."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry
from alerts.limits import take_test
from alerts.models import Channel
from projects.services.projects import NewProject
from tests.alerts.made import MAIL, SLACK, WEBHOOK, make_channel, make_rule
from tests.alerts.sinks import Answer, Sink, answering
from tests.factories import make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(shop: NewProject) -> Client:
    token = make_token(shop.project, scopes=("alerts:read", "alerts:write"))
    return Client(headers={"Authorization": f"Bearer {token.secret}"})


def add(client: Client, rule_id: int, config: Any) -> Any:
    return client.post(f"/v1/alerts/{rule_id}/channels", json.dumps({"config": config}), "application/json")


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        (SLACK, SLACK),
        ({"type": "slack", "url": SLACK["webhook_url"]}, SLACK),
        (WEBHOOK, WEBHOOK),
        ({"type": "webhook", "webhook_url": WEBHOOK["url"]}, WEBHOOK),
        ({**MAIL, "unknown": 1}, MAIL),
    ],
)
def test_canonical_keys_are_echoed(api: Client, shop: NewProject, given: dict[str, Any], echoed: dict[str, str]):
    rule = make_rule(shop.project)

    answer = add(api, rule.pk, given)

    assert answer.status_code == 200, answer.json()
    assert answer.json()["config"] == echoed
    assert (answer.json()["channel_type"], answer.json()["rule_id"]) == (given["type"], rule.pk)
    assert [channel["config"] for channel in api.get(f"/v1/alerts/{rule.pk}/channels").json()] == [echoed]


@pytest.mark.parametrize(
    ("config", "status", "words"),
    [
        ({"type": "webhook", "url": "ftp://example.com"}, 400, "invalid channel URL: "),
        ({"type": "slack", "webhook_url": "http://127.0.0.1/x"}, 400, "invalid channel URL: "),
        ({"type": "slack"}, 400, ""),
        ({"type": "webhook", "url": "https://example.com/#\ud800"}, 400, "invalid channel URL: "),
        ({"type": "pigeon"}, 400, "unknown channel type"),
        ({"type": "\ud800"}, 400, "unknown channel type: ?"),
        ({"type": "slack", "webhook_url": "https://example.com/\ud800"}, 400, "invalid channel URL: "),
        ({}, 400, "config.type is required"),
        (None, 422, "config is required"),
        ([], 422, "config is required"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(api: Client, shop: NewProject, config: Any, status: int, words: str):
    rule = make_rule(shop.project)

    answer = add(api, rule.pk, config)

    assert answer.status_code == status
    assert answer.json()["error"].startswith(words)
    assert not Channel.objects.exists()


def test_the_secret_of_a_webhook_is_told_once_and_kept(api: Client, shop: NewProject):
    rule = make_rule(shop.project)

    told = add(api, rule.pk, WEBHOOK).json()

    assert len(told["secret"]) == 64
    assert Channel.objects.get().secret == told["secret"]
    assert told["secret"] not in api.get(f"/v1/alerts/{rule.pk}/channels").content.decode()
    assert told["secret"] not in str(list(AuditEntry.objects.values()))
    assert "secret" not in add(api, rule.pk, SLACK).json()


def test_addresses_that_let_anybody_post_are_masked_for_who_may_only_look(
    api: Client, member_client: Client, admin_client: Client, shop: NewProject
):
    rule = make_rule(shop.project)
    for raw in (SLACK, WEBHOOK, MAIL):
        make_channel(rule, raw)
    reader = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=('alerts:read',)).secret}"})
    path = f"/v1/alerts/{rule.pk}/channels"

    for client in (reader, member_client):
        slack, webhook, mail = (channel["config"] for channel in client.get(path).json())
        assert slack == {"type": "slack", "webhook_url": "••••••••"}
        assert webhook == {"type": "webhook", "url": "••••••••"}
        assert mail == MAIL
    for client in (api, admin_client):
        assert [channel["config"] for channel in client.get(path).json()] == [SLACK, WEBHOOK, MAIL]
    assert "secretpart" not in str(list(AuditEntry.objects.values()))


def test_a_channel_of_another_rule_is_not_found(api: Client, shop: NewProject):
    rule, another = make_rule(shop.project), make_rule(shop.project)
    channel = make_channel(another).channel

    answer = api.delete(f"/v1/alerts/{rule.pk}/channels/{channel.pk}")

    assert (answer.status_code, answer.json()) == (404, {"error": f"channel {channel.pk} not found"})
    assert Channel.objects.filter(pk=channel.pk).exists()


def test_a_rule_has_so_many_channels_and_no_more(api: Client, shop: NewProject):
    rule = make_rule(shop.project)
    for _ in range(20):
        make_channel(rule)

    answer = add(api, rule.pk, MAIL)

    assert (answer.status_code, answer.json()) == (400, {"error": "a rule has at most 20 channels"})


def test_a_test_is_sent_for_real_and_tells_each_channels_result(
    api: Client, shop: NewProject, sinks: Callable[[Answer], Sink], private_allowed: None
):
    rule, (well, ill) = make_rule(shop.project), (sinks(answering(200)), sinks(answering(404, b"no_service")))
    first = make_channel(rule, {"type": "slack", "webhook_url": well.url()}).channel
    second = make_channel(rule, {"type": "webhook", "url": ill.url()}).channel

    answer = api.post(f"/v1/alerts/{rule.pk}/test")

    told = answer.json()
    assert (answer.status_code, set(told), told["sent"]) == (200, {"sent", "results"}, True)
    assert [(each["channel_id"], each["ok"], each["status"]) for each in told["results"]] == [
        (first.pk, True, 200),
        (second.pk, False, 404),
    ]
    assert "no_service" in told["results"][1]["detail"]
    assert (len(well.got), len(ill.got)) == (1, 1)
    assert well.got[0].json["text"].startswith("*[bloop alert: test]*")


def test_a_rule_that_tells_nobody_is_tested_too(api: Client, shop: NewProject):
    rule = make_rule(shop.project)

    assert api.post(f"/v1/alerts/{rule.pk}/test").json() == {"sent": True, "results": []}


# --- How often --------------------------------------------------------------------------------------------------------


def test_tests_of_a_project_that_come_too_fast_are_told_when_to_come_again(
    api: Client, admin_client: Client, shop: NewProject, other: NewProject
):
    path = f"/v1/alerts/{make_rule(shop.project).pk}/test"
    assert {api.post(path).status_code for _ in range(10)} == {200}

    refused = api.post(path)
    again = admin_client.post(f"/v1/alerts/{make_rule(shop.project).pk}/test")

    assert refused.status_code == again.status_code == 429
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 6
    assert refused.json() == {"error": f"too many tests, wait for {wait}s"}
    for free in (make_rule(other.project), make_rule(None)):
        assert admin_client.post(f"/v1/alerts/{free.pk}/test").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_the_button_says_so_too_and_sends_nothing(
    headers: dict[str, str],
    admin_client: Client,
    shop: NewProject,
    sinks: Callable[[Answer], Sink],
    private_allowed: None,
):
    rule, sink = make_rule(shop.project), sinks(answering(200))
    make_channel(rule, {"type": "webhook", "url": sink.url()})
    for _ in range(10):
        take_test(rule)

    refused = admin_client.post(f"/alerts/{rule.pk}/test", headers=headers)

    assert refused.status_code == 429
    assert f"Wait {refused['Retry-After']} second" in refused.content.decode()
    assert sink.got == []


def test_who_may_not_test_a_rule_takes_no_test_from_those_who_may(api: Client, member_client: Client, shop: NewProject):
    path = f"/v1/alerts/{make_rule(shop.project).pk}/test"
    for _ in range(12):
        assert member_client.post(path).status_code in (403, 404)

    assert api.post(path).status_code == 200

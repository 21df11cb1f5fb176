"""What opens an incident closes it once the issue is resolved (PagerDuty), however late either message goes out."""

from collections.abc import Callable
from typing import Any

import pytest

from alerts import backoff
from alerts.channels import pagerduty
from alerts.models import AlertRule, Channel, Delivery, Firing
from alerts.services.deliver import deliver_due
from errors.models import Status
from projects.services.projects import NewProject
from tests.alerts.rules_of import HOUR_MS, MINUTE_MS, T, fired, make_rule, put, send_at
from tests.alerts.sinks import Answer, Sink, answering, in_turn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("private_allowed")]
Start = Callable[[Answer], Sink]


@pytest.fixture
def incidents(sinks: Start, monkeypatch: pytest.MonkeyPatch) -> Sink:
    """PagerDuty, which is well."""
    return pagerduty_that(answering(202), sinks, monkeypatch)


def pagerduty_that(answer: Answer, sinks: Start, monkeypatch: pytest.MonkeyPatch) -> Sink:
    sink = sinks(answer)
    monkeypatch.setattr(pagerduty, "URLS", {"us": sink.url()})
    monkeypatch.setattr(backoff, "JITTER", 0)
    return sink


def told_by_pagerduty(rule: AlertRule) -> Channel:
    config = {"type": "pagerduty", "routing_key": "k" * 32, "region": "us"}
    return Channel.objects.create(rule=rule, channel_type="pagerduty", config=config, created_ms=0)


def evaluate_and_send(now_ms: int) -> list[str]:
    messages = fired(now_ms)
    deliver_due(now_ms=now_ms, seconds=30)
    return messages


def acts(sink: Sink) -> list[tuple[str, str]]:
    """What was asked for, and of which incident: the first is "a", the second "b"."""
    keys = list(dict.fromkeys(got.json["dedup_key"] for got in sink.got))
    return [(got.json["event_action"], "ab"[keys.index(got.json["dedup_key"])]) for got in sink.got]


def test_an_incident_is_closed_when_its_issue_is_resolved_and_only_then(shop: NewProject, incidents: Sink):
    told_by_pagerduty(make_rule("new_issue", shop.project))
    send_at(shop, T, "one", "two")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + MINUTE_MS)

    for minute in (1, 2, 3):
        evaluate_and_send(T + minute * MINUTE_MS + 1)

    assert acts(incidents) == [("trigger", "a"), ("trigger", "b"), ("resolve", "a")]
    assert set(incidents.got[-1].json) == {"routing_key", "event_action", "dedup_key"}
    assert Firing.objects.count() == 2
    assert {each.state for each in Delivery.objects.all()} == {"sent"}


def test_one_that_comes_back_opens_the_incident_again_within_the_cooldown(shop: NewProject, incidents: Sink):
    told_by_pagerduty(make_rule("new_issue", shop.project))
    send_at(shop, T, "one")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + MINUTE_MS)
    evaluate_and_send(T + MINUTE_MS + 1)

    send_at(shop, T + 2 * MINUTE_MS, "one")
    (message,) = evaluate_and_send(T + 2 * MINUTE_MS + 1)
    put("one", Status.RESOLVED, at=T + 3 * MINUTE_MS)
    evaluate_and_send(T + 3 * MINUTE_MS + 1)

    assert message.startswith("Regression")
    assert acts(incidents)[:3] == [("trigger", "a"), ("resolve", "a"), ("trigger", "a")]
    assert set(acts(incidents)[3:]) == {("resolve", "a")}


def test_a_late_trigger_of_a_resolved_issue_opens_nothing(
    shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    sink = pagerduty_that(in_turn(answering(500), answering(202)), sinks, monkeypatch)
    told_by_pagerduty(make_rule("new_issue", shop.project))
    send_at(shop, T, "one")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + 1_000)

    evaluate_and_send(T + MINUTE_MS)
    evaluate_and_send(T + 2 * MINUTE_MS)

    assert acts(sink) == [("trigger", "a"), ("resolve", "a")]


def test_a_late_resolve_of_an_issue_that_came_back_closes_nothing(
    shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    sink = pagerduty_that(in_turn(answering(202), answering(500), answering(202)), sinks, monkeypatch)
    told_by_pagerduty(make_rule("new_issue", shop.project))
    send_at(shop, T, "one")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + MINUTE_MS)
    evaluate_and_send(T + MINUTE_MS + 1)

    send_at(shop, T + MINUTE_MS + 2_000, "one")
    evaluate_and_send(T + 2 * MINUTE_MS)

    assert acts(sink)[:2] == [("trigger", "a"), ("resolve", "a")]
    assert set(acts(sink)[2:]) == {("trigger", "a")}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("threshold", {"threshold": 0, "window_secs": 3_600, "fingerprint": "one"}),
        ("threshold", {"threshold": 0, "window_secs": 3_600}),
    ],
)
def test_a_count_that_was_too_high_stays_so_when_an_issue_is_resolved(
    kind: str, config: dict[str, Any], shop: NewProject, incidents: Sink
):
    told_by_pagerduty(make_rule(kind, shop.project, **config))
    send_at(shop, T, "one")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + MINUTE_MS)

    evaluate_and_send(T + 2 * MINUTE_MS)

    assert acts(incidents) == [("trigger", "a")]


def test_other_channels_hear_nothing_of_it(shop: NewProject, incidents: Sink, sinks: Start):
    hook, rule = sinks(answering(200)), make_rule("new_issue", shop.project)
    told_by_pagerduty(rule)
    rule.channels.create(channel_type="webhook", config={"type": "webhook", "url": hook.url()}, created_ms=0)
    send_at(shop, T, "one")
    evaluate_and_send(T)
    put("one", Status.RESOLVED, at=T + MINUTE_MS)
    evaluate_and_send(T + HOUR_MS)

    assert len(hook.got) == 1
    assert len(incidents.got) == 2

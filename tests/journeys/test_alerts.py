"""Alerts from an error's arrival to a real message, with every process real; embedded and over Redis."""

import json
from typing import Any

import pytest

from tests.alerts.sinks import Sink, answering
from tests.alerts.sinks import serving as serving_sink
from tests.journeys.server import Home, Server, serving, wait_until
from tests.journeys.test_redis import own_database

pytestmark = pytest.mark.journey

PRIVATE = {"BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true", "BLOOP__ALERTING__COOLDOWN_SECS": "0"}


def call(server: Server, token: str, method: str, path: str, body: Any = None) -> Any:
    """A call with the token, which must be granted."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = server.request(method, path, json.dumps(body) if body is not None else None, headers)
    assert answer.status == 200, answer.body
    return answer.json


def messages(sink: Sink) -> list[str]:
    return [str(got.json["message"]) for got in sink.got]


def wait_for_message(sink: Sink, text: str) -> None:
    what = f"a message with {text!r}, got {messages(sink)}"
    wait_until(lambda: any(text in message for message in messages(sink)), what=what)


def from_first_event_to_regression(server: Server, sink: Sink) -> None:
    """A new issue is told once, its next event not, its regression is and says so; ignored ones stay quiet."""
    scopes = "alerts:read,alerts:write,errors:write"
    token = str(server.home.manage_json("createtoken", "shop", "--name", "alerts", "--scopes", scopes)["token"])
    rule = {"name": "journey", "config": {"type": "new_issue"}}
    path = f"/v1/alerts/{call(server, token, 'POST', '/v1/alerts', rule)['id']}"
    call(server, token, "POST", f"{path}/channels", {"config": {"type": "webhook", "url": sink.url()}})
    tried = call(server, token, "POST", f"{path}/test")
    assert (tried["sent"], [each["status"] for each in tried["results"]]) == (True, [200])
    sink.got.clear()

    server.send(error_type="FirstTime")
    wait_for_message(sink, "FirstTime")
    assert messages(sink)[0].startswith("New error in 1.4.0 (production): [FirstTime] it broke - ")

    fingerprint = server.wait_for("FirstTime")["fingerprint"]
    call(server, token, "POST", f"/v1/errors/{fingerprint}/resolve")
    server.send(error_type="FirstTime")
    wait_until(lambda: len(sink.got) == 2, what=f"the regression, got {messages(sink)}")
    assert "regress" in messages(sink)[1].lower()

    call(server, token, "POST", f"/v1/errors/{fingerprint}/ignore")
    server.send(error_type="FirstTime")
    server.send(error_type="Later")
    wait_for_message(sink, "Later")
    assert len(sink.got) == 3


def test_a_new_issue_and_its_regression_are_told(home: Home):
    with serving_sink(answering(200)) as sink, serving(home, **PRIVATE) as server:
        from_first_event_to_regression(server, sink)


@pytest.mark.redis
def test_the_same_over_redis(home: Home):
    with serving_sink(answering(200)) as sink, serving(home, REDIS_URL=own_database(14), **PRIVATE) as server:
        from_first_event_to_regression(server, sink)

"""Alerts from an error's arrival to a real message, with every process real; embedded and over Redis."""

import http.server
import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.server import Home, Server, free_port, serving, wait_until
from tests.journeys.test_redis import own_database

pytestmark = pytest.mark.journey

PRIVATE = {"BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true", "BLOOP__ALERTING__COOLDOWN_SECS": "0"}


class Sink(http.server.ThreadingHTTPServer):
    """A web hook: keeps what it is told; `hangs` lets it answer nobody."""

    daemon_threads = True

    def __init__(self, port: int = 0, *, hangs: bool = False) -> None:
        super().__init__(("127.0.0.1", port), Listener)
        self.told: list[dict[str, Any]] = []
        self.over = threading.Event()
        self.hangs = hangs
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def messages(self) -> list[str]:
        return [str(body["message"]) for body in self.told]

    def wait_for(self, text: str, *, seconds: float = 30) -> None:
        what = f"a message with {text!r}, told {self.messages()}"
        wait_until(lambda: any(text in message for message in self.messages()), what=what, seconds=seconds)


class Listener(http.server.BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.hangs:
            self.server.over.wait(30)
            return
        self.server.told.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.over.set()
    sink.shutdown()
    sink.server_close()


def call(server: Server, token: str, method: str, path: str, body: Any = None) -> Any:
    """A call with the token, which must be granted."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = server.request(method, path, json.dumps(body) if body is not None else None, headers)
    assert answer.status == 200, answer.body
    return answer.json


def new_token(home: Home) -> str:
    scopes = "alerts:read,alerts:write,errors:write"
    return str(home.manage_json("createtoken", "shop", "--name", "alerts", "--scopes", scopes)["token"])


def make_rule(server: Server, token: str, *urls: str, **rule: Any) -> int:
    """A rule with a web hook for each of the urls."""
    body = {"name": "journey", "config": {"type": "new_issue"}, **rule}
    rule_id = int(call(server, token, "POST", "/v1/alerts", body)["id"])
    for url in urls:
        channel = {"config": {"type": "webhook", "url": url}}
        call(server, token, "POST", f"/v1/alerts/{rule_id}/channels", channel)
    return rule_id


def from_first_event_to_regression(server: Server, token: str, sink: Sink) -> None:
    """A new issue is told once, its next event not, its regression is and says so; ignored ones stay quiet."""
    rule_id = make_rule(server, token, sink.url)
    sent = call(server, token, "POST", f"/v1/alerts/{rule_id}/test")
    assert (sent["sent"], [each["status"] for each in sent["results"]]) == (True, [200])
    sink.told.clear()

    server.send(error_type="FirstTime", message="it broke")
    sink.wait_for("FirstTime")
    assert sink.messages()[0].startswith("New error in 1.4.0 (production): [FirstTime] it broke - ")

    fingerprint = server.wait_for("FirstTime")["fingerprint"]
    call(server, token, "POST", f"/v1/errors/{fingerprint}/resolve")
    server.send(error_type="FirstTime", message="it broke")
    wait_until(lambda: len(sink.told) == 2, what=f"the regression, told {sink.messages()}")
    assert "regress" in sink.messages()[1].lower() or "again" in sink.messages()[1].lower()

    call(server, token, "POST", f"/v1/errors/{fingerprint}/ignore")
    server.send(error_type="FirstTime", message="it broke")
    server.send(error_type="Later")
    sink.wait_for("Later")
    assert len(sink.told) == 3


def test_a_new_issue_and_its_regression_are_told(home: Home, sink: Sink):
    with serving(home, **PRIVATE) as server:
        from_first_event_to_regression(server, new_token(home), sink)


@pytest.mark.redis
def test_the_same_over_redis(home: Home, sink: Sink):
    with serving(home, REDIS_URL=own_database(14), **PRIVATE) as server:
        from_first_event_to_regression(server, new_token(home), sink)


def test_a_channel_that_hangs_delays_neither_the_other_nor_the_errors(home: Home, sink: Sink):
    hanging = Sink(hangs=True)
    try:
        with serving(home, **PRIVATE) as server:
            make_rule(server, new_token(home), hanging.url, sink.url)
            for number in range(3):
                server.send(error_type=f"Delayed{number}")
                sink.wait_for(f"Delayed{number}", seconds=8)
                server.wait_for(f"Delayed{number}")
    finally:
        hanging.over.set()
        hanging.shutdown()
        hanging.server_close()


def test_what_a_killed_server_owed_is_sent_by_the_next(home: Home):
    port = free_port()
    with serving(home, **PRIVATE) as server:
        token = new_token(home)
        make_rule(server, token, f"http://127.0.0.1:{port}/hook")
        server.send(error_type="Owed")
        owed = "SELECT count(*) FROM alerts_delivery WHERE attempts > 0"
        wait_until(lambda: home.query(owed), what="a first try, which nobody answers")
        server.stop(signal.SIGTERM)
        sink = Sink(port)
        try:
            server.start()
            sink.wait_for("Owed", seconds=90)
            assert len(sink.told) == 1
        finally:
            sink.shutdown()
            sink.server_close()

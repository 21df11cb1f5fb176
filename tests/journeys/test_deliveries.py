"""Alerts through the real worker: a hook that hangs beside a healthy one, both brokers, and stops in between."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.alerts.sinks import Sink, answering, hanging, serving
from tests.journeys.server import Home, Server, wait_until
from tests.journeys.server import serving as serving_bloop
from tests.journeys.test_redis import own_database

pytestmark = pytest.mark.journey
ALLOWED = {"BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true"}
FIRE = """
from alerts.models import AlertRule, Channel, Firing
from alerts.services.outbox import queue_deliveries
from alerts.tasks import queue_delivery
from bloop_site.lib.clock import now_ms
from django.db import transaction
from projects.models import Project
at = now_ms()
with transaction.atomic():
    rule = AlertRule.objects.create(name="Checkout", rule_type="new_issue", config={{}}, created_ms=at, updated_ms=at)
    for url in {urls}:
        Channel.objects.create(
            rule=rule, channel_type="webhook", config={{"type": "webhook", "url": url}}, secret="s", created_ms=at
        )
    firing = Firing.objects.create(
        rule=rule, project=Project.objects.get(slug="shop"), cause="new:1", key="k", title="t", message="It broke",
        fired_ms=at,
    )
    queue_deliveries(firing, now_ms=at)
    queue_delivery()
"""


@pytest.fixture
def healthy() -> Iterator[Sink]:
    with serving(answering(200)) as sink:
        yield sink


@pytest.fixture
def dead() -> Iterator[Sink]:
    with serving(hanging) as sink:
        yield sink


def fire(server: Server, *urls: str) -> None:
    """A rule with these webhooks fires, as a worker would have written it."""
    done = server.home.manage("shell", "--verbosity", "0", "--command", FIRE.format(urls=list(urls)), env=server.env)
    assert done.returncode == 0, done.stderr


def sent(home: Home) -> int:
    return int(home.query("SELECT count(*) FROM alerts_delivery WHERE state = 'sent'"))


def test_a_message_is_out_at_once_beside_hooks_that_hang_and_flushes_go_on(home: Home, dead: Sink, healthy: Sink):
    with serving_bloop(home, **ALLOWED) as server:
        hung = [dead.url(f"/{number}", host="localhost") for number in range(6)]
        fire(server, *hung, healthy.url())

        wait_until(lambda: healthy.got, what="the healthy hook")
        server.send(error_type="WhileHooksHang")
        server.wait_for("WhileHooksHang")
        assert dead.got
        wait_until(lambda: sent(home) == 1, what="the message noted as sent")
        (got,) = healthy.got
        assert got.json["message"] == "It broke"
        dead.is_closed.set()


@pytest.mark.redis
def test_a_message_goes_out_through_redis_as_the_broker(home: Home, healthy: Sink):
    with serving_bloop(home, REDIS_URL=own_database(13), **ALLOWED) as server:
        fire(server, healthy.url())

        wait_until(lambda: sent(home) == 1, what="the message")
    assert len(healthy.got) == 1


def test_what_waits_while_everything_is_down_goes_out_once_afterwards(home: Home, healthy: Sink):
    with serving_bloop(home, **ALLOWED) as server:
        server.stop()
        fire(server, healthy.url())
        assert healthy.got == []

        server.start()

        wait_until(lambda: sent(home) == 1, what="the message")
        server.stop()
        server.start()
    assert len(healthy.got) == 1


def test_a_stop_in_the_middle_of_a_message_ends_in_time_and_the_message_goes_out_once(home: Home):
    def slowly(sink: Sink, handler: Any) -> None:
        sink.is_closed.wait(1.0)
        answering(200)(sink, handler)

    with serving(slowly) as slow, serving_bloop(home, **ALLOWED) as server:
        fire(server, slow.url())
        wait_until(lambda: slow.got, what="the message under way")

        server.stop()

        assert sent(home) == 1
        assert len(slow.got) == 1

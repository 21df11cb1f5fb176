"""The worker's side: the task that wakes the courier, and the courier that waits for nobody's flush."""

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction

from alerts import courier as courier_module
from alerts import delivery_tasks, tasks
from alerts.courier import Courier
from alerts.models import Delivery
from alerts.services import claims, deliver
from alerts.services.outbox import queue_deliveries
from bloop_site import celery
from bloop_site.lib import outbound
from bloop_site.lib.clock import now_ms
from projects.services.projects import NewProject
from tests.alerts.factories import make_channel, make_firing, make_rule
from tests.alerts.sinks import Sink, answering, hanging, in_turn
from tests.ingest.conftest import shared_database

__all__ = ["shared_database"]
Start = Callable[..., Sink]


@pytest.fixture
def courier(shared_database: None, private_allowed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Courier]:
    """One of its own, which the task wakes; its thread is over before the database goes."""
    made = Courier()
    monkeypatch.setattr(delivery_tasks, "courier", made)
    monkeypatch.setattr(courier_module, "LINGER_SECONDS", 2.0)
    yield made
    made.stop(seconds=20)
    assert made.thread is None


def fire(shop: NewProject, url: str, cause: str = "new:1") -> Delivery:
    at = now_ms()
    rule = make_rule(shop.project)
    make_channel(rule, url)
    firing = make_firing(rule, shop.project, cause=cause, fired_ms=at)
    queue_deliveries(firing, now_ms=at)
    return Delivery.objects.get(firing=firing)


def wait_for(state: str, delivery: Delivery, *, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        delivery.refresh_from_db()
        if delivery.state == state:
            return
        time.sleep(0.02)
    pytest.fail(f"still {delivery.state}: {delivery.reply}")


def test_the_task_returns_at_once_and_the_message_arrives(courier: Courier, shop: NewProject, sinks: Start):
    slow, sink = sinks(hanging), sinks(answering(200))
    fire(shop, slow.url())
    delivery = fire(shop, sink.url(host="localhost"), cause="new:2")

    begun = time.monotonic()
    delivery_tasks.wake_courier()
    took = time.monotonic() - begun

    wait_for("sent", delivery)
    assert took < 2
    assert (len(sink.got), sink.got[0].at - begun < 5) == (1, True)
    slow.is_closed.set()


def test_a_second_message_is_sent_while_the_first_still_hangs(courier: Courier, shop: NewProject, sinks: Start):
    slow, sink = sinks(hanging), sinks(answering(200))
    fire(shop, slow.url())
    delivery_tasks.wake_courier()
    while not slow.got:
        time.sleep(0.01)

    delivery = fire(shop, sink.url(host="localhost"), cause="new:2")
    begun = time.monotonic()
    delivery_tasks.wake_courier()

    wait_for("sent", delivery)
    assert sink.got[0].at - begun < 5
    slow.is_closed.set()


def test_however_long_messages_have_hung_others_are_begun(
    courier: Courier, shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    passed = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0], sleep=time.sleep)
    monkeypatch.setattr(deliver, "time", clock)
    slow, sink = sinks(hanging), sinks(answering(200))
    fire(shop, slow.url())
    delivery_tasks.wake_courier()
    while not slow.got:
        time.sleep(0.01)

    passed[0] = 45.0
    delivery = fire(shop, sink.url(host="localhost"), cause="new:2")
    begun = time.monotonic()
    delivery_tasks.wake_courier()

    wait_for("sent", delivery)
    assert sink.got[0].at - begun < 5
    slow.is_closed.set()


def test_what_is_due_soon_is_waited_for(
    courier: Courier, shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("alerts.backoff.WAITS_MS", (500,))
    monkeypatch.setattr("alerts.backoff.MAX_ATTEMPTS", 2)
    sink = sinks(in_turn(answering(500), answering(200)))
    delivery = fire(shop, sink.url())

    delivery_tasks.wake_courier()

    wait_for("sent", delivery)
    assert 0.4 < sink.got[1].at - sink.got[0].at < 8


def test_nothing_due_wakes_nobody(courier: Courier):
    delivery_tasks.wake_courier()

    assert courier.thread is None


def test_the_thread_ends_when_nothing_is_due_and_begins_anew(courier: Courier, shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    for number in range(3):
        delivery = fire(shop, sink.url(), cause=f"new:{number}")
        delivery_tasks.wake_courier()
        wait_for("sent", delivery)
        until = time.monotonic() + 30
        while courier.thread is not None and time.monotonic() < until:
            time.sleep(0.01)
        assert courier.thread is None

    assert len(sink.got) == 3


def test_a_worker_that_stops_lets_what_is_under_way_arrive(courier: Courier, shop: NewProject, sinks: Start):
    def slowly(sink: Sink, handler: Any) -> None:
        time.sleep(0.5)
        answering(200)(sink, handler)

    sink = sinks(slowly)
    first = fire(shop, sink.url())
    delivery_tasks.wake_courier()
    while not sink.got:
        time.sleep(0.01)

    delivery_tasks.finish_messages()

    first.refresh_from_db()
    assert first.state == "sent"
    other = fire(shop, sink.url(), cause="new:2")
    delivery_tasks.wake_courier()
    time.sleep(0.2)
    other.refresh_from_db()
    assert (other.state, other.attempts) == ("pending", 0)


def test_a_fault_of_the_database_is_survived(
    courier: Courier, shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier_module, "PAUSE_AFTER_FAULT", 0.05)
    sink = sinks(answering(200))
    delivery = fire(shop, sink.url())
    next_in_line, faults = claims.next_in_line, [RuntimeError("no database")] * 2

    def unsure(**options: Any) -> Any:
        if faults:
            raise faults.pop()
        return next_in_line(**options)

    monkeypatch.setattr(claims, "next_in_line", unsure)

    delivery_tasks.wake_courier()

    wait_for("sent", delivery)
    assert faults == []


# --- How it is sent -----------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(delivery_tasks, "deliver", SimpleNamespace(apply_async=lambda **given: found.append(given)))
    return found


@pytest.mark.django_db(transaction=True)
def test_the_task_is_queued_once_what_it_is_for_is_committed(sent: list[dict[str, Any]]):
    with transaction.atomic():
        tasks.queue_delivery()
        assert sent == []

    assert sent == [{"expires": 60, "retry": False}]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_queued_for_what_is_rolled_back(sent: list[dict[str, Any]]):
    with transaction.atomic():
        tasks.queue_delivery()
        transaction.set_rollback(True)

    assert sent == []


def test_a_broker_that_is_away_harms_nobody(monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def away(**given: Any) -> None:
        asked.append(given)
        raise ConnectionError

    monkeypatch.setattr(delivery_tasks, "deliver", SimpleNamespace(apply_async=away))

    delivery_tasks.send_task()

    assert len(asked) == 1


def test_beat_asks_as_often_as_the_courier_lingers():
    entry = celery.app.conf.beat_schedule["deliver-alerts"]

    assert entry["task"] == "alerts.tasks.deliver"
    assert entry["schedule"] == courier_module.LINGER_SECONDS == 10
    assert entry["options"]["queue"] == "bloop"


def test_a_claim_outlasts_what_it_is_for():
    assert outbound.SECONDS * 3 + sum(deliver.PAUSES) < claims.CLAIM_MS / 1000

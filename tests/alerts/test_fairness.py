"""A slow or dead channel delays nobody: not its host's other channels, nor those of other hosts, nor other kinds."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler

import pytest
from django.conf import LazySettings

from alerts.channels import email
from alerts.models import Channel, Delivery
from alerts.services import claims
from alerts.services.deliver import AT_ONCE, FAILING_AT_ONCE, deliver_due
from alerts.services.outbox import queue_deliveries
from bloop_site.lib import outbound
from projects.services.projects import NewProject
from tests.alerts.conftest import configure
from tests.alerts.factories import NOW_MS, make_channel, make_firing, make_rule
from tests.alerts.mailbox import Mailbox, receiving
from tests.alerts.sinks import Answer, Sink, answering, hanging

pytestmark = pytest.mark.django_db
Start = Callable[[Answer], Sink]
SOON = 1.5  # seconds; who hangs is left after 2


@pytest.fixture(autouse=True)
def _hung_is_left_soon(private_allowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outbound.post.__kwdefaults__ is not None
    monkeypatch.setitem(outbound.post.__kwdefaults__, "seconds", 2.0)
    monkeypatch.setattr(email, "SECONDS", 2.0)


@pytest.fixture
def mail_server_that_hangs(settings: LazySettings) -> Iterator[list[socket.socket]]:
    """Takes connections and says nothing; those it took."""
    taken: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        configure(
            settings,
            "smtp",
            enabled=True,
            host="127.0.0.1",
            port=server.getsockname()[1],
            plaintext=True,
            starttls=False,
        )
        yield taken
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        for each in taken:
            each.close()
        thread.join(timeout=10)


def wait_in_line(shop: NewProject, channel: Channel, *, due_ms: int = NOW_MS) -> Delivery:
    """A message for a channel."""
    firing = make_firing(channel.rule, shop.project, cause=f"new:{channel.pk}:{due_ms}")
    queue_deliveries(firing, now_ms=due_ms)
    return Delivery.objects.get(firing=firing)


def mail_channel(shop: NewProject, to: str) -> Channel:
    return Channel.objects.create(
        rule=make_rule(shop.project), channel_type="email", config={"type": "email", "to": to}, created_ms=NOW_MS
    )


def by_path(sink: Sink, handler: BaseHTTPRequestHandler) -> None:
    """Hangs at /dead, is well elsewhere."""
    (hanging if handler.path.startswith("/dead") else answering(200))(sink, handler)


def test_two_channels_that_hang_do_not_keep_the_others_of_their_host_waiting(shop: NewProject, sinks: Start):
    sink = sinks(by_path)
    for number in range(2):
        dead = make_channel(make_rule(shop.project), sink.url(f"/dead/{number}"), failed_in_row=1)
        for earlier in (60_000, 50_000, 40_000):  # have waited longer
            wait_in_line(shop, dead, due_ms=NOW_MS - earlier)
    wait_in_line(shop, make_channel(make_rule(shop.project), sink.url("/well")))

    begun = time.monotonic()
    deliver_due(now_ms=NOW_MS, seconds=SOON)

    (well,) = [got for got in sink.got if got.path == "/well"]
    assert well.at - begun < SOON
    assert len(sink.got) == 2, "one that hangs, and no second beside it"


def test_hosts_that_hang_however_many_leave_room_for_the_others(
    shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "host_of", lambda _, config: config["url"])  # each its own
    sink = sinks(by_path)
    for number in range(AT_ONCE + 3):
        dead = make_channel(make_rule(shop.project), sink.url(f"/dead/{number}"), failed_in_row=3)
        wait_in_line(shop, dead, due_ms=NOW_MS - 60_000)

    begun = time.monotonic()
    wait_in_line(shop, make_channel(make_rule(shop.project), sink.url("/well")))
    deliver_due(now_ms=NOW_MS, seconds=SOON)

    (well,) = [got for got in sink.got if got.path == "/well"]
    assert well.at - begun < SOON
    assert len(sink.got) == FAILING_AT_ONCE + 1 < AT_ONCE


def test_a_mail_server_that_hangs_keeps_ten_other_channels_from_nothing(
    shop: NewProject, sinks: Start, mail_server_that_hangs: list[socket.socket]
):
    sink = sinks(answering(200))
    for number in range(10):
        wait_in_line(shop, mail_channel(shop, f"a{number}@example.com"), due_ms=NOW_MS - 60_000)
    for number in range(10):
        wait_in_line(shop, make_channel(make_rule(shop.project), sink.url(f"/{number}", host="localhost")))

    begun = time.monotonic()
    deliver_due(now_ms=NOW_MS, seconds=SOON)

    assert [got.at - begun < SOON for got in sink.got] == [True] * 10
    assert len(mail_server_that_hangs) == 2


def test_once_the_mail_server_is_back_all_mails_go_out_within_a_second_or_two(shop: NewProject, settings: LazySettings):
    with receiving(Mailbox()) as mailbox:
        configure(settings, "smtp", enabled=True, host="127.0.0.1", port=mailbox.port, plaintext=True, starttls=False)
        for number in range(10):
            channel = mail_channel(shop, f"a{number}@example.com")
            Channel.objects.filter(pk=channel.pk).update(failed_in_row=4)
            wait_in_line(shop, channel)

        deliver_due(now_ms=NOW_MS, seconds=30)

    assert len(mailbox.mails) == 10
    assert not Channel.objects.filter(failed_in_row__gt=0).exists()

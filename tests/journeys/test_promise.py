"""Accepted means kept (design.md 2): whatever is killed in the middle of a load, what was acknowledged counts once."""

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.journeys.server import Home, Server, event, serving, signed, wait_until

pytestmark = pytest.mark.journey
CLIENTS = 4
BATCH = 20
PAUSE = 0.01  # between two requests of a client, so that reading every event back stays quick


@dataclass
class Ledger:
    """What the clients sent and what they were told, by fingerprint."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    clients: Iterator[int] = field(default_factory=itertools.count)


@dataclass
class Client:
    """Posts one request after another on a kept connection, in turn: a single, a batch, and both with repeats.

    A repeat names itself (event_id, Idempotency-Key), so it may be sent again until it is acknowledged. What has no
    name is sent once, and is in doubt when the connection breaks.
    """

    number: int
    server: Server
    ledger: Ledger
    stopping: threading.Event
    connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        for step in itertools.count():
            if self.stopping.is_set():
                return
            name = f"{self.number}-{step}"
            is_batch, is_named = step % 4 in (1, 3), step % 4 in (2, 3)
            prints = [f"{name}-{index}" for index in range(BATCH)] if is_batch else [name]
            events = [event(fingerprint=print_, message=f"number {print_}") for print_ in prints]
            if is_named and not is_batch:
                events[0]["event_id"] = f"id-{name}"
            headers = {"Idempotency-Key": f"key-{name}"} if is_named and is_batch else {}
            value = {"events": events} if is_batch else events[0]
            self.deliver("/v1/ingest/batch" if is_batch else "/v1/ingest", value, prints, headers, again=is_named)
            time.sleep(PAUSE)

    def deliver(self, path: str, value: object, prints: list[str], headers: dict[str, str], *, again: bool) -> None:
        """Send it, again and again if it may be, and note what became of it."""
        body = json.dumps(value).encode()
        self.ledger.sent.update(prints)
        while not self.stopping.is_set():
            with suppress(OSError, http.client.HTTPException):
                if self.post(path, body, headers) == 200:
                    self.ledger.acknowledged.update(prints)
                    return
            self.hang_up()
            time.sleep(0.05)
            if not again:
                return

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=15)
        self.connection.request("POST", path, body, {**signed(body, self.server.key), **headers})
        response = self.connection.getresponse()
        answer = response.read()
        if response.status not in (200, 503):
            self.ledger.wrong.append(f"{response.status} {answer!r}")
        return response.status

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@contextmanager
def load(server: Server, ledger: Ledger) -> Iterator[None]:
    """Clients that send for as long as the block lasts."""
    stopping = threading.Event()
    clients = [Client(next(ledger.clients), server, ledger, stopping) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.hang_up()


def assert_kept(server: Server, ledger: Ledger) -> None:
    """Each acknowledged event exactly once, each other one at most once, nothing else; the rollups say the same."""
    counts = server.counts()
    assert ledger.wrong == []
    assert {name: counts.get(name, 0) for name in ledger.acknowledged if counts.get(name) != 1} == {}
    assert {name: count for name, count in counts.items() if count != 1 or name not in ledger.sent} == {}
    assert server.get("/v1/stats").json["total_events_24h"] == len(counts)
    assert sum(point["count"] for point in server.get("/v1/trends").json) == len(counts)


def test_killing_every_process_in_the_middle_of_a_load_loses_and_doubles_nothing(server: Server):
    ledger = Ledger()
    survived = []
    with load(server, ledger):
        for _ in range(3):
            before = len(ledger.acknowledged)
            wait_until(lambda: len(ledger.acknowledged) > before + 200, what="a load")  # noqa: B023  called at once
            time.sleep(random.uniform(0.0, 1.5))
            server.kill_all()
            survived.append(len(ledger.acknowledged) - before)
            server.start()
    server.wait_until_drained()

    assert min(survived) > 200
    assert_kept(server, ledger)


def test_killing_the_worker_while_it_drains_loses_and_doubles_nothing(home: Home):
    ledger = Ledger()
    waiting = []
    with serving(home, BLOOP__PIPELINE__FLUSH_BATCH_SIZE="100") as server:
        with load(server, ledger):
            for _ in range(2):
                stored = server.stored()
                wait_until(lambda: server.stored() > stored, what="a worker that drains")  # noqa: B023  called at once
                time.sleep(random.uniform(0.0, 0.2))
                worker = wait_until(lambda: server.find("worker"), what="the worker")
                worker.kill()
                waiting.append(len(ledger.acknowledged) - server.stored())
        server.wait_until_drained()

        assert max(waiting) > 0, "it was never killed with work before it"
        assert_kept(server, ledger)

"""A database that threads share, the lane with and without its thread, and what goes over its wire."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.db.backends.signals import connection_created

from bloop_site.lib.bodies import largest_body
from bloop_site.lib.turn import write_turn
from bloop_site.transport import Transport
from bloop_site.wsgi import application as served
from ingest.lane import Job, Lane


@pytest.fixture
def shared_database(tmp_path: Path, transactional_db: None) -> Iterator[None]:
    """A database as the server has it: PostgreSQL as it is; on SQLite a file in WAL mode instead of one in memory.

    The file begins as a copy of the test database. Only connections made within the test see it.
    """
    if connection.vendor != "sqlite":
        yield
        return
    in_memory = connections["default"]
    options = connections.settings["default"]
    name = options["NAME"]
    path = tmp_path / "bloop.db"
    with in_memory.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    options["NAME"] = str(path)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        options["NAME"] = name
        connections["default"] = in_memory


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in a thread each, started together; what they returned or raised, in order."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=20)
            results[index] = call()
        except Exception as error:  # noqa: BLE001  the test looks at it
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def await_a_waiter(*, seconds: float = 20) -> None:
    """Return once another connection to this PostgreSQL database waits for a lock, or after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)


@pytest.fixture
def together() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    return at_once


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Transport:
    """The whole application as the server runs it; only the lane serves in the thread that asks.

    So its rows are written in the test's own transaction.
    """
    lane = served.application
    assert isinstance(lane, Lane)
    monkeypatch.setattr(lane, "thread", None)
    monkeypatch.setattr(lane, "start", lambda: lane.answer([lane.jobs.get()]))
    return served


@pytest.fixture
def own_turn(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The turn to write, shared with no other process that tests: the folder its file is in."""
    folder = tmp_path / "turn"
    folder.mkdir()
    settings.DATA_FOLDER = folder
    monkeypatch.setattr(write_turn, "file", None)
    return folder


class Ended(Exception):
    """The last job was reached."""


class EndingLane(Lane):
    """A lane whose thread can be ended, and closes its connection then."""

    LAST = Job({}, b"")

    def run(self) -> None:
        with suppress(Ended):
            super().run()
        connections.close_all()

    def answer(self, group: list[Job]) -> None:
        if group[0] is self.LAST:
            raise Ended
        super().answer(group)

    def end(self) -> None:
        if thread := self.thread:
            self.jobs.put(self.LAST)
            thread.join(timeout=20)


@pytest.fixture
def lane(shared_database: None, own_turn: Path) -> Iterator[Lane]:
    """A lane of its own, thread and all, before Django."""
    lane = EndingLane(WSGIHandler(), max_body=largest_body())
    yield lane
    lane.end()


class Wire:
    """Stands between the lane's thread and its database: counts what is committed, holds up or breaks a statement."""

    def __init__(self) -> None:
        self.transactions = 0  # that kept payloads
        self.before: Callable[[str, Any], None] = lambda sql, parameters: None

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        self.before(sql, parameters)
        result = execute(sql, parameters, many, context)
        if sql.startswith("INSERT INTO ingest_bufferedpayload"):
            database = context["connection"]
            if not database.in_atomic_block:
                self.count()
            elif not database.run_on_commit:
                database.on_commit(self.count)
        return result

    def count(self) -> None:
        self.transactions += 1

    def install(self, *, connection: Any, **_: Any) -> None:
        if threading.current_thread().name == "ingest-lane" and self not in connection.execute_wrappers:
            connection.execute_wrappers.append(self)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    connection_created.connect(wire.install)
    yield wire
    connection_created.disconnect(wire.install)

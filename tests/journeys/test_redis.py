"""Scaled out in miniature: Redis as the broker, the cache and the keeper of rate limits."""

import os
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from tests.journeys.server import Home, Server, event, free_port, serving, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.redis]


def own_database(number: int) -> str:
    """One of the test Redis's numbered databases, emptied: journeys that run at once share nothing but the server."""
    url = urlsplit(os.environ["BLOOP_TEST_REDIS_URL"])._replace(path=f"/{number}").geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@contextmanager
def private_redis(port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A Redis that a journey may kill. It keeps nothing on disk."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    assert program, "neither redis-server nor valkey-server is on this machine"
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    argv = [program, *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: answers(port), what="a private Redis")
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def test_an_event_goes_through_redis_and_becomes_visible(home: Home):
    url = own_database(11)
    with serving(home, REDIS_URL=url) as server:
        server.send(error_type="ThroughRedis")
        server.wait_for("ThroughRedis")

        batch = {"events": [event(error_type="BatchThroughRedis") for _ in range(500)]}
        assert server.post("/v1/ingest/batch", batch).json["accepted"] == 500
        server.wait_for("BatchThroughRedis", count=500)

    assert not (home.folder / "queue").exists() or not list((home.folder / "queue").iterdir())
    with redis.Redis.from_url(url) as client:
        keys = {key.decode() for key in client.scan_iter()}
    assert "_kombu.binding.bloop" in keys
    assert any(key.startswith("bloop:rate:ingest:") for key in keys)


def test_a_rate_limit_holds_across_two_web_processes(home: Home):
    limit = {"BLOOP__RATE_LIMIT__PER_SECOND": "0.01", "BLOOP__RATE_LIMIT__BURST_SIZE": "40"}
    with serving(home, REDIS_URL=own_database(12), BLOOP__SERVER__WEB_PROCESSES="2", **limit) as server:
        web = wait_until(lambda: server.find("web"), what="granian's main process")
        wait_until(lambda: len(web.children()) == 2, what="two web processes")
        with ThreadPoolExecutor(8) as clients:
            said = list(clients.map(lambda number: server.post("/v1/ingest", event(message=str(number))), range(120)))
        served = [child.cpu_times().user for child in web.children()]

    statuses = Counter(answer.status for answer in said)
    assert statuses == {200: 40, 429: 80}
    assert {answer.headers["Retry-After"] is not None for answer in said if answer.status == 429} == {True}
    assert min(served) > 0


def test_events_are_taken_while_redis_is_away_and_visible_when_it_is_back(home: Home, tmp_path: Path):
    port = free_port()
    with private_redis(port, tmp_path) as first, serving(home, REDIS_URL=f"redis://127.0.0.1:{port}/0") as server:
        server.send(error_type="Before")
        server.wait_for("Before")

        first.send_signal(signal.SIGKILL)
        first.wait()
        for number in range(30):
            server.send(error_type="While", message="Redis is away", event_id=f"away-{number}")
        assert len(send_again(server)) == 30
        page = server.page("/errors")
        assert "Before" in page

        with private_redis(port, tmp_path):
            server.wait_for("While", count=30)
            server.send(error_type="After")
            server.wait_for("After")
            server.stop()


def send_again(server: Server) -> list[int]:
    """The same thirty again, as a client that is not sure does."""
    fields = {"error_type": "While", "message": "Redis is away"}
    answers_ = [server.post("/v1/ingest", event(**fields, event_id=f"away-{number}")) for number in range(30)]
    return [answer.status for answer in answers_ if answer.status == 200]

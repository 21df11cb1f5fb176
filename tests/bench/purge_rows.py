"""The row of the table about retention: a million old events purged while 500 signed events a second come in."""

import http.client
import json
import re
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Load, Outcome
from tests.bench.report import Row
from tests.bench.server import (
    KEY,
    Server,
    Usage,
    bloop,
    get,
    new_folder,
    outcome_of,
    reader,
    run_module,
    send,
    sign_in,
    start_sending,
    wait_until_folded,
)

RATE = 500
POLL_SECONDS = 0.25
MOST_SECONDS = 1_200
LOCK_MS = 50.0


def purge(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Ingest's p99 while the purge runs beside the quiet one just before, and how long the purge held the lock."""
    events, seconds = (50_000, 5.0) if quick else (1_000_000, 30.0)
    folder = new_folder(parent, "purge")
    run_module("fill", folder, kind="stored", events=events, issues=500, days=7)
    age(folder / "bloop.db", days=30)
    with bloop(folder, port=port) as server:
        cookie = sign_in(server)
        hold_back(server, cookie)
        send(Load(port=port, key=KEY, seconds=2.0, rate=RATE, pool=2_000))
        wait_until_folded(server.database)
        quiet = send(Load(port=port, key=KEY, seconds=seconds, rate=RATE, seed=2))
        with Usage(server) as usage:
            busy, done = while_purging(server, cookie)
        wait_until_folded(server.database)
    return rows_of(quiet, busy, done, usage=usage)


def age(database: Path, *, days: int) -> None:
    """Let everything have been received `days` earlier, as if nobody had purged since."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE errors_event SET received_ms = received_ms - ?", (days * 86_400_000,))
        # The pass at the worker's start must not do the work before it is measured.
        connection.execute("INSERT INTO projects_retentionpolicy (raw_events_days) VALUES (3650)")
    connection.close()


def hold_back(server: Server, cookie: str) -> None:
    """Wait for the pass at the worker's start, which finds nothing; then let 7 days hold."""
    ends = time.monotonic() + 60
    while not runs(server.database, finished=True):
        if time.monotonic() > ends:
            raise SystemExit("the worker began no pass")
        time.sleep(POLL_SECONDS)
    call(server, cookie, "PUT", "/v1/admin/retention", {"raw_events_days": 7})


@dataclass(frozen=True)
class Purged:
    """What the run says of itself, how long it took, and the longest turns: its own and that of a stranger's wait."""

    rows: int
    bytes_returned: int
    seconds: float
    turns: int
    long_turns: int
    longest_turn_ms: float
    longest_wait_ms: float
    file_before: int
    file_after: int


def while_purging(server: Server, cookie: str) -> tuple[Outcome, Purged]:
    """Press "Purge now" as a person does, and send events until the run is finished."""
    before, known = server.database.stat().st_size, len(runs(server.database, finished=True))
    stop, waits = threading.Event(), [0.0]
    probe = threading.Thread(target=probe_lock, args=(server.database, stop, waits), daemon=True)
    load = Load(port=server.port, key=KEY, seconds=MOST_SECONDS, rate=RATE, seed=3)
    generators = [start_sending(Load(**{**vars(load), "seconds": 15.0}))]
    begun = time.monotonic()
    probe.start()
    press(server, cookie)
    outcomes: list[Outcome] = []
    while len(runs(server.database, finished=True)) == known:
        if generators[-1].poll() is not None:
            outcomes.append(outcome_of(generators[-1]))
            generators.append(start_sending(Load(**{**vars(load), "seconds": 15.0, "seed": 3 + len(generators)})))
        if time.monotonic() - begun > MOST_SECONDS:
            raise SystemExit("the purge does not end")
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - begun
    outcomes.append(outcome_of(generators[-1]))
    stop.set()
    probe.join()
    return worst(outcomes), purged(server, seconds, before, 1000 * waits[0])


def worst(outcomes: list[Outcome]) -> Outcome:
    """All of it together, with the p99 of the worst part: no part may hide behind the others."""
    return Outcome(
        requests=sum(each.requests for each in outcomes),
        refused=sum(each.refused for each in outcomes),
        seconds=sum(each.seconds for each in outcomes),
        p50_ms=max(each.p50_ms for each in outcomes),
        p99_ms=max(each.p99_ms for each in outcomes),
    )


def probe_lock(database: Path, stop: threading.Event, longest: list[float]) -> None:
    """Ask for SQLite's write lock every 50 ms, without the courtesy of a turn, and note the longest wait."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    while not stop.wait(0.05):
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        longest[0] = max(longest[0], time.perf_counter() - begun)
        connection.execute("ROLLBACK")
    connection.close()


def purged(server: Server, seconds: float, file_before: int, longest_wait_ms: float) -> Purged:
    """The last run, by its row and its line in the log."""
    lines = re.findall(r'^\{.*"purge_finished".*\}$', server.output.read_text(), re.MULTILINE)
    said: dict[str, Any] = json.loads(lines[-1])
    return Purged(
        rows=said["rows"],
        bytes_returned=said["bytes_returned"],
        seconds=seconds,
        turns=said["turns"],
        long_turns=said["long_turns"],
        longest_turn_ms=said["longest_turn_ms"],
        longest_wait_ms=longest_wait_ms,
        file_before=file_before,
        file_after=server.database.stat().st_size,
    )


def runs(database: Path, *, finished: bool) -> list[tuple[int]]:
    """The passes there have been."""
    with reader(database) as connection:
        condition = "IS NOT NULL" if finished else "IS NULL"
        return connection.execute(f"SELECT id FROM projects_purgerun WHERE finished_at {condition}").fetchall()


def press(server: Server, cookie: str) -> None:
    """The button of the settings page, with the page's own form."""
    _, page, headers = get(server.port, "/settings/retention", {"Cookie": cookie})
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    csrf = (headers["Set-Cookie"] or "").partition(";")[0]
    sent = {"Cookie": f"{cookie}; {csrf}", "X-CSRFToken": token.group(1).decode() if token else ""}
    status = request(server, "POST", "/settings/retention/purge", sent, b"")
    if status != 302:
        raise SystemExit(f"the button was answered {status}")


def call(server: Server, cookie: str, method: str, path: str, body: dict[str, Any]) -> None:
    """One JSON request that must be taken."""
    sent = {"Cookie": cookie, "Content-Type": "application/json", "Origin": "http://localhost:5332"}
    status = request(server, method, path, sent, json.dumps(body).encode())
    if status != 200:
        raise SystemExit(f"{method} {path} was answered {status}")


def request(server: Server, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    """The status of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def rows_of(quiet: Outcome, busy: Outcome, done: Purged, *, usage: Usage) -> list[Row]:
    """Two rows: what ingest felt, and for how long the lock was held."""
    if busy.refused or quiet.refused:
        raise SystemExit(f"{busy.refused} events were refused during the purge, {quiet.refused} before")
    name = f"Ingest at {RATE}/s while {done.rows:,} rows are purged"
    return [
        Row(
            name=f"{name}, p99",
            rate=f"{busy.requests / busy.seconds:,.0f} events/s",
            yardstick=f"the same without a purge {quiet.p99_ms:.1f} ms",
            bound=3.0,
            measured=busy.p99_ms / quiet.p99_ms,
            at_least=False,
            unit=" times",
            p50_ms=busy.p50_ms,
            p99_ms=busy.p99_ms,
            peak_mb=usage.peak_mb,
            runs=told(quiet, busy, done),
        ),
        Row(
            name="Longest turn of the purge at the write lock",
            rate="",
            yardstick="",
            bound=LOCK_MS,
            measured=done.longest_turn_ms,
            at_least=False,
            unit=" ms",
            runs=[
                f"{done.long_turns:,} of {done.turns:,} turns took longer than {LOCK_MS:.0f} ms",
                f"a stranger who asked for the lock every 50 ms waited {done.longest_wait_ms:.0f} ms at most",
            ],
        ),
    ]


def told(quiet: Outcome, busy: Outcome, done: Purged) -> list[str]:
    """What the figures of the row leave out."""
    pace = f"{done.rows:,} rows in {done.seconds:.0f} s ({done.rows / done.seconds:,.0f}/s)"
    files = f"the file had {done.file_before / 1e6:,.0f} MB and has {done.file_after / 1e6:,.0f} MB"
    return [
        f"{pace}, {busy.requests:,} events accepted meanwhile, 0 refused",
        f"p50 {quiet.p50_ms:.1f} ms before, {busy.p50_ms:.1f} ms during",
        f"{done.bytes_returned / 1e6:,.0f} MB returned: {files}",
    ]

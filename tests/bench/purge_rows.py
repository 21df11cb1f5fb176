"""The row of the table about retention: a million old events purged while 500 signed events a second come in."""

import http.client
import json
import re
import sqlite3
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Load, Outcome
from tests.bench.report import Row, median
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
    sign_in,
    start_sending,
    wait_until_folded,
)

RATE = 500
PART_SECONDS = 15.0
POLL_SECONDS = 0.25
MOST_SECONDS = 1_200
LOCK_MS = 50.0
SHOWN_TURNS = 20


def purge(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Ingest's p99 while the purge runs beside the quiet one just before, and how long the purge held the lock."""
    events, quiet_parts = (50_000, 1) if quick else (1_000_000, 3)
    folder = new_folder(parent, "purge")
    run_module("fill", folder, kind="stored", events=events, issues=500, days=7)
    age(folder / "bloop.db", days=30)
    with bloop(folder, port=port) as server:
        cookie = sign_in(server)
        hold_back(server, cookie)
        outcome_of(sending(server, seed=1))
        wait_until_folded(server.database)
        quiet = [outcome_of(sending(server, seed=2 + part)) for part in range(quiet_parts)]
        with Usage(server) as usage:
            busy, done = while_purging(server, cookie)
        wait_until_folded(server.database)
    return rows_of(quiet, busy, done, usage=usage)


def sending(server: Server, *, seed: int) -> "subprocess.Popen[str]":
    """A part of the load, under way."""
    return start_sending(Load(port=server.port, key=KEY, seconds=PART_SECONDS, rate=RATE, pool=2_000, seed=seed))


def age(database: Path, *, days: int) -> None:
    """Let everything have been received `days` earlier, as if nobody had purged since."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE errors_event SET received_ms = received_ms - ?", (days * 86_400_000,))
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
    seconds: float  # until the rows are gone
    space_seconds: float  # then, until the room is returned
    turns: int
    long_turns: int
    longest_turn_ms: float
    long_ones: str  # which they were
    longest_wait_ms: float
    file_before: int
    file_after: int


def while_purging(server: Server, cookie: str) -> tuple[list[Outcome], Purged]:
    """Press "Purge now" as a person does, and send events until the run is finished, part by part."""
    before, known = server.database.stat().st_size, len(runs(server.database, finished=True))
    stop, waits = threading.Event(), [0.0]
    probe = threading.Thread(target=probe_lock, args=(server.database, stop, waits), daemon=True)
    parts: list[Outcome] = []
    rows_gone, begun = 0.0, time.monotonic()
    current = sending(server, seed=10)
    probe.start()
    press(server, cookie)
    while len(runs(server.database, finished=True)) == known:
        if not rows_gone and rows_are_gone(server.database):
            rows_gone = time.monotonic() - begun
        if current.poll() is not None:
            parts.append(outcome_of(current))
            current = sending(server, seed=11 + len(parts))
        if time.monotonic() - begun > MOST_SECONDS:
            raise SystemExit("the purge does not end")
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - begun
    parts.append(outcome_of(current))
    stop.set()
    probe.join()
    rows_gone = rows_gone or seconds
    return parts, purged(server, (rows_gone, seconds - rows_gone), before, 1000 * waits[0])


def probe_lock(database: Path, stop: threading.Event, longest: list[float]) -> None:
    """Ask for SQLite's write lock every 50 ms, without the courtesy of a turn, and note the longest wait."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    while not stop.wait(0.05):
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        longest[0] = max(longest[0], time.perf_counter() - begun)
        connection.execute("ROLLBACK")
    connection.close()


def purged(server: Server, seconds: tuple[float, float], file_before: int, longest_wait_ms: float) -> Purged:
    """The last run, by its row and its line in the log."""
    said = logged(server, "purge_finished")[-1]
    return Purged(
        rows=said["rows"],
        bytes_returned=said["bytes_returned"],
        seconds=seconds[0],
        space_seconds=seconds[1],
        turns=said["turns"],
        long_turns=said["long_turns"],
        longest_turn_ms=said["longest_turn_ms"],
        long_ones="; ".join(
            f"turn {each['turn']} {1000 * each['seconds']:.0f} ms ({each['purger']}, {each['rows']} rows,"
            f" {1000 * each['commit_seconds']:.0f} ms to commit)"
            for each in logged(server, "purge_turn_was_long")[:SHOWN_TURNS]
        ),
        longest_wait_ms=longest_wait_ms,
        file_before=file_before,
        file_after=server.database.stat().st_size,
    )


def logged(server: Server, event: str) -> list[dict[str, Any]]:
    """The lines of the server's log about this."""
    lines = re.findall(rf'^\{{.*"{event}".*\}}$', server.output.read_text(), re.MULTILINE)
    return [json.loads(line) for line in lines]


def runs(database: Path, *, finished: bool) -> list[tuple[int]]:
    """The passes there have been."""
    with reader(database) as connection:
        condition = "IS NOT NULL" if finished else "IS NULL"
        return connection.execute(f"SELECT id FROM projects_purgerun WHERE finished_at {condition}").fetchall()


def rows_are_gone(database: Path) -> bool:
    """Whether the unfinished pass has come to hand room back."""
    with reader(database) as connection:
        condition = "finished_at IS NULL AND rows_removed = rows_total AND rows_total > 0"
        return bool(connection.execute(f"SELECT 1 FROM projects_purgerun WHERE {condition}").fetchone())


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


def rows_of(quiet: list[Outcome], busy: list[Outcome], done: Purged, *, usage: Usage) -> list[Row]:
    """Two rows: what ingest felt, and for how long the lock was held."""
    refused = sum(part.refused for part in (*quiet, *busy))
    if refused:
        raise SystemExit(f"{refused} events were refused")
    p99, quiet_p99 = (median([part.p99_ms for part in parts]) for parts in (busy, quiet))
    return [
        Row(
            name=f"Ingest at {RATE}/s while {done.rows:,} rows are purged, p99",
            rate=f"{done.rows / done.seconds:,.0f} rows/s",
            yardstick=f"without a purge {quiet_p99:.1f} ms",
            bound=3.0,
            measured=p99 / quiet_p99,
            at_least=False,
            unit=" times",
            p50_ms=median([part.p50_ms for part in busy]),
            p99_ms=p99,
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
                (
                    f"{done.long_turns:,} of {done.turns:,} turns took longer than {LOCK_MS:.0f} ms: "
                    f"{done.long_ones or 'none'}"
                ),
                f"a stranger who asked for the lock every 50 ms waited {done.longest_wait_ms:.0f} ms at most",
            ],
        ),
    ]


def told(quiet: list[Outcome], busy: list[Outcome], done: Purged) -> list[str]:
    """What the figures of the row leave out."""
    accepted = sum(part.requests for part in busy)
    files = f"the file had {done.file_before / 1e6:,.0f} MB and has {done.file_after / 1e6:,.0f} MB"
    return [
        f"{done.rows:,} rows in {done.seconds:.0f} s; {accepted:,} events accepted meanwhile, 0 refused",
        f"p99 of each {PART_SECONDS:.0f} s before: {', '.join(f'{part.p99_ms:.0f}' for part in quiet)} ms",
        f"during: {', '.join(f'{part.p99_ms:.0f}' for part in busy)} ms",
        f"{done.bytes_returned / 1e6:,.0f} MB returned in {done.space_seconds:.0f} s: {files}",
    ]

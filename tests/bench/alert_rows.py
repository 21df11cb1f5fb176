"""Rows of the table about alerts: a round over many rules, and how soon a new issue's first message is out."""

import http.client
import http.server
import json
import random
import threading
import time
from pathlib import Path
from typing import Self

from tests.bench.events import event, sign
from tests.bench.load import Load
from tests.bench.report import Row, median
from tests.bench.server import (
    KEY,
    Usage,
    bloop,
    new_folder,
    outcome_of,
    run_module,
    send,
    start_sending,
    stored_events,
    wait_until_folded,
)

RATE = 200
MOST_SECONDS = 30


def rounds(parent: Path, _port: int, *, quick: bool) -> list[Row]:
    """500 rules of every kind over 200 projects with a week of minutes: one evaluation of all of them, on SQLite."""
    size = {"projects": 40, "rules": 500, "days": 1} if quick else {"projects": 200, "rules": 500, "days": 7}
    folder = new_folder(parent, "alert-round")
    run_module("alert_fill", folder, kind="fill", **size)
    done = run_module("alert_fill", folder, kind="rounds", number=6)
    first, *others = done["seconds"]
    later = ", ".join(f"{each:.2f}" for each in others)
    return [
        Row(
            name=f"A round of {size['rules']} alert rules, {size['projects']} projects",
            rate=f"{done['queries']} queries",
            yardstick="the promise of 2 s",
            bound=2.0,
            measured=max(others),
            at_least=False,
            unit=" s",
            p50_ms=1000 * median(others),
            peak_mb=done["peak_mb"],
            runs=[f"the first, which fires what is so, {first:.2f} s; then {later} s; a nudge {done['nudged']:.2f} s"],
        )
    ]


def first_message(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """200 events a second; every two seconds one more of an issue never seen before. From its sending to its message.

    So few that each is told by itself: what comes beyond five a minute waits for its digest.
    """
    seconds, known = (10, 1) if quick else (60, 5)
    folder = new_folder(parent, "alert-new")
    waits: list[float] = []
    with Sink(port + 2) as sink, bloop(folder, port=port) as server:
        send(Load(port=server.port, key=KEY, seconds=3.0, seed=9))
        wait_until_folded(server.database)
        time.sleep(3)
        run_module("alert_fill", folder, kind="told", url=f"http://127.0.0.1:{port + 2}/")
        before, count = stored_events(server.database), RATE * seconds
        with Usage(server) as usage:
            generator = start_sending(Load(port=server.port, key=KEY, count=count, rate=RATE, seed=9))
            for number in range(known):
                time.sleep(seconds / (known + 1))
                waits.append(sink.await_message_of(f"fresh-{number}", since=send_new(port, number)))
            outcome = outcome_of(generator)
        wait_until_folded(server.database)
        if stored_events(server.database) != before + count + known:
            raise SystemExit("an event was lost")
    if len(sink.came) != known:
        raise SystemExit(f"{len(sink.came)} messages of {known} new issues")
    return [
        Row(
            name=f"New issue to its first message at {RATE} events/s",
            rate=f"{outcome.requests / outcome.seconds:,.0f} events/s",
            yardstick="the promise of 5 s",
            bound=5.0,
            measured=max(waits),
            at_least=False,
            unit=" s",
            p50_ms=1000 * median(waits),
            cpu_per_1000=1000 * usage.cpu_seconds / count,
            peak_mb=usage.peak_mb,
            runs=[f"{known} new issues, each told once, after {', '.join(f'{each:.2f}' for each in waits)} s"],
        )
    ]


class Sink:
    """Takes messages, and notes when each fingerprint's came."""

    def __init__(self, port: int) -> None:
        self.came: dict[str, float] = {}
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["fingerprint"] in sink.came:
                    raise SystemExit("a new issue was told twice")
                sink.came[body["fingerprint"]] = time.time()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def await_message_of(self, fingerprint: str, *, since: float) -> float:
        """Seconds from `since` to the message."""
        while fingerprint not in self.came:
            if time.time() - since > MOST_SECONDS:
                raise SystemExit(f"no message of {fingerprint}")
            time.sleep(0.01)
        return self.came[fingerprint] - since


def send_new(port: int, number: int) -> float:
    """An event of an issue nobody has seen. Returns when it was sent."""
    raw = {**event(issue=number, number=number, rng=random.Random(number)), "fingerprint": f"fresh-{number}"}
    body = json.dumps(raw).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "X-Project-Key": KEY, "X-Signature": sign(body, key=KEY)}
    at = time.time()
    connection.request("POST", "/v1/ingest", body, headers)
    if connection.getresponse().status != 200:
        raise SystemExit("a new issue was refused")
    connection.close()
    return at

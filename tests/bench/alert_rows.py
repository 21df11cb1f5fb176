"""Rows of the table about alerts: a round of evaluation, and how soon a new issue is told of under load."""

import http.server
import json
import random
import socket
import threading
import time
from pathlib import Path

from tests.bench.events import event, signed_request
from tests.bench.load import Load
from tests.bench.report import Row, median, percentile
from tests.bench.server import KEY, Usage, bloop, new_folder, outcome_of, run_module, send, start_sending

ROUND_SECONDS, MESSAGE_SECONDS = 2.0, 5.0
# The sink is on this machine; each message for itself.
SETTINGS = {"BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true", "BLOOP__ALERTING__DIGEST_AFTER": "1000"}


def alert_rounds(parent: Path, _port: int, *, quick: bool) -> list[Row]:
    """500 rules of every kind over 200 projects with 100,000 events and 20,000 traces of the last day."""
    sizes = {"projects": 20, "rules": 50, "events": 2_000, "traces": 500, "times": 3}
    if not quick:
        sizes = {"projects": 200, "rules": 500, "events": 100_000, "traces": 20_000, "times": 10}
    done = run_module("alert_fill", new_folder(parent, "alerts"), kind="rounds", **sizes)
    if done["fired"]:
        raise SystemExit(f"{done['fired']} rules fired in rounds where nothing had happened")
    return [
        Row(
            name=f"Evaluating {sizes['rules']} rules over {sizes['projects']} projects",
            rate="",
            yardstick="",
            bound=ROUND_SECONDS,
            measured=max(done["seconds"]),
            at_least=False,
            unit=" s",
            p50_ms=1000 * median(done["seconds"]),
            runs=[", ".join(f"{1000 * seconds:.0f} ms" for seconds in done["seconds"])],
        )
    ]


def alert_message(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """200 events a second of known issues, now and then one of a new one: from its answer to the message's arrival."""
    count, pause = (3, 2.0) if quick else (20, 2.0)
    folder = new_folder(parent, "message")
    sink = Sink()
    run_module("alert_fill", folder, kind="rule", url=f"http://127.0.0.1:{sink.port}/")
    load = Load(port=port, key=KEY, count=int(200 * (count + 2) * pause), rate=200, seed=9, named=True)
    with bloop(folder, port=port, **SETTINGS) as server:
        send(Load(port=port, key=KEY, seconds=2.0, pool=1_000, connections=4))
        time.sleep(3)
        with Usage(server) as usage:
            generator = start_sending(load)
            answered = {}
            for number in range(count):
                answered[f"new-{number}"] = send_new(port, number)
                time.sleep(pause)
            outcome = outcome_of(generator)
        ends = time.monotonic() + 30
        while len(sink.told) < count and time.monotonic() < ends:
            time.sleep(0.1)
    waits = [sink.told[name] - at for name, at in answered.items() if name in sink.told]
    if len(waits) != count:
        raise SystemExit(f"{count} new issues, {len(waits)} messages")
    return [
        Row(
            name="Message of a new issue at 200 events/s, longest",
            rate=f"{outcome.requests / outcome.seconds:,.0f} events/s",
            yardstick="",
            bound=MESSAGE_SECONDS,
            measured=max(waits),
            at_least=False,
            unit=" s",
            p50_ms=1000 * median(waits),
            p99_ms=1000 * percentile(waits, 0.99),
            peak_mb=usage.peak_mb,
        )
    ]


def send_new(port: int, number: int) -> float:
    """One event of an issue nobody has seen; when it was answered."""
    fields = event(issue=number, number=number, rng=random.Random(number))
    body = json.dumps({**fields, "fingerprint": f"new-{number}"}).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(signed_request("/v1/ingest", body, key=KEY))
        if b" 200 " not in connection.recv(4096).partition(b"\r\n")[0]:
            raise SystemExit("a new issue's event was refused")
    return time.time()


class Sink:
    """A web hook on a free port that notes when it first heard of each fingerprint."""

    def __init__(self) -> None:
        told: dict[str, float] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.setdefault(str(body.get("fingerprint")), time.time())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.told = told
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

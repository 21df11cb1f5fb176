"""Rows of the table about stacks of minified code: the first look at one, and every later one."""

import gzip
import hashlib
import hmac
import http.client
import json
import time
from pathlib import Path
from typing import Any

from tests.bench.report import Row, median, percentile
from tests.bench.server import KEY, Server, Usage, bloop, manage, new_folder, wait_until_folded
from tests.maps import big_map, stack_of

FRAMES = 50
MAP_BYTES = 5_000_000
SCOPES = "errors:read,sourcemaps:write"
BOUNDARY = "bench"
COLD_MS, WARM_MS = 1_500, 20


def sourcemaps(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """GET of an error whose stack of 50 frames needs a map of 5 MB: the first time, and again; beside one without.

    Each round has a release, a map and an error of its own, so that each first look finds the map unread.
    """
    rounds, times = (3, 20) if quick else (10, 100)
    folder = new_folder(parent, "sourcemaps")
    token = json.loads(manage(folder, "createtoken", "default", "--name", "bench", "--scopes", SCOPES))["token"]
    cold, warm, plain, uploads = [], [], [], []
    with bloop(folder, port=port) as server:
        site = Site(server, token)
        site.report("plain", release="none")
        for number in range(rounds):
            uploads.append(site.upload(big_map(MAP_BYTES, seed=number), release=f"1.{number}"))
            site.report(f"cold{number}", release=f"1.{number}")
        wait_until_folded(server.database)
        site.look("plain", mapped=0)
        with Usage(server) as usage:
            for number in range(rounds):
                cold.append(site.look(f"cold{number}", mapped=FRAMES))
                for _ in range(times):  # in turns, so that whatever else the machine does hits both
                    warm.append(site.look(f"cold{number}", mapped=FRAMES))
                    plain.append(site.look("plain", mapped=0))
    yardstick = f"without a map {median(plain):.1f} ms, p95 {percentile(plain, 0.95):.1f} ms"
    name = f"GET of an error, {FRAMES} frames, map of 5 MB"
    return [
        Row(
            f"{name}, cold",
            "",
            yardstick,
            COLD_MS,
            max(cold),
            at_least=False,
            unit=" ms",
            p50_ms=median(cold),
            peak_mb=usage.peak_mb,
            runs=[
                "cold " + ", ".join(f"{each:.0f}" for each in cold) + " ms",
                f"uploads of {MAP_BYTES / 1e6:.0f} MB, as gzip, {median(uploads):.0f} ms",
            ],
        ),
        Row(
            f"{name}, warm, p95",
            f"{1000 / median(warm):,.0f} requests/s",
            yardstick,
            WARM_MS,
            percentile(warm, 0.95),
            at_least=False,
            unit=" ms",
            p50_ms=median(warm),
            p99_ms=percentile(warm, 0.99),
        ),
    ]


class Site:
    """A server, and one connection to it."""

    def __init__(self, server: Server, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.bearer = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[float, Any]:
        """The milliseconds it took, and the JSON. Ends the bench when it is not 200."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        begun = time.perf_counter()
        self.connection.request(method, path, body, {**self.bearer, **named})
        answer = self.connection.getresponse()
        text = answer.read()
        took = 1000 * (time.perf_counter() - begun)
        if answer.status != 200:
            raise SystemExit(f"{path} was answered {answer.status}: {text[:200]!r}")
        return took, json.loads(text)

    def upload(self, content: bytes, *, release: str) -> float:
        """Upload a map as gzip; the milliseconds it took."""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="release"\r\n\r\n{release}\r\n--{BOUNDARY}\r\n'
        file = 'Content-Disposition: form-data; name="file"; filename="app.js.map.gz"\r\n\r\n'
        body = (head + file).encode() + gzip.compress(content) + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", "/v1/projects/default/sourcemaps", body, Content_Type=kind)[0]

    def report(self, fingerprint: str, *, release: str) -> None:
        """Send an error with a stack of 50 frames."""
        event = {"error_type": "TypeError", "message": "x", "fingerprint": fingerprint, "release": release}
        body = json.dumps({**event, "stack": stack_of(FRAMES), "timestamp": time.time_ns() // 1_000_000}).encode()
        signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        self.ask("POST", "/v1/ingest", body, Content_Type="application/json", X_Signature=signature)

    def look(self, fingerprint: str, *, mapped: int) -> float:
        """Fetch the error; the milliseconds it took. Ends the bench when not so many frames are mapped."""
        took, found = self.ask("GET", f"/v1/errors/{fingerprint}")
        frames = found["samples"][0].get("deobfuscated_stack", [])
        number = sum(frame["original_file"] is not None for frame in frames)
        if number != mapped:
            raise SystemExit(f"{number} frames of {fingerprint} are mapped, not {mapped}")
        return took

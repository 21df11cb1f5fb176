"""The load generator, a process of its own: signed requests made beforehand, raw sockets, keep-alive.

It shares the machine's cores with the server it measures, so it does as little as it can: about 15 us a request.
Reads a Load as JSON on standard input, says "ready", starts on the next line, answers with one JSON object.
"""

import json
import random
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any

from tests.bench.events import batch_body, signed_request, single_body
from tests.bench.traces import batch_of_traces

PAUSE_AFTER_503 = 0.25


@dataclass(frozen=True)
class Load:
    """What to send. Ends after `seconds`, or after `count` requests answered 200. batch: events a request, 0: single.

    rate: requests a second at fixed moments; 0: each connection sends again as soon as it is answered.
    """

    port: int
    key: str
    connections: int = 16
    seconds: float = 0.0
    count: int = 0
    batch: int = 0
    rate: float = 0.0
    named: bool = False
    pool: int = 20_000
    seed: int = 1
    kind: str = "events"  # or "traces", five spans each


@dataclass
class Outcome:
    """What came of it: seconds from the first request to the last answer, milliseconds each answer took."""

    requests: int = 0
    refused: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    started_at: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    answered_at: list[float] = field(default_factory=list)


class Connection:
    """One keep-alive connection and the request it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.request = b""
        self.number = 0
        self.sent_at = 0.0
        self.received = b""

    def send(self, request: bytes, number: int) -> None:
        self.request, self.number = request, number
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self, usual_length: int) -> tuple[int, int] | None:
        """Status and length of the answer once it is whole. `usual_length`, of the answer before, spares parsing."""
        data = self.socket.recv(65_536)
        if not data:
            raise SystemExit("the server closed a connection")
        if self.received:
            data = self.received + data
        if len(data) == usual_length and data.startswith(b"HTTP/1.1 200"):
            self.received = b""
            return 200, usual_length
        length = whole_length(data)
        if length is None or len(data) < length:
            self.received = data
            return None
        self.received = b""
        return int(data[9:12]), length


def whole_length(answer: bytes) -> int | None:
    """The bytes of head and body together, None while the head is incomplete."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return None
    for line in answer[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return end + 4 + int(value)
    raise SystemExit(f"an answer without Content-Length: {answer[:200]!r}")


class Generator:
    """Sends a Load and keeps the time."""

    def __init__(self, load: Load, requests: list[bytes]) -> None:
        self.load = load
        self.requests = cycle(requests)
        self.connections = [Connection(load.port) for _ in range(load.connections)]
        self.selector = selectors.DefaultSelector()
        for connection in self.connections:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        self.idle = deque(self.connections)
        self.paused: deque[tuple[float, Connection]] = deque()
        self.started = 0
        self.waiting = 0
        self.latencies: list[float] = []
        self.outcome = Outcome()
        if load.named:
            self.outcome.answered_at = [0.0] * load.count

    def run(self) -> Outcome:
        self.outcome.started_at = time.time()
        cpu, begun = time.process_time(), time.perf_counter()
        ends = begun + self.load.seconds if self.load.seconds else float("inf")
        usual_length = 0
        while True:
            timeout = self.dispatch(begun, ends)
            if not self.waiting and not self.paused and timeout is None:
                break
            for key, _ in self.selector.select(timeout):
                connection: Connection = key.data
                answer = connection.read(usual_length)
                if answer is None:
                    continue
                usual_length = answer[1]
                self.note(connection, answer[0])
        self.outcome.seconds = time.perf_counter() - begun
        self.outcome.cpu_seconds = time.process_time() - cpu
        return self.summed_up()

    def dispatch(self, begun: float, ends: float) -> float | None:
        """Send what is due on the connections that are free. Returns the seconds to the next moment something is."""
        now = time.perf_counter()
        while self.paused and self.paused[0][0] <= now:
            connection = self.paused.popleft()[1]
            self.waiting += 1
            connection.send(connection.request, connection.number)
        load = self.load
        while self.idle and now < ends and (not load.count or self.started < load.count):
            if load.rate and (wait := begun + self.started / load.rate - now) > 0:
                return wait
            self.idle.popleft().send(next(self.requests), self.started)
            self.started += 1
            self.waiting += 1
        return max(0.0, self.paused[0][0] - now) if self.paused else None

    def note(self, connection: Connection, status: int) -> None:
        """Book an answer: done, or once more in a moment when the buffer was full."""
        self.waiting -= 1
        now = time.perf_counter()
        if status == 503:
            self.outcome.refused += 1
            self.paused.append((now + PAUSE_AFTER_503, connection))
            return
        if status != 200:
            raise SystemExit(f"the server answered {status}")
        self.latencies.append(now - connection.sent_at)
        if self.load.named:
            self.outcome.answered_at[connection.number] = time.time()
        self.outcome.requests += 1
        self.idle.append(connection)

    def summed_up(self) -> Outcome:
        ordered = sorted(self.latencies)
        self.outcome.p50_ms = 1000 * ordered[len(ordered) // 2]
        self.outcome.p99_ms = 1000 * ordered[int(len(ordered) * 0.99)]
        return self.outcome


def requests_of(load: Load) -> list[bytes]:
    """The requests to send, over and over if need be; with `named` each event carries `b-<seed>-<n>` as its id."""
    rng = random.Random(load.seed)
    if load.kind == "traces":
        at_ms, count = int(time.time() * 1000), max(1, load.pool // load.batch)
        made = (batch_of_traces(rng, number, size=load.batch, at_ms=at_ms) for number in range(count))
        return [signed_request("/v1/traces/batch", body, key=load.key) for body in made]
    if load.batch:
        bodies = (batch_body(rng, number, size=load.batch) for number in range(max(1, load.pool // load.batch)))
        return [signed_request("/v1/ingest/batch", body, key=load.key) for body in bodies]
    count = load.count if load.named else load.pool
    ids = (f"b-{load.seed}-{number}" if load.named else None for number in range(count))
    return [
        signed_request("/v1/ingest", single_body(rng, number, event_id=each), key=load.key)
        for number, each in enumerate(ids)
    ]


def main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    generator = Generator(load, requests_of(load))
    print("ready", flush=True)
    sys.stdin.readline()
    answer: dict[str, Any] = asdict(generator.run())
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

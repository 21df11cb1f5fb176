"""Servers that alerts are sent to: real ones, on this machine, that answer well, late, or never."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """A request that came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[["Sink", BaseHTTPRequestHandler], None]


def answering(status: int, body: bytes = b"ok", **headers: str) -> Answer:
    """Always this."""

    def answer(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One after the other; the last for ever."""
    left = list(answers)

    def answer(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(sink, handler)

    return answer


def hanging(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
    """Takes the question and says nothing."""
    sink.is_closed.wait(60)


def dripping(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
    """A byte of a header now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not sink.is_closed.wait(0.05):
        handler.wfile.write(b"a")
        handler.wfile.flush()


def streaming(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
    """200, and a body without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not sink.is_closed.is_set():
        handler.wfile.write(b"all is well " * 100)
        sink.sent_bytes += 1200


def trickling(sink: "Sink", handler: BaseHTTPRequestHandler) -> None:
    """200, and a body that comes too slowly ever to end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nso far")
    handler.wfile.flush()
    sink.is_closed.wait(60)


@dataclass
class Sink:
    """A web server on 127.0.0.1 that keeps what it got."""

    server: ThreadingHTTPServer
    got: list[Got] = field(default_factory=list)
    is_closed: threading.Event = field(default_factory=threading.Event)
    sent_bytes: int = 0
    scheme: str = "http"

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up does so on purpose."""


@contextmanager
def serving(answer: Answer, *, context: Any = None) -> Iterator[Sink]:
    """A sink; with a context it speaks TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            sink.got.append(Got(self.path, headers, body, time.monotonic()))
            self.close_connection = True
            with suppress(OSError):
                answer(sink, self)

        def log_message(self, *_: Any) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sink = Sink(server, scheme="https" if context else "http")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.is_closed.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


@contextmanager
def shut_port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])

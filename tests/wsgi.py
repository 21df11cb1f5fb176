"""Requests as the web server hands them over: through the transport middleware, with the path exactly as it was sent.

Django's test client tidies paths up before anyone sees them; what the site makes of untidy ones is asked here.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import RequestFactory

from bloop_site.transport import Transport


@dataclass(frozen=True)
class Answer:
    """A response: status code, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def connections_kept() -> Iterator[None]:
    """The end of a request closes no connection, as with Django's test client: the test's transaction lives in it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def ask(method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
    """Send `url`, percent-encoded as a client would put it on the wire, to the whole application."""
    path, _, query = url.partition("?")
    environ = RequestFactory(headers=headers or {}).generic(method, "/", data=body or b"").environ
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    environ["QUERY_STRING"] = query
    environ["wsgi.input"] = io.BytesIO(body or b"")
    seen: dict[str, Any] = {}

    def start_response(status: str, response_headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        seen["status"] = int(status.split(maxsplit=1)[0])
        seen["headers"] = {name.lower(): value for name, value in response_headers}

    with connections_kept():
        parts = Transport(WSGIHandler())(environ, start_response)
        content = b"".join(parts)
        close = getattr(parts, "close", None)
        if close:
            close()
    return Answer(seen["status"], seen["headers"], content)
